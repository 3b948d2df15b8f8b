//! Control plaintext: a list of messages, each `type u8 (bit 7 = 1) | length varint | body`.
//!
//! A message of unknown type is skipped by its length, so later versions can add some.

use super::{CloseCode, Reader, WireError, Writer, cursor::varint_len, frame_id};
use crate::nal::Codec;

/// Type number of FEEDBACK, whose body is read and written by [`super::feedback`].
pub const FEEDBACK: u8 = 0x83;

/// Stream description, sent to each viewer until a report echoes its epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config<'a> {
    /// Counts the descriptions; wraps.
    pub config_epoch: u8,
    /// Codec of the stream.
    pub codec: Codec,
    /// Picture width, pixels; 0 while unknown.
    pub width: u16,
    /// Picture height, pixels; 0 while unknown.
    pub height: u16,
    /// Frames a second at most.
    pub fps: u8,
    /// Counts changes of the parameter sets; wraps.
    pub parameter_epoch: u8,
    /// VPS, SPS and PPS with start codes; empty if none was seen yet.
    pub parameter_sets: &'a [u8],
}

/// What the viewer wishes of its own stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Counts the wishes; echoed by ACK_CTL.
    pub sequence: u8,
    /// No media, please.
    pub paused: bool,
    /// At most this many kilobits a second; 0 = no limit.
    pub kbps_max: u32,
    /// Highest temporal layer wanted.
    pub temporal_id_max: u8,
    /// Capture to display, milliseconds.
    pub budget_ms: u16,
}

/// One control message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control<'a> {
    /// Padding that probes the path.
    Pad(usize),
    /// Asks for the time.
    Ping {
        /// Ties the answer to it.
        id: u16,
        /// Sender's clock, microseconds, low 32 bits.
        sent_us: u32,
    },
    /// Answers with the time.
    Pong {
        /// Of the PING.
        id: u16,
        /// Of the PING.
        sent_us: u32,
        /// When the PING arrived, answering side's clock.
        received_us: u32,
        /// When the PONG left, answering side's clock.
        replied_us: u32,
    },
    /// The viewer's report: its body.
    Feedback(&'a [u8]),
    /// Describes the stream.
    Config(Config<'a>),
    /// The viewer's wishes.
    Wish(Wish),
    /// Frames that will not come, by choice: stop waiting.
    Skip {
        /// First frame withheld, low bits.
        from: u16,
        /// Last frame withheld, low bits.
        to: u16,
        /// The next frame that can be decoded, low bits.
        next: u16,
    },
    /// Asks an address to prove itself.
    PathChallenge([u8; 8]),
    /// Proves an address.
    PathResponse([u8; 8]),
    /// Lets the viewer rejoin without RETRY.
    Token(&'a [u8]),
    /// Ends the session.
    Close(CloseCode),
    /// Echoes a wish's sequence.
    WishHeard(u8),
    /// Names the newest frame while none flows.
    Heartbeat {
        /// Its full id.
        newest_frame: u64,
        /// The server's clock, microseconds.
        server_time_us: u64,
    },
    /// A type that this version does not know.
    Unknown(u8),
}

impl Control<'_> {
    /// Appends the message.
    pub fn write(&self, writer: &mut Writer<'_>) {
        match *self {
            Self::Pad(len) => {
                header(writer, 0x80, len);
                writer.zeros(len);
            }
            Self::Ping { id, sent_us } => {
                header(writer, 0x81, 6);
                writer.u16(id);
                writer.u32(sent_us);
            }
            Self::Pong { id, sent_us, received_us, replied_us } => {
                header(writer, 0x82, 14);
                writer.u16(id);
                for time in [sent_us, received_us, replied_us] {
                    writer.u32(time);
                }
            }
            Self::Feedback(body) => bytes(writer, FEEDBACK, body),
            Self::Config(config) => write_config(&config, writer),
            Self::Wish(wish) => {
                header(writer, 0x85, 9);
                writer.u8(wish.sequence);
                writer.u8(u8::from(wish.paused));
                writer.u32(wish.kbps_max);
                writer.u8(wish.temporal_id_max);
                writer.u16(wish.budget_ms);
            }
            Self::Skip { from, to, next } => {
                header(writer, 0x86, 6);
                for id in [from, to, next] {
                    writer.u16(id);
                }
            }
            Self::PathChallenge(data) => bytes(writer, 0x87, &data),
            Self::PathResponse(data) => bytes(writer, 0x88, &data),
            Self::Token(token) => bytes(writer, 0x89, token),
            Self::Close(code) => bytes(writer, 0x8a, &code.to_wire().to_be_bytes()),
            Self::WishHeard(sequence) => bytes(writer, 0x8b, &[sequence]),
            Self::Heartbeat { newest_frame, server_time_us } => {
                header(writer, 0x8c, 16);
                writer.u64(newest_frame);
                writer.u64(server_time_us);
            }
            Self::Unknown(kind) => header(writer, kind | 0x80, 0),
        }
    }
}

/// The messages of a control plaintext, in order; ends after the first malformed one.
#[derive(Clone, Debug)]
pub struct Messages<'a> {
    reader: Reader<'a>,
    failed: bool,
}

impl<'a> Messages<'a> {
    /// The messages of an opened plaintext.
    #[must_use]
    pub const fn new(plaintext: &'a [u8]) -> Self {
        Self { reader: Reader::new(plaintext), failed: false }
    }

    fn read(&mut self) -> Result<Control<'a>, WireError> {
        let kind = self.reader.u8()?;
        if kind & 0x80 == 0 {
            return Err(WireError::Field);
        }
        let body = self.reader.prefixed()?;
        let mut reader = Reader::new(body);
        let message = parse_body(kind, body, &mut reader)?;
        if reader.is_empty() { Ok(message) } else { Err(WireError::Trailing) }
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Control<'a>, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.reader.is_empty() {
            return None;
        }
        let item = self.read();
        self.failed = item.is_err();
        Some(item)
    }
}

