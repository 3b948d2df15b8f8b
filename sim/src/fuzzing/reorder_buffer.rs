//! Fragments in any order, at any time, any number of times: a viewer against a model that only counts them.

use std::collections::{BTreeMap, BTreeSet};

use core::net::SocketAddr;
use core::time::Duration;

use nalcast_core::handshake::{Handshake, Proposal};
use nalcast_core::nal::Codec;
use nalcast_core::recv::{Client, ClientConfig, ClientEvent};
use nalcast_core::seal::{Channel, Direction};
use nalcast_core::secrets::Secrets;
use nalcast_core::wire::control::Control;
use nalcast_core::wire::long::{CONTEXT_BYTES_MAX, INIT_BYTES, Long, SessionParameters};
use nalcast_core::wire::media::{FragmentHeader, FrameHeader};
use nalcast_core::wire::{Writer, frame_id_low};
use nalcast_core::{Timestamp, limits};

use crate::plain::{Plain, PlainSeal};

const SERVER: SocketAddr = SocketAddr::new(core::net::IpAddr::V4(core::net::Ipv4Addr::LOCALHOST), 9000);
const CONNECTION_ID: u32 = 1;
const SEGMENT: usize = 24;

/// The first byte chooses the stream, each three that follow do something.
///
/// # Panics
///
/// When a frame is released incomplete, changed, twice, out of order or without its reference, when one whose turn
/// has come is not released, or when more is held than allowed.
pub fn reorder_buffer(data: &[u8]) {
    let Some((&choice, ops)) = data.split_first() else { return };
    let mut run = Run::new(choice);
    for &[code, a, b] in ops.as_chunks().0 {
        run.operate(code, u64::from(a), b);
        run.check();
    }
    // The repair deadline of everything passes.
    run.pass(limits::REPAIR_PERIOD_MAX * 2);
    run.check();
}

/// One frame of the stream, as the model knows it: everything follows from its id.
struct Frame {
    reference: Option<u64>,
    disposable: bool,
    body: Vec<u8>,
    whole: Vec<u8>,
}

/// A stream with a key frame each `choice % 32 + 2` frames and, perhaps, disposable ones between.
fn frame(choice: u8, id: u64) -> Frame {
    let interval = u64::from(choice % 32) + 2;
    let is_key = |id: u64| id == 1 || id.is_multiple_of(interval);
    let is_disposable = |id: u64| !is_key(id) && choice & 0x40 != 0 && id % 3 == 1;
    let key = is_key(id);
    let reference = if key { None } else { (1..id).rev().find(|earlier| !is_disposable(*earlier)) };
    let len = (id.wrapping_mul(37) % 150) as usize + 1;
    let body: Vec<u8> = (0..len).map(|i| (id as usize * 31 + i) as u8).collect();
    let header = FrameHeader {
        codec: Codec::H264,
        key,
        parameter_sets: true,
        marks_long_term: false,
        uses_long_term: false,
        geometry_changed: false,
        parameter_epoch: 0,
        reference_delta: reference.map_or(0, |reference| (id - reference) as u32),
        capture_us: id as u32 * 16_000,
        encode_units: 0,
        body_len: len as u32,
    };
    let mut buf = [0; limits::FRAME_HEADER_BYTES_MAX];
    let mut writer = Writer::new(&mut buf);
    header.write(&mut writer);
    let whole = [buf.get(..header.len()).unwrap_or_default(), &body].concat();
    Frame { reference, disposable: is_disposable(id), body, whole }
}

struct Run {
    choice: u8,
    now: Timestamp,
    client: Client<Plain>,
    server: Channel<PlainSeal>,
    /// Which fragments of a frame were delivered.
    delivered: BTreeMap<u64, BTreeSet<usize>>,
    released: BTreeSet<u64>,
    given_up: BTreeSet<u64>,
    newest: u64,
    last: Vec<u8>,
}

impl Run {
    fn new(choice: u8) -> Self {
        let now = Timestamp::from_millis(1_000);
        let mut client =
            Client::new(ClientConfig { server: SERVER, budget: None, smooth: false, code: None }, Plain, [1; 32], now);
        let mut buf = [0; 1_500];
        client.poll_transmit(now, &mut buf).expect("INIT");
        let Ok(Long::Init(init)) = Long::parse(&buf[..INIT_BYTES]) else { panic!("INIT") };
        let (nonce, mut context) = (init.nonce, [0; CONTEXT_BYTES_MAX]);
        let proposal = Proposal { message: &[], ciphers: 0, connection_id: CONNECTION_ID };
        let parameters = SessionParameters { frame_bytes_max: 0, server_time_us: 0, newest_frame: 0 };
        let response =
            Plain.respond(&mut Secrets::new([2; 32]), init.context(&mut context), proposal, &parameters.to_bytes());
        let (seals, response) = response.expect("a response");
        let accept = Long::Accept { nonce, connection_id: CONNECTION_ID, handshake: response.as_bytes() };
        let len = accept.write(&mut buf).expect("it fits");
        client.handle_datagram(now, SERVER, &mut buf[..len]);
        let mut run = Self {
            choice,
            now,
            client,
            server: Channel::new(seals, Direction::ToViewer),
            delivered: BTreeMap::new(),
            released: BTreeSet::new(),
            given_up: BTreeSet::new(),
            newest: 0,
            last: Vec::new(),
        };
        run.drain();
        run
    }

