//! Real handshakes and sessions, with somebody on the way who does what the input says.

use core::cell::RefCell;
use core::net::SocketAddr;
use core::time::Duration;
use std::collections::VecDeque;
use std::rc::Rc;

use nalcast_core::recv::ClientState;

use crate::attack::{Arena, Datagram, SERVER, Verdict};

/// Viewers that an input can bring.
const VIEWERS_MAX: usize = 3;
/// Operations of one input: what comes later is not looked at.
const OPERATIONS_MAX: usize = 60;

const MS: fn(u64) -> Duration = Duration::from_millis;

/// Runs the input as operations. The arena checks the laws at every step.
///
/// # Panics
///
/// When a law is broken, or when a viewer that was not sent away has no new picture once the attacker is gone.
pub(super) fn run(data: &[u8]) {
    let mut bytes = data.iter().copied();
    let mut next = || bytes.next();
    let mut arena = Arena::new(1);
    arena.join(MS(10));
    let whims: Rc<RefCell<VecDeque<u8>>> = Rc::default();
    let hand = Rc::clone(&whims);
    arena.hand = Box::new(move |datagram| {
        let whim = hand.borrow_mut().pop_front();
        whim.map_or_else(Verdict::pass, |whim| verdict(whim, datagram))
    });
    let mut sent_away = false;
    for _ in 0..OPERATIONS_MAX {
        let Some(operation) = next() else { break };
        let argument = next().unwrap_or_default();
        let index = usize::from(argument) % arena.guests.len();
        match operation % 12 {
            0 => arena.run(MS(u64::from(argument))),
            1 => arena.feed(),
            2 if arena.guests.len() < VIEWERS_MAX => {
                arena.join(MS(u64::from(argument) / 4));
            }
            3 => whims.borrow_mut().extend((0..argument % 32).filter_map(|_| next())),
            4 | 5 => inject(&mut arena, argument, operation % 12 == 5, next().unwrap_or_default()),
            6 => {
                let SocketAddr::V4(address) = arena.guests[index].address else { continue };
                arena.relocate(index, SocketAddr::from((*address.ip(), address.port() + 1)));
            }
            7 => arena.at_guest(index, |client, now| client.handle_pause(now, argument & 0x80 != 0)),
            8 => arena.restart(index),
            9 => arena.run(MS(u64::from(argument) * 50)),
            10 => arena.at_guest(index, |client, now| client.handle_undecodable(now, u64::from(argument))),
            11 if argument > 250 => {
                sent_away = true;
                arena.at_guest(index, |client, now| client.handle_leave(now));
            }
            _ => {}
        }
    }
    whims.borrow_mut().clear();
    arena.hand = Box::new(|_| Verdict::pass());
    if sent_away {
        return arena.run(MS(500));
    }
    (0..arena.guests.len()).for_each(|index| arena.at_guest(index, |client, now| client.handle_pause(now, false)));
    let made = arena.frames;
    arena.frame_interval = Some(MS(500));
    let newest = |arena: &Arena| arena.guests.iter().map(|guest| guest.newest().unwrap_or_default()).min();
    // Silence is noticed after ten seconds, and the pause before a new attempt grows to ten.
    let settles = |arena: &mut Arena| arena.run_until(MS(25_000), |arena| newest(arena) > Some(made));
    try_again(&mut arena);
    let all_see = settles(&mut arena) || (try_again(&mut arena) && settles(&mut arena));
    assert!(
        all_see,
        "a viewer has frame {:?}, of {} and {made} before the attacker left",
        newest(&arena),
        arena.frames
    );
}

/// Who never heard of the server has given up, perhaps just as the attacker left: its user tries again. Whether anybody did.
fn try_again(arena: &mut Arena) -> bool {
    let ended = |arena: &Arena, index: usize| arena.guests[index].client.state() == ClientState::Ended;
    let over: Vec<_> = (0..arena.guests.len()).filter(|index| ended(arena, *index)).collect();
    over.iter().for_each(|index| arena.restart(*index));
    !over.is_empty()
}

/// What the attacker does with a datagram.
fn verdict(whim: u8, datagram: &Datagram) -> Verdict {
    let changed = |at: u8| {
        let mut bytes = datagram.bytes.clone();
        let place = usize::from(at) % bytes.len().max(1);
        if let Some(byte) = bytes.get_mut(place) {
            *byte ^= 1 << (at % 8);
        }
        Datagram { bytes, ..datagram.clone() }
    };
    match whim % 8 {
        0..=2 => Verdict::pass(),
        3 => Verdict::drop(),
        4 => Verdict::pass().and(MS(u64::from(whim)), datagram.clone()),
        5 => Verdict::drop().and(MS(u64::from(whim) * 2), datagram.clone()),
        6 => Verdict::drop().and(MS(0), changed(whim)),
        _ => {
            let from = SocketAddr::from(([203, 0, 113, whim], 6_000));
            Verdict::pass()
                .and(MS(0), Datagram { from: if datagram.is_to_server() { from } else { SERVER }, ..datagram.clone() })
        }
    }
}

/// The attacker sends something that it saw before once more, as it was or changed.
fn inject(arena: &mut Arena, which: u8, changes: bool, how: u8) {
    let len = arena.log.len();
    let Some(mut datagram) = arena.log.get((usize::from(which) * 7) % len.max(1)).cloned() else { return };
    if changes {
        let place = usize::from(how) * 5 % datagram.bytes.len().max(1);
        if let Some(byte) = datagram.bytes.get_mut(place) {
            *byte = byte.wrapping_add(how | 1);
        }
    } else if how & 1 == 1 && datagram.is_to_server() {
        datagram.from = SocketAddr::from(([203, 0, 113, how], 6_000));
    }
    arena.inject(datagram.from, datagram.to, datagram.bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalcast_core::Rng;

    #[test]
    fn random_runs_obey_the_laws() {
        for seed in 0..40 {
            let mut data = [0; 120];
            Rng::new(seed).fill(&mut data);
            run(&data);
        }
    }
}