fn parse_body<'a>(kind: u8, body: &'a [u8], reader: &mut Reader<'a>) -> Result<Control<'a>, WireError> {
    let message = match kind {
        0x81 => Control::Ping { id: reader.u16()?, sent_us: reader.u32()? },
        0x82 => Control::Pong {
            id: reader.u16()?,
            sent_us: reader.u32()?,
            received_us: reader.u32()?,
            replied_us: reader.u32()?,
        },
        0x84 => parse_config(reader)?,
        0x85 => {
            let (sequence, flags) = (reader.u8()?, reader.u8()?);
            let (kbps_max, temporal_id_max, budget_ms) = (reader.u32()?, reader.u8()?, reader.u16()?);
            if flags > 1 {
                return Err(WireError::Field);
            }
            Control::Wish(Wish { sequence, paused: flags == 1, kbps_max, temporal_id_max, budget_ms })
        }
        0x86 => Control::Skip { from: reader.u16()?, to: reader.u16()?, next: reader.u16()? },
        0x87 => Control::PathChallenge(reader.array()?),
        0x88 => Control::PathResponse(reader.array()?),
        0x8a => Control::Close(CloseCode::from_wire(reader.u16()?)),
        0x8b => Control::WishHeard(reader.u8()?),
        0x8c => Control::Heartbeat { newest_frame: frame_id(reader)?, server_time_us: reader.u64()? },
        _ => {
            reader.bytes(body.len())?;
            match kind {
                0x80 => Control::Pad(body.len()),
                FEEDBACK => Control::Feedback(body),
                0x89 => Control::Token(body),
                unknown => Control::Unknown(unknown),
            }
        }
    };
    Ok(message)
}

fn parse_config<'a>(reader: &mut Reader<'a>) -> Result<Control<'a>, WireError> {
    let config_epoch = reader.u8()?;
    let codec = match reader.u8()? {
        0 => Codec::H264,
        1 => Codec::H265,
        _ => return Err(WireError::Field),
    };
    Ok(Control::Config(Config {
        config_epoch,
        codec,
        width: reader.u16()?,
        height: reader.u16()?,
        fps: reader.u8()?,
        parameter_epoch: reader.u8()?,
        parameter_sets: reader.bytes(reader.rest().len())?,
    }))
}

fn write_config(config: &Config<'_>, writer: &mut Writer<'_>) {
    header(writer, 0x84, 8 + config.parameter_sets.len());
    writer.u8(config.config_epoch);
    writer.u8(match config.codec {
        Codec::H264 => 0,
        Codec::H265 => 1,
    });
    writer.u16(config.width);
    writer.u16(config.height);
    writer.u8(config.fps);
    writer.u8(config.parameter_epoch);
    writer.bytes(config.parameter_sets);
}

/// Bytes that a message with a body of `len` bytes takes.
#[must_use]
pub fn message_len(len: usize) -> usize {
    1 + varint_len(u32::try_from(len).unwrap_or(u32::MAX)) + len
}

fn header(writer: &mut Writer<'_>, kind: u8, len: usize) {
    writer.u8(kind);
    writer.varint(u32::try_from(len).unwrap_or(u32::MAX));
}

fn bytes(writer: &mut Writer<'_>, kind: u8, body: &[u8]) {
    header(writer, kind, body.len());
    writer.bytes(body);
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    const ALL: [Control<'_>; 14] = [
        Control::Pad(300),
        Control::Ping { id: 1, sent_us: 2 },
        Control::Pong { id: 1, sent_us: 2, received_us: 3, replied_us: 4 },
        Control::Feedback(b"report"),
        Control::Config(Config {
            config_epoch: 1,
            codec: Codec::H265,
            width: 1920,
            height: 1080,
            fps: 60,
            parameter_epoch: 255,
            parameter_sets: &[0, 0, 0, 1, 0x67],
        }),
        Control::Wish(Wish { sequence: 9, paused: true, kbps_max: 5_000, temporal_id_max: 3, budget_ms: 150 }),
        Control::Skip { from: 65_535, to: 0, next: 1 },
        Control::PathChallenge([1; 8]),
        Control::PathResponse([2; 8]),
        Control::Token(b"token"),
        Control::Close(CloseCode::Kicked),
        Control::WishHeard(9),
        Control::Heartbeat { newest_frame: 1 << 40, server_time_us: 1 << 50 },
        Control::Unknown(0xff),
    ];

    #[test]
    fn a_list_comes_back_in_order() {
        let mut buf = [0; 600];
        let mut writer = Writer::new(&mut buf);
        ALL.iter().for_each(|message| message.write(&mut writer));
        let len = writer.finish().unwrap();
        let back: Result<Vec<_>, _> = Messages::new(&buf[..len]).collect();
        assert_eq!(back.as_deref(), Ok(&ALL[..]));
    }

    #[test]
    fn a_truncated_or_overlong_message_ends_the_list_with_an_error() {
        for message in ALL {
            let mut buf = [0; 400];
            let mut writer = Writer::new(&mut buf);
            message.write(&mut writer);
            let len = writer.finish().unwrap();
            for cut in 1..len {
                let mut messages = Messages::new(&buf[..cut]);
                assert!(messages.next().is_some_and(|m| m.is_err()), "{message:?} cut to {cut}");
                assert!(messages.next().is_none());
            }
        }
        let long_ping = [0x81, 7, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(Messages::new(&long_ping).next(), Some(Err(WireError::Trailing)));
        let media = [0x01, 0];
        assert_eq!(Messages::new(&media).next(), Some(Err(WireError::Field)));
    }
}
