//! Field names and values that cannot be anything else.

use core::fmt;

use super::super::grammar::{is_field_byte, is_tchar, is_whitespace};

/// A field name that is a token (RFC 9110 §5.1), and not one of those that [`ResponseHead`](super::ResponseHead)
/// writes itself: what ends a message and its connection is said once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldName(&'static str);

const RESERVED_NAMES: [&[u8]; 4] = [b"content-length", b"transfer-encoding", b"connection", b"date"];

impl FieldName {
    /// A name of the program's own; in a constant it is checked when the program is compiled.
    ///
    /// # Panics
    ///
    /// When it is not a token, or is `Content-Length`, `Transfer-Encoding`, `Connection` or `Date`.
    #[must_use]
    pub const fn from_static(name: &'static str) -> Self {
        let bytes = name.as_bytes();
        assert!(!bytes.is_empty(), "a field name is a token");
        let mut rest = bytes;
        while let [first, others @ ..] = rest {
            assert!(is_tchar(*first), "a field name is a token");
            rest = others;
        }
        assert!(!is_reserved(bytes), "a response head writes this field itself");
        Self(name)
    }

    pub(super) const fn bytes(self) -> &'static [u8] {
        self.0.as_bytes()
    }
}

/// Whether only [`ResponseHead`](super::ResponseHead) itself may write a field of this name.
const fn is_reserved(name: &[u8]) -> bool {
    let mut reserved: &[&[u8]] = &RESERVED_NAMES;
    while let [first, others @ ..] = reserved {
        if is_same(first, name) {
            return true;
        }
        reserved = others;
    }
    false
}

/// Whether two names are equal whatever their case, `lower` being in lower case.
const fn is_same(mut lower: &[u8], mut name: &[u8]) -> bool {
    loop {
        (lower, name) = match (lower, name) {
            ([], []) => return true,
            ([a, lower @ ..], [b, name @ ..]) if *a == b.to_ascii_lowercase() => (lower, name),
            _ => return false,
        };
    }
}

/// A field value without control characters or whitespace around it (RFC 9110 §5.5): it cannot end its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldValue<'a>(&'a str);

impl<'a> FieldValue<'a> {
    /// Checks a value.
    ///
    /// # Errors
    ///
    /// When it holds a control character, or starts or ends with whitespace.
    pub const fn new(value: &'a str) -> Result<Self, InvalidFieldValue> {
        let bytes = value.as_bytes();
        if let [first, ..] = bytes
            && is_whitespace(*first)
        {
            return Err(InvalidFieldValue);
        }
        if let [.., last] = bytes
            && is_whitespace(*last)
        {
            return Err(InvalidFieldValue);
        }
        let mut rest = bytes;
        while let [first, others @ ..] = rest {
            if !is_field_byte(*first) {
                return Err(InvalidFieldValue);
            }
            rest = others;
        }
        Ok(Self(value))
    }

    /// A value of the program's own; in a constant it is checked when the program is compiled.
    ///
    /// # Panics
    ///
    /// When [`new`](Self::new) refuses it.
    #[must_use]
    pub const fn from_static(value: &'static str) -> FieldValue<'static> {
        match FieldValue::new(value) {
            Ok(value) => value,
            Err(InvalidFieldValue) => panic!("a field value has no control character and no whitespace around it"),
        }
    }

    /// The value.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0.as_bytes()
    }
}

/// A text that cannot be a field value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidFieldValue;

impl fmt::Display for InvalidFieldValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field value holds a control character or has whitespace around it")
    }
}

impl core::error::Error for InvalidFieldValue {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_break_out() {
        for value in ["a\r\nSet-Cookie: b", "a\n", "\r", "a\0b", "\u{7f}", " a", "a ", "\ta", "a\t", " "] {
            assert_eq!(FieldValue::new(value), Err(InvalidFieldValue), "{value:?}");
        }
        for value in ["", "a", "a\tb c", "caf\u{e9}"] {
            assert!(FieldValue::new(value).is_ok(), "{value:?}");
        }
    }

    #[test]
    #[should_panic(expected = "no control character")]
    fn nor_can_the_programs_own() {
        let _ = FieldValue::from_static("a\r\nb");
    }

    #[test]
    #[should_panic(expected = "a field name is a token")]
    fn names_cannot_break_out() {
        let _ = FieldName::from_static("A: b\r\nC");
    }

    #[test]
    #[should_panic(expected = "a field name is a token")]
    fn names_are_not_empty() {
        let _ = FieldName::from_static("");
    }

    #[test]
    #[should_panic(expected = "writes this field itself")]
    fn names_are_not_reserved() {
        let _ = FieldName::from_static("content-Length");
    }

    #[test]
    fn framing_has_one_writer() {
        for name in ["Content-Length", "TRANSFER-ENCODING", "connection", "Date"] {
            assert!(is_reserved(name.as_bytes()), "{name}");
        }
        assert_eq!(FieldName::from_static("Content-Lengths").bytes(), b"Content-Lengths");
    }
}
