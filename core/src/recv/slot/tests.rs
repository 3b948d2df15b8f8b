//! Fragments and rows become a frame, in whatever order they come.

use super::*;
use crate::fec::{Encoder, Layout};
use crate::nal::Codec;
use crate::wire::Writer;
use crate::wire::media::FragmentHeader;

/// The fragments of a frame with a body of `body_len` bytes, cut at `segment`.
fn cut(body_len: usize, segment: usize) -> (Vec<Vec<u8>>, Vec<u8>) {
    let body: Vec<u8> = (0..body_len).map(|i| (i * 7) as u8).collect();
    let header = FrameHeader {
        codec: Codec::H264,
        key: true,
        parameter_sets: true,
        marks_long_term: false,
        uses_long_term: false,
        geometry_changed: false,
        parameter_epoch: 0,
        reference_delta: 0,
        capture_us: 1,
        encode_units: 0,
        body_len: body_len as u32,
    };
    let mut buf = [0; FRAME_HEADER_BYTES_MAX];
    let mut writer = Writer::new(&mut buf);
    header.write(&mut writer);
    let len = writer.finish().unwrap();
    let whole = [&buf[..len], &body].concat();
    (whole.chunks(segment).map(<[u8]>::to_vec).collect(), body)
}

fn fragment(parts: &[Vec<u8>], index: usize) -> Fragment<'_> {
    let header = FragmentHeader {
        parity: false,
        key: true,
        disposable: false,
        temporal_id: 0,
        end: index + 1 == parts.len(),
        repair: false,
        frame_id_low: 1,
        index: index as u16,
        count: parts.len() as u16,
    };
    Fragment { frame_id: 1, header, bytes: &parts[index], arrived: Timestamp::from_millis(index as u64) }
}

fn rows(parts: &[Vec<u8>], count: u16) -> Vec<Vec<u8>> {
    let segment = parts[0].len();
    let one = |row| {
        let mut out = vec![0; segment];
        let mut encoder = Encoder::new(Layout::new(parts.len() as u16), row, &mut out).unwrap();
        (0..).zip(parts).for_each(|(index, part)| encoder.add(index, 0, part));
        out
    };
    (0..count).map(one).collect()
}

fn row<'a>(parts: &[Vec<u8>], rows: &'a [Vec<u8>], index: usize) -> Fragment<'a> {
    let header = FragmentHeader { parity: true, end: false, index: index as u16, ..fragment(parts, 0).header };
    Fragment { frame_id: 1, header, bytes: &rows[index], arrived: Timestamp::ZERO }
}

fn place(slot: &mut Slot, fragment: &Fragment<'_>) -> Placed {
    slot.place(fragment, &mut Decoder::default())
}

#[test]
fn any_order_gives_the_body_back() {
    let (parts, body) = cut(50, 13);
    let n = parts.len();
    for rotation in 0..n {
        for reversed in [false, true] {
            let mut order: Vec<usize> = (0..n).map(|i| (i + rotation) % n).collect();
            if reversed {
                order.reverse();
            }
            let mut slot = Slot::new(&fragment(&parts, order[0]));
            for index in &order {
                assert!(slot.complete.is_none());
                assert_eq!(place(&mut slot, &fragment(&parts, *index)), Placed::New);
                assert_eq!(place(&mut slot, &fragment(&parts, *index)), Placed::Duplicate);
            }
            assert_eq!(slot.complete.unwrap().body, body, "{order:?}");
        }
    }
}

#[test]
fn fragments_that_contradict_each_other_are_refused() {
    let (parts, _) = cut(50, 13);
    let mut slot = Slot::new(&fragment(&parts, 0));
    assert_eq!(place(&mut slot, &fragment(&parts, 0)), Placed::New);
    let short = [&parts[..1], &[vec![1; 5]], &parts[2..]].concat();
    assert_eq!(place(&mut slot, &fragment(&short, 1)), Placed::Contradiction, "not the last, yet short");
    let huge = vec![vec![0; 1400]; 4096];
    let mut slot = Slot::new(&fragment(&huge, 0));
    assert_eq!(place(&mut slot, &fragment(&huge, 0)), Placed::Contradiction, "over the largest frame");
    assert_eq!(slot.held_bytes(), 0);
}

