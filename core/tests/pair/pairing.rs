//! Viewers without the key, let in by a code that the server shows.

use core::net::SocketAddr;
use core::time::Duration;

use nalcast_core::handshake::PairingCode;
use nalcast_core::recv::{ClientEvent, EndReason, LostReason};
use nalcast_core::send::ServerEvent;

use crate::meeting::{Meeting, key, open};

const SECOND: Duration = Duration::from_secs(1);

/// A server that shows a code, and the code.
fn showing() -> (Meeting, PairingCode) {
    let mut meeting = Meeting::new(key(1), true);
    meeting.run(Duration::from_millis(1));
    let code = meeting.code().expect("a code");
    (meeting, code)
}

fn another(code: PairingCode) -> PairingCode {
    let (a, b) = code.expose();
    let last = if b.ends_with('0') { "1" } else { "0" };
    PairingCode::parse(&format!("{a}{}{last}", &b[..3])).expect("eight digits")
}

#[test]
fn whoever_has_the_code_is_let_in_and_told_the_key_to_come_back_with() {
    let (mut meeting, code) = showing();
    let guest = meeting.join(open(), Some(code));
    meeting.run(SECOND);
    assert!(meeting.guests[guest].is_connected(), "{:?}", meeting.guests[guest].events);
    assert_eq!(meeting.server.stats().handshakes_refused, 0);
    // The code is another one by now; the network is gone for a while.
    meeting.run(130 * SECOND);
    assert_ne!(meeting.code(), Some(code));
    meeting.guests[guest].cut_off = true;
    meeting.run(12 * SECOND);
    meeting.guests[guest].cut_off = false;
    meeting.run(10 * SECOND);
    let sessions = meeting.guests[guest].events.iter().filter(|event| matches!(event, ClientEvent::Connected));
    assert_eq!((sessions.count(), meeting.server.viewer_count()), (2, 1));
}

#[test]
fn with_the_key_nobody_needs_a_code() {
    let (mut meeting, _) = showing();
    let guest = meeting.join(key(1), None);
    meeting.run(SECOND);
    assert!(meeting.guests[guest].is_connected());
}

#[test]
fn a_viewer_is_told_that_it_needs_a_code_or_that_there_is_none() {
    let (mut meeting, code) = showing();
    meeting.join(open(), None);
    meeting.run(SECOND);
    assert!(matches!(meeting.guests[0].events[..], [ClientEvent::Ended(EndReason::CodeNeeded)]));
    let mut meeting = Meeting::new(key(1), false);
    meeting.join(open(), Some(code));
    meeting.run(SECOND);
    // A server without codes does not even answer the question.
    meeting.run(30 * SECOND);
    assert!(
        matches!(meeting.guests[0].events[..], [ClientEvent::Ended(EndReason::NoAnswer)]),
        "{:?}",
        meeting.guests[0].events
    );
}

#[test]
fn a_wrong_code_is_told_at_once_and_three_of_them_use_the_right_one_up() {
    let (mut meeting, code) = showing();
    for guess in 0..3 {
        assert_eq!(meeting.code(), Some(code), "{guess}");
        let guest = meeting.join(open(), Some(another(code)));
        meeting.run(SECOND / 10);
        let events = &meeting.guests[guest].events;
        assert!(matches!(events[..], [ClientEvent::Ended(EndReason::WrongCode)]), "{events:?}");
    }
    assert_eq!(meeting.code(), None);
    let late = meeting.join(open(), Some(code));
    meeting.run(29 * SECOND);
    assert!(!meeting.guests[late].is_connected(), "even the right one");
    meeting.run(2 * SECOND);
    let next = meeting.code().expect("there is a new one");
    assert_ne!(next, code);
    let guest = meeting.join(open(), Some(next));
    meeting.run(SECOND);
    assert!(meeting.guests[guest].is_connected());
}

/// A viewer begins an exchange, gets the server's share and is not heard of again; whether it got that far.
fn begin_an_exchange(meeting: &mut Meeting, from: SocketAddr, code: PairingCode) -> bool {
    let guest = meeting.join_from(from, open(), Some(code));
    let mut buf = [0; 2_000];
    for _ in 0..2 {
        let Meeting { now, server, guests, .. } = &mut *meeting;
        let sent = guests[guest].client.poll_transmit(*now, &mut buf).expect("PAIR1");
        assert_eq!(buf[0], 6);
        server.handle_datagram(*now, from, &mut buf[..sent.len]);
        // RETRY, then PAIR2.
        let Some(sent) = server.poll_transmit(*now, &mut buf) else { break };
        guests[guest].client.handle_datagram(*now, crate::world::server_address(), &mut buf[..sent.len]);
    }
    meeting.guests[guest].cut_off = true;
    buf[0] == 7
}

#[test]
fn who_keeps_the_others_waiting_is_soon_not_listened_to() {
    let (mut meeting, _) = showing();
    let begun = (0..60).filter(|second| {
        let from = SocketAddr::from(([192, 0, 2, 1], 5_000 + second * 2));
        let code = meeting.code().expect("nobody guesses");
        let begun = begin_an_exchange(&mut meeting, from, code);
        meeting.guests.clear();
        meeting.run(5 * SECOND);
        begun
    });
    // Of three hundred seconds, ten each.
    let held = begun.count() * 10;
    assert!((20..150).contains(&held), "{held} s");
}

#[test]
fn an_unfinished_exchange_keeps_the_others_waiting_for_ten_seconds_at_most() {
    let (mut meeting, code) = showing();
    assert!(begin_an_exchange(&mut meeting, SocketAddr::from(([198, 51, 100, 1], 5_000)), code));
    let honest = meeting.join(open(), Some(code));
    meeting.run(9 * SECOND);
    let events = &meeting.guests[honest].events;
    assert!(matches!(events[..], [ClientEvent::Lost { reason: LostReason::Busy, .. }, ..]), "{events:?}");
    meeting.run(10 * SECOND);
    let events = &meeting.guests[honest].events;
    assert!(events.iter().any(|event| matches!(event, ClientEvent::Connected)), "{events:?}");
}

#[test]
fn codes_follow_each_other_and_none_is_in_a_debug_output() {
    let (mut meeting, first) = showing();
    meeting.run(250 * SECOND);
    let shown: Vec<_> =
        meeting.server_events.iter().filter(|event| matches!(event, ServerEvent::PairingCode(_))).collect();
    assert_eq!(shown.len(), 3);
    let text = format!("{:?} {:?}", meeting.server, meeting.server_events);
    let (a, b) = first.expose();
    assert!(!text.contains(a) && !text.contains(b), "they are said nowhere");
}
