#![doc = include_str!("protocol.md")]
#![deny(clippy::indexing_slicing, clippy::cast_possible_truncation)]

pub mod control;
pub mod cursor;
pub mod feedback;
pub mod long;
pub mod media;
pub mod sealed;

use core::fmt;

pub use cursor::{Reader, Writer};

/// The protocol version that this code speaks.
pub const VERSION: u8 = 1;

/// Why a datagram is not what it claims to be. The peer did it: count it and drop the datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireError {
    /// It ends inside a field.
    Truncated,
    /// Bytes follow where nothing may follow.
    Trailing,
    /// A reserved bit is set or a field holds a value without a meaning.
    Field,
    /// A varint is too long or not in its shortest form.
    Varint,
    /// The magic number is not ours.
    Magic,
    /// The version is not ours.
    Version,
    /// The datagram is not of the size that its type demands.
    Size,
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "datagram ends inside a field",
            Self::Trailing => "bytes follow the last field",
            Self::Field => "field holds a value without a meaning",
            Self::Varint => "variable-length integer is not in its shortest form",
            Self::Magic => "not a nalcast datagram",
            Self::Version => "unknown protocol version",
            Self::Size => "datagram has the wrong size for its type",
        })
    }
}

impl core::error::Error for WireError {}

/// Why a session ends, on the wire as a u16.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CloseCode {
    /// The source is at its end and everything has been shown: the viewer exits well.
    EndOfStream,
    /// The server stops: the viewer tries again.
    Shutdown,
    /// The host removed this viewer: it exits.
    Kicked,
    /// The viewer table is full: the viewer says so and tries again later.
    Full,
    /// The peer broke the protocol: the viewer exits.
    Protocol,
    /// The viewer leaves.
    Leaving,
    /// The pairing code is not the one that is shown.
    WrongCode,
    /// Another viewer is trying the pairing code, or guesses have used it up: the viewer tries again later.
    Busy,
}

impl CloseCode {
    const ALL: [Self; 8] = [
        Self::EndOfStream,
        Self::Shutdown,
        Self::Kicked,
        Self::Full,
        Self::Protocol,
        Self::Leaving,
        Self::WrongCode,
        Self::Busy,
    ];

    /// The code's number on the wire.
    #[must_use]
    pub const fn to_wire(self) -> u16 {
        match self {
            Self::EndOfStream => 0,
            Self::Shutdown => 1,
            Self::Kicked => 2,
            Self::Full => 3,
            Self::Protocol => 4,
            Self::Leaving => 5,
            Self::WrongCode => 6,
            Self::Busy => 7,
        }
    }

    /// The code behind a number; one that a later version may have added counts as [`Protocol`](Self::Protocol).
    #[must_use]
    pub fn from_wire(number: u16) -> Self {
        Self::ALL.into_iter().find(|code| code.to_wire() == number).unwrap_or(Self::Protocol)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EndOfStream => "end of stream",
            Self::Shutdown => "server stopped",
            Self::Kicked => "removed by the host",
            Self::Full => "server is full",
            Self::Protocol => "protocol error",
            Self::Leaving => "viewer left",
            Self::WrongCode => "wrong pairing code",
            Self::Busy => "pairing code in use",
        })
    }
}

/// The number nearest to `near` whose low `bits` bits are `low`.
///
/// How truncated counters (packet numbers, frame ids, times) come back to full width; exact while the true
/// number lies within half the truncated range of `near` (compare RFC 9000 appendix A.3).
#[must_use]
pub const fn expand(near: u64, low: u64, bits: u32) -> u64 {
    let window = 1u64 << bits;
    let candidate = (near & !(window - 1)) | (low & (window - 1));
    let half = window / 2;
    if candidate.saturating_add(half) <= near {
        candidate.saturating_add(window)
    } else if candidate > near.saturating_add(half) && candidate >= window {
        candidate - window
    } else {
        candidate
    }
}

/// A frame id as it travels: its low 16 bits.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "the wire carries the low bits")]
pub const fn frame_id_low(frame_id: u64) -> u16 {
    frame_id as u16
}

/// A frame id at full width.
fn frame_id(reader: &mut Reader<'_>) -> Result<u64, WireError> {
    let id = reader.u64()?;
    if id <= crate::limits::FRAME_ID_MAX { Ok(id) } else { Err(WireError::Field) }
}

/// The frame id nearest to `near` with these low bits.
#[must_use]
pub const fn frame_id_full(near: u64, low: u16) -> u64 {
    expand(near, low as u64, 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_codes_come_back() {
        for code in CloseCode::ALL {
            assert_eq!(CloseCode::from_wire(code.to_wire()), code);
        }
        assert_eq!(CloseCode::from_wire(999), CloseCode::Protocol);
    }

    #[test]
    fn expansion_crosses_the_wrap_in_both_directions() {
        for true_value in [5u64, 0xfffe, 0xffff, 0x1_0000, 0x1_0001, 0x2_8000] {
            for distance in [0u64, 1, 100, 0x7fff] {
                let low = frame_id_low(true_value);
                assert_eq!(frame_id_full(true_value + distance, low), true_value);
                if let Some(near) = true_value.checked_sub(distance) {
                    assert_eq!(frame_id_full(near, low), true_value);
                }
            }
        }
    }
}