    fn operate(&mut self, code: u8, a: u64, b: u8) {
        match code % 8 {
            // The next fragments of the stream, in order.
            0 | 1 => self.whole_frame(self.newest + 1),
            // One fragment of a frame near the newest.
            2 | 3 => self.fragment((self.newest + a % 12).saturating_sub(6).max(1), usize::from(b)),
            4 => self.pass(Duration::from_micros(a * u64::from(b))),
            5 => self.say(Control::Heartbeat { newest_frame: self.newest, server_time_us: 0 }),
            6 => self.skip(a % 16, u64::from(b % 8)),
            _ if a < 128 => {
                // The last datagram again, damaged or not.
                let mut again = self.last.clone();
                let at = usize::from(b) % again.len().max(1);
                if let Some(byte) = again.get_mut(at) {
                    *byte ^= (a as u8) & 7;
                }
                self.client.handle_datagram(self.now, SERVER, &mut again);
                self.drain();
            }
            // A jump, as after an outage.
            _ => self.whole_frame(self.newest + a - 100),
        }
    }

    fn whole_frame(&mut self, id: u64) {
        let count = frame(self.choice, id).whole.len().div_ceil(SEGMENT);
        (0..count).for_each(|index| self.fragment(id, index));
    }

    fn fragment(&mut self, id: u64, index: usize) {
        let frame = frame(self.choice, id);
        let count = frame.whole.len().div_ceil(SEGMENT);
        let index = index % count;
        let header = FragmentHeader {
            parity: false,
            key: frame.reference.is_none(),
            disposable: frame.disposable,
            temporal_id: 0,
            end: index + 1 == count,
            repair: false,
            frame_id_low: frame_id_low(id),
            index: index as u16,
            count: count as u16,
        };
        let bytes = frame.whole.chunks(SEGMENT).nth(index).expect("a fragment");
        self.newest = self.newest.max(id);
        self.delivered.entry(id).or_default().insert(index);
        self.send(|writer| {
            header.write(writer);
            writer.bytes(bytes);
        });
    }

    /// Frames from `back` below the newest on are withheld; those that were begun are not.
    fn skip(&mut self, back: u64, more: u64) {
        let from = self.newest.saturating_sub(back).max(1);
        let to = from + more;
        self.newest = self.newest.max(to);
        let [from, to, next] = [from, to, to + 1].map(frame_id_low);
        self.say(Control::Skip { from, to, next });
    }

    fn say(&mut self, message: Control<'_>) {
        self.send(|writer| message.write(writer));
    }

    fn send(&mut self, fill: impl FnOnce(&mut Writer<'_>)) {
        let mut buf = [0; 1_500];
        let (_, len) = self.server.seal(None, &mut buf, fill).expect("it fits");
        self.last = buf[..len].to_vec();
        self.client.handle_datagram(self.now, SERVER, &mut buf[..len]);
        self.drain();
    }

    /// Time passes; every timeout is obeyed.
    fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some((at, _)) = self.client.poll_timeout().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.client.handle_timeout(self.now);
            self.drain();
            let next = self.client.poll_timeout();
            assert!(next.is_none_or(|(at, _)| at > self.now), "{next:?} is not later than {}", self.now);
        }
        self.now = end;
        // The server is there all the time.
        self.say(Control::Pad(0));
    }

    fn drain(&mut self) {
        let mut buf = [0; 1_500];
        while self.client.poll_transmit(self.now, &mut buf).is_some() {}
        while let Some(event) = self.client.poll_event() {
            match event {
                ClientEvent::AccessUnit(unit) => {
                    let id = unit.frame_id;
                    let frame = frame(self.choice, id);
                    assert!(
                        self.released.last().is_none_or(|last| *last < id),
                        "{id} after {:?}",
                        self.released.last()
                    );
                    assert!(self.is_complete(id), "frame {id} is not whole");
                    assert_eq!(unit.bytes, frame.body, "frame {id}");
                    assert!(
                        frame.reference.is_none_or(|reference| self.released.contains(&reference)),
                        "frame {id} needs {:?}",
                        frame.reference
                    );
                    assert!(!self.given_up.contains(&id), "frame {id} had been given up");
                    self.released.insert(id);
                    self.client.handle_shown(self.now, id);
                }
                ClientEvent::Abandoned { from, to, .. } => {
                    assert!(from <= to && self.released.range(from..=to).next().is_none(), "{from}..={to}");
                    self.given_up.extend(from..=to);
                }
                ClientEvent::Connected
                | ClientEvent::Lost { .. }
                | ClientEvent::Config(_)
                | ClientEvent::Frame(_)
                | ClientEvent::Freeze(_)
                | ClientEvent::Ended(_) => {}
            }
        }
    }

    fn is_complete(&self, id: u64) -> bool {
        let count = frame(self.choice, id).whole.len().div_ceil(SEGMENT);
        self.delivered.get(&id).is_some_and(|fragments| fragments.len() == count)
    }

    /// A frame whose turn it is does not wait, and the buffer is within its cap.
    fn check(&self) {
        let held = self.client.stats().receiver.held_bytes_peak;
        assert!(held <= limits::SORTED_BUFFER_BYTES_MAX as u64, "{held} bytes");
        let Some(last) = self.released.last().max(self.given_up.last()) else { return };
        let next = last + 1;
        let reference = frame(self.choice, next).reference;
        let decodable = reference.is_none_or(|reference| self.released.contains(&reference));
        assert!(
            self.released.is_empty() || !decodable || !self.is_complete(next),
            "frame {next} is whole, its turn has come, and it waits"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalcast_core::Rng;

    #[test]
    fn in_order_everything_is_released_at_once() {
        let mut run = Run::new(0x50);
        for id in 1..=100 {
            run.whole_frame(id);
            run.check();
            assert_eq!(run.released.last(), Some(&id));
        }
    }

    #[test]
    fn random_orders_obey_the_model() {
        for seed in 0..300 {
            let mut data = [0; 400];
            Rng::new(seed).fill(&mut data);
            reorder_buffer(&data);
        }
    }
}
