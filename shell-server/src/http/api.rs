//! The status as JSON. Names are stable and carry their units; what is not known is null.

use core::time::Duration;

use nalcast_core::send::Traffic;
use serde::Serialize;

use crate::status::{StatusSnapshot, Totals, ViewerStatus};

/// The document of `/api/v1/status`, which is also what each event of `/api/v1/events` carries: one line.
pub(super) fn status_json(status: &StatusSnapshot) -> String {
    let json = serde_json::to_string(&Status::of(status));
    debug_assert!(json.is_ok(), "strings and numbers have a form in JSON");
    json.unwrap_or_default()
}

/// The document of an error.
pub(super) fn error_json(message: &str) -> String {
    serde_json::json!({ "error": message }).to_string()
}

#[derive(Serialize)]
struct Status<'a> {
    uptime_seconds: f64,
    access: &'static str,
    source: Source<'a>,
    viewers: Vec<Viewer>,
    totals: Counters,
}

#[derive(Serialize)]
struct Source<'a> {
    name: &'a str,
    codec: &'a str,
    width_pixels: Option<u32>,
    height_pixels: Option<u32>,
    captured_frames_per_second: Option<f64>,
    encoded_frames_per_second: f64,
    encoded_bits_per_second: u64,
    wanted_bits_per_second: Option<u64>,
}

#[derive(Serialize)]
struct Viewer {
    id: u64,
    address: String,
    state: &'static str,
    round_trip_ms: Option<f64>,
    capture_to_report_ms: Option<f64>,
    loss_ratio: Option<f64>,
    sent_bits_per_second: u64,
    sent_frames_per_second: f64,
    decoded_frames_per_second: Option<f64>,
    frames_sent: u64,
    frames_dropped: u64,
    datagram_bytes_max: u64,
    queue_bytes: u64,
    bytes_sent: u64,
    datagrams_sent: u64,
    #[serde(flatten)]
    purposes: Purposes,
    datagrams_judged: u64,
    datagrams_lost: u64,
}

/// What the datagrams to viewers were for.
#[derive(Serialize)]
struct Purposes {
    media_bytes_sent: u64,
    parity_bytes_sent: u64,
    parity_datagrams_sent: u64,
    repair_bytes_sent: u64,
    repair_datagrams_sent: u64,
}

#[derive(Serialize)]
struct Counters {
    pictures_captured: u64,
    pictures_replaced: u64,
    frames: u64,
    frame_bytes: u64,
    key_frames: u64,
    key_frames_wanted: u64,
    frames_refused: u64,
    datagrams_sent: u64,
    bytes_sent: u64,
    datagrams_received: u64,
    bytes_received: u64,
    datagrams_refused: Refused,
    viewers_joined: u64,
    viewers_left: Left,
    viewers_refused: u64,
    handshakes_refused: u64,
    handshakes_limited: u64,
    viewers_moved: u64,
    #[serde(flatten)]
    purposes: Purposes,
    datagrams_judged: u64,
    datagrams_lost: u64,
}

#[derive(Serialize)]
struct Refused {
    malformed: u64,
    unknown_session: u64,
    forged: u64,
    replayed: u64,
}

#[derive(Serialize)]
struct Left {
    said_so: u64,
    silent: u64,
    replaced: u64,
    closed: u64,
}

impl<'a> Status<'a> {
    fn of(status: &'a StatusSnapshot) -> Self {
        let known = |pixels: u32| (pixels > 0).then_some(pixels);
        Self {
            uptime_seconds: rounded(status.uptime.as_secs_f64(), 1000.0),
            access: if status.is_open { "open" } else { "key" },
            source: Source {
                name: &status.source,
                codec: &status.codec,
                width_pixels: known(status.width),
                height_pixels: known(status.height),
                captured_frames_per_second: status.captured_per_second.map(|rate| rounded(rate, 100.0)),
                encoded_frames_per_second: rounded(status.frames_per_second, 100.0),
                encoded_bits_per_second: status.bits_per_second,
                wanted_bits_per_second: status.bits_per_second_wanted,
            },
            viewers: status.viewers.iter().map(Viewer::of).collect(),
            totals: Counters::of(&status.totals),
        }
    }
}

