//! What attackers try on real sessions, and beside each attempt the same under a condition in which it must succeed:
//! that shows that the test could fail.

mod damage;
mod floods;
mod handshakes;
mod holes;
mod keys;
mod knocking;
mod replays;
mod roaming;
mod theft;
mod wraps;

use core::net::SocketAddr;
use core::time::Duration;

use nalcast_core::send::{ServerEvent, ViewerId, ViewerInfo};
use sim::attack::{Arena, Datagram, Kind, SERVER, client_state, server_state};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
/// Each way, unless a test says otherwise.
const DELAY: Duration = Duration::from_millis(10);

/// An address of the attacker's.
fn elsewhere(last: u8) -> SocketAddr {
    SocketAddr::from(([203, 0, 113, last], 6_000))
}

/// Who is there, half-open or in.
fn present(arena: &Arena) -> Vec<(ViewerId, SocketAddr)> {
    arena.server.viewers().map(|viewer| (viewer.id, viewer.address)).collect()
}

fn info(arena: &Arena) -> ViewerInfo {
    arena.server.viewers().next().expect("a viewer")
}

fn joins(arena: &Arena) -> usize {
    arena.events.iter().filter(|(_, event)| matches!(event, ServerEvent::ViewerJoined { .. })).count()
}

/// Datagrams that the server took for good.
fn taken_by_server(arena: &Arena) -> u64 {
    let stats = arena.server.stats();
    stats.datagrams_received - stats.datagrams_dropped
}

/// Datagrams that the viewer took for good.
fn taken_by_viewer(arena: &Arena) -> u64 {
    arena.guests[0].client.stats().packets_received
}

fn is_sealed(datagram: &Datagram) -> bool {
    datagram.kind() == Some(Kind::Sealed)
}

/// All that server and first viewer know, once they have done what the time alone brings.
fn state(arena: &mut Arena) -> (String, String) {
    let home = arena.guests[0].address;
    arena.inject(elsewhere(0), SERVER, Vec::new());
    arena.inject(elsewhere(0), home, Vec::new());
    (server_state(&arena.server), client_state(&arena.guests[0].client))
}

/// The first viewer has what the source makes, now and for the next second.
#[track_caller]
fn expect_picture(arena: &mut Arena) {
    arena.frame_interval = Some(33 * MS);
    arena.run(SECOND);
    let newest = arena.guests[0].newest().unwrap_or_default();
    assert!(newest + 5 >= arena.frames, "frame {newest} of {}", arena.frames);
}
