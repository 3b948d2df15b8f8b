//! Each law, broken once.

use nalcast_core::seal::{Channel, Direction};
use nalcast_core::send::{Traffic, ViewerId, ViewerState};
use nalcast_core::wire::Writer;
use nalcast_core::wire::feedback::{Acks, Need, Needs};

use super::*;

const ID: u32 = 7;

fn ms(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// A session and both ends of it; frames 1 to 3 were made at its beginning.
struct Session {
    viewer: Channel<PlainSeal>,
    server: Channel<PlainSeal>,
    wire: WireChecker,
    load: Load,
}

const REPORT: Feedback<'static> = Feedback {
    config_epoch: 1,
    largest: 0,
    ack_delay: 0,
    received_at: 0,
    last_decoded: Some(1),
    waiting_for: 2,
    paused: false,
    acks: Acks::from_parts(0, &[], &[]),
    needs: Needs::from_bytes(&[]),
    recover: None,
    ce_count: None,
};

const FRAGMENT: FragmentHeader = FragmentHeader {
    parity: false,
    key: false,
    disposable: false,
    temporal_id: 0,
    end: true,
    repair: false,
    frame_id_low: 1,
    index: 0,
    count: 1,
};

fn sealed_by(channel: &mut Channel<PlainSeal>, id: Option<u32>, write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut buf = [0; 1_500];
    let (_, len) = channel.seal(id, &mut buf, write).expect("it fits");
    buf[..len].to_vec()
}

impl Session {
    fn new() -> Self {
        let channel = |direction| Channel::new(PlainSeal::of_session(ID), direction);
        let mut load = Load::new(Recovery::KeyFrames);
        (1..=3).for_each(|id| load.add(ms(0), id, 1_000));
        let (viewer, server) = (channel(Direction::ToServer), channel(Direction::ToViewer));
        let mut session = Self { viewer, server, wire: WireChecker::default(), load };
        assert_eq!(session.report(0, &REPORT), Ok(()));
        session
    }

    fn report(&mut self, at: u64, report: &Feedback<'_>) -> Result<(), Violation> {
        let mut body = [0; 600];
        let mut writer = Writer::new(&mut body);
        report.write(&mut writer);
        let len = writer.finish().expect("it fits");
        let report = sealed_by(&mut self.viewer, Some(ID), |writer| Control::Feedback(&body[..len]).write(writer));
        self.wire.viewer_sends(ms(at), &report)
    }

    fn fragment(&mut self, header: FragmentHeader) -> Vec<u8> {
        sealed_by(&mut self.server, None, |writer| {
            header.write(writer);
            writer.bytes(&[0; 1_000]);
        })
    }

    fn sends(&mut self, at: u64, header: FragmentHeader) -> Result<(), Violation> {
        let fragment = self.fragment(header);
        self.wire.server_sends(ms(at), &fragment, &self.load)
    }

    fn arrives(&mut self, at: u64, header: FragmentHeader) {
        let fragment = self.fragment(header);
        self.wire.server_sends(ms(at), &fragment, &self.load).unwrap_or_else(|what| panic!("{what}"));
        self.wire.viewer_receives(ms(at), &fragment, &self.load);
    }
}

#[test]
fn a_number_is_used_once_and_in_a_session() {
    let mut session = Session::new();
    let one = session.fragment(FRAGMENT);
    let load = Load::new(Recovery::KeyFrames);
    assert_eq!(session.wire.server_sends(ms(1), &one, &session.load), Ok(()));
    assert!(session.wire.server_sends(ms(2), &one, &session.load).is_err());
    assert!(WireChecker::default().server_sends(ms(3), &one, &load).is_err());
    let word = sealed_by(&mut session.viewer, Some(ID), |writer| Control::Pad(0).write(writer));
    assert_eq!(session.wire.viewer_sends(ms(4), &word), Ok(()));
    assert!(session.wire.viewer_sends(ms(5), &word).is_err());
}

#[test]
fn two_sessions_at_one_place_are_told_apart() {
    let mut session = Session::new();
    let mut viewer = Channel::new(PlainSeal::of_session(ID + 1), Direction::ToServer);
    let hello = sealed_by(&mut viewer, Some(ID + 1), |writer| Control::Pad(0).write(writer));
    assert_eq!(session.wire.viewer_sends(ms(1), &hello), Ok(()));
    assert_eq!((session.sends(2, FRAGMENT), session.wire.sessions[1].to_viewer), (Ok(()), None));
    let mut server = Channel::new(PlainSeal::of_session(ID + 1), Direction::ToViewer);
    let answer = sealed_by(&mut server, None, |writer| Control::Pad(0).write(writer));
    assert_eq!(session.wire.server_sends(ms(3), &answer, &session.load), Ok(()));
}

