//! An HTTP/1.1 request parser that decides and never reads: strict, resumable at any byte, bounded in everything.
//!
//! The caller reads into [`RequestParser::buffer_mut`], drains [`RequestParser::poll`] and, at the end of the stream,
//! calls [`RequestParser::finish`]. What comes out depends only on the bytes, never on how reads cut them up.
//! There are no leniency switches: whatever two implementations could read differently is refused
//! (RFC 9112 §11.2, request smuggling). [`ResponseHead`] writes the answers.
//!
//! ```
//! use nalcast_core::http::{Event, HttpError, Limits, RequestParser};
//!
//! let mut parser = RequestParser::new(Limits::default());
//! parser.buffer_mut().extend_from_slice(b"POST /tea?sugar=2 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nmi");
//! parser.buffer_mut().extend_from_slice(b"lk");
//! let mut body = Vec::new();
//! while let Some(event) = parser.poll()? {
//!     match event {
//!         Event::Head(head) => {
//!             let head = head.view();
//!             assert_eq!((head.method(), head.path()), (&b"POST"[..], &b"/tea"[..]));
//!             assert_eq!(head.get("HOST"), Some(&b"localhost"[..]));
//!             let (name, value) = head.query_pairs().next().expect("a pair").expect("valid escapes");
//!             assert_eq!((&*name, &*value), (&b"sugar"[..], &b"2"[..]));
//!         }
//!         Event::Data(data) => body.extend_from_slice(&data),
//!         Event::End { keep_alive } => assert!(keep_alive),
//!         Event::Continue | Event::Trailers(_) | Event::Upgrade(_) => {}
//!     }
//! }
//! assert_eq!(body, b"milk");
//! # Ok::<(), HttpError>(())
//! ```
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
