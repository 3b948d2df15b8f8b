//! Whatever is said to be a frame or a row, nothing breaks.

use nalcast_core::Rng;
use nalcast_core::fec::{Decoder, Encoder, Layout, Symbol};

use crate::reference::{Held, Row, check, encode, random_fragments};

/// Fragments of two blocks, of which 0 and 1 and 2 are lost, and the rows that bring them back.
fn two_blocks() -> (Vec<Vec<u8>>, Vec<Row>) {
    let fragments = random_fragments(&mut Rng::new(31), 150, 24, 3);
    let rows = [0, 1, 2].map(|row| (row, encode(&fragments, row)));
    (fragments, rows.to_vec())
}

#[test]
fn rows_that_say_nothing_are_passed_over() {
    let (fragments, rows) = two_blocks();
    let cases: [(&str, u16, Vec<u8>); 6] = [
        ("a row twice", 0, rows[0].1.clone()),
        ("another row by the same number", 0, vec![9; 24]),
        ("a row that there cannot be", 256, vec![9; 24]),
        ("the last number", u16::MAX, vec![9; 24]),
        ("a short row", 4, encode(&fragments, 4)[..23].to_vec()),
        ("a long row", 4, [encode(&fragments, 4), vec![0]].concat()),
    ];
    for (what, row, bytes) in cases {
        println!("{what}");
        let useless = (row, bytes);
        for at in 1..=rows.len() {
            let mut with = rows.clone();
            with.insert(at, useless.clone());
            check(&fragments, &[0, 1, 2], with, true);
        }
        // In the place of one that is needed.
        check(&fragments, &[0, 1, 2], vec![rows[0].clone(), rows[1].clone(), useless], false);
    }
}

#[test]
fn a_row_helps_its_own_block_only() {
    let (fragments, rows) = two_blocks();
    let other = (3, encode(&fragments, 3));
    check(&fragments, &[0, 1, 2], vec![rows[0].clone(), rows[1].clone(), other.clone()], false);
    check(&fragments, &[0, 1, 3], vec![rows[0].clone(), rows[1].clone(), other], true);
}

#[test]
fn a_frame_whose_sizes_disagree_is_refused() {
    let (fragments, _) = two_blocks();
    // As many as could make up for whatever a size takes away.
    let rows: Vec<Row> = (0..60).map(|row| (row, encode(&fragments, row))).collect();
    let held = || Held::without(&fragments, &[0, 1, 2], rows.clone());
    let all = |words| vec![u64::MAX; words];
    let cases = [
        ("no fragments", Held { count: 0, bytes: Vec::new(), have: all(1), ..held() }),
        ("too many", Held { count: 4097, bytes: vec![0; 4097 * 24], have: all(65), ..held() }),
        ("more than bytes", Held { count: 151, ..held() }),
        ("fewer than bytes", Held { count: 149, ..held() }),
        ("longer ones", Held { segment: 25, ..held() }),
        ("endless ones", Held { segment: usize::MAX, ..held() }),
        ("a missing byte", Held { bytes: vec![0; 150 * 24 - 1], have: all(3), ..held() }),
        ("too few marks", Held { have: all(2), ..held() }),
    ];
    for (what, mut held) in cases {
        let before = (held.bytes.clone(), held.have.clone());
        assert!(!held.decode(&mut Decoder::default()), "{what}");
        assert!((held.bytes, held.have) == before, "{what}");
    }
}

#[test]
fn rows_that_change_while_they_are_looked_at_are_noticed() {
    let (fragments, rows) = two_blocks();
    for looks in 0..6 {
        let mut held = Held::without(&fragments, &[0, 1, 2], Vec::new());
        let looked = core::cell::Cell::new(0);
        let symbols = || {
            looked.set(looked.get() + 1);
            let given = if looked.get() <= looks { 3 } else { 0 };
            rows.iter().take(given).map(|(row, bytes)| Symbol { row: *row, bytes })
        };
        // Each of two blocks is looked at twice.
        let decoded = Decoder::default().decode(150, 24, &mut held.bytes, &mut held.have, symbols);
        assert_eq!(decoded, looks >= 4, "{looks}");
        assert!(!decoded || held.bytes == fragments.concat());
    }
}