#[test]
fn only_what_was_made_is_sent_and_repaired_in_time() {
    let mut session = Session::new();
    assert!(session.sends(1, FragmentHeader { frame_id_low: 4, ..FRAGMENT }).is_err());
    let again = FragmentHeader { repair: true, ..FRAGMENT };
    assert!(session.sends(2, again).is_err(), "it had not left");
    assert_eq!(session.sends(10, FRAGMENT), Ok(()));
    let late = 10 + (REPAIR_PERIOD_MAX + OUTAGE_MAX).as_millis() as u64;
    assert_eq!(session.sends(late, again), Ok(()));
    assert!(session.sends(late + 1, again).is_err());
    let newest = FragmentHeader { frame_id_low: 3, ..FRAGMENT };
    assert_eq!(session.sends(late + 2, newest), Ok(()));
    assert_eq!(session.sends(late * 2, FragmentHeader { repair: true, ..newest }), Ok(()), "the newest one may be");
}

#[test]
fn a_viewer_asks_for_what_it_knows_of_and_waits_for_as_long_as_that_is_of_use() {
    let needs = |frame| [Need { frame, block: 0, missing: 1, slack: 1 }.to_bytes()];
    let asks = |at: u64, frame: u16| {
        let mut session = Session::new();
        session.arrives(10, FragmentHeader { frame_id_low: 2, ..FRAGMENT });
        session.report(at, &Feedback { needs: Needs::from_bytes(&needs(frame)), ..REPORT })
    };
    let last = 10 + (REPAIR_PERIOD_MAX + SORT_AGE_THRESHOLD).as_millis() as u64;
    assert_eq!((asks(20, 2), asks(last, 2)), (Ok(()), Ok(())));
    for (what, at, frame) in [("too late", last + 1, 2), ("it has that", 20, 1), ("it cannot know of that", 20, 3)] {
        assert!(asks(at, frame).is_err(), "{what}");
    }
    let mut session = Session::new();
    session.arrives(10, FragmentHeader { frame_id_low: 2, ..FRAGMENT });
    assert_eq!(session.wire.ended(ms(10), 1), Ok(()));
    assert_eq!((session.wire.ended(ms(last), 2), session.wire.ended(ms(last * 2), 3)), (Ok(()), Ok(())));
    assert!(session.wire.ended(ms(last + 2), 2).is_err());
}

#[test]
fn reports_keep_their_distance_and_cost_little_and_do_not_lie() {
    let mut session = Session::new();
    assert!(session.report(4, &REPORT).is_err(), "the first one was at 0");
    assert_eq!(session.report(9, &REPORT), Ok(()));
    assert!(session.report(20, &Feedback { largest: 1, ..REPORT }).is_err(), "nothing was sent");
    let mut often = |every: u64| (0..2_000).try_for_each(|i| session.report(100 + i * every, &REPORT));
    assert!(often(5).is_err());
    let mut session = Session::new();
    let mut often = |every: u64| (0..2_000).try_for_each(|i| session.report(100 + i * every, &REPORT));
    assert_eq!(often(16), Ok(()));
}

#[test]
fn what_leaves_at_once_is_bounded() {
    let burst = |largest: usize, datagrams: usize| {
        let mut session = Session::new();
        session.load.add(ms(1), 4, largest);
        (0..datagrams).try_for_each(|_| session.sends(1, FRAGMENT))
    };
    assert_eq!(burst(10_000, 20), Ok(()));
    assert!(burst(10_000, 60).is_err());
    assert_eq!(burst(100_000, 60), Ok(()), "a large frame leaves as fast as a small one");
}

#[test]
fn key_frames_are_wanted_now_and_then() {
    let wanted = |times: &[u64]| {
        let mut requests = KeyRequests::default();
        times.iter().try_for_each(|at| requests.add(ms(*at)))
    };
    assert_eq!(wanted(&[0, 0, 500, 1_000, 3_000, 3_000]), Ok(()));
    for too_often in [&[0, 0, 499][..], &[0, 500, 600, 700], &[1_000, 3_000, 3_000, 3_000]] {
        assert!(wanted(too_often).is_err(), "{too_often:?}");
    }
}

#[test]
fn a_path_is_no_shorter_than_it_is_and_repairs_have_their_share() {
    let load = Session::new().load;
    let check = |rtt_ms: u64, repair_bytes: u64| {
        let viewer = ViewerInfo {
            id: ViewerId(1),
            address: ([192, 0, 2, 2], 5_000).into(),
            state: ViewerState::Live,
            datagram_bytes_max: 1_200,
            rtt: Some(Duration::from_millis(rtt_ms)),
            packets_sent: 0,
            packets_judged: (0, 0),
            bytes_sent: 0,
            traffic: Traffic { repair_bytes, ..Traffic::default() },
            loss_ppm: 0,
            frames_sent: 0,
            frames_dropped: 0,
            queue_bytes: 0,
            last_decoded: None,
            capture_to_report: None,
        };
        check_path(ms(1_000), &viewer, Duration::from_millis(40), &load)
    };
    assert_eq!((check(40, 0), check(100, 100_000)), (Ok(()), Ok(())));
    assert!(check(38, 0).is_err() && check(40, 700_000).is_err());
}
