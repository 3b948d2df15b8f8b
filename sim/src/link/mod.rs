//! One direction of a path, itself sans-IO: bytes and time in, bytes and a deadline out.
//!
//! A datagram passes these stages in order: partition and MTU drop, tail-drop byte queue, serialization at a
//! bit rate, loss, delay, jitter, hold-back, duplication, truncation and corruption. Every stage draws from
//! a random stream of its own, and every datagram takes its number from each stream when it is sent, whether
//! or not it gets that far: the dice of the n-th datagram in one stage do not depend on the other stages, so
//! switching duplication on does not change which datagrams are lost.
//!
//! Drive it as the core is driven: after any input call [`Link::poll_deliver`] until it has nothing more,
//! then sleep until [`Link::poll_timeout`], which is then in the future. A wake-up may bring nothing (the
//! datagram that left the queue was lost).

mod config;
mod damage;
mod loss;
mod path;
mod queue;

use std::collections::BTreeMap;

use nalcast_core::{Rng, Timestamp};

pub use config::{LinkConfig, LossModel, PPM};

pub(crate) use loss::Loss;
use path::Path;
use queue::Bottleneck;

/// One direction of a path; see the module's documentation.
#[derive(Debug)]
pub struct Link {
    config: LinkConfig,
    partitioned: bool,
    streams: Streams,
    bottleneck: Bottleneck<Packet>,
    loss: Loss,
    path: Path,
    /// What has left the queue and was not lost, by arrival and then by the order in which it left.
    arriving: BTreeMap<(Timestamp, u64), Vec<u8>>,
    arrivals: u64,
    clock: Timestamp,
    stats: LinkStats,
}

/// What became of the datagrams so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkStats {
    /// Datagrams given to the link.
    pub sent: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Datagrams handed out, copies included.
    pub delivered: u64,
    /// Their bytes.
    pub delivered_bytes: u64,
    /// Datagrams that were sent into a partition.
    pub dropped_partition: u64,
    /// Datagrams larger than the path's MTU.
    pub dropped_mtu: u64,
    /// Datagrams that found the queue full.
    pub dropped_queue: u64,
    /// Datagrams that the loss model took.
    pub dropped_loss: u64,
    /// Second copies made.
    pub duplicated: u64,
    /// Copies with flipped bits.
    pub corrupted: u64,
    /// Copies with their end cut off.
    pub truncated: u64,
    /// Datagrams and copies that wait in the queue or are on their way.
    pub in_flight: u64,
    /// Bytes that wait in the queue.
    pub queued_bytes: u64,
}

impl LinkStats {
    /// Datagrams dropped, for whatever reason.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped_partition + self.dropped_mtu + self.dropped_queue + self.dropped_loss
    }

    /// The law of conservation: nothing appears or vanishes uncounted.
    #[must_use]
    pub const fn is_conserved(&self) -> bool {
        self.sent + self.duplicated == self.delivered + self.dropped() + self.in_flight
    }
}

impl Link {
    /// A link whose every random choice follows from `seed`.
    #[must_use]
    pub fn new(config: LinkConfig, seed: u64) -> Self {
        let root = Rng::new(seed);
        Self {
            partitioned: false,
            streams: Streams::new(&root),
            bottleneck: Bottleneck::new(config.rate_bps),
            loss: Loss::new(config.loss.clone(), root.fork(Streams::COUNT)),
            path: Path::new(),
            arriving: BTreeMap::new(),
            arrivals: 0,
            clock: Timestamp::ZERO,
            stats: LinkStats::default(),
            config,
        }
    }

    /// Puts one datagram on the link.
    pub fn send(&mut self, now: Timestamp, datagram: &[u8]) {
        self.advance(now);
        let dice = self.streams.roll();
        let (config, stats) = (&self.config, &mut self.stats);
        stats.sent += 1;
        stats.sent_bytes += datagram.len() as u64;
        let queue_is_full = self.bottleneck.bytes() + datagram.len() > config.queue_bytes;
        if self.partitioned {
            stats.dropped_partition += 1;
        } else if config.mtu_bytes != 0 && datagram.len() > config.mtu_bytes {
            stats.dropped_mtu += 1;
        } else if config.rate_bps != 0 && config.queue_bytes != 0 && queue_is_full {
            stats.dropped_queue += 1;
        } else {
            self.bottleneck.push(now, datagram.len(), Packet { bytes: datagram.to_vec(), dice });
            self.advance(now);
        }
    }

