//! What is written is parsed again as what it was; whatever is parsed is written again as the same bytes.

use nalcast_core::limits;
use nalcast_core::nal::Codec;
use nalcast_core::wire::control::{Config, Control, Messages, Wish};
use nalcast_core::wire::feedback::{Feedback, Recover, RecoverKind};
use nalcast_core::wire::long::{Cookie, Init, Long, SessionParameters};
use nalcast_core::wire::media::{FragmentHeader, FrameHeader};
use nalcast_core::wire::sealed::Header;
use nalcast_core::wire::{CloseCode, Reader, Writer};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::samples;

fn written(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut buf = vec![0xaa; 4096];
    let mut writer = Writer::new(&mut buf);
    write(&mut writer);
    let len = writer.finish().expect("it fits");
    buf.truncate(len);
    buf
}

fn close_code() -> impl Strategy<Value = CloseCode> {
    (0..6u16).prop_map(CloseCode::from_wire)
}

proptest! {
    #[test]
    fn long_datagrams_come_back(
        nonce: [u8; 8],
        cookie: Option<([u8; 16], u16)>,
        token in vec(any::<u8>(), 0..=64),
        bytes in vec(any::<u8>(), 0..=255),
        id: u32,
        (auth, ciphers) in any::<(u8, u8)>(),
        code in close_code(),
    ) {
        let cookie = cookie.map(|(mac, time)| Cookie { mac, time });
        let (versions, handshake) = bytes.split_at(bytes.len() / 2);
        let init = Init { nonce, cookie, token: &token, auth, ciphers, versions, handshake };
        let some = Cookie { mac: [auth; 16], time: id as u16 };
        for long in [
            Long::Init(init),
            Long::Retry { nonce, auth_modes: auth, cookie: some },
            Long::Accept { nonce, connection_id: id, handshake: &token },
            Long::Versions { nonce, versions },
            Long::Reject { nonce, code },
        ] {
            let mut buf = [0xaa; 1500];
            let len = long.write(&mut buf).expect("it fits");
            prop_assert_eq!(Long::parse(&buf[..len]), Ok(long));
        }
    }

    #[test]
    fn session_parameters_come_back(frame_bytes_max: u32, server_time_us: u64, newest in 0..=limits::FRAME_ID_MAX) {
        let parameters = SessionParameters { frame_bytes_max, server_time_us, newest_frame: newest };
        prop_assert_eq!(SessionParameters::parse(&parameters.to_bytes()), Ok(parameters));
    }

    #[test]
    fn control_lists_come_back(
        bytes in vec(any::<u8>(), 0..300),
        (a, b, c) in any::<(u32, u32, u32)>(),
        (x, y, z) in any::<(u16, u16, u16)>(),
        (e, f, g) in any::<(u8, u8, u8)>(),
        flag: bool,
        code in close_code(),
        newest_frame in 0..=limits::FRAME_ID_MAX,
        order: u64,
    ) {
        let codec = if flag { Codec::H264 } else { Codec::H265 };
        let (width, height) = (x, y);
        let config =
            Config { config_epoch: e, codec, width, height, fps: f, parameter_epoch: g, parameter_sets: &bytes };
        let wish = Wish { sequence: e, paused: flag, kbps_max: a, temporal_id_max: f, budget_ms: x };
        let mut list = vec![
            Control::Pad(bytes.len()),
            Control::Ping { id: x, sent_us: a },
            Control::Pong { id: x, sent_us: a, received_us: b, replied_us: c },
            Control::Feedback(&bytes),
            Control::Config(config),
            Control::Wish(wish),
            Control::Skip { from: x, to: y, next: z },
            Control::PathChallenge(order.to_be_bytes()),
            Control::PathResponse(order.to_le_bytes()),
            Control::Token(&bytes),
            Control::Close(code),
            Control::WishHeard(g),
            Control::Heartbeat { newest_frame, server_time_us: order },
        ];
        let turns = order as usize % list.len();
        list.rotate_left(turns);
        let text = written(|writer| list.iter().for_each(|message| message.write(writer)));
        let back: Result<Vec<_>, _> = Messages::new(&text).collect();
        prop_assert_eq!(back, Ok(list));
    }

    #[test]
    fn fragment_headers_come_back(bits: u8, frame_id_low: u16, temporal_id in 0..4u8, index in 0..4096u16, more in 0..4096u16) {
        let bit = |i: u8| bits >> i & 1 == 1;
        let count = if bit(0) { more + 1 } else { (index + 1).max(more + 1) };
        let header = FragmentHeader {
            parity: bit(0),
            key: bit(1),
            disposable: bit(2),
            temporal_id,
            end: bit(3),
            repair: bit(4),
            frame_id_low,
            index,
            count,
        };
        let text = written(|writer| { header.write(writer); writer.u8(1); });
        prop_assert_eq!(FragmentHeader::read(&mut Reader::new(&text)), Ok(header));
    }

    #[test]
    fn frame_headers_come_back(bits: u8, parameter_epoch: u8, capture_us: u32, delta in 0..1u32 << 28, body in 0..=limits::FRAME_BYTES_MAX) {
        let bit = |i: u8| bits >> i & 1 == 1;
        let header = FrameHeader {
            codec: if bit(0) { Codec::H264 } else { Codec::H265 },
            key: delta == 0,
            parameter_sets: bit(1),
            marks_long_term: bit(2),
            uses_long_term: bit(3),
            geometry_changed: bit(4),
            parameter_epoch,
            reference_delta: delta,
            capture_us,
            encode_units: (capture_us >> 7) as u16,
            body_len: body as u32,
        };
        let text = written(|writer| header.write(writer));
        prop_assert_eq!(text.len(), header.len());
        prop_assert_eq!(FrameHeader::read(&mut Reader::new(&text)), Ok(header));
    }

    #[test]
    fn sealed_headers_come_back(key_phase: bool, packet_number_low in 0..1u32 << 20, connection_id: Option<u32>) {
        let header = Header { key_phase, packet_number_low, connection_id };
        let text = written(|writer| header.write(writer));
        prop_assert_eq!(Header::read(&mut Reader::new(&text)), Ok(header));
    }

    #[test]
    fn reports_come_back(
        (config_epoch, waiting_for, ack_delay, largest) in any::<(u8, u16, u16, u32)>(),
        received_at in 0..1u32 << 24,
        last_decoded: Option<u16>,
        received in vec(proptest::option::of(0..100_000u64), 0..=512),
        recover: Option<(bool, u16, u16)>,
        (paused, ce_count) in any::<(bool, Option<u16>)>(),
    ) {
        use nalcast_core::wire::feedback::{Acks, Needs, write_gap};
        let mut bitmap = vec![0u8; received.len().div_ceil(8)];
        let gaps = written(|writer| {
            for (i, gap) in received.iter().enumerate() {
                if let Some(gap) = gap {
                    bitmap[i / 8] |= 0x80 >> (i % 8);
                    write_gap(writer, *gap);
                }
            }
        });
        let acks = Acks::from_parts(received.len() as u16, &bitmap, &gaps);
        let recover = recover.map(|(key, first_bad, last_good)| Recover {
            kind: if key { RecoverKind::Key } else { RecoverKind::Reference },
            first_bad,
            last_good,
        });
        let report = Feedback {
            config_epoch, largest, ack_delay, received_at, last_decoded, waiting_for, paused, acks,
            needs: Needs::default(), recover, ce_count,
        };
        let text = written(|writer| report.write(writer));
        let back = Feedback::parse(&text);
        prop_assert_eq!(back, Ok(report));
        let expected: Vec<(u64, u64)> = (1..).zip(&received).filter_map(|(below, gap)| Some((below, (*gap)?.min(0xffff)))).collect();
        prop_assert_eq!(acks.received().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn any_bytes_are_survived_and_what_parses_is_canonical(bytes in vec(any::<u8>(), 0..200)) {
        check_canonical(&bytes);
    }
}

/// Real datagrams with a byte changed get much further than noise.
#[test]
fn every_damaged_byte_is_survived_and_what_parses_is_canonical() {
    for sample in samples::all() {
        // Behind that lies only padding.
        for at in 0..sample.bytes.len().min(80) {
            let mut bytes = sample.bytes.clone();
            for value in 0..=255 {
                bytes[at] = value;
                check_canonical(&bytes);
                // A message by itself, as it stands in a list, and its body.
                check_canonical(&bytes[at.min(2)..]);
            }
        }
        (0..sample.bytes.len()).for_each(|cut| check_canonical(&sample.bytes[..cut]));
    }
}

/// Every parser survives the bytes; what it takes, it writes as it was.
fn check_canonical(bytes: &[u8]) {
    canonical::long(bytes);
    canonical::session_parameters(bytes);
    canonical::control(bytes);
    canonical::feedback(bytes);
    canonical::media(bytes);
    canonical::sealed(bytes);
}

#[path = "../canonical/mod.rs"]
mod canonical;
