//! One datagram: at every parser, at a server that knows nobody, and inside an authentic session.

use core::net::SocketAddr;
use core::time::Duration;

use nalcast_core::limits::{AMPLIFICATION_FACTOR_MAX, BURST_DATAGRAMS_MAX, DATAGRAM_BYTES_MAX};
use nalcast_core::recv::{Client, ClientConfig};
use nalcast_core::seal::{Channel, Direction};
use nalcast_core::send::Server;
use nalcast_core::wire::Writer;
use nalcast_core::wire::control::Control;
use nalcast_core::{Rng, Timestamp};

use super::canonical;
use super::keyed;
use super::world::{Kind, World, server_address, server_config};
use crate::plain::{Plain, PlainSeal};

/// Shows the input to all that read datagrams.
///
/// # Panics
///
/// When something that was parsed is written as other bytes, when a server answers a stranger with more than three
/// times what came, or when a machine fails over what an authentic peer said.
pub fn datagram(data: &[u8]) {
    canonical::long(data);
    canonical::session_parameters(data);
    canonical::control(data);
    canonical::feedback(data);
    canonical::media(data);
    canonical::sealed(data);
    strangers_get_little(data);
    a_connecting_viewer_survives(data);
    an_authentic_peer_may_say_it(data);
    keyed::an_authentic_peer_may_say_it(data);
}

fn strangers_get_little(data: &[u8]) {
    let now = Timestamp::from_millis(1_000);
    let stranger = SocketAddr::from(([192, 0, 2, 7], 700));
    let mut server = Server::new(server_config(), Plain, [3; 32], now);
    let mut buf = vec![0; BURST_DATAGRAMS_MAX * DATAGRAM_BYTES_MAX];
    let mut answered = 0;
    server.handle_datagram(now, stranger, &mut data.to_vec());
    // Whatever it did, it did it once: nothing follows later.
    for later in [0, 1, 100, 20_000] {
        let now = now + Duration::from_millis(later);
        server.handle_timeout(now);
        while let Some(transmit) = server.poll_transmit(now, &mut buf) {
            assert_eq!(transmit.destination, stranger);
            answered += transmit.len;
        }
    }
    assert!(answered <= AMPLIFICATION_FACTOR_MAX * data.len(), "{answered} bytes for {}", data.len());
    assert_eq!((server.viewer_count(), server.poll_event()), (0, None), "one datagram makes no viewer");
    assert_eq!(server.poll_timeout(), None);
}

fn a_connecting_viewer_survives(data: &[u8]) {
    let now = Timestamp::from_millis(1_000);
    let mut client = Client::new(
        ClientConfig { server: server_address(), budget: None, smooth: false, code: None },
        Plain,
        [1; 32],
        now,
    );
    let mut buf = [0; DATAGRAM_BYTES_MAX];
    assert!(client.poll_transmit(now, &mut buf).is_some());
    // The attempt's own nonce, so that an answer is an answer.
    let mut answer = data.to_vec();
    if let (Some(to), Some(nonce)) = (answer.get_mut(6..14), buf.get(6..14)) {
        to.copy_from_slice(nonce);
    }
    client.handle_datagram(now, server_address(), &mut answer);
    while client.poll_event().is_some() {}
}

/// The input as a plaintext, then as the bodies of control messages, to either side of a session that is up.
fn an_authentic_peer_may_say_it(data: &[u8]) {
    if data.len() > 1_100 {
        return;
    }
    let mut world = World::new(server_config(), Duration::from_millis(10));
    world.join();
    world.run(Duration::from_millis(100));
    world.feed(Kind::Key, 3_000);
    world.run(Duration::from_millis(50));
    world.viewers[0].oracle.blind = true;
    let mut rng = Rng::new(data.len() as u64);
    for to_server in [true, false] {
        let mut channel = authentic(&world, to_server);
        let texts: [&dyn Fn(&mut Writer<'_>); 3] =
            [&|writer| writer.bytes(data), &|writer| Control::Feedback(data).write(writer), &|writer| {
                writer.u8(0x80 | data.first().copied().unwrap_or_default());
                writer.prefixed(data.get(1..).unwrap_or_default());
            }];
        for text in texts {
            let mut buf = [0; 1_500];
            if let Some((_, len)) = channel.0.seal(channel.1, &mut buf, text) {
                world.inject(0, to_server, buf[..len].to_vec());
            }
            world.run(Duration::from_millis(rng.below(60)));
        }
    }
    world.run(Duration::from_secs(3));
}

/// A channel that goes on where the session's own stands, far enough ahead not to be mistaken for it.
fn authentic(world: &World, to_server: bool) -> (Channel<PlainSeal>, Option<u32>) {
    let said = world.log.iter().find(|datagram| datagram.to_server && datagram.bytes[0] & 0x80 != 0);
    let id = said.and_then(|datagram| datagram.bytes.get(3..7)?.try_into().ok()).map(u32::from_be_bytes);
    let seals = PlainSeal::of_session(id.unwrap_or_default());
    let mut channel = Channel::new(seals, if to_server { Direction::ToServer } else { Direction::ToViewer });
    for _ in 0..500 {
        channel.seal(None, &mut [0; 32], |writer| writer.u8(0x80));
    }
    (channel, id.filter(|_| to_server))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_of_a_run_obey_the_laws() {
        let mut world = World::new(server_config(), Duration::from_millis(10));
        world.feed(Kind::Key, 5_000);
        world.join();
        world.run(Duration::from_millis(300));
        world.feed(Kind::Delta, 100);
        world.run(Duration::from_millis(300));
        for sent in &world.log {
            datagram(&sent.bytes);
            datagram(sent.bytes.get(3..sent.bytes.len() - 16).unwrap_or_default());
        }
    }
}
