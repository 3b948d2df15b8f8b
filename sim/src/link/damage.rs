//! Bits that flip and ends that are cut off.

use std::collections::BTreeSet;

use nalcast_core::Rng;

/// The most bits that one corruption flips.
const FLIPPED_BITS_MAX: u64 = 3;

/// Cuts `datagram` to a random shorter length, with chance `ppm`; false if nothing was cut off.
pub(super) fn truncate(datagram: &mut Vec<u8>, ppm: u32, mut dice: Rng) -> bool {
    if !dice.chance_ppm(ppm) || datagram.is_empty() {
        return false;
    }
    datagram.truncate(dice.below(datagram.len() as u64) as usize);
    true
}

/// Flips one to three different bits of `datagram`, with chance `ppm`; false if it is as it was.
pub(super) fn corrupt(datagram: &mut [u8], ppm: u32, mut dice: Rng) -> bool {
    if !dice.chance_ppm(ppm) || datagram.is_empty() {
        return false;
    }
    let wanted = 1 + dice.below(FLIPPED_BITS_MAX);
    let mut flipped = BTreeSet::new();
    while (flipped.len() as u64) < wanted {
        let bit = dice.below(datagram.len() as u64 * 8);
        if flipped.insert(bit) {
            datagram[(bit / 8) as usize] ^= 1 << (bit % 8);
        }
    }
    true
}
