//! The wire format byte for byte, and its laws.

mod laws;
mod samples;

use core::fmt::Write as _;

use samples::Sample;

/// A datagram as a table: offset, bytes, field.
fn dump(sample: &Sample) -> String {
    let mut text = String::new();
    let mut at = 0;
    for (len, field) in &sample.fields {
        let bytes = &sample.bytes[at..at + len];
        let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        // Long runs of zeros are told by their length alone.
        let shown =
            if *len > 24 && bytes.iter().all(|byte| *byte == 0) { format!("00 x {len}") } else { hex.join(" ") };
        writeln!(text, "{at:>4}  {shown:<48}  {field}").expect("a string takes everything");
        at += len;
    }
    assert_eq!(at, sample.bytes.len(), "{}: the fields are the datagram", sample.name);
    text
}

#[test]
fn every_datagram_byte_for_byte() {
    for sample in samples::all() {
        insta::with_settings!({ snapshot_path => "../snapshots" }, {
            insta::assert_snapshot!(sample.name, dump(&sample));
        });
    }
}
