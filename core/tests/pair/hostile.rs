//! A viewer that was let in and reports what it likes: it costs the server a bounded amount, and the others nothing.

use core::time::Duration;

use nalcast_core::Rng;
use nalcast_core::limits::{
    ACK_BITS_MAX, KEY_FRAME_VIEWER_BURST, KEY_FRAME_VIEWER_SPACING, NEED_MAX, PARITY_PERCENT_MAX,
    REPAIR_SHARE_PERCENT_MAX,
};
use nalcast_core::seal::{Channel, Direction};
use nalcast_core::wire::Writer;
use nalcast_core::wire::control::Control;
use nalcast_core::wire::feedback::{Acks, Feedback, Need, Needs, Recover, RecoverKind};

use crate::world::look::{FRAME, MS, is_media, released, up, wanted};
use crate::world::{Kind, PlainSeal, World};

/// Whose reports are hostile, and who must not feel it.
const HOSTILE: usize = 0;
const OTHER: usize = 1;
const FRAMES: usize = 250;
const REPORTS_PER_FRAME: usize = 400;
const FRAME_BYTES: usize = 6_000;
/// What one session may come to hold on the heap beyond what it held before.
const SESSION_BYTES_MAX: i64 = 16 << 10;
/// Half as much parity as frames, and repairs that are at most 60 % of it all.
const MEDIA_BYTES_MAX: usize =
    FRAMES * FRAME_BYTES * (100 + PARITY_PERCENT_MAX) / (100 - REPAIR_SHARE_PERCENT_MAX as usize);
const REPORT_BYTES_MAX: usize = 1_300;

/// The hostile viewer's session: its keys are its own to use.
struct Session {
    id: u32,
    channel: Channel<PlainSeal>,
}

impl Session {
    /// Takes over where the viewer's machine is.
    fn of(world: &World) -> Self {
        let mut said = world.log.iter().filter(|datagram| datagram.viewer == HOSTILE && datagram.to_server);
        let word = said.rfind(|datagram| datagram.bytes[0] & 0x80 != 0).expect("it reports");
        let id = u32::from_be_bytes(word.bytes[3..7].try_into().expect("four bytes"));
        let mut session = Self { id, channel: Channel::new(PlainSeal::of_session(id), Direction::ToServer) };
        // Well beyond the numbers that the machine has used.
        (0..2_000).for_each(|_| drop(session.datagram(&[])));
        session
    }

    /// The datagram of a report.
    fn datagram(&mut self, body: &[u8]) -> Vec<u8> {
        let mut buf = vec![0; REPORT_BYTES_MAX + 100];
        let sealed = self.channel.seal(Some(self.id), &mut buf, |writer| Control::Feedback(body).write(writer));
        let (_, len) = sealed.expect("it fits");
        buf.truncate(len);
        buf
    }
}

/// What reports claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Malice {
    /// Every list full: frames long gone, yet to come and never made.
    Needs,
    /// Packets that were never sent came, with times to match none.
    Acks,
    /// A way back is needed from any frame.
    Recover,
    /// The clock jumps, decoding goes back, pauses begin and end.
    Contradictions,
    /// All of it.
    Everything,
}

fn report(malice: Malice, turn: u64, newest: u64, rng: &mut Rng) -> Vec<u8> {
    let is = |one| malice == one || malice == Malice::Everything;
    let any = |rng: &mut Rng| rng.next_u64();
    let near = |rng: &mut Rng| (newest + rng.below(40)).saturating_sub(30) as u16;
    let (bitmap, gaps) = ([0xff; ACK_BITS_MAX / 8], [(turn % 255) as u8; ACK_BITS_MAX]);
    let need = |rng: &mut Rng| {
        let frame = if rng.below(2) == 0 { near(rng) } else { any(rng) as u16 };
        Need { frame, block: any(rng) as u8, missing: any(rng) as u8, slack: any(rng) as u8 }.to_bytes()
    };
    let needs: Vec<_> = (0..if is(Malice::Needs) { NEED_MAX } else { 0 }).map(|_| need(rng)).collect();
    let kind = if turn.is_multiple_of(2) { RecoverKind::Key } else { RecoverKind::Reference };
    let lies = is(Malice::Contradictions);
    // Half of them below what was sent, where they hit; the others anywhere.
    let largest = if turn.is_multiple_of(2) { rng.below(5_000) as u32 } else { any(rng) as u32 };
    let feedback = Feedback {
        config_epoch: if lies { any(rng) as u8 } else { 0 },
        largest: if is(Malice::Acks) { largest } else { 1 },
        ack_delay: if lies { any(rng) as u16 } else { 0 },
        received_at: if lies { any(rng) as u32 & 0x00ff_ffff } else { 0 },
        last_decoded: Some(if lies { any(rng) as u16 } else { 1 }),
        waiting_for: if lies { any(rng) as u16 } else { 2 },
        paused: lies && rng.below(8) == 0,
        acks: if is(Malice::Acks) { Acks::from_parts(ACK_BITS_MAX as u16, &bitmap, &gaps) } else { Acks::default() },
        needs: Needs::from_bytes(&needs),
        recover: is(Malice::Recover).then_some(Recover { kind, first_bad: turn as u16, last_good: any(rng) as u16 }),
        ce_count: lies.then_some(any(rng) as u16),
    };
    let mut buf = vec![0; REPORT_BYTES_MAX];
    let mut writer = Writer::new(&mut buf);
    feedback.write(&mut writer);
    let len = writer.finish().expect("it fits");
    buf.truncate(len);
    buf
}

