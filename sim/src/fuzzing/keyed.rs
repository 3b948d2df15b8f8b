//! A session with real keys, one of whose sides is the input: behind the seal it may say what it likes, and without the
//! key nothing.

use core::net::SocketAddr;
use core::time::Duration;

use nalcast_core::Timestamp;
use nalcast_core::handshake::{Handshake, Noise, Proposal, SharedKey};
use nalcast_core::limits::{BURST_DATAGRAMS_MAX, DATAGRAM_BYTES_MAX};
use nalcast_core::nal::Codec;
use nalcast_core::recv::{Client, ClientConfig, ClientState};
use nalcast_core::seal::{Aead, Channel, Cipher, Direction};
use nalcast_core::secrets::Secrets;
use nalcast_core::send::{Recovery, Server, ServerConfig};
use nalcast_core::wire::control::Control;
use nalcast_core::wire::long::{CONTEXT_BYTES_MAX, Cookie, Init, Long, SessionParameters};

use super::world::{Kind, server_address, unit};

const VIEWER: SocketAddr = SocketAddr::new(core::net::IpAddr::V4(core::net::Ipv4Addr::new(192, 0, 2, 7)), 700);
const START: Timestamp = Timestamp::from_millis(1_000);
const CONNECTION_ID: u32 = 0x0102_0304;

/// What an input does with its first byte: which cipher, which side, and whether the datagram is damaged.
struct Plan {
    aead: Aead,
    to_server: bool,
    damaged: bool,
}

/// Shows the input to one side of a session as what the other says.
///
/// # Panics
///
/// When a machine fails over what an authentic peer said, or a damaged datagram is taken for one.
pub(super) fn an_authentic_peer_may_say_it(data: &[u8]) {
    let Some((first, text)) = data.split_first().filter(|_| data.len() <= 1_100) else { return };
    let aead = if first & 1 == 0 { Aead::Aes128Gcm } else { Aead::ChaCha20Poly1305 };
    let plan = Plan { aead, to_server: first & 2 == 0, damaged: first & 4 != 0 };
    if plan.to_server { say_to_server(&plan, text) } else { say_to_viewer(&plan, text) }
}

/// The datagram with `text`, and the same with a flipped bit that the text decides.
fn sealed(channel: &mut Channel<Cipher>, id: Option<u32>, text: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut buf = [0; 1_500];
    let (_, len) = channel.seal(id, &mut buf, |writer| writer.bytes(text))?;
    let intact = buf[..len].to_vec();
    let mut damaged = intact.clone();
    let place = text.iter().fold(0usize, |place, byte| place.wrapping_mul(31).wrapping_add(usize::from(*byte)));
    damaged[place / 8 % len] ^= 1 << (place % 8);
    Some((intact, damaged))
}

fn say_to_server(plan: &Plan, text: &[u8]) {
    let (mut server, mut channel, id) = server_and_its_viewer(plan.aead);
    let Some((mut intact, mut damaged)) = sealed(&mut channel, Some(id), text) else { return };
    let mut now = START + Duration::from_millis(50);
    if plan.damaged {
        let taken = |server: &Server<Noise>| server.stats().datagrams_received - server.stats().datagrams_dropped;
        let (taken_before, timeout) = (taken(&server), server.poll_timeout());
        // A session id or a form that is none of this session's is damage too.
        server.handle_datagram(now, VIEWER, &mut damaged);
        assert_eq!((taken(&server), server.poll_timeout()), (taken_before, timeout), "a damaged datagram was taken");
    }
    server.handle_datagram(now, VIEWER, &mut intact.clone());
    assert!(plan.damaged || server.stats().datagrams_forged == 0, "an intact datagram opens");
    drain_server(&mut server, now);
    for (step, kind) in [(1, Kind::Delta), (30, Kind::Key), (300, Kind::Delta), (3_000, Kind::Delta)] {
        now += Duration::from_millis(step);
        server.handle_timeout(now);
        server.handle_access_unit(now, unit(kind, step, 2_000), now).expect("a frame is taken");
        drain_server(&mut server, now);
    }
    let replayed = server.stats().datagrams_dropped;
    server.handle_datagram(now, VIEWER, &mut intact);
    assert_eq!(server.stats().datagrams_dropped, replayed + 1, "a datagram is taken once");
    drain_server(&mut server, now);
}

fn say_to_viewer(plan: &Plan, text: &[u8]) {
    let (mut client, mut channel) = viewer_and_its_server(plan.aead);
    let Some((mut intact, mut damaged)) = sealed(&mut channel, None, text) else { return };
    let mut now = START + Duration::from_millis(50);
    let dropped = |client: &Client<Noise>| client.stats().datagrams_dropped;
    if plan.damaged {
        let (before, timeout) = (dropped(&client), client.poll_timeout());
        client.handle_datagram(now, server_address(), &mut damaged);
        assert_eq!((dropped(&client), client.poll_timeout()), (before + 1, timeout), "a damaged datagram was taken");
    }
    client.handle_datagram(now, server_address(), &mut intact.clone());
    drain_client(&mut client, now);
    for step in [1, 30, 300, 3_000] {
        now += Duration::from_millis(step);
        client.handle_timeout(now);
        drain_client(&mut client, now);
    }
    let before = dropped(&client);
    client.handle_datagram(now, server_address(), &mut intact);
    assert_eq!(dropped(&client), before + 1, "a datagram is taken once");
}

fn noise(prefers: Aead) -> Noise {
    Noise::with_key(SharedKey::new([7; 32]), prefers)
}

