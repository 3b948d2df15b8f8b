//! The partition into access units, written the slow and simple way, and the laws that any byte string must obey.

use nalcast_core::nal::{AccessUnits, Codec, annexb};

/// Whether a NAL unit opens an access unit, is a slice, precedes a slice, or none of these.
#[derive(Clone, Copy, PartialEq)]
enum Role {
    Opens,
    FirstSlice,
    LaterSlice,
    Prefix,
    Other,
}

/// What a splitter makes of a stream: its units, and the offset of the one that was too large.
#[derive(Debug, PartialEq)]
pub(crate) struct Outcome {
    units: Vec<Vec<u8>>,
    too_large_at: Option<u64>,
}

/// Checks the splitter and the scanner against the model; `piece_sizes`, in turn, cut the stream into pushes.
#[track_caller]
pub(crate) fn check(codec: Codec, unit_bytes_max: usize, stream: &[u8], piece_sizes: &[usize]) -> Vec<Vec<u8>> {
    let scanned: Vec<_> = annexb::nal_units(stream).map(|nal| (nal.start, nal.payload)).collect();
    let trimmed: Vec<_> = nal_units(stream).into_iter().map(|(start, nal)| (start, trim(nal))).collect();
    assert_eq!(scanned, trimmed, "NAL units");

    let model = model(codec, unit_bytes_max, stream);
    let all = [stream.len().max(1)];
    for sizes in [&all, &[1], piece_sizes] {
        assert_eq!(split(codec, unit_bytes_max, stream, sizes), model, "pushes of {sizes:?} bytes");
    }
    let whole = model.units.concat();
    match model.too_large_at {
        None => assert_eq!(whole, stream, "the units are the stream"),
        Some(offset) => assert_eq!((whole.as_slice(), whole.len() as u64), (&stream[..whole.len()], offset)),
    }
    model.units
}

fn split(codec: Codec, unit_bytes_max: usize, mut stream: &[u8], piece_sizes: &[usize]) -> Outcome {
    let mut splitter = AccessUnits::with_unit_bytes_max(codec, unit_bytes_max);
    let mut units = Vec::new();
    let mut drain = |splitter: &mut AccessUnits| {
        loop {
            match splitter.next_unit() {
                Ok(Some(unit)) => units.push(unit.to_vec()),
                Ok(None) => return None,
                Err(error) => return Some(error.offset),
            }
        }
    };
    for size in piece_sizes.iter().cycle() {
        let (piece, rest) = stream.split_at((*size).min(stream.len()));
        splitter.push(piece);
        drain(&mut splitter);
        stream = rest;
        if stream.is_empty() {
            break;
        }
    }
    splitter.finish();
    let too_large_at = drain(&mut splitter);
    Outcome { units, too_large_at }
}

fn model(codec: Codec, unit_bytes_max: usize, stream: &[u8]) -> Outcome {
    let nals: Vec<_> = nal_units(stream).into_iter().map(|(start, nal)| (start, role(codec, nal))).collect();
    let mut outcome = Outcome { units: Vec::new(), too_large_at: None };
    let mut unit_start = 0;
    let mut has_slice = false;
    for (index, &(start, role)) in nals.iter().enumerate() {
        if has_slice && matches!(role, Role::Opens | Role::FirstSlice) {
            let prefixes = nals[..index].iter().rev().take_while(|nal| nal.1 == Role::Prefix).count();
            let cut = if role == Role::FirstSlice { nals[index - prefixes].0 } else { start };
            if cut - unit_start > unit_bytes_max || start - cut > unit_bytes_max {
                outcome.too_large_at = Some(unit_start as u64);
                return outcome;
            }
            outcome.units.push(stream[unit_start..cut].to_vec());
            unit_start = cut;
            has_slice = false;
        }
        has_slice |= matches!(role, Role::FirstSlice | Role::LaterSlice);
    }
    if stream.len() - unit_start > unit_bytes_max {
        outcome.too_large_at = Some(unit_start as u64);
    } else if unit_start < stream.len() {
        outcome.units.push(stream[unit_start..].to_vec());
    }
    outcome
}

/// The start of each NAL unit with its start code, and what follows the start code up to the next one's prefix.
fn nal_units(stream: &[u8]) -> Vec<(usize, &[u8])> {
    let prefixes: Vec<_> = (0..stream.len()).filter(|&at| stream[at..].starts_with(&[0, 0, 1])).collect();
    let ends = prefixes.iter().skip(1).copied().chain([stream.len()]);
    let unit = |(&prefix, end): (&usize, usize)| {
        let has_zero_byte = prefix > 0 && stream[prefix - 1] == 0;
        (prefix - usize::from(has_zero_byte), &stream[prefix + 3..end])
    };
    prefixes.iter().zip(ends).map(unit).collect()
}

fn trim(mut nal: &[u8]) -> &[u8] {
    while let Some((0, rest)) = nal.split_last() {
        nal = rest;
    }
    nal
}

fn role(codec: Codec, nal: &[u8]) -> Role {
    let slice = |first_bit_of: Option<&u8>| match first_bit_of {
        Some(0x80..) => Role::FirstSlice,
        Some(_) | None => Role::LaterSlice,
    };
    match (codec, nal) {
        (_, [] | [0x80..=0xff, ..]) => Role::Other,
        (Codec::H264, [header, ..]) => match header & 31 {
            1 | 2 | 5 => slice(nal.get(1)),
            3 | 4 => Role::LaterSlice,
            6..=9 | 15..=18 => Role::Opens,
            14 => Role::Prefix,
            _ => Role::Other,
        },
        // Only the base layer (id 0) counts, and no temporal id is forbidden but "minus one".
        (Codec::H265, [header, 1..=7, ..]) if header & 1 == 0 => match header >> 1 {
            0..=31 => slice(nal.get(2)),
            32..=35 | 39 | 41..=44 | 48..=55 => Role::Opens,
            _ => Role::Other,
        },
        (Codec::H265, _) => Role::Other,
    }
}