#[test]
fn a_finer_cut_takes_the_place_of_a_coarser_one() {
    let ((coarse, body), (fine, _)) = (cut(50, 20), cut(50, 13));
    let mut slot = Slot::new(&fragment(&coarse, 0));
    assert_eq!(place(&mut slot, &fragment(&coarse, 0)), Placed::New);
    assert_eq!(place(&mut slot, &fragment(&fine, 1)), Placed::New);
    assert_eq!(place(&mut slot, &fragment(&coarse, 1)), Placed::Outdated);
    for index in [0, 2, 3, 4] {
        assert_eq!(place(&mut slot, &fragment(&fine, index)), Placed::New);
    }
    assert_eq!(slot.complete.as_ref().unwrap().body, body);
    assert_eq!(place(&mut slot, &fragment(&cut(50, 5).0, 0)), Placed::Duplicate, "what is whole stays whole");
}

#[test]
fn what_was_overtaken_is_asked_for_once_the_tolerance_is_over() {
    let (parts, _) = cut(80, 13);
    let (at, tolerance) = (Timestamp::from_millis, Duration::from_millis(5));
    let lost = |slot: &Slot, millis| slot.lost(at(millis), tolerance).collect::<Vec<_>>();
    let mut slot = Slot::new(&fragment(&parts, 0));
    place(&mut slot, &fragment(&parts, 0));
    assert_eq!(slot.next_loss(at(0), tolerance), None, "nothing overtaken yet");
    place(&mut slot, &fragment(&parts, 3));
    assert_eq!((slot.next_loss(at(3), tolerance), lost(&slot, 7)), (Some(at(8)), vec![]));
    assert_eq!((lost(&slot, 8), slot.is_overdue(at(8), tolerance)), (vec![(0, 2)], true));
    place(&mut slot, &fragment(&parts, 2));
    assert_eq!(lost(&slot, 8), [(0, 1)]);
    slot.expect_tail(at(9));
    assert_eq!((lost(&slot, 13), lost(&slot, 14)), (vec![(0, 1)], vec![(0, 4)]), "a newer frame came: the tail too");
}

#[test]
fn rows_stand_in_for_any_fragments() {
    let (parts, body) = cut(80, 13);
    let rows = rows(&parts, 3);
    let mut slot = Slot::new(&row(&parts, &rows, 1));
    assert_eq!(place(&mut slot, &row(&parts, &rows, 1)), Placed::New);
    assert_eq!(place(&mut slot, &row(&parts, &rows, 1)), Placed::Duplicate);
    for index in [1, 3, 4] {
        assert_eq!(place(&mut slot, &fragment(&parts, index)), Placed::New);
    }
    assert_eq!((slot.missing(), slot.complete.is_some()), (3, false));
    slot.expect_tail(Timestamp::ZERO);
    assert_eq!(slot.lost(Timestamp::MAX, Duration::ZERO).collect::<Vec<_>>(), [(0, 3)], "four, less one row");
    for index in [0, 2] {
        assert_eq!(place(&mut slot, &row(&parts, &rows, index)), Placed::New);
    }
    assert_eq!(place(&mut slot, &fragment(&parts, 5)), Placed::New);
    assert_eq!(slot.complete.as_ref().unwrap().body, body);
    assert_eq!((slot.repaired, slot.held_bytes()), (Repaired::ByParity, body.len()));
    let mut slot = Slot::new(&fragment(&parts, 0));
    place(&mut slot, &fragment(&parts, 0));
    let short = [vec![1; 12]];
    assert_eq!(place(&mut slot, &row(&parts, &short, 0)), Placed::Contradiction, "a row is as long as a fragment");
}