    /// The next datagram that has arrived by `now`, in order of arrival.
    pub fn poll_deliver(&mut self, now: Timestamp) -> Option<Vec<u8>> {
        self.advance(now);
        let first = self.arriving.first_entry().filter(|first| first.key().0 <= now)?;
        let bytes = first.remove();
        self.stats.delivered += 1;
        self.stats.delivered_bytes += bytes.len() as u64;
        Some(bytes)
    }

    /// When to call [`poll_deliver`](Self::poll_deliver) again; nothing is under way if there is no such time.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let arrival = self.arriving.first_key_value().map(|((at, _), _)| *at);
        let departure = self.bottleneck.poll_timeout();
        arrival.into_iter().chain(departure).min()
    }

    /// Changes the link from `now` on. What has left the queue arrives as it would have; what waits in it
    /// leaves at the new rate. A loss model that stays the same keeps its state.
    pub fn set_config(&mut self, now: Timestamp, config: LinkConfig) {
        self.advance(now);
        self.bottleneck.set_rate(config.rate_bps);
        self.loss.set_model(now, &config.loss);
        self.config = config;
    }

    /// Drops everything that is sent from now on, or lets it pass again. What is under way arrives.
    pub const fn set_partitioned(&mut self, partitioned: bool) {
        self.partitioned = partitioned;
    }

    /// What the link does at present.
    #[must_use]
    pub const fn config(&self) -> &LinkConfig {
        &self.config
    }

    /// What became of the datagrams so far.
    #[must_use]
    pub fn stats(&self) -> LinkStats {
        LinkStats {
            in_flight: (self.bottleneck.len() + self.arriving.len()) as u64,
            queued_bytes: self.bottleneck.bytes() as u64,
            ..self.stats
        }
    }

    /// Takes what has left the queue by `now` through the later stages.
    fn advance(&mut self, now: Timestamp) {
        assert!(now >= self.clock, "the link's time ran backwards, from {} to {now}", self.clock);
        self.clock = now;
        while let Some((departure, packet)) = self.bottleneck.poll_departure(now) {
            self.depart(departure, packet);
        }
    }

    fn depart(&mut self, departure: Timestamp, packet: Packet) {
        let Packet { bytes, dice } = packet;
        if self.loss.loses(departure, Rng::new(dice.loss)) {
            self.stats.dropped_loss += 1;
            return;
        }
        let (jitter, hold_back) = (Rng::new(dice.jitter), Rng::new(dice.hold_back));
        let arrival = self.path.arrival(departure, &self.config, jitter, hold_back);
        let damage = (Rng::new(dice.truncate), Rng::new(dice.corrupt));
        if let Some(copy_arrival) = path::copy_arrival(arrival, &self.config, Rng::new(dice.duplicate)) {
            self.stats.duplicated += 1;
            let (truncate, corrupt) = (damage.0.fork(1), damage.1.fork(1));
            self.arrive(arrival, bytes.clone(), damage);
            self.arrive(copy_arrival, bytes, (truncate, corrupt));
        } else {
            self.arrive(arrival, bytes, damage);
        }
    }

    fn arrive(&mut self, arrival: Timestamp, mut bytes: Vec<u8>, (truncate, corrupt): (Rng, Rng)) {
        self.stats.truncated += u64::from(damage::truncate(&mut bytes, self.config.truncate_ppm, truncate));
        self.stats.corrupted += u64::from(damage::corrupt(&mut bytes, self.config.corrupt_ppm, corrupt));
        self.arriving.insert((arrival, self.arrivals), bytes);
        self.arrivals += 1;
    }
}

/// A datagram and the seeds of its own dice, one for each stage.
#[derive(Debug)]
struct Packet {
    bytes: Vec<u8>,
    dice: Dice,
}

#[derive(Debug)]
struct Dice {
    loss: u64,
    jitter: u64,
    hold_back: u64,
    duplicate: u64,
    truncate: u64,
    corrupt: u64,
}

/// One random stream for each stage.
#[derive(Debug)]
struct Streams {
    loss: Rng,
    jitter: Rng,
    hold_back: Rng,
    duplicate: Rng,
    truncate: Rng,
    corrupt: Rng,
}

impl Streams {
    const COUNT: u64 = 6;

    fn new(root: &Rng) -> Self {
        let [loss, jitter, hold_back, duplicate, truncate, corrupt] =
            core::array::from_fn(|stage| root.fork(stage as u64));
        Self { loss, jitter, hold_back, duplicate, truncate, corrupt }
    }

    fn roll(&mut self) -> Dice {
        Dice {
            loss: self.loss.next_u64(),
            jitter: self.jitter.next_u64(),
            hold_back: self.hold_back.next_u64(),
            duplicate: self.duplicate.next_u64(),
            truncate: self.truncate.next_u64(),
            corrupt: self.corrupt.next_u64(),
        }
    }
}
