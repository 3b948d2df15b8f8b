//! Rows as they are sent.

use core::fmt::Write;

use nalcast_core::Rng;
use nalcast_core::fec::{Encoder, Layout};

use crate::reference::{encode, random_fragments, row_of};

#[test]
fn rows_are_those_of_the_definition() {
    let mut rng = Rng::new(11);
    for (count, segment) in [(1, 1), (2, 33), (7, 64), (40, 100), (128, 31), (129, 5), (257, 3), (300, 2)] {
        let fragments = random_fragments(&mut rng, count, segment, 0);
        let rows_max = Layout::new(count as u16).rows_max();
        for row in (0..6).chain([rows_max / 2, rows_max - 1]) {
            assert_eq!(encode(&fragments, row), row_of(&fragments, usize::from(row)), "row {row} of {count}");
        }
    }
}

#[test]
fn the_first_row_of_a_block_is_the_exclusive_or() {
    let fragments = random_fragments(&mut Rng::new(12), 300, 50, 0);
    for blocks_row in 0..3 {
        let mut sum = vec![0; 50];
        for fragment in fragments.iter().skip(blocks_row).step_by(3) {
            sum.iter_mut().zip(fragment).for_each(|(sum, byte)| *sum ^= byte);
        }
        assert_eq!(encode(&fragments, blocks_row as u16), sum);
    }
}

/// Fragments of zeros change nothing, so a block of any size has the rows of a shorter one.
#[test]
fn a_row_depends_on_nothing_but_its_fragments() {
    let mut fragments = random_fragments(&mut Rng::new(13), 5, 40, 0);
    let of_five: Vec<Vec<u8>> = (0..128).map(|row| encode(&fragments, row)).collect();
    while fragments.len() < 128 {
        fragments.push(vec![0; 40]);
        let row = fragments.len() as u16 - 1;
        assert_eq!(encode(&fragments, row), of_five[usize::from(row)], "{row}");
        assert_eq!(encode(&fragments, 3), of_five[3], "{row}");
    }
}

#[test]
fn pieces_of_a_fragment_add_up() {
    let mut rng = Rng::new(14);
    let fragments = random_fragments(&mut rng, 9, 80, 30);
    for row in [0, 1, 127] {
        let mut out = vec![1; 80];
        let mut encoder = Encoder::new(Layout::new(9), row, &mut out).unwrap();
        for (index, fragment) in (0..9).zip(&fragments).rev() {
            // Without the zeros that fill the last one.
            let fragment = if index == 8 { &fragment[..50] } else { fragment };
            let (head, tail) = fragment.split_at(rng.below(51) as usize);
            encoder.add(index, head.len(), tail);
            encoder.add(index, 0, head);
        }
        assert_eq!(out, encode(&fragments, row), "{row}");
    }
}

/// Known answers for other implementations.
#[test]
fn first_entries_and_a_row() {
    let mut known = String::from("entry(row, column), one line a row, rows 0..8 and 127, columns 0..16\n");
    for row in (0..8).chain([127]) {
        let entries = (0..16).map(|column| {
            let mut out = [0];
            Encoder::new(Layout::new(16), row, &mut out).unwrap().add(column, 0, &[1]);
            out[0]
        });
        writeln!(known, "{row:>3}: {}", hex(entries)).unwrap();
    }
    let fragments = [&b"the first fragment of it"[..], b"another that is as long.", b"a short one"];
    let mut out = [0; 24];
    let mut encoder = Encoder::new(Layout::new(3), 5, &mut out).unwrap();
    (0..).zip(fragments).for_each(|(index, fragment)| encoder.add(index, 0, fragment));
    let texts = fragments.map(|fragment| format!("\"{}\"", fragment.escape_ascii()));
    writeln!(known, "row 5 of {}\n     {}", texts.join(", "), hex(out)).unwrap();
    insta::with_settings!({ snapshot_path => "../snapshots" }, {
        insta::assert_snapshot!("rows", known);
    });
}

fn hex(bytes: impl IntoIterator<Item = u8>) -> String {
    let digits: Vec<String> = bytes.into_iter().map(|byte| format!("{byte:02x}")).collect();
    digits.join(" ")
}