#[track_caller]
fn check(malice: Malice) {
    let mut world = up();
    world.join();
    world.run(500 * MS);
    world.feed(Kind::Key, 3_000);
    world.run(100 * MS);
    let mut session = Session::of(&world);
    let mut rng = Rng::new(malice as u64);
    // The hostile viewer's own machine is silenced, and gets nothing.
    world.fate = Box::new(|datagram| if datagram.viewer == HOSTILE { vec![] } else { vec![Duration::ZERO] });
    world.server_events.clear();
    let (began, before) = (world.now, released(&world, OTHER).len());
    let address = world.viewers[HOSTILE].address;
    let (mut held, mut most, mut heard, mut media_bytes, mut turn) = (0, 0, 0, 0, 0);
    let mut answered = 0;
    for _ in 0..FRAMES {
        // An encoder that answers each request with its next picture.
        let wanted = wanted(&world);
        world.feed(if wanted > answered { Kind::Key } else { Kind::Delta }, FRAME_BYTES);
        answered = wanted;
        for _ in 0..REPORTS_PER_FRAME {
            let body = report(malice, turn, world.source.newest(), &mut rng);
            let mut datagram = session.datagram(&body);
            turn += 1;
            let refused = world.server.stats().datagrams_dropped;
            // What the session keeps of it beyond what it had.
            let cost = world.at_server(|server, now| {
                allocation_counter::measure(|| server.handle_datagram(now, address, &mut datagram))
            });
            held += cost.bytes_current;
            most = most.max(held);
            heard += usize::from(world.server.stats().datagrams_dropped == refused);
        }
        world.run(FRAME);
        media_bytes += world
            .log
            .iter()
            .filter(|sent| sent.viewer == HOSTILE && is_media(sent))
            .map(|sent| sent.bytes.len())
            .sum::<usize>();
        world.log.clear();
    }
    world.run(300 * MS);
    assert_eq!(heard, FRAMES * REPORTS_PER_FRAME, "{malice:?}: reports that are not even read prove nothing");
    assert!(most < SESSION_BYTES_MAX, "{malice:?}: {most} bytes held");
    assert_eq!(released(&world, OTHER).len() - before, FRAMES, "{malice:?}: the other viewer gets each frame");
    let seconds = (world.now - began).as_secs();
    let key_frames = seconds / KEY_FRAME_VIEWER_SPACING.as_secs() + u64::from(KEY_FRAME_VIEWER_BURST);
    assert!(wanted(&world) as u64 <= key_frames, "{malice:?}: {} key frames wanted", wanted(&world));
    assert!(media_bytes < MEDIA_BYTES_MAX, "{malice:?}: {media_bytes} bytes of media");
}

#[test]
fn needs_without_end_are_bounded() {
    check(Malice::Needs);
}

#[test]
fn acknowledgements_of_what_was_never_sent_are_survived() {
    check(Malice::Acks);
}

#[test]
fn key_frames_for_any_reason_are_rationed() {
    check(Malice::Recover);
}

#[test]
fn times_and_frames_that_contradict_each_other_are_survived() {
    check(Malice::Contradictions);
}

#[test]
fn all_lies_at_once_are_survived() {
    check(Malice::Everything);
}
