//! The status as metrics, in the OpenMetrics text format, version 1.0.0.
//!
//! Rates are left to the reader, who makes them of the counters. A viewer is labelled by its number, never by its
//! address; there are no more of them than viewers may watch at a time.

use core::sync::atomic::AtomicU64;
use core::time::Duration;

use nalcast_core::http::FieldValue;
use nalcast_core::send::Traffic;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::{Metric, Registry, Unit};

use crate::status::{StatusSnapshot, Totals, ViewerStatus};

const OPENMETRICS: FieldValue<'static> =
    FieldValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
/// Whose readers take the same lines, and which browsers show.
const PROMETHEUS: FieldValue<'static> = FieldValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// What [`openmetrics_text`] is called to a client that accepts `accept` (RFC 9110 §12.5.1).
pub(super) fn content_type(accept: Option<&[u8]>) -> FieldValue<'static> {
    let name = b"application/openmetrics-text";
    let is_wanted = accept.is_some_and(|accept| accept.windows(name.len()).any(|part| part == name));
    if is_wanted { OPENMETRICS } else { PROMETHEUS }
}

/// The document of `/metrics`.
pub(super) fn openmetrics_text(status: &StatusSnapshot) -> String {
    let mut registry = Registry::with_prefix("nalcast");
    let uptime = ConstGauge::new(status.uptime.as_secs_f64());
    let server = registry.sub_registry_with_prefix("server");
    server.register_with_unit("uptime", "Time since the start", Unit::Seconds, uptime);
    register_source(registry.sub_registry_with_prefix("source"), status);
    register_udp(registry.sub_registry_with_prefix("udp"), &status.totals);
    register_viewers(registry.sub_registry_with_prefix("viewers"), status);
    register_each_viewer(registry.sub_registry_with_prefix("viewer"), &status.viewers);
    let mut out = String::with_capacity(8192);
    let written = text::encode(&mut out, &registry);
    debug_assert!(written.is_ok(), "a String takes everything");
    out
}

fn register_source(source: &mut Registry, status: &StatusSnapshot) {
    let totals = &status.totals;
    for (name, help, count) in [
        ("pictures_captured", "Captured pictures that differed from the one before", totals.pictures_captured),
        ("pictures_replaced", "Captured pictures replaced before the encoder was free", totals.pictures_replaced),
        ("frames", "Frames that came from the encoder or the file", totals.frames),
        ("key_frames", "Key frames among the frames", totals.key_frames),
        ("key_frames_wanted", "Key frames asked of the encoder", totals.key_frames_wanted),
        ("frames_refused", "Frames that cannot be sent", totals.frames_refused),
    ] {
        source.register(name, help, ConstCounter::new(count));
    }
    source.register_with_unit("frame", "Bytes of the frames", Unit::Bytes, ConstCounter::new(totals.frame_bytes));
    if let Some(bits) = status.bits_per_second_wanted {
        let help = "Bits a second asked of the encoder at most; absent while the paths carry all that it makes";
        source.register("wanted_bits_per_second", help, ConstGauge::new(bits));
    }
}

fn register_udp(udp: &mut Registry, totals: &Totals) {
    udp.register("sent_datagrams", "Datagrams sent", ConstCounter::new(totals.datagrams_sent));
    udp.register_with_unit("sent", "UDP payload sent", Unit::Bytes, ConstCounter::new(totals.bytes_sent));
    udp.register("received_datagrams", "Datagrams received", ConstCounter::new(totals.datagrams_received));
    udp.register_with_unit("received", "UDP payload received", Unit::Bytes, ConstCounter::new(totals.bytes_received));
    let refused = &totals.datagrams_refused;
    let reasons = by_reason([
        ("malformed", refused.malformed),
        ("unknown_session", refused.unknown_session),
        ("forged", refused.forged),
        ("replayed", refused.replayed),
    ]);
    udp.register("refused_datagrams", "Received datagrams that were of no use", reasons);
}

fn register_viewers(viewers: &mut Registry, status: &StatusSnapshot) {
    viewers.register("present", "Sessions, those that are just joining or leaving too", {
        ConstGauge::new(u32::try_from(status.viewers.len()).unwrap_or(u32::MAX))
    });
    let totals = &status.totals;
    viewers.register("joined", "Viewers that joined", ConstCounter::new(totals.viewers_joined));
    viewers.register("turned_away", "Viewers for whom there was no place", ConstCounter::new(totals.viewers_refused));
    let without_key = ConstCounter::new(totals.handshakes_refused);
    viewers.register("refused_handshakes", "Attempts to join without the key", without_key);
    let limited = ConstCounter::new(totals.handshakes_limited);
    viewers.register("limited_handshakes", "Attempts not looked at, being too many", limited);
    viewers.register("moved", "Viewers that went on from another address", ConstCounter::new(totals.viewers_moved));
    let left = &totals.viewers_left;
    let reasons = by_reason([
        ("said_so", left.said_so),
        ("silent", left.silent),
        ("replaced", left.replaced),
        ("closed", left.closed),
    ]);
    viewers.register("left", "Viewers that are gone", reasons);
    for (name, help, unit, value) in fates() {
        register(viewers, name, help, unit, ConstCounter::new(value(&totals.traffic, totals.datagrams_judged)));
    }
}

