//! What is lost comes back.

use nalcast_core::Rng;
use nalcast_core::fec::Layout;

use crate::reference::{Row, check, encode, random_fragments};

#[test]
fn every_loss_of_few_fragments() {
    let mut rng = Rng::new(1);
    for count in 1..=6 {
        let fragments = random_fragments(&mut rng, count, 37, 5);
        let rows: Vec<Row> = (0..4).map(|row| (row, encode(&fragments, row))).collect();
        for lost in 0..1u32 << count {
            for given in 0..1u32 << rows.len() {
                let lost: Vec<usize> = (0..count).filter(|index| lost >> index & 1 == 1).collect();
                let given: Vec<_> = rows.iter().filter(|row| given >> row.0 & 1 == 1).cloned().collect();
                let decodes = given.len() >= lost.len();
                check(&fragments, &lost, given, decodes);
            }
        }
    }
}

/// The first few of `0..bound` in random order.
fn draw(rng: &mut Rng, bound: usize, count: usize) -> Vec<usize> {
    let mut numbers: Vec<usize> = (0..bound).collect();
    for at in 0..count {
        numbers.swap(at, at + rng.below((bound - at) as u64) as usize);
    }
    numbers.truncate(count);
    numbers
}

/// Loses `lost` random fragments and gives random rows, so many of each block as it lacks, but for `fewer` of one.
fn lose(rng: &mut Rng, count: usize, segment: usize, lost: usize, fewer: usize) {
    let short = rng.below(segment as u64) as usize;
    let fragments = random_fragments(rng, count, segment, short);
    let layout = Layout::new(count as u16);
    let lost = draw(rng, count, lost);
    let mut rows = Vec::new();
    for block in 0..layout.blocks() {
        let lacks = lost.iter().filter(|index| layout.block_of(**index as u16) == block).count();
        let places = draw(rng, 128, lacks);
        rows.extend(places.iter().map(|place| *place as u16 * u16::from(layout.blocks()) + u16::from(block)));
    }
    let order = draw(rng, rows.len(), rows.len() - fewer);
    let rows: Vec<Row> = order.iter().map(|at| (rows[*at], encode(&fragments, rows[*at]))).collect();
    check(&fragments, &lost, rows, fewer == 0);
}

#[test]
fn random_losses_of_frames_of_any_size() {
    let mut rng = Rng::new(2);
    for count in [1, 2, 3, 10, 40, 63, 64, 65, 127, 128, 129, 130, 200, 255, 256, 257, 300] {
        for _ in 0..4 {
            let lost = 1 + rng.below(count.min(24) as u64) as usize;
            let segment = 1 + rng.below(100) as usize;
            lose(&mut rng, count, segment, lost, 0);
            lose(&mut rng, count, segment, lost, 1);
        }
    }
}

#[test]
fn everything_is_lost() {
    let mut rng = Rng::new(3);
    for (count, segment) in [(1, 1), (10, 1175), (128, 7), (129, 3), (300, 5)] {
        lose(&mut rng, count, segment, count, 0);
        lose(&mut rng, count, segment, count, 1);
    }
}

#[test]
fn the_largest_frame() {
    let mut rng = Rng::new(4);
    lose(&mut rng, 4096, 3, 100, 0);
    lose(&mut rng, 4096, 3, 100, 1);
}

#[test]
fn more_rows_than_needed_do_no_harm() {
    let mut rng = Rng::new(5);
    let fragments = random_fragments(&mut rng, 130, 20, 3);
    let rows = || (0..20).map(|row| (row, encode(&fragments, row))).collect();
    check(&fragments, &[], rows(), true);
    check(&fragments, &[4], rows(), true);
    check(&fragments, &[129, 0, 1], rows(), true);
}
