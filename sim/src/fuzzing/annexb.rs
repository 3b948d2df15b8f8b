//! Byte streams cut into access units, and what is read of them.

use nalcast_core::limits;
use nalcast_core::nal::{AccessUnits, Codec, Inspector, ParameterSets};

#[path = "../../../core/tests/nal_model/mod.rs"]
mod nal_model;

/// The first byte chooses the codec and the limit to a unit, the next two the pushes; the rest is the stream.
pub fn annexb(data: &[u8]) {
    let Some((&[choice, first_piece, second_piece], stream)) = data.split_first_chunk() else { return };
    let codec = if choice & 1 == 0 { Codec::H264 } else { Codec::H265 };
    // Half of the inputs meet the limit that is in use, which none of them reaches, the others one that they do.
    let unit_bytes_max = if choice & 2 == 0 { limits::FRAME_BYTES_MAX } else { 4 * usize::from(choice) };
    let piece_sizes = [usize::from(first_piece) + 1, usize::from(second_piece) + 1];
    let units = nal_model::check(codec, unit_bytes_max, stream, &piece_sizes);

    let mut inspector = Inspector::new(codec);
    let mut sets = ParameterSets::new(codec);
    for unit in &units {
        let info = inspector.inspect(unit);
        assert!(info.vcl_units > 0 || !(info.key || info.disposable), "only slices make {info:?}");
        assert!(!(info.key && info.disposable), "{info:?}");
        observe(codec, &mut sets, unit);
    }
    // The codec that the stream's own sets speak for.
    if let Some(detected) = Codec::detect(stream) {
        observe(detected, &mut ParameterSets::new(detected), stream);
    }
    a_cut_unit_is_one_unit(codec, &units);
}

fn observe(codec: Codec, sets: &mut ParameterSets, unit: &[u8]) {
    let (before, epoch) = (sets.as_annexb(), sets.epoch());
    let changed = sets.observe(unit);
    assert_eq!(changed, sets.epoch() != epoch);
    assert!(changed || sets.as_annexb() == before, "every change is told");
    assert!(sets.as_annexb().len() <= limits::PARAMETER_SETS_BYTES_MAX);

    // A decoder that starts from what was written has the same sets.
    let mut joined = ParameterSets::new(codec);
    joined.observe(&sets.as_annexb());
    assert_eq!(joined.as_annexb(), sets.as_annexb());
    assert_eq!((joined.is_complete(), joined.refused()), (sets.is_complete(), 0));
}

/// A unit on its own is found to be one unit again, so that a file of received units is cut the same way.
fn a_cut_unit_is_one_unit(codec: Codec, units: &[Vec<u8>]) {
    for unit in units {
        let mut splitter = AccessUnits::new(codec);
        splitter.push(unit);
        splitter.finish();
        assert_eq!(splitter.next_unit(), Ok(Some(unit.clone().into())));
        assert_eq!(splitter.next_unit(), Ok(None));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_streams_obey_the_laws() {
        let streams: [(u8, &[u8]); 4] = [
            (0, include_bytes!("../../../core/tests/fixtures/aud-slices-b.h264")),
            (0, include_bytes!("../../../core/tests/fixtures/bpyramid.h264")),
            (1, include_bytes!("../../../core/tests/fixtures/aud-b.h265")),
            (1, include_bytes!("../../../core/tests/fixtures/cra-temporal.h265")),
        ];
        for (codec, stream) in streams {
            for limit in [0, 2, 0x82, 0xfe] {
                annexb(&[&[codec | limit, 3, 200], stream].concat());
            }
        }
    }
}
