//! The matrix: its entries, and that every square part of it can be inverted.

use nalcast_core::Rng;
use nalcast_core::fec::{Encoder, Layout};

use crate::reference::{entry, inverse, product};

/// All entries, as the encoder has them: what it makes of a fragment that is a one.
fn matrix() -> Vec<Vec<u8>> {
    let row = |row| {
        let entry = |column| {
            let mut out = [0];
            Encoder::new(Layout::new(128), row, &mut out).expect("a row of the block").add(column, 0, &[1]);
            out[0]
        };
        (0..128).map(entry).collect()
    };
    (0..128).map(row).collect()
}

#[test]
fn entries_are_those_of_the_definition() {
    let matrix = matrix();
    for (row, entries) in (0..).zip(&matrix) {
        let right: Vec<u8> = (0..128).map(|column| entry(row, column)).collect();
        assert_eq!(*entries, right, "{row}");
    }
    assert!(matrix[0].iter().all(|entry| *entry == 1));
    assert!(matrix.iter().all(|row| row[..].iter().all(|entry| *entry != 0)));
}

/// Whether the part with these rows and columns can be inverted: elimination with any pivot there is.
fn is_regular(matrix: &[Vec<u8>], rows: &[usize], columns: &[usize]) -> bool {
    let mut part: Vec<Vec<u8>> =
        rows.iter().map(|row| columns.iter().map(|column| matrix[*row][*column]).collect()).collect();
    for at in 0..part.len() {
        let Some(pivot) = (at..part.len()).find(|row| part[*row][at] != 0) else { return false };
        part.swap(at, pivot);
        let (above, below) = part.split_at_mut(at + 1);
        let inverse = inverse(above[at][at]);
        for row in below {
            let factor = product(row[at], inverse);
            row.iter_mut().zip(&above[at]).for_each(|(entry, pivot)| *entry ^= product(factor, *pivot));
        }
    }
    true
}

fn subsets(of: usize) -> Vec<Vec<usize>> {
    (1..1u32 << of).map(|bits| (0..of).filter(|at| bits >> at & 1 == 1).collect()).collect()
}

#[test]
fn every_small_square_part_can_be_inverted() {
    let matrix = matrix();
    let subsets = subsets(6);
    for rows in &subsets {
        for columns in subsets.iter().filter(|columns| columns.len() == rows.len()) {
            assert!(is_regular(&matrix, rows, columns), "{rows:?} {columns:?}");
        }
    }
}

#[test]
fn every_two_by_two_part_can_be_inverted() {
    let matrix = matrix();
    for first in 0..128 {
        for second in 0..first {
            // The rows are multiples of each other in two columns if the quotients of their entries are the same.
            let mut seen = [false; 256];
            for (a, b) in matrix[first].iter().zip(&matrix[second]) {
                let quotient = product(*a, inverse(*b));
                assert!(!seen[usize::from(quotient)], "{first} {second}");
                seen[usize::from(quotient)] = true;
            }
        }
    }
}

#[test]
fn random_large_square_parts_can_be_inverted() {
    let matrix = matrix();
    let mut rng = Rng::new(21);
    let mut draw = |size: usize| {
        let mut numbers: Vec<usize> = (0..128).collect();
        (0..size).for_each(|at| numbers.swap(at, at + rng.below((128 - at) as u64) as usize));
        numbers.truncate(size);
        numbers
    };
    for size in [3, 5, 8, 13, 21, 34, 55, 89, 127, 128] {
        let (rows, columns) = (draw(size), draw(size));
        assert!(is_regular(&matrix, &rows, &columns), "{rows:?} {columns:?}");
    }
    assert!(!is_regular(&matrix, &[1, 2, 1], &[0, 1, 2]), "the test can fail");
}
