//! An HTTP/1.1 request parser that decides and never reads: strict, resumable at any byte, bounded in everything.
//!
//! The caller reads into [`RequestParser::buffer_mut`], drains [`RequestParser::poll`] and, at the end of the stream,
//! calls [`RequestParser::finish`]. What comes out depends only on the bytes, never on how reads cut them up.
//! There are no leniency switches: whatever two implementations could read differently is refused
//! (RFC 9112 §11.2, request smuggling). [`ResponseHead`] writes the answers.
#![deny(clippy::indexing_slicing, clippy::cast_possible_truncation, clippy::arithmetic_side_effects)]

mod chunked;
mod error;
mod fast;
mod framing;
mod grammar;
mod head;
mod lanes;
mod limits;
mod parser;
mod percent;
mod response;
mod rules;
mod scanner;
mod target;

pub use error::{ErrorKind, HttpError};
pub use framing::Framing;
pub use head::{Field, HeadView, KnownName, OwnedHead, Trailers, Version};
pub use limits::Limits;
pub use parser::{Event, Head, RequestParser, Upgrade};
pub use percent::{PercentError, QueryPair, QueryPairs};
pub use response::{
    FieldName, FieldValue, HttpDate, InvalidFieldValue, ReplyTo, ResponseHead, Status, StreamedBody, write_continue,
};
pub use target::{Authority, Host};
