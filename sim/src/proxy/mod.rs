//! A UDP proxy that stands between the real programs and does to both directions what the simulator's links do.
//!
//! [`Relay`] decides what is delivered when and knows no sockets; [`sockets`] carries it out in real time.

pub mod sockets;
mod spec;
mod timing;

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeMap;

use nalcast_core::{Rng, Timestamp};
use serde::{Deserialize, Serialize};

use crate::link::{Link, LinkStats};
pub use spec::{PROFILES, PathSpec, Profile, SpecError};
pub use timing::Lateness;

/// Viewers that pass at most; each costs a socket and a thread.
pub const VIEWERS_MAX: usize = 64;
/// Upper bounds of the sizes by which datagrams to the viewers are counted; larger ones come last.
pub const SIZE_BOUNDS: [usize; 7] = [600, 1200, 1252, 1372, 1432, 1452, 1472];
/// Datagrams by size: up to each of [`SIZE_BOUNDS`], and larger.
pub type Sizes = [u64; SIZE_BOUNDS.len() + 1];
/// The class of the datagrams with media on a path of the base size: what is smaller is control, what is larger tries the
/// path's size.
pub const MEDIA_CLASS: usize = 1;
/// How long a viewer's start lasts, from its first datagram with media: until its first report, about. Until then the
/// server knows nothing of the path, and sends parity for the worst.
pub const START_PERIOD: Duration = Duration::from_millis(25);

/// A direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the server to a viewer.
    Down,
    /// From a viewer to the server.
    Up,
}

/// A datagram whose time has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Which viewer it is for or from.
    pub viewer: usize,
    /// Where it goes.
    pub way: Way,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// When it was due.
    pub due: Timestamp,
}

/// The paths between one server and its viewers: two links for each, with dice of their own.
#[derive(Debug)]
pub struct Relay {
    down: PathSpec,
    up: PathSpec,
    dice: Rng,
    viewers: Vec<Paths>,
    by_address: BTreeMap<SocketAddr, usize>,
    sizes: Sizes,
    start_sizes: Sizes,
}

#[derive(Debug)]
struct Paths {
    address: SocketAddr,
    down: Link,
    up: Link,
    /// When its first datagram with media came.
    began: Option<Timestamp>,
}

impl Relay {
    /// Paths whose every random choice follows from `seed` and the order in which the viewers come.
    #[must_use]
    pub fn new(down: PathSpec, up: PathSpec, seed: u64) -> Self {
        let (sizes, start_sizes) = Default::default();
        Self { down, up, dice: Rng::new(seed), viewers: Vec::new(), by_address: BTreeMap::new(), sizes, start_sizes }
    }

    /// The number of the viewer at this address, and whether it is new; nothing if there is no room for it.
    pub fn viewer(&mut self, address: SocketAddr) -> Option<(usize, bool)> {
        if let Some(&viewer) = self.by_address.get(&address) {
            return Some((viewer, false));
        }
        let viewer = self.viewers.len();
        if viewer >= VIEWERS_MAX {
            return None;
        }
        let dice = self.dice.fork(viewer as u64);
        let link = |spec: &PathSpec, way| Link::new(spec.link.clone(), dice.fork(way).next_u64());
        self.viewers.push(Paths { address, down: link(&self.down, 0), up: link(&self.up, 1), began: None });
        self.by_address.insert(address, viewer);
        Some((viewer, true))
    }

    /// Where a viewer is.
    #[must_use]
    pub fn address(&self, viewer: usize) -> Option<SocketAddr> {
        self.viewers.get(viewer).map(|paths| paths.address)
    }

    /// Puts a datagram on a viewer's path. `now` counts from the start and never runs backwards.
    pub fn send(&mut self, now: Timestamp, viewer: usize, way: Way, datagram: &[u8]) {
        let Some(paths) = self.viewers.get_mut(viewer) else { return };
        let (link, spec) = match way {
            Way::Down => (&mut paths.down, &self.down),
            Way::Up => (&mut paths.up, &self.up),
        };
        if way == Way::Down {
            let class = SIZE_BOUNDS.iter().position(|bound| datagram.len() <= *bound).unwrap_or(SIZE_BOUNDS.len());
            self.sizes[class] += 1;
            if class == MEDIA_CLASS {
                paths.began.get_or_insert(now);
            }
            if paths.began.is_some_and(|began| now - began < START_PERIOD) {
                self.start_sizes[class] += 1;
            }
        }
        link.set_partitioned(spec.is_dark(now - Timestamp::ZERO));
        link.send(now, datagram);
    }

