//! What a run shows, and the worlds that tests begin with.

use core::ops::RangeInclusive;
use core::time::Duration;

use nalcast_core::recv::{ClientEvent, LostReason};
use nalcast_core::seal::{Channel, Direction};
use nalcast_core::send::ServerEvent;
use nalcast_core::wire::Reader;
use nalcast_core::wire::control::{Control, Messages};
use nalcast_core::wire::feedback::Feedback;
use nalcast_core::wire::media::FragmentHeader;
use nalcast_core::wire::sealed::{TO_SERVER_BYTES, TO_VIEWER_BYTES};

use super::PlainSeal;
use super::{Datagram, Kind, World, server_config};

pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const DELAY: Duration = Duration::from_millis(10);
pub(crate) const FRAME: Duration = Duration::from_millis(33);

/// The ids of the access units that a viewer got, in the order in which it got them.
pub(crate) fn released(world: &World, viewer: usize) -> Vec<u64> {
    let events = world.viewers[viewer].events.iter();
    events
        .filter_map(|(_, event)| if let ClientEvent::AccessUnit(unit) = event { Some(unit.frame_id) } else { None })
        .collect()
}

pub(crate) fn wanted(world: &World) -> usize {
    world.server_events.iter().filter(|(_, event)| *event == ServerEvent::KeyFrameWanted).count()
}

/// A session that is up: one viewer, one key frame sent and shown.
pub(crate) fn up() -> World {
    let mut world = World::new(server_config(), DELAY);
    world.join();
    world.run(200 * MS);
    world.feed(Kind::Key, 20_000);
    world.run(200 * MS);
    assert_eq!(released(&world, 0), [1]);
    // The first key frame was asked for when the viewer joined.
    assert_eq!(wanted(&world), 1);
    world.server_events.clear();
    world
}

/// The plaintext of a sealed datagram; the seal of these tests hides nothing.
pub(crate) fn plaintext(datagram: &Datagram) -> Option<&[u8]> {
    let header = if datagram.to_server { TO_SERVER_BYTES } else { TO_VIEWER_BYTES };
    let is_sealed = datagram.bytes[0] & 0x80 != 0;
    is_sealed.then(|| &datagram.bytes[header..datagram.bytes.len() - 16])
}

pub(crate) fn is_media(datagram: &Datagram) -> bool {
    !datagram.to_server && is_media_bytes(&datagram.bytes)
}

/// Whether bytes that the server sends are a media datagram.
pub(crate) fn is_media_bytes(bytes: &[u8]) -> bool {
    bytes[0] & 0x80 != 0 && bytes.get(TO_VIEWER_BYTES).is_some_and(|first| first & 0x80 == 0)
}

pub(crate) fn messages(datagram: &Datagram) -> Vec<Control<'_>> {
    let text = plaintext(datagram).filter(|text| text[0] & 0x80 != 0);
    text.into_iter().flat_map(Messages::new).map(|message| message.expect("well-formed")).collect()
}

pub(crate) fn asks_to_recover(datagram: &Datagram) -> bool {
    messages(datagram).iter().any(|message| {
        matches!(message, Control::Feedback(body) if Feedback::parse(body).is_ok_and(|report| report.recover.is_some()))
    })
}

/// Whether a datagram asks for symbols of frames.
pub(crate) fn asks_for_more(datagram: &Datagram) -> bool {
    messages(datagram).iter().any(|message| {
        let Control::Feedback(body) = message else { return false };
        Feedback::parse(body).is_ok_and(|report| report.needs.iter().next().is_some())
    })
}

/// The frame that a media datagram is of, low bits.
pub(crate) fn frame_of(datagram: &Datagram) -> Option<u16> {
    let text = plaintext(datagram).filter(|_| is_media(datagram))?;
    FragmentHeader::read(&mut Reader::new(text)).ok().map(|header| header.frame_id_low)
}

/// From now on nothing of these frames arrives, however often it is sent.
pub(crate) fn lose_frames(world: &mut World, frames: RangeInclusive<u64>) {
    world.fate = Box::new(move |datagram| {
        let lost = frame_of(datagram).is_some_and(|id| frames.contains(&id.into()));
        if lost { vec![] } else { vec![Duration::ZERO] }
    });
}

/// Loses the first media datagrams that `which` holds for, given the datagram and its number among the media.
pub(crate) fn lose_media(world: &mut World, mut which: impl FnMut(usize, &Datagram) -> bool + 'static) {
    let mut number = 0;
    world.fate = Box::new(move |datagram| {
        if !is_media(datagram) {
            return vec![Duration::ZERO];
        }
        number += 1;
        if which(number - 1, datagram) { vec![] } else { vec![Duration::ZERO] }
    });
}

pub(crate) fn last_event(world: &World, viewer: usize) -> &ClientEvent {
    &world.viewers[viewer].events.last().expect("an event").1
}

pub(crate) fn lost(world: &World, viewer: usize) -> Vec<LostReason> {
    let events = world.viewers[viewer].events.iter();
    events
        .filter_map(|(_, event)| if let ClientEvent::Lost { reason, .. } = event { Some(*reason) } else { None })
        .collect()
}

/// A viewer, or the server to it, says something that its machine would not. The number that this uses up costs the
/// machine its next datagram.
pub(crate) fn say(world: &mut World, viewer: usize, to_server: bool, message: &Control<'_>) {
    // Of the newest session: all since its ACCEPT.
    let of_session = world.log.iter().rev().filter(|datagram| datagram.viewer == viewer);
    let of_session = of_session.take_while(|datagram| datagram.to_server || datagram.bytes[0] != 3);
    let sealed: Vec<_> = of_session.filter(|datagram| datagram.bytes[0] & 0x80 != 0).collect();
    // An INIT that was answered twice hides it; then nothing is said.
    let Some(word) = sealed.iter().find(|datagram| datagram.to_server) else { return };
    let id = word.bytes[3..7].try_into().map(u32::from_be_bytes).expect("four bytes");
    let number =
        |datagram: &Datagram| u32::from_be_bytes([0, datagram.bytes[0] & 0x0f, datagram.bytes[1], datagram.bytes[2]]);
    let numbers = sealed.iter().filter(|datagram| datagram.to_server == to_server).map(|datagram| number(datagram));
    let last_number = numbers.max().unwrap_or_default();
    let seal = PlainSeal::of_session(id);
    let id = to_server.then_some(id);
    let mut channel = Channel::new(seal, if to_server { Direction::ToServer } else { Direction::ToViewer });
    let mut buf = [0; 1_500];
    (0..last_number).for_each(|_| {
        channel.seal(id, &mut buf, |writer| Control::Pad(0).write(writer));
    });
    let (_, len) = channel.seal(id, &mut buf, |writer| message.write(writer)).expect("it fits");
    world.send(viewer, to_server, &buf[..len]);
}
