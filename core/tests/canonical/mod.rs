//! Canonical forms: whatever a parser takes, the writer writes as the same bytes.
//!
//! Three things are read more freely than they are written: a message of unknown type is skipped, an unknown close
//! code is a protocol error, and padding may hold anything.
#![allow(dead_code, reason = "each binary that includes this file uses a part of it")]

use nalcast_core::wire::control::{Control, Messages};
use nalcast_core::wire::feedback::Feedback;
use nalcast_core::wire::long::{Long, SessionParameters};
use nalcast_core::wire::media::{FragmentHeader, FrameHeader};
use nalcast_core::wire::sealed::Header;
use nalcast_core::wire::{CloseCode, Reader, Writer};

fn check(expected: &[u8], write: impl FnOnce(&mut Writer<'_>)) {
    let mut buf = vec![0xaa; expected.len() + 64];
    let mut writer = Writer::new(&mut buf);
    write(&mut writer);
    let len = writer.finish();
    assert_eq!(len.and_then(|len| buf.get(..len)), Some(expected));
}

pub(crate) fn long(bytes: &[u8]) {
    let Ok(long) = Long::parse(bytes) else { return };
    if matches!(long, Long::Reject { code: CloseCode::Protocol, .. }) {
        return;
    }
    let mut buf = vec![0xaa; bytes.len() + 64];
    let len = long.write(&mut buf);
    assert_eq!(len.and_then(|len| buf.get(..len)), Some(bytes), "{long:?}");
}

pub(crate) fn session_parameters(bytes: &[u8]) {
    if let Ok(parameters) = SessionParameters::parse(bytes) {
        assert_eq!(parameters.to_bytes(), bytes);
    }
}

pub(crate) fn control(bytes: &[u8]) {
    let messages: Vec<_> = Messages::new(bytes).collect();
    let Ok(messages) = messages.into_iter().collect::<Result<Vec<_>, _>>() else { return };
    let free = |message: &Control<'_>| {
        matches!(message, Control::Unknown(_) | Control::Close(CloseCode::Protocol) | Control::Pad(_))
    };
    if !messages.iter().any(free) {
        check(bytes, |writer| messages.iter().for_each(|message| message.write(writer)));
    }
    for message in messages {
        if let Control::Feedback(body) = message {
            feedback(body);
        }
    }
}

pub(crate) fn feedback(bytes: &[u8]) {
    let Ok(report) = Feedback::parse(bytes) else { return };
    check(bytes, |writer| report.write(writer));
    assert!(report.acks.received().all(|(below, _)| (1..=512).contains(&below)));
    assert!(report.needs.iter().count() <= nalcast_core::limits::NEED_MAX);
}

pub(crate) fn media(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    let Ok(fragment) = FragmentHeader::read(&mut reader) else { return };
    check(bytes, |writer| {
        fragment.write(writer);
        writer.bytes(reader.rest());
    });
    let head = reader.rest();
    let Ok(frame) = FrameHeader::read(&mut reader) else { return };
    check(head, |writer| {
        frame.write(writer);
        writer.bytes(reader.rest());
    });
}

pub(crate) fn sealed(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    let Ok(header) = Header::read(&mut reader) else { return };
    check(bytes, |writer| {
        header.write(writer);
        writer.bytes(reader.rest());
    });
}
