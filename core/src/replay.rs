//! The replay window: which packet numbers of one direction were accepted already (RFC 6479).

/// How far below the largest accepted number a packet may still be accepted.
const WINDOW: u64 = 4096;
const WORD: u64 = u64::BITS as u64;
/// One word more than the window holds: the newest is mostly not full yet.
const WORDS: usize = (WINDOW / WORD) as usize + 1;

/// A ring of bits over the newest packet numbers; number 0 belongs to the handshake and counts as accepted.
#[derive(Clone, Debug)]
pub(crate) struct ReplayWindow {
    words: [u64; WORDS],
    largest: u64,
}

impl ReplayWindow {
    pub(crate) const fn new() -> Self {
        let mut words = [0; WORDS];
        words[0] = 1;
        Self { words, largest: 0 }
    }

    /// The largest number accepted so far, 0 before the first.
    pub(crate) const fn largest(&self) -> u64 {
        self.largest
    }

    /// Whether `number` was not accepted yet and is not too old to tell.
    pub(crate) fn is_new(&self, number: u64) -> bool {
        if number > self.largest {
            return true;
        }
        let seen = self.words.get(Self::index(number)).is_none_or(|word| word >> (number % WORD) & 1 == 1);
        self.largest - number < WINDOW && !seen
    }

    /// Remembers an authentic packet's number.
    pub(crate) fn accept(&mut self, number: u64) {
        if number > self.largest {
            let (old, new) = (self.largest / WORD, number / WORD);
            for word in (old + 1..=new).rev().take(WORDS) {
                self.set(word * WORD, |_| 0);
            }
            self.largest = number;
        }
        self.set(number, |word| word | 1 << (number % WORD));
    }

    fn set(&mut self, number: u64, change: impl FnOnce(u64) -> u64) {
        if let Some(word) = self.words.get_mut(Self::index(number)) {
            *word = change(*word);
        }
    }

    const fn index(number: u64) -> usize {
        ((number / WORD) % WORDS as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rng;
    use alloc::collections::BTreeSet;

    #[test]
    fn each_number_is_accepted_once_and_only_within_the_window() {
        let mut rng = Rng::new(1);
        let (mut window, mut accepted) = (ReplayWindow::new(), BTreeSet::from([0]));
        for i in 0..60_000u64 {
            let jump = if i % 5_000 == 4_999 { 9_000 } else { 0 };
            let number = (window.largest() + jump + 3).saturating_sub(rng.below(2 * WINDOW));
            let too_old = number + WINDOW <= window.largest();
            assert_eq!(window.is_new(number), !too_old && !accepted.contains(&number), "{number}");
            if window.is_new(number) {
                window.accept(number);
                accepted.insert(number);
            }
            assert_eq!(window.largest(), accepted.last().copied().unwrap_or_default());
        }
    }

    #[test]
    fn the_edges_of_the_window() {
        let mut window = ReplayWindow::new();
        assert!(!window.is_new(0), "the handshake's");
        window.accept(WINDOW);
        assert!(window.is_new(1) && !window.is_new(0));
        window.accept(WINDOW + 1);
        assert!(!window.is_new(1) && window.is_new(2));
        window.accept(u64::MAX);
        assert!(!window.is_new(u64::MAX) && window.is_new(u64::MAX - WINDOW + 1) && !window.is_new(u64::MAX - WINDOW));
    }
}