/// A server with a viewer that is in, and that viewer's side of the session.
fn server_and_its_viewer(aead: Aead) -> (Server<Noise>, Channel<Cipher>, u32) {
    let config =
        ServerConfig { codec: Codec::H264, fps: 30, recovery: Recovery::KeyFrames, viewers_max: 4, pairing: true };
    let mut server = Server::new(config, noise(aead), [1; 32], START);
    server.handle_access_unit(START, unit(Kind::Key, 0, 3_000), START).expect("a key frame");
    let plain = Init {
        nonce: [9; 8],
        cookie: None,
        token: &[],
        auth: noise(aead).auth().to_wire(),
        ciphers: Aead::ALL,
        versions: &[nalcast_core::wire::VERSION],
        handshake: &[],
    };
    let context = plain.context(&mut [0; CONTEXT_BYTES_MAX]).to_vec();
    let (mut pending, message) = noise(aead).begin(&mut Secrets::new([2; 32]), &context).expect("a message");
    let init = Init { handshake: message.as_bytes(), ..plain };
    let ask = |server: &mut Server<Noise>, init: &Init<'_>| {
        let mut buf = [0; DATAGRAM_BYTES_MAX];
        let len = Long::Init(*init).write(&mut buf).expect("it fits");
        server.handle_datagram(START, VIEWER, &mut buf[..len]);
        let answer = server.poll_transmit(START, &mut buf).expect("an answer");
        buf[..answer.len].to_vec()
    };
    let retry = ask(&mut server, &init);
    let Ok(Long::Retry { cookie, .. }) = Long::parse(&retry) else { panic!("no RETRY") };
    let accept = ask(&mut server, &Init { cookie: Some(cookie), ..init });
    let Ok(Long::Accept { connection_id, handshake, .. }) = Long::parse(&accept) else { panic!("no ACCEPT") };
    let concluded = noise(aead).conclude(&mut pending, connection_id, handshake, &mut [0; SessionParameters::BYTES]);
    let mut channel = Channel::new(concluded.expect("keys").seals, Direction::ToServer);
    let mut buf = [0; 100];
    let first = channel.seal(Some(connection_id), &mut buf, |writer| Control::Ping { id: 1, sent_us: 1 }.write(writer));
    let (_, len) = first.expect("it fits");
    server.handle_datagram(START, VIEWER, &mut buf[..len]);
    assert_eq!(server.stats().viewers_joined, 1);
    drain_server(&mut server, START);
    (server, channel, connection_id)
}

/// A viewer in a session, and the server's side of it.
fn viewer_and_its_server(aead: Aead) -> (Client<Noise>, Channel<Cipher>) {
    let config = ClientConfig { server: server_address(), budget: None, smooth: false, code: None };
    let mut client = Client::new(config, noise(aead), [3; 32], START);
    let mut buf = [0; DATAGRAM_BYTES_MAX];
    let asked = client.poll_transmit(START, &mut buf).expect("INIT");
    let datagram = buf[..asked.len].to_vec();
    let Ok(Long::Init(init)) = Long::parse(&datagram) else { panic!("no INIT") };
    let retry = Long::Retry {
        nonce: init.nonce,
        auth_modes: noise(aead).auth().bit(),
        cookie: Cookie { mac: [0; 16], time: 0 },
    };
    let len = retry.write(&mut buf).expect("it fits");
    client.handle_datagram(START, server_address(), &mut buf[..len]);
    assert!(client.poll_transmit(START, &mut buf).is_some(), "INIT again");
    let mut context = [0; CONTEXT_BYTES_MAX];
    let parameters = SessionParameters { frame_bytes_max: 2 << 20, server_time_us: 1_000_000, newest_frame: 3 };
    let proposal = Proposal { message: init.handshake, ciphers: init.ciphers, connection_id: CONNECTION_ID };
    let response =
        noise(aead).respond(&mut Secrets::new([4; 32]), init.context(&mut context), proposal, &parameters.to_bytes());
    let (seals, response) = response.expect("it proves its right");
    let accept = Long::Accept { nonce: init.nonce, connection_id: CONNECTION_ID, handshake: response.as_bytes() };
    let len = accept.write(&mut buf).expect("it fits");
    client.handle_datagram(START, server_address(), &mut buf[..len]);
    assert_eq!(client.state(), ClientState::Live);
    drain_client(&mut client, START);
    (client, Channel::new(seals, Direction::ToViewer))
}

fn drain_server(server: &mut Server<Noise>, now: Timestamp) {
    let mut buf = [0; BURST_DATAGRAMS_MAX * DATAGRAM_BYTES_MAX];
    while server.poll_transmit(now, &mut buf).is_some() {}
    while server.poll_event().is_some() {}
}

fn drain_client(client: &mut Client<Noise>, now: Timestamp) {
    let mut buf = [0; DATAGRAM_BYTES_MAX];
    while client.poll_transmit(now, &mut buf).is_some() {}
    while client.poll_event().is_some() {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalcast_core::wire::Writer;

    #[test]
    fn every_message_may_be_said_to_either_side() {
        let messages = [
            Control::Pad(5),
            Control::Ping { id: 1, sent_us: 2 },
            Control::PathChallenge([1; 8]),
            Control::PathResponse([1; 8]),
            Control::Token(b"token"),
            Control::WishHeard(1),
            Control::Heartbeat { newest_frame: 9, server_time_us: 1 },
            Control::Skip { from: 1, to: 2, next: 3 },
        ];
        for first in 0..8u8 {
            for message in messages {
                let mut buf = [0; 64];
                let mut writer = Writer::new(&mut buf);
                writer.u8(first);
                message.write(&mut writer);
                let len = writer.finish().unwrap();
                an_authentic_peer_may_say_it(&buf[..len]);
            }
        }
    }
}
