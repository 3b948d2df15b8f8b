//! What other programs reached on the same profiles with a stream of the same shape and a budget of 150 ms.
//!
//! Measured earlier over a link in user space, means of one to three seeds; where a latency was not kept there is none.

/// One program on one profile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peer {
    /// Its name.
    pub name: &'static str,
    /// By profile, in the order of [`PROFILES`].
    pub results: [Result; 5],
}

/// What it reached there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Result {
    /// In time, in percent.
    pub in_time: f64,
    /// Usable, in percent.
    pub usable: f64,
    /// Overhead in percent, if it was kept.
    pub overhead: Option<f64>,
    /// Latency that 99 % of the intact frames kept, in milliseconds.
    pub p99_ms: Option<f64>,
}

/// The profiles that the peers were measured on.
pub const PROFILES: [&str; 5] = ["P1", "P2", "P3", "P4", "P6"];

const fn with(in_time: f64, usable: f64, overhead: f64, p99_ms: f64) -> Result {
    Result { in_time, usable, overhead: Some(overhead), p99_ms: Some(p99_ms) }
}

const fn without(in_time: f64, usable: f64, overhead: f64) -> Result {
    Result { in_time, usable, overhead: Some(overhead), p99_ms: None }
}

/// All of them.
pub const PEERS: [Peer; 7] = [
    Peer {
        name: "QUIC (quinn), BBR, a stream a frame",
        results: [
            with(100.0, 100.0, 6.0, 63.0),
            with(99.4, 99.3, 10.0, 143.0),
            with(98.0, 97.7, 10.0, 192.0),
            with(66.0, 44.0, 16.0, 387.0),
            with(88.0, 83.0, 30.0, 234.0),
        ],
    },
    Peer {
        name: "SRT 1.5.1, latency fitted",
        results: [
            with(100.0, 100.0, 7.0, 147.0),
            with(99.1, 48.0, 10.0, 147.0),
            with(99.1, 48.0, 10.0, 147.0),
            with(27.0, 0.0, 15.0, 147.0),
            with(82.0, 2.0, 31.0, 154.0),
        ],
    },
    Peer {
        name: "GStreamer RTP, RTX",
        results: [
            with(100.0, 100.0, 9.0, 65.0),
            with(98.0, 18.0, 14.0, 141.0),
            with(99.0, 40.0, 14.0, 132.0),
            with(21.0, 0.0, 14.0, 146.0),
            with(77.0, 1.0, 36.0, 156.0),
        ],
    },
    Peer {
        name: "WebRTC (str0m), NACK and RTX",
        results: [
            without(100.0, 100.0, 8.0),
            without(91.0, 63.0, 13.0),
            without(97.0, 40.0, 12.0),
            without(10.0, 2.0, 19.0),
            without(10.0, 0.0, 26.0),
        ],
    },
    Peer {
        name: "TCP, BBR",
        results: [
            with(99.8, 99.8, 5.0, 114.0),
            with(92.0, 92.0, 9.0, 330.0),
            with(88.0, 88.0, 9.0, 887.0),
            with(39.0, 39.0, 15.0, 459.0),
            Result { in_time: 21.0, usable: 21.0, overhead: None, p99_ms: Some(17_379.0) },
        ],
    },
    Peer {
        name: "ULPFEC, 25 %",
        results: [
            without(99.0, 89.0, 31.0),
            without(88.0, 4.0, 31.0),
            without(86.0, 3.0, 31.0),
            without(70.0, 0.0, 31.0),
            without(31.0, 0.0, 31.0),
        ],
    },
    Peer {
        name: "no recovery",
        results: [
            without(86.0, 2.0, 3.0),
            without(46.0, 0.0, 3.0),
            without(84.0, 1.0, 3.0),
            without(21.0, 0.0, 3.0),
            without(4.0, 0.0, 3.0),
        ],
    },
];

/// What all of them reached on this profile.
#[must_use]
pub fn on(profile: &str) -> Vec<(&'static str, Result)> {
    let place = PROFILES.iter().position(|name| *name == profile);
    place.map_or_else(Vec::new, |place| PEERS.iter().map(|peer| (peer.name, peer.results[place])).collect())
}
