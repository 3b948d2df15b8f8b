//! The code as its definition reads, slow and on its own, and frames to code.

use nalcast_core::Rng;
use nalcast_core::fec::{Decoder, Encoder, Layout, Symbol};

/// The product of two polynomials modulo x^8 + x^4 + x^3 + x^2 + 1.
pub(crate) fn product(a: u8, b: u8) -> u8 {
    let mut product = (0..8).filter(|bit| b >> bit & 1 == 1).fold(0u16, |sum, bit| sum ^ u16::from(a) << bit);
    for degree in (8..15).rev() {
        if product >> degree & 1 == 1 {
            product ^= 0b1_0001_1101 << (degree - 8);
        }
    }
    product as u8
}

pub(crate) fn inverse(a: u8) -> u8 {
    (1..=255).find(|b| product(a, *b) == 1).expect("not of zero")
}

/// inv((128 + row) xor column), scaled so that row 0 is all ones.
pub(crate) fn entry(row: u16, column: u16) -> u8 {
    let cauchy = |row: u16| inverse((128 + row) as u8 ^ column as u8);
    product(cauchy(row), inverse(cauchy(0)))
}

/// Row `row` of the fragments as the definition has it.
pub(crate) fn row_of(fragments: &[Vec<u8>], row: usize) -> Vec<u8> {
    let blocks = fragments.len().div_ceil(128);
    let mut sum = vec![0; fragments[0].len()];
    for (index, fragment) in fragments.iter().enumerate().filter(|(index, _)| index % blocks == row % blocks) {
        let factor = entry((row / blocks) as u16, (index / blocks) as u16);
        sum.iter_mut().zip(fragment).for_each(|(sum, byte)| *sum ^= product(factor, *byte));
    }
    sum
}

/// Row `row` of the fragments as the encoder has it.
pub(crate) fn encode(fragments: &[Vec<u8>], row: u16) -> Vec<u8> {
    let mut out = vec![0xee; fragments[0].len()];
    let mut encoder = Encoder::new(Layout::new(fragments.len() as u16), row, &mut out).expect("a row of the frame");
    (0..).zip(fragments).for_each(|(index, fragment)| encoder.add(index, 0, fragment));
    out
}

/// A frame of `count` fragments of `segment` random bytes, the last one's last `short` being zeros.
pub(crate) fn random_fragments(rng: &mut Rng, count: usize, segment: usize, short: usize) -> Vec<Vec<u8>> {
    let mut fragments = vec![vec![0; segment]; count];
    fragments.iter_mut().for_each(|fragment| rng.fill(fragment));
    fragments[count - 1][segment - short..].fill(0);
    fragments
}

/// A row with its number.
pub(crate) type Row = (u16, Vec<u8>);

/// What a receiver holds.
pub(crate) struct Held {
    pub(crate) count: u16,
    pub(crate) segment: usize,
    pub(crate) bytes: Vec<u8>,
    pub(crate) have: Vec<u64>,
    pub(crate) rows: Vec<Row>,
}

impl Held {
    /// Everything but the fragments `lost`, in whose places garbage lies.
    pub(crate) fn without(fragments: &[Vec<u8>], lost: &[usize], rows: Vec<Row>) -> Self {
        let segment = fragments[0].len();
        let mut bytes = fragments.concat();
        let mut have = vec![0; fragments.len().div_ceil(64)];
        (0..fragments.len()).for_each(|index| have[index / 64] |= 1 << (index % 64));
        for index in lost {
            bytes[index * segment..][..segment].fill(0xa5);
            have[index / 64] &= !(1 << (index % 64));
        }
        Self { count: fragments.len() as u16, segment, bytes, have, rows }
    }

    pub(crate) fn decode(&mut self, decoder: &mut Decoder) -> bool {
        let Self { count, segment, bytes, have, rows } = self;
        decoder.decode(*count, *segment, bytes, have, || rows.iter().map(|(row, bytes)| Symbol { row: *row, bytes }))
    }
}

/// Decodes what is left: all of it, if `decodes`, and otherwise nothing is touched.
pub(crate) fn check(fragments: &[Vec<u8>], lost: &[usize], rows: Vec<Row>, decodes: bool) {
    let mut held = Held::without(fragments, lost, rows);
    let untouched = (held.bytes.clone(), held.have.clone());
    let whole = Held::without(fragments, &[], Vec::new());
    let numbers: Vec<u16> = held.rows.iter().map(|(row, _)| *row).collect();
    let told = format!("{} fragments of {}, lost {lost:?}, rows {numbers:?}", held.count, held.segment);
    assert_eq!(held.decode(&mut Decoder::default()), decodes, "{told}");
    let right = if decodes { (whole.bytes, whole.have) } else { untouched };
    assert!((held.bytes, held.have) == right, "{told}");
}
