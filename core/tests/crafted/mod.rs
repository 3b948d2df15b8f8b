//! Sessions whose keys the tests know: datagrams of either side can be made without its machine, sealed as real ones are.
#![allow(dead_code, reason = "each binary that includes this file uses a part of it")]

use core::net::{Ipv4Addr, SocketAddr};

use nalcast_core::Timestamp;
use nalcast_core::fec::{Encoder, Layout};
use nalcast_core::handshake::{Auth, Concluded, Handshake, Message, Proposal, SharedKey};
use nalcast_core::limits::{BURST_DATAGRAMS_MAX, DATAGRAM_BYTES_BASE, DATAGRAM_BYTES_MAX};
use nalcast_core::nal::Codec;
use nalcast_core::recv::{Client, ClientConfig};
use nalcast_core::seal::{Aead, Channel, Cipher, Direction, Seals};
use nalcast_core::secrets::Secrets;
use nalcast_core::send::{Recovery, Server, ServerConfig};
use nalcast_core::wire::Writer;
use nalcast_core::wire::control::Control;
use nalcast_core::wire::feedback::{Acks, Feedback, Needs};
use nalcast_core::wire::media::{FRAGMENT_HEADER_BYTES, FragmentHeader, FrameHeader};

pub(crate) const SERVER: SocketAddr = SocketAddr::new(core::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9000);
/// Bytes of a fragment in a datagram of the base size: three of header and 16 of tag go off.
pub(crate) const SEGMENT: usize = DATAGRAM_BYTES_BASE - 3 - 16 - FRAGMENT_HEADER_BYTES;
/// Numbers that neither machine has reached when a session is taken over.
const TAKEN_OVER_AT: usize = 200;

/// A handshake that proves nothing, and whose keys follow from the connection id.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known;

fn seals(connection_id: u32) -> Seals<Cipher> {
    let cipher = |secret| Cipher::new(Aead::Aes128Gcm, &[secret; 32], &connection_id.to_be_bytes()).expect("keys");
    Seals { to_viewer: cipher(1), to_server: cipher(2) }
}

impl Handshake for Known {
    type Seal = Cipher;
    type Pending = ();
    type Heard = ();

    fn auth(&self) -> Auth {
        Auth::Open
    }

    fn ciphers(&self) -> u8 {
        0
    }

    fn begin(&self, _: &mut Secrets, _: &[u8]) -> Option<((), Message)> {
        Some(((), Message::EMPTY))
    }

    fn hear(&self, _: &mut Secrets, _: &[u8], _: &[u8]) -> Option<()> {
        Some(())
    }

    fn answer(&self, (): (), viewer: Proposal<'_>, parameters: &[u8]) -> Option<(Seals<Cipher>, Message)> {
        let message = Message::written(|out| {
            out.get_mut(..parameters.len())?.copy_from_slice(parameters);
            Some(parameters.len())
        })?;
        Some((seals(viewer.connection_id), message))
    }

    fn paired(&self, _: SharedKey) -> Option<Self> {
        None
    }

    fn conclude(&self, (): &mut (), id: u32, response: &[u8], parameters: &mut [u8]) -> Option<Concluded<Self>> {
        parameters.get_mut(..response.len())?.copy_from_slice(response);
        Some(Concluded { seals: seals(id), parameters_len: response.len(), next: None })
    }
}

pub(crate) fn address(number: u8) -> SocketAddr {
    SocketAddr::from(([10, number, 0, 1], 5_000))
}

/// A server and `count` viewers that are in, with their connection ids.
pub(crate) fn stage(count: u8, now: Timestamp) -> (Server<Known>, Vec<(u32, Client<Known>)>) {
    let config =
        ServerConfig { codec: Codec::H264, fps: 30, recovery: Recovery::KeyFrames, viewers_max: 64, pairing: false };
    let mut server = Server::new(config, Known, [1; 32], now);
    let mut buf = vec![0; BURST_DATAGRAMS_MAX * DATAGRAM_BYTES_MAX];
    let join = |number: u8| {
        let config = ClientConfig { server: SERVER, budget: None, smooth: false, code: None };
        let mut client = Client::new(config, Known, [number + 1; 32], now);
        let (mut id, mut is_busy) = (0, true);
        while is_busy {
            is_busy = false;
            while let Some(said) = client.poll_transmit(now, &mut buf) {
                if buf[0] & 0x80 != 0 {
                    id = u32::from_be_bytes(buf[3..7].try_into().expect("four bytes"));
                }
                server.handle_datagram(now, address(number), &mut buf[..said.len]);
                is_busy = true;
            }
            while let Some(said) = server.poll_transmit(now, &mut buf) {
                client.handle_datagram(now, SERVER, &mut buf[..said.len]);
                is_busy = true;
            }
            while server.poll_event().is_some() || client.poll_event().is_some() {}
        }
        (id, client)
    };
    let viewers: Vec<_> = (0..count).map(join).collect();
    assert_eq!(server.viewers().filter(|viewer| viewer.state.is_joined()).count(), usize::from(count));
    (server, viewers)
}

