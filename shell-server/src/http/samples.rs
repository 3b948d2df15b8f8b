//! What the tests show.

use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use nalcast_core::secrets::Secrets;
use nalcast_core::send::Traffic;

use super::connection::Ends;
use crate::control::{Control, ControlToken};
use crate::status::{RefusedDatagrams, StatusSnapshot, Totals, ViewerStatus, ViewersLeft};

/// A connection within this machine.
pub(super) const HERE: Ends = Ends { local: IpAddr::V4(Ipv4Addr::LOCALHOST), peer: IpAddr::V4(Ipv4Addr::LOCALHOST) };

/// The token of every test.
pub(super) fn token() -> ControlToken {
    ControlToken::random(&mut Secrets::new([1; 32]))
}

/// The control of a server that is at its end.
pub(super) fn control() -> Control {
    Control::new(token()).0
}

/// One viewer of which everything is known and one of which nothing is; texts that would be markup.
pub(super) fn two_viewers() -> StatusSnapshot {
    StatusSnapshot {
        source: "<script>alert(\"1\")</script>&'".into(),
        is_open: false,
        codec: "H.264".into(),
        width: 1920,
        height: 1080,
        captured_per_second: Some(60.0),
        frames_per_second: 59.94,
        bits_per_second: 8_000_000,
        bits_per_second_wanted: Some(6_400_000),
        uptime: Duration::from_millis(3_725_250),
        viewers: vec![
            ViewerStatus {
                round_trip: Some(Duration::from_micros(12_340)),
                capture_to_report: Some(Duration::from_micros(31_500)),
                loss: Some(0.0125),
                sent_bits_per_second: 8_123_000,
                sent_frames_per_second: 59.9,
                decoded_frames_per_second: Some(58.5),
                frames_sent: 3000,
                frames_dropped: 4,
                datagram_bytes_max: 1452,
                queue_bytes: 1200,
                bytes_sent: 5_000_000,
                datagrams_sent: 4200,
                traffic: Traffic {
                    media_bytes: 4_600_000,
                    parity_bytes: 240_000,
                    parity_packets: 200,
                    repair_bytes: 36_000,
                    repair_packets: 30,
                },
                datagrams_judged: (4100, 41),
                ..viewer(7, "192.0.2.7:5000", "watching")
            },
            viewer(9, "[2001:db8::1]:9", "joining"),
        ],
        totals: Totals {
            pictures_captured: 3010,
            pictures_replaced: 5,
            frames: 3005,
            frame_bytes: 4_900_000,
            key_frames: 3,
            key_frames_wanted: 2,
            frames_refused: 1,
            datagrams_sent: 4300,
            bytes_sent: 5_100_000,
            datagrams_received: 310,
            bytes_received: 40_000,
            datagrams_refused: RefusedDatagrams { malformed: 6, unknown_session: 8, forged: 11, replayed: 14 },
            viewers_joined: 12,
            viewers_left: ViewersLeft { said_so: 5, silent: 3, replaced: 2, closed: 1 },
            viewers_refused: 13,
            handshakes_refused: 17,
            handshakes_limited: 19,
            viewers_moved: 2,
            traffic: Traffic {
                media_bytes: 4_700_000,
                parity_bytes: 252_000,
                parity_packets: 210,
                repair_bytes: 37_200,
                repair_packets: 31,
            },
            datagrams_judged: (4110, 43),
        },
    }
}

fn viewer(id: u64, address: &str, state: &'static str) -> ViewerStatus {
    ViewerStatus {
        id,
        address: address.parse().unwrap(),
        state,
        round_trip: None,
        capture_to_report: None,
        loss: None,
        sent_bits_per_second: 0,
        sent_frames_per_second: 0.0,
        decoded_frames_per_second: None,
        frames_sent: 0,
        frames_dropped: 0,
        datagram_bytes_max: 1200,
        queue_bytes: 0,
        bytes_sent: 0,
        datagrams_sent: 0,
        traffic: Traffic::default(),
        datagrams_judged: (0, 0),
    }
}
