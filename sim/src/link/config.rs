//! What a link does to datagrams: plain values, zero meaning off, and presets of well-known paths.

use core::fmt;
use core::time::Duration;
use std::collections::BTreeSet;

/// Parts in a million that are certain.
pub const PPM: u32 = 1_000_000;

/// One direction of a path. The default passes every datagram on at once and unharmed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkConfig {
    /// Largest datagram (UDP payload) that passes, in bytes; 0 for any.
    pub mtu_bytes: usize,
    /// Bits a second at which datagrams leave the queue, counting the UDP payload only; 0 for at once.
    pub rate_bps: u64,
    /// Bytes that may wait, the datagram on its way out included; 0 for any. Without a rate nothing waits.
    pub queue_bytes: usize,
    /// Which datagrams are lost behind the queue.
    pub loss: LossModel,
    /// The shortest time on the way.
    pub delay: Duration,
    /// The largest time added to `delay`, uniformly drawn for each datagram.
    pub jitter: Duration,
    /// Lets jitter reorder; else a datagram waits for those that left before it, as in a FIFO path.
    pub jitter_reorders: bool,
    /// How many datagrams are held back while others overtake them, in parts per million.
    pub hold_back_ppm: u32,
    /// The shortest time that such a datagram is held back.
    pub hold_back_min: Duration,
    /// The longest time that such a datagram is held back.
    pub hold_back_max: Duration,
    /// How many datagrams arrive twice, in parts per million.
    pub duplicate_ppm: u32,
    /// The longest time by which the copy follows the original.
    pub duplicate_spread: Duration,
    /// How many copies arrive with one to three bits flipped, in parts per million.
    pub corrupt_ppm: u32,
    /// How many copies arrive with their end cut off, in parts per million.
    pub truncate_ppm: u32,
}

/// Which datagrams are lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LossModel {
    /// None.
    #[default]
    None,
    /// Each by its own chance.
    Independent {
        /// Chance of each datagram, in parts per million.
        ppm: u32,
    },
    /// Gilbert-Elliott, the state moving after each datagram: bursts are counted in datagrams.
    BurstByPacket {
        /// Chance to turn bad after a datagram in the good state, in parts per million.
        good_to_bad_ppm: u32,
        /// Chance to turn good after a datagram in the bad state, in parts per million.
        bad_to_good_ppm: u32,
        /// Loss in the good state, in parts per million.
        loss_good_ppm: u32,
        /// Loss in the bad state, in parts per million.
        loss_bad_ppm: u32,
    },
    /// Gilbert-Elliott, the state moving with time: bursts last, however much is sent in them.
    BurstByTime {
        /// Mean time in the good state, exponentially distributed.
        good_mean: Duration,
        /// Mean time in the bad state, exponentially distributed.
        bad_mean: Duration,
        /// Loss in the good state, in parts per million.
        loss_good_ppm: u32,
        /// Loss in the bad state, in parts per million.
        loss_bad_ppm: u32,
    },
    /// Exactly these, counted from 0 among the datagrams that left the queue since the model was set.
    Scripted(BTreeSet<u64>),
}

impl LossModel {
    /// Gilbert's model with mean runs of `good` and `bad` datagrams, all of the bad ones lost.
    #[must_use]
    pub const fn runs(good: u32, bad: u32) -> Self {
        Self::BurstByPacket {
            good_to_bad_ppm: PPM / good,
            bad_to_good_ppm: PPM / bad,
            loss_good_ppm: 0,
            loss_bad_ppm: PPM,
        }
    }
}

/// The presets are conventions shared with other simulators (the netem presets of str0m), not measurements.
impl LinkConfig {
    /// A good wireless LAN: 5 ± 2 ms, 100 Mbit/s, about 1 % loss in short bursts.
    #[must_use]
    pub fn wifi() -> Self {
        Self::preset(LossModel::runs(200, 2), (3, 4), 100, 200)
    }

    /// A poor wireless LAN: 15 ± 10 ms, 50 Mbit/s, about 5 % loss in short bursts.
    #[must_use]
    pub fn wifi_lossy() -> Self {
        Self::preset(LossModel::runs(40, 2), (5, 20), 50, 100)
    }