impl Viewer {
    fn of(viewer: &ViewerStatus) -> Self {
        Self {
            id: viewer.id,
            address: viewer.address.to_string(),
            state: viewer.state,
            round_trip_ms: viewer.round_trip.map(milliseconds),
            capture_to_report_ms: viewer.capture_to_report.map(milliseconds),
            loss_ratio: viewer.loss.map(|loss| rounded(loss, 1e6)),
            sent_bits_per_second: viewer.sent_bits_per_second,
            sent_frames_per_second: rounded(viewer.sent_frames_per_second, 100.0),
            decoded_frames_per_second: viewer.decoded_frames_per_second.map(|rate| rounded(rate, 100.0)),
            frames_sent: viewer.frames_sent,
            frames_dropped: viewer.frames_dropped,
            datagram_bytes_max: viewer.datagram_bytes_max,
            queue_bytes: viewer.queue_bytes,
            bytes_sent: viewer.bytes_sent,
            datagrams_sent: viewer.datagrams_sent,
            purposes: Purposes::of(&viewer.traffic),
            datagrams_judged: viewer.datagrams_judged.0,
            datagrams_lost: viewer.datagrams_judged.1,
        }
    }
}

impl Purposes {
    const fn of(traffic: &Traffic) -> Self {
        Self {
            media_bytes_sent: traffic.media_bytes,
            parity_bytes_sent: traffic.parity_bytes,
            parity_datagrams_sent: traffic.parity_packets,
            repair_bytes_sent: traffic.repair_bytes,
            repair_datagrams_sent: traffic.repair_packets,
        }
    }
}

impl Counters {
    const fn of(totals: &Totals) -> Self {
        let (refused, left) = (&totals.datagrams_refused, &totals.viewers_left);
        Self {
            pictures_captured: totals.pictures_captured,
            pictures_replaced: totals.pictures_replaced,
            frames: totals.frames,
            frame_bytes: totals.frame_bytes,
            key_frames: totals.key_frames,
            key_frames_wanted: totals.key_frames_wanted,
            frames_refused: totals.frames_refused,
            datagrams_sent: totals.datagrams_sent,
            bytes_sent: totals.bytes_sent,
            datagrams_received: totals.datagrams_received,
            bytes_received: totals.bytes_received,
            datagrams_refused: Refused {
                malformed: refused.malformed,
                unknown_session: refused.unknown_session,
                forged: refused.forged,
                replayed: refused.replayed,
            },
            viewers_joined: totals.viewers_joined,
            viewers_left: Left {
                said_so: left.said_so,
                silent: left.silent,
                replaced: left.replaced,
                closed: left.closed,
            },
            viewers_refused: totals.viewers_refused,
            handshakes_refused: totals.handshakes_refused,
            handshakes_limited: totals.handshakes_limited,
            viewers_moved: totals.viewers_moved,
            purposes: Purposes::of(&totals.traffic),
            datagrams_judged: totals.datagrams_judged.0,
            datagrams_lost: totals.datagrams_judged.1,
        }
    }
}

fn milliseconds(duration: Duration) -> f64 {
    rounded(duration.as_secs_f64() * 1000.0, 1000.0)
}

/// To as many steps a unit as the figure is worth, so that no reader sees the noise of binary fractions.
fn rounded(value: f64, steps: f64) -> f64 {
    (value * steps).round() / steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::samples;

    #[test]
    fn the_document() {
        let value: serde_json::Value = serde_json::from_str(&status_json(&samples::two_viewers())).unwrap();
        insta::assert_snapshot!(serde_json::to_string_pretty(&value).unwrap());
    }

    #[test]
    fn one_line_whatever_the_source_is_called() {
        let named = StatusSnapshot { source: "a\r\n\"b\"\u{1}</script>".into(), ..StatusSnapshot::default() };
        let json = status_json(&named);
        assert!(!json.contains(['\r', '\n', '\u{1}']), "{json}");
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["source"]["name"], *named.source);
        assert_eq!(value["source"]["width_pixels"], serde_json::Value::Null);
    }
}
