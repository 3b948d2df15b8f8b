//! One datagram or plaintext of each kind, written by the library, and where its fields lie.

use nalcast_core::handshake::pairing::{Exchange, Share, answer};
use nalcast_core::handshake::{Auth, Handshake, Message, Noise, PairingCode, Proposal, SharedKey};
use nalcast_core::nal::Codec;
use nalcast_core::seal::{Aead, Channel, Cipher, Direction, Seals};
use nalcast_core::secrets::Secrets;
use nalcast_core::wire::control::{Config, Control, Wish};
use nalcast_core::wire::feedback::{Acks, Feedback, Needs, Recover, RecoverKind};
use nalcast_core::wire::long::{CONTEXT_BYTES_MAX, Cookie, Init, Long, Pair1, SessionParameters};
use nalcast_core::wire::media::{FragmentHeader, FrameHeader};
use nalcast_core::wire::{CloseCode, Writer};

/// Bytes, and the length and meaning of each field in turn.
#[derive(Clone)]
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) fields: Vec<(usize, &'static str)>,
}

const CONNECTION_ID: u32 = 0xdead_beef;
const NONCE: [u8; 8] = *b"nonce678";
const COOKIE: Cookie = Cookie { mac: [0xc0; 16], time: 0x1234 };
const HEAD: [(usize, &str); 4] = [(1, "type"), (4, "magic"), (1, "version"), (8, "client nonce")];

pub(crate) fn all() -> Vec<Sample> {
    let mut samples = handshake_requests();
    samples.extend(handshake_answers());
    samples.extend(pairing());
    samples.extend(controls());
    samples.push(feedback());
    samples.extend(sealed());
    samples
}