fn take_over(id: u32, sends: Direction) -> Channel<Cipher> {
    let mut channel = Channel::new(seals(id), sends);
    let mut buf = [0; 100];
    for _ in 0..TAKEN_OVER_AT {
        channel.seal(Some(id).filter(|_| sends == Direction::ToServer), &mut buf, |writer| writer.u8(0));
    }
    channel
}

/// The server of one viewer, as far as frames go.
pub(crate) struct Frames {
    channel: Channel<Cipher>,
    next: u64,
}

impl Frames {
    pub(crate) fn to(id: u32) -> Self {
        Self { channel: take_over(id, Direction::ToViewer), next: 1 }
    }

    /// The next frame, the first of which is a key frame, in `count` full datagrams, and `rows` of parity.
    pub(crate) fn next(&mut self, capture: Timestamp, count: u16, rows: u16) -> Vec<Vec<u8>> {
        let id = self.next;
        self.next += 1;
        let key = id == 1;
        let capture_us = capture.as_micros() as u32;
        let mut header = FrameHeader {
            codec: Codec::H264,
            key,
            parameter_sets: key,
            marks_long_term: false,
            uses_long_term: false,
            geometry_changed: false,
            parameter_epoch: 0,
            reference_delta: u32::from(!key),
            capture_us,
            encode_units: 0,
            body_len: (usize::from(count) * SEGMENT) as u32,
        };
        header.body_len -= header.len() as u32;
        let mut bytes = vec![id as u8; usize::from(count) * SEGMENT];
        let mut writer = Writer::new(&mut bytes);
        header.write(&mut writer);
        writer.finish().expect("it fits");
        let parity = (0..rows).map(|row| {
            let mut out = vec![0; SEGMENT];
            let mut encoder = Encoder::new(Layout::new(count), row, &mut out).expect("a row of the frame");
            (0..).zip(bytes.chunks(SEGMENT)).for_each(|(index, fragment)| encoder.add(index, 0, fragment));
            (true, row, out)
        });
        let data = (0..).zip(bytes.chunks(SEGMENT)).map(|(index, bytes)| (false, index, bytes.to_vec()));
        let symbols: Vec<_> = data.chain(parity).collect();
        let last = symbols.len() - 1;
        let seal = |(place, (parity, index, bytes)): (usize, &(bool, u16, Vec<u8>))| {
            let header = FragmentHeader {
                parity: *parity,
                key,
                disposable: false,
                temporal_id: 0,
                end: place == last,
                repair: false,
                frame_id_low: id as u16,
                index: *index,
                count,
            };
            let mut buf = vec![0; DATAGRAM_BYTES_BASE];
            let sealed = self.channel.seal(None, &mut buf, |writer| {
                header.write(writer);
                writer.bytes(bytes);
            });
            assert_eq!(sealed.map(|(_, len)| len), Some(DATAGRAM_BYTES_BASE));
            buf
        };
        symbols.iter().enumerate().map(seal).collect()
    }
}

/// A viewer that all comes to, as far as reports go.
pub(crate) struct Reports {
    id: u32,
    channel: Channel<Cipher>,
}

impl Reports {
    pub(crate) fn of(id: u32) -> Self {
        Self { id, channel: take_over(id, Direction::ToServer) }
    }

    /// The datagram that says that packet `largest` and the 32 before it came, and all frames up to `decoded`.
    pub(crate) fn next(&mut self, now: Timestamp, largest: u32, decoded: u64) -> Vec<u8> {
        let report = Feedback {
            config_epoch: 1,
            largest,
            ack_delay: 0,
            received_at: (now.as_micros() / 64) as u32 & 0x00ff_ffff,
            last_decoded: Some(decoded as u16),
            waiting_for: decoded as u16 + 1,
            paused: false,
            acks: Acks::from_parts(32, &[0xff; 4], &[1; 32]),
            needs: Needs::default(),
            recover: None,
            ce_count: None,
        };
        let (mut body, mut buf) = ([0; 100], vec![0; 200]);
        let mut writer = Writer::new(&mut body);
        report.write(&mut writer);
        let len = writer.finish().expect("it fits");
        let sealed = self.channel.seal(Some(self.id), &mut buf, |writer| Control::Feedback(&body[..len]).write(writer));
        buf.truncate(sealed.expect("it fits").1);
        buf
    }
}
