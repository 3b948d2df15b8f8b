//! What the page is made of, besides itself: parts of the program.

use nalcast_core::http::FieldValue;

use super::response::Response;

/// A file that is the same until the program changes.
#[derive(Debug)]
pub(super) struct Asset {
    content_type: FieldValue<'static>,
    pub(super) text: &'static str,
    tag: FieldValue<'static>,
}

/// `/status.css`.
pub(super) const STYLE: Asset = Asset {
    content_type: FieldValue::from_static("text/css; charset=utf-8"),
    text: STYLE_TEXT,
    tag: FieldValue::from_static(tag_text(&STYLE_TAG)),
};
/// `/status.js`.
pub(super) const SCRIPT: Asset = Asset {
    content_type: FieldValue::from_static("text/javascript; charset=utf-8"),
    text: SCRIPT_TEXT,
    tag: FieldValue::from_static(tag_text(&SCRIPT_TAG)),
};

const STYLE_TEXT: &str = include_str!("web/status.css");
const SCRIPT_TEXT: &str = include_str!("web/status.js");
static STYLE_TAG: [u8; TAG_BYTES] = tag(STYLE_TEXT);
static SCRIPT_TAG: [u8; TAG_BYTES] = tag(SCRIPT_TEXT);

impl Asset {
    /// The file, or that the client has it: `known` is its `If-None-Match` (RFC 9110 §13.1.2).
    pub(super) fn answer(&self, known: Option<&[u8]>) -> Response {
        let response = Response::asset(self.content_type, self.text, self.tag);
        let is_known = known.is_some_and(|known| {
            known.split(|byte| *byte == b',').any(|tag| {
                let tag = tag.trim_ascii();
                tag == b"*" || tag.strip_prefix(b"W/").unwrap_or(tag) == self.tag.as_bytes()
            })
        });
        if is_known { response.not_modified() } else { response }
    }
}

/// A quoted hash of 64 bits in hexadecimal digits.
const TAG_BYTES: usize = 18;

/// FNV-1a: tells builds apart, and that is all it is for.
const fn tag(text: &str) -> [u8; TAG_BYTES] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        hash = (hash ^ *byte as u64).wrapping_mul(0x0000_0100_0000_01b3);
        rest = after;
    }
    let mut tag = [b'"'; TAG_BYTES];
    let mut at = 1;
    while at < TAG_BYTES - 1 {
        tag[at] = DIGITS[(hash & 0xf) as usize];
        hash >>= 4;
        at += 1;
    }
    tag
}

const fn tag_text(tag: &'static [u8; TAG_BYTES]) -> &'static str {
    match core::str::from_utf8(tag) {
        Ok(text) => text,
        Err(_) => panic!("hexadecimal digits"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalcast_core::http::Status;

    #[test]
    fn a_file_is_sent_once() {
        let known = |text: &str| STYLE.answer(Some(text.as_bytes())).status();
        let tag = core::str::from_utf8(STYLE.tag.as_bytes()).unwrap();
        let other = core::str::from_utf8(SCRIPT.tag.as_bytes()).unwrap();
        assert_eq!(STYLE.answer(None).status(), Status::Ok);
        for (known_tags, expected) in [
            (tag.to_owned(), Status::NotModified),
            (format!("W/{tag}"), Status::NotModified),
            (format!("\"a\" ,{tag}"), Status::NotModified),
            ("*".to_owned(), Status::NotModified),
            (other.to_owned(), Status::Ok),
            (tag.replace('"', ""), Status::Ok),
            (String::new(), Status::Ok),
        ] {
            assert_eq!(known(&known_tags), expected, "{known_tags}");
        }
    }
}