fn long(name: &'static str, long: &Long<'_>, fields: &[(usize, &'static str)]) -> Sample {
    let mut buf = [0xaa; 1500];
    let len = long.write(&mut buf).expect("it fits");
    Sample { name, bytes: buf[..len].to_vec(), fields: [&HEAD, fields].concat() }
}

/// Both messages of a handshake, with a key and secrets that anybody can use who wants to compare.
fn handshake() -> (Message, Message) {
    handshake_with(&Noise::with_key(SharedKey::new([0x4b; 32]), Aead::Aes128Gcm), init())
}

fn handshake_with(noise: &Noise, init: Init<'_>) -> (Message, Message) {
    let (mut viewer, mut server) = (Secrets::new([1; 32]), Secrets::new([2; 32]));
    let context = init.context(&mut [0; CONTEXT_BYTES_MAX]).to_vec();
    let (_, request) = noise.begin(&mut viewer, &context).expect("a message");
    let proposal = Proposal { message: request.as_bytes(), ciphers: Aead::ALL, connection_id: CONNECTION_ID };
    let parameters =
        SessionParameters { frame_bytes_max: 2 << 20, server_time_us: 0x0102_0304_0506_0708, newest_frame: 0x1_0002 };
    let (_, response) = noise.respond(&mut server, &context, proposal, &parameters.to_bytes()).expect("a response");
    (request, response)
}

const fn init() -> Init<'static> {
    let auth = Auth::Key.to_wire();
    Init { nonce: NONCE, cookie: None, token: b"", auth, ciphers: Aead::ALL, versions: &[1], handshake: b"" }
}

fn handshake_requests() -> Vec<Sample> {
    let (request, _) = handshake();
    let first = Init { handshake: request.as_bytes(), ..init() };
    let again = Init { cookie: Some(COOKIE), token: b"token", ..first };
    vec![
        long(
            "init",
            &Long::Init(first),
            &[
                (1, "cookie length"),
                (1, "token length"),
                (1, "authentication mode: key"),
                (1, "cipher offer"),
                (1, "number of versions"),
                (1, "version"),
                (1, "handshake message length"),
                (32, "ephemeral key"),
                (16, "proof of the shared key"),
                (1131, "padding to 1200"),
            ],
        ),
        long(
            "init_with_everything",
            &Long::Init(again),
            &[
                (1, "cookie length"),
                (16, "cookie MAC"),
                (2, "cookie time, s"),
                (1, "token length"),
                (5, "token"),
                (1, "authentication mode: key"),
                (1, "cipher offer"),
                (1, "number of versions"),
                (1, "version"),
                (1, "handshake message length"),
                (32, "ephemeral key"),
                (16, "proof of the shared key"),
                (1108, "padding to 1200"),
            ],
        ),
    ]
}

fn handshake_answers() -> Vec<Sample> {
    let (_, response) = handshake();
    let accept = Long::Accept { nonce: NONCE, connection_id: CONNECTION_ID, handshake: response.as_bytes() };
    vec![
        long(
            "retry",
            &Long::Retry { nonce: NONCE, auth_modes: Auth::Key.bit(), cookie: COOKIE },
            &[(1, "authentication modes"), (16, "cookie MAC"), (2, "cookie time, s")],
        ),
        long(
            "accept",
            &accept,
            &[
                (4, "connection id"),
                (1, "handshake message length"),
                (32, "ephemeral key"),
                (21, "encrypted: cipher, largest frame, server time, newest frame id"),
                (16, "tag"),
            ],
        ),
        long(
            "versions",
            &Long::Versions { nonce: NONCE, versions: &[1, 2] },
            &[(1, "number of versions"), (2, "versions")],
        ),
        long("reject", &Long::Reject { nonce: NONCE, code: CloseCode::Full }, &[(2, "close code: full")]),
    ]
}

/// A key made out of a code, and the handshake with it.
fn pairing() -> Vec<Sample> {
    let code = PairingCode::parse("12345678").expect("eight digits");
    let (mut viewer, mut server) = (Secrets::new([1; 32]), Secrets::new([2; 32]));
    let first = Pair1 { nonce: NONCE, cookie: None, share: &[] };
    let again = Pair1 { cookie: Some(COOKIE), ..first };
    let context = again.context();
    let (exchange, share): (_, Share) = Exchange::begin(code, &context, &mut viewer).expect("a share");
    let (answer, key) = answer(code, &context, &share, &mut server).expect("an answer");
    assert_eq!(exchange.finish(&answer).as_ref(), Some(&key));
    let noise = Noise::with_key(SharedKey::new([0x4b; 32]), Aead::Aes128Gcm).paired(key).expect("it can");
    let (_, response) = handshake_with(&noise, Init { auth: Auth::Code.to_wire(), ..init() });
    vec![
        long("pair1", &Long::Pair1(first), &[(1, "cookie length"), (1, "share length"), (1184, "padding to 1200")]),
        long(
            "pair1_with_cookie",
            &Long::Pair1(Pair1 { share: &share, ..again }),
            &[
                (1, "cookie length"),
                (16, "cookie MAC"),
                (2, "cookie time, s"),
                (1, "share length"),
                (33, "share: side A, point"),
                (1133, "padding to 1200"),
            ],
        ),
        long(
            "pair2",
            &Long::Pair2 { nonce: NONCE, share: &answer },
            &[(1, "share length"), (33, "share: side B, point")],
        ),
        long(
            "accept_paired",
            &Long::Accept { nonce: NONCE, connection_id: CONNECTION_ID, handshake: response.as_bytes() },
            &[
                (4, "connection id"),
                (1, "handshake message length"),
                (32, "ephemeral key"),
                (53, "encrypted: cipher, largest frame, server time, newest frame id, the server's key"),
                (16, "tag"),
            ],
        ),
    ]
}

fn control(name: &'static str, message: Control<'_>, fields: &[(usize, &'static str)]) -> Sample {
    let mut buf = [0xaa; 1500];
    let mut writer = Writer::new(&mut buf);
    message.write(&mut writer);
    let len = writer.finish().expect("it fits");
    let head = [(1, "type"), (1, "body length")];
    Sample { name, bytes: buf[..len].to_vec(), fields: [&head, fields].concat() }
}

fn controls() -> Vec<Sample> {
    let config = Config {
        config_epoch: 3,
        codec: Codec::H265,
        width: 2560,
        height: 1440,
        fps: 60,
        parameter_epoch: 2,
        parameter_sets: &[0, 0, 0, 1, 0x40, 0x01],
    };
    let wish = Wish { sequence: 7, paused: true, kbps_max: 8_000, temporal_id_max: 1, budget_ms: 150 };
    let pong = Control::Pong { id: 9, sent_us: 0x0102_0304, received_us: 0x0506_0708, replied_us: 0x090a_0b0c };
    vec![
        control("pad", Control::Pad(4), &[(4, "zeros")]),
        control("ping", Control::Ping { id: 9, sent_us: 0x0102_0304 }, &[(2, "id"), (4, "sent, us")]),
        control("pong", pong, &[(2, "id"), (4, "PING sent, us"), (4, "PING received, us"), (4, "PONG sent, us")]),
        control(
            "config",
            Control::Config(config),
            &[
                (1, "epoch"),
                (1, "codec: H.265"),
                (2, "width"),
                (2, "height"),
                (1, "frames a second"),
                (1, "parameter-set epoch"),
                (6, "parameter sets"),
            ],
        ),
        control(
            "control",
            Control::Wish(wish),
            &[(1, "sequence"), (1, "paused"), (4, "largest rate, kbit/s"), (1, "highest layer"), (2, "budget, ms")],
        ),
        control(
            "skip",
            Control::Skip { from: 0xfffe, to: 3, next: 4 },
            &[(2, "first frame"), (2, "last frame"), (2, "next decodable frame")],
        ),
        control("path_challenge", Control::PathChallenge(*b"challeng"), &[(8, "random")]),
        control("path_response", Control::PathResponse(*b"challeng"), &[(8, "random")]),
        control("token", Control::Token(b"token"), &[(5, "token")]),
        control("close", Control::Close(CloseCode::Leaving), &[(2, "close code: leaving")]),
        control("ack_ctl", Control::WishHeard(7), &[(1, "sequence")]),
        control(
            "heartbeat",
            Control::Heartbeat { newest_frame: 0x1_0002, server_time_us: 0x0102_0304_0506_0708 },
            &[(8, "newest frame id"), (8, "server time, us")],
        ),
    ]
}

/// A report with everything in it; the parts of which only the parser makes values are borrowed from bytes.
fn feedback() -> Sample {
    // Flags, epoch, largest, delay, time, decoded, waiting, no bits; then two NEEDs.
    let body =
        [&[1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2][..], &[0, 11, 0, 2, 20, 0, 12, 1, 255, 50]].concat();
    let needs: Needs<'_> = Feedback::parse(&body).expect("well-formed").needs;
    let report = Feedback {
        config_epoch: 3,
        largest: 0x0102_0304,
        ack_delay: 17,
        received_at: 0xab_cdef,
        last_decoded: Some(9),
        waiting_for: 11,
        paused: true,
        acks: Acks::from_parts(10, &[0b1010_0000, 0b0100_0000], &[5, 255, 1, 0, 7]),
        needs,
        recover: Some(Recover { kind: RecoverKind::Key, first_bad: 11, last_good: 9 }),
        ce_count: Some(4),
    };
    let mut buf = [0; 1500];
    let mut writer = Writer::new(&mut buf);
    report.write(&mut writer);
    let len = writer.finish().expect("it fits");
    control(
        "feedback",
        Control::Feedback(&buf[..len]),
        &[
            (1, "flags: NEED, RECOVER, ECN, paused, decoded"),
            (1, "CONFIG epoch heard"),
            (4, "largest packet number"),
            (2, "acknowledgement delay, 64 us"),
            (3, "received at, 64 us"),
            (2, "last decoded frame"),
            (2, "waiting for frame"),
            (1, "number of bits"),
            (2, "bits"),
            (1, "gap, 64 us"),
            (3, "escaped gap, 64 us"),
            (1, "gap, 64 us"),
            (1, "number of NEEDs"),
            (5, "frame, block, missing, slack in 2 ms"),
            (5, "frame, block, missing, slack in 2 ms"),
            (1, "RECOVER by key frame"),
            (2, "first bad frame"),
            (2, "last good frame"),
            (2, "congestion marks"),
        ],
    )
}

/// Keys that anybody can make who wants to compare.
fn seals() -> Seals<Cipher> {
    let cipher = |secret| Cipher::new(Aead::Aes128Gcm, &[secret; 32], &CONNECTION_ID.to_be_bytes()).expect("keys");
    Seals { to_viewer: cipher(1), to_server: cipher(2) }
}

fn sealed() -> Vec<Sample> {
    let mut server = Channel::new(seals(), Direction::ToViewer);
    let mut viewer = Channel::new(seals(), Direction::ToServer);
    let mut buf = [0; 1500];
    let (_, len) = server.seal(None, &mut buf, write_fragment).expect("it fits");
    let media = Sample {
        name: "sealed_media",
        bytes: buf[..len].to_vec(),
        fields: vec![
            (3, "sealed, no connection id, packet number"),
            (1, "media, KEY, TID 2, END"),
            (2, "frame id"),
            (3, "fragment 0 of 1"),
            (1, "H.265, KEY, parameter sets, geometry changed"),
            (1, "parameter-set epoch"),
            (1, "reference delta"),
            (4, "capture, us"),
            (2, "time to encode, 64 us"),
            (1, "body length"),
            (6, "access unit"),
            (16, "tag"),
        ],
    };
    let ping = Control::Ping { id: 0, sent_us: 1 };
    let (_, len) = viewer.seal(Some(CONNECTION_ID), &mut buf, |writer| ping.write(writer)).expect("it fits");
    let control = Sample {
        name: "sealed_control",
        bytes: buf[..len].to_vec(),
        fields: vec![
            (3, "sealed, connection id follows, packet number"),
            (4, "connection id"),
            (1, "PING"),
            (1, "body length"),
            (2, "id"),
            (4, "sent, us"),
            (16, "tag"),
        ],
    };
    vec![media, control]
}

fn write_fragment(writer: &mut Writer<'_>) {
    let fragment = FragmentHeader {
        parity: false,
        key: true,
        disposable: false,
        temporal_id: 2,
        end: true,
        repair: false,
        frame_id_low: 0xbeef,
        index: 0,
        count: 1,
    };
    let frame = FrameHeader {
        codec: Codec::H265,
        key: true,
        parameter_sets: true,
        marks_long_term: false,
        uses_long_term: false,
        geometry_changed: true,
        parameter_epoch: 2,
        reference_delta: 0,
        capture_us: 0x0102_0304,
        encode_units: 0x0506,
        body_len: 6,
    };
    fragment.write(writer);
    frame.write(writer);
    writer.bytes(&[0, 0, 0, 1, 0x26, 0x01]);
}
