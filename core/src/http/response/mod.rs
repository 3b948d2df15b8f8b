//! Writes answers that no value can break out of, and whose end every client finds.

mod body;
mod date;
mod field;
mod head;
mod number;
mod status;

pub use body::StreamedBody;
pub use date::HttpDate;
pub use field::{FieldName, FieldValue, InvalidFieldValue};
pub use head::{ReplyTo, ResponseHead, write_continue};
pub use status::Status;