fn register_each_viewer(registry: &mut Registry, viewers: &[ViewerStatus]) {
    let seconds = |duration: Option<Duration>| duration.map(|duration| duration.as_secs_f64());
    let ratio = Unit::Other("ratio".to_owned());
    let mut gauge = |name, help, unit, value: &dyn Fn(&ViewerStatus) -> Option<f64>| {
        register(registry, name, help, unit, gauges(viewers, value));
    };
    gauge("round_trip", "Smoothed round-trip time", Some(Unit::Seconds), &|viewer| seconds(viewer.round_trip));
    let help = "From a frame's capture to the report that it is decoded: an upper bound of the latency to the decoder";
    gauge("capture_to_report", help, Some(Unit::Seconds), &|viewer| seconds(viewer.capture_to_report));
    gauge("loss", "Share lost of the datagrams whose fate was decided last", Some(ratio), &|viewer| viewer.loss);
    let help = "How fast the newest decoded frame moves on";
    gauge("decoded_frames_per_second", help, None, &|viewer| viewer.decoded_frames_per_second);
    gauge("datagram", "Largest datagram known to reach the viewer", Some(Unit::Bytes), &|viewer| {
        Some(viewer.datagram_bytes_max as f64)
    });
    gauge("queue", "Bytes of frames that wait", Some(Unit::Bytes), &|viewer| Some(viewer.queue_bytes as f64));

    let mut counter = |name, help, unit, value: &dyn Fn(&ViewerStatus) -> u64| {
        register(registry, name, help, unit, counters(viewers, value));
    };
    counter("sent", "UDP payload sent to the viewer", Some(Unit::Bytes), &|viewer| viewer.bytes_sent);
    counter("sent_datagrams", "Datagrams sent to the viewer", None, &|viewer| viewer.datagrams_sent);
    counter("sent_frames", "Frames sent whole to the viewer", None, &|viewer| viewer.frames_sent);
    counter("dropped_frames", "Frames withheld, the queue being too long or old", None, &|viewer| {
        viewer.frames_dropped
    });
    for (name, help, unit, value) in fates() {
        counter(name, help, unit, &|viewer| value(&viewer.traffic, viewer.datagrams_judged));
    }
}

type Fate = (&'static str, &'static str, Option<Unit>, fn(&Traffic, (u64, u64)) -> u64);

/// What datagrams to viewers were for and what became of them: of each viewer and of all there ever were.
const fn fates() -> [Fate; 7] {
    [
        ("media", "UDP payload with frames, as they were first sent", Some(Unit::Bytes), |sent, _| sent.media_bytes),
        ("parity", "UDP payload with parity, sent along with frames", Some(Unit::Bytes), |sent, _| sent.parity_bytes),
        ("repair", "UDP payload sent to repair frames", Some(Unit::Bytes), |sent, _| sent.repair_bytes),
        ("parity_datagrams", "Datagrams of parity, sent along with frames", None, |sent, _| sent.parity_packets),
        ("repair_datagrams", "Datagrams sent to repair frames", None, |sent, _| sent.repair_packets),
        ("judged_datagrams", "Datagrams sent whose fate is known", None, |_, (judged, _)| judged),
        ("lost_datagrams", "Datagrams sent that are known to be lost", None, |_, (_, lost)| lost),
    ]
}

fn register(registry: &mut Registry, name: &str, help: &str, unit: Option<Unit>, metric: impl Metric) {
    match unit {
        Some(unit) => registry.register_with_unit(name, help, unit, metric),
        None => registry.register(name, help, metric),
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ViewerNumber {
    viewer: u64,
}

fn by_reason(counts: [(&'static str, u64); 4]) -> Family<Reason, Counter> {
    let family = Family::<Reason, Counter>::default();
    for (reason, count) in counts {
        family.get_or_create(&Reason { reason }).inc_by(count);
    }
    family
}

fn gauges(
    viewers: &[ViewerStatus],
    value: &dyn Fn(&ViewerStatus) -> Option<f64>,
) -> Family<ViewerNumber, Gauge<f64, AtomicU64>> {
    let family = Family::<ViewerNumber, Gauge<f64, AtomicU64>>::default();
    for viewer in viewers {
        if let Some(value) = value(viewer) {
            family.get_or_create(&ViewerNumber { viewer: viewer.id }).set(value);
        }
    }
    family
}

fn counters(viewers: &[ViewerStatus], value: &dyn Fn(&ViewerStatus) -> u64) -> Family<ViewerNumber, Counter> {
    let family = Family::<ViewerNumber, Counter>::default();
    for viewer in viewers {
        family.get_or_create(&ViewerNumber { viewer: viewer.id }).inc_by(value(viewer));
    }
    family
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::samples;

    /// Families keep their members in no order.
    fn sorted(text: &str) -> String {
        let mut samples = Vec::new();
        let mut out = Vec::new();
        for line in text.lines() {
            if line.starts_with('#') {
                out.append(&mut samples);
                out.push(line);
            } else {
                samples.push(line);
                samples.sort_unstable();
            }
        }
        out.join("\n")
    }

    #[test]
    fn the_document() {
        insta::assert_snapshot!(sorted(&openmetrics_text(&samples::two_viewers())));
    }

    #[test]
    fn nobody_can_be_found_by_it() {
        let text = openmetrics_text(&samples::two_viewers());
        assert!(text.ends_with("# EOF\n"), "{text}");
        assert!(!text.contains("192.0.2.7") && !text.contains("2001:db8"), "{text}");
    }
}