    /// A crowded wireless LAN: up to 30 ms, 5 Mbit/s, about 9 % loss in short bursts.
    #[must_use]
    pub fn wifi_congested() -> Self {
        Self::preset(LossModel::runs(20, 2), (0, 30), 5, 30)
    }

    /// A mobile network: 50 ± 15 ms, 30 Mbit/s, about 2 % loss in short bursts.
    #[must_use]
    pub fn cellular() -> Self {
        Self::preset(LossModel::runs(100, 2), (35, 30), 30, 100)
    }

    /// A geostationary satellite: 600 ± 30 ms, 15 Mbit/s, about 3 % loss.
    #[must_use]
    pub fn satellite() -> Self {
        Self::preset(LossModel::runs(100, 3), (570, 60), 15, 500)
    }

    /// A congested access line: 80 ± 40 ms, 10 Mbit/s, about 9 % loss in short bursts.
    #[must_use]
    pub fn congested() -> Self {
        Self::preset(LossModel::runs(20, 2), (40, 80), 10, 50)
    }

    fn preset(loss: LossModel, (delay_ms, jitter_ms): (u64, u64), rate_mbps: u64, queue_kb: usize) -> Self {
        Self {
            loss,
            delay: Duration::from_millis(delay_ms),
            jitter: Duration::from_millis(jitter_ms),
            rate_bps: rate_mbps * 1_000_000,
            queue_bytes: queue_kb * 1_000,
            ..Self::default()
        }
    }
}

impl fmt::Display for LinkConfig {
    /// One line with what is on, so that a scenario can be read before it runs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::default() {
            return f.write_str("clear");
        }
        let mut parts = Vec::new();
        if self.mtu_bytes != 0 {
            parts.push(format!("mtu {} B", self.mtu_bytes));
        }
        if self.rate_bps != 0 {
            parts.push(format!("rate {} bit/s", self.rate_bps));
        }
        if self.queue_bytes != 0 {
            parts.push(format!("queue {} B", self.queue_bytes));
        }
        if self.loss != LossModel::None {
            parts.push(format!("loss {}", self.loss));
        }
        if self.delay != Duration::ZERO {
            parts.push(format!("delay {:?}", self.delay));
        }
        if self.jitter != Duration::ZERO {
            let order = if self.jitter_reorders { "reordering" } else { "fifo" };
            parts.push(format!("jitter {:?} {order}", self.jitter));
        }
        if self.hold_back_ppm != 0 {
            let (min, max) = (self.hold_back_min, self.hold_back_max);
            parts.push(format!("hold back {} for {min:?}..{max:?}", Percent(self.hold_back_ppm)));
        }
        if self.duplicate_ppm != 0 {
            parts.push(format!("duplicate {} within {:?}", Percent(self.duplicate_ppm), self.duplicate_spread));
        }
        if self.corrupt_ppm != 0 {
            parts.push(format!("corrupt {}", Percent(self.corrupt_ppm)));
        }
        if self.truncate_ppm != 0 {
            parts.push(format!("truncate {}", Percent(self.truncate_ppm)));
        }
        f.write_str(&parts.join(", "))
    }
}

impl fmt::Display for LossModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Independent { ppm } => write!(f, "{}", Percent(*ppm)),
            Self::BurstByPacket { good_to_bad_ppm, bad_to_good_ppm, loss_good_ppm, loss_bad_ppm } => {
                let (to_bad, to_good) = (Percent(*good_to_bad_ppm), Percent(*bad_to_good_ppm));
                let (good, bad) = (Percent(*loss_good_ppm), Percent(*loss_bad_ppm));
                write!(f, "{good} / {bad} in bursts (in {to_bad}, out {to_good} a packet)")
            }
            Self::BurstByTime { good_mean, bad_mean, loss_good_ppm, loss_bad_ppm } => {
                let (good, bad) = (Percent(*loss_good_ppm), Percent(*loss_bad_ppm));
                write!(f, "{good} for {good_mean:?} / {bad} for {bad_mean:?} on average")
            }
            Self::Scripted(lost) => write!(f, "of {lost:?}"),
        }
    }
}

/// Parts per million, shown as a percentage.
struct Percent(u32);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{}.{:04}", self.0 / 10_000, self.0 % 10_000);
        write!(f, "{} %", digits.trim_end_matches('0').trim_end_matches('.'))
    }
}