#[test]
fn random_calls_break_nothing() {
    let mut rng = Rng::new(32);
    let mut decoder = Decoder::default();
    for _ in 0..2_000 {
        let count = if rng.chance_ppm(900_000) { rng.below(300) } else { rng.next_u64() & 0xffff } as u16;
        let segment = rng.below(9) as usize;
        let surplus = if rng.chance_ppm(200_000) { rng.below(3) as usize } else { 1 };
        let mut bytes = vec![0; (usize::from(count) * segment + surplus).saturating_sub(1)];
        let mut have: Vec<u64> =
            (0..usize::from(count).div_ceil(64)).map(|_| rng.next_u64() | rng.next_u64()).collect();
        let row = |rng: &mut Rng| {
            let len = if rng.chance_ppm(50_000) { rng.below(9) as usize } else { segment };
            (rng.below(400) as u16, vec![rng.next_u64() as u8; len])
        };
        let rows: Vec<Row> = (0..rng.below(300)).map(|_| row(&mut rng)).collect();
        let symbols = || rows.iter().map(|(row, bytes)| Symbol { row: *row, bytes });
        if decoder.decode(count, segment, &mut bytes, &mut have, symbols) {
            assert!((0..count).all(|index| have[usize::from(index / 64)] >> (index % 64) & 1 == 1));
        }
    }
}

#[test]
fn an_encoder_ignores_what_is_not_its_own() {
    let mut out = [7; 4];
    assert!(Encoder::new(Layout::new(150), 256, &mut out).is_none());
    assert!(Encoder::new(Layout::new(150), u16::MAX, &mut out).is_none());
    let mut encoder = Encoder::new(Layout::new(150), 2, &mut out).unwrap();
    encoder.add(1, 0, &[1; 4]);
    encoder.add(150, 0, &[1; 4]);
    encoder.add(65_534, 0, &[1; 4]);
    encoder.add(0, 5, &[1; 4]);
    encoder.add(0, usize::MAX, &[1; 4]);
    encoder.add(0, 4, &[1; 4]);
    assert_eq!(out, [0; 4]);
    // What is too long is added as far as the row reaches.
    Encoder::new(Layout::new(150), 0, &mut out).unwrap().add(0, 3, &[1, 2]);
    assert_eq!(out, [0, 0, 0, 1]);
}

#[test]
fn every_fragment_and_row_has_its_place() {
    for count in (0..300).chain([4095, 4096, 4097, u16::MAX]) {
        let layout = Layout::new(count);
        let fragments = count.clamp(1, 4096);
        assert_eq!(u16::from(layout.blocks()), fragments.div_ceil(128), "{count}");
        assert_eq!(layout.rows_max(), 128 * u16::from(layout.blocks()), "{count}");
        let mut sizes = vec![0; usize::from(layout.blocks())];
        (0..fragments).for_each(|index| sizes[usize::from(layout.block_of(index))] += 1);
        for (block, size) in (0..).zip(&sizes) {
            assert_eq!(layout.size_of(block), *size, "{count} {block}");
            assert!(*size <= 128, "{count} {block}");
        }
        assert_eq!((layout.size_of(layout.blocks()), layout.size_of(u8::MAX)), (0, 0), "{count}");
        let rows: Vec<(u8, u16)> =
            (0..layout.rows_max()).map(|row| (layout.block_of(row), layout.row_in_block(row))).collect();
        let right = (0..128).flat_map(|place| (0..layout.blocks()).map(move |block| (block, place)));
        assert!(rows.into_iter().eq(right), "{count}");
    }
}