    /// The datagram that has waited longest for `now`.
    pub fn poll_deliver(&mut self, now: Timestamp) -> Option<Delivery> {
        // A wake-up may bring nothing: a datagram left a queue and was lost, or has its delay before it.
        while let Some((due, viewer, way)) = self.soonest().filter(|(due, ..)| *due <= now) {
            let paths = self.viewers.get_mut(viewer)?;
            let link = match way {
                Way::Down => &mut paths.down,
                Way::Up => &mut paths.up,
            };
            if let Some(bytes) = link.poll_deliver(now) {
                return Some(Delivery { viewer, way, bytes, due });
            }
        }
        None
    }

    /// When to call [`poll_deliver`](Self::poll_deliver) again; nothing is under way if there is no such time.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.soonest().map(|(at, ..)| at)
    }

    fn soonest(&self) -> Option<(Timestamp, usize, Way)> {
        let links = self.viewers.iter().enumerate().flat_map(|(viewer, paths)| {
            [(Way::Down, &paths.down), (Way::Up, &paths.up)].map(|(way, link)| (viewer, way, link))
        });
        links.filter_map(|(viewer, way, link)| Some((link.poll_timeout()?, viewer, way))).min_by_key(|(at, ..)| *at)
    }

    /// What became of everything so far, all viewers together.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let sum = |link: fn(&Paths) -> &Link| {
            self.viewers.iter().map(|paths| link(paths).stats()).fold(WayCounts::default(), WayCounts::plus)
        };
        Counts {
            viewers: self.viewers.len(),
            down: sum(|paths| &paths.down),
            up: sum(|paths| &paths.up),
            down_sizes: self.sizes,
            down_start_sizes: self.start_sizes,
        }
    }
}

/// What became of the datagrams.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Viewers that came.
    pub viewers: usize,
    /// From the server to the viewers.
    pub down: WayCounts,
    /// From the viewers to the server.
    pub up: WayCounts,
    /// Datagrams from the server by size.
    pub down_sizes: Sizes,
    /// Of those: what came at a viewer's start, see [`START_PERIOD`].
    pub down_start_sizes: Sizes,
}

/// What became of the datagrams of one direction; bytes are of UDP payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WayCounts {
    /// Datagrams that came in.
    pub sent: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Datagrams that went out, copies included.
    pub delivered: u64,
    /// Their bytes.
    pub delivered_bytes: u64,
    /// Lost on the way.
    pub lost: u64,
    /// Too large for the path.
    pub too_large: u64,
    /// Came when the queue was full.
    pub queue_full: u64,
    /// Came in a blackout.
    pub blacked_out: u64,
    /// Copies made.
    pub duplicated: u64,
    /// Under way at the end.
    pub in_flight: u64,
}

impl WayCounts {
    fn plus(self, stats: LinkStats) -> Self {
        Self {
            sent: self.sent + stats.sent,
            sent_bytes: self.sent_bytes + stats.sent_bytes,
            delivered: self.delivered + stats.delivered,
            delivered_bytes: self.delivered_bytes + stats.delivered_bytes,
            lost: self.lost + stats.dropped_loss,
            too_large: self.too_large + stats.dropped_mtu,
            queue_full: self.queue_full + stats.dropped_queue,
            blacked_out: self.blacked_out + stats.dropped_partition,
            duplicated: self.duplicated + stats.duplicated,
            in_flight: self.in_flight + stats.in_flight,
        }
    }
}

/// The last words of a proxy, a line of JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What became of the datagrams.
    #[serde(flatten)]
    pub counts: Counts,
    /// How late they were handed on, measured from when each was due.
    pub lateness: Lateness,
    /// Datagrams that the system dropped because the proxy did not fetch them in time; nothing where it does not say.
    pub overrun: Option<u64>,
}

/// Time from the start to a moment as the relay counts it.
#[must_use]
pub fn timestamp(since_start: Duration) -> Timestamp {
    Timestamp::ZERO + since_start
}

#[cfg(test)]
mod tests;
