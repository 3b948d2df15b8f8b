//! Coding touches no heap: rows are made where they are sent from, and a decoder keeps its memory.

use allocation_counter::measure;
use nalcast_core::fec::{Decoder, Encoder, Layout, Symbol};

const COUNT: u16 = 200;
const SEGMENT: usize = 100;

#[test]
fn rows_are_made_and_used_without_allocating() {
    let mut rows = vec![0; SEGMENT * 40];
    let mut bytes: Vec<u8> = (0..SEGMENT * usize::from(COUNT)).map(|i| (i * i) as u8).collect();
    let right = bytes.clone();
    let encode = |rows: &mut [u8]| {
        for (row, out) in (0..).zip(rows.chunks_exact_mut(SEGMENT)) {
            let mut encoder = Encoder::new(Layout::new(COUNT), row, out).unwrap();
            (0..).zip(right.chunks(SEGMENT)).for_each(|(index, fragment)| encoder.add(index, 0, fragment));
        }
    };
    let allocated = measure(|| encode(&mut rows));
    assert_eq!(allocated.count_total, 0, "{allocated:?}");

    let mut decoder = Decoder::default();
    let mut decode = |lost: usize| {
        bytes[..SEGMENT * lost].fill(3);
        let mut have = [u64::MAX << lost, u64::MAX, u64::MAX, u64::MAX];
        let symbols = || (0..).zip(rows.chunks(SEGMENT)).map(|(row, bytes)| Symbol { row, bytes });
        assert!(decoder.decode(COUNT, SEGMENT, &mut bytes, &mut have, symbols));
        assert_eq!(have, [u64::MAX; 4]);
    };
    decode(40);
    let allocated = measure(|| [1, 40, 3, 40, 2].into_iter().for_each(&mut decode));
    assert_eq!(allocated.count_total, 0, "{allocated:?}");
    assert!(bytes == right);
}
