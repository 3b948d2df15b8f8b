//! Requests as they are meant: written as bytes, and as the events that a parser owes for them.

use nalcast_core::http::{Framing, Version};
use proptest::prelude::*;
use proptest::sample::select;

use crate::harness::{Fields, Seen, SeenHead};

#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Method, target and version as written.
    line: (&'static str, String, &'static str),
    fields: Vec<Line>,
    expects_continue: bool,
    closes: bool,
    upgrades: bool,
    body: Body,
}

#[derive(Clone, Debug)]
enum Body {
    None,
    Length(Vec<u8>),
    Chunked { chunks: Vec<Chunk>, last_size: &'static str, last_extensions: String, trailers: Vec<Line> },
}

#[derive(Clone, Debug)]
struct Chunk {
    data: Vec<u8>,
    zeros: usize,
    extensions: String,
}

/// A field line with the whitespace around its value.
#[derive(Clone, Debug)]
struct Line {
    name: String,
    before: String,
    value: Vec<u8>,
    after: String,
}

impl Line {
    fn new(name: &str, value: &str) -> Self {
        Self { name: name.into(), before: " ".into(), value: value.into(), after: String::new() }
    }

    fn write(&self, out: &mut Vec<u8>) {
        let parts = [self.name.as_bytes(), b":", self.before.as_bytes(), &self.value, self.after.as_bytes(), b"\r\n"];
        parts.iter().for_each(|part| out.extend_from_slice(part));
    }
}

fn meaning(lines: &[Line]) -> Fields {
    lines.iter().map(|line| (line.name.clone().into_bytes(), line.value.clone())).collect()
}

/// Writes a stream of requests, and what is to be seen of it: up to the first that is the last.
pub(crate) fn write(requests: &[Request]) -> (Vec<u8>, Vec<Seen>) {
    let (mut out, mut seen) = (Vec::new(), Vec::new());
    for request in requests {
        let is_over = matches!(seen.last(), Some(Seen::End { keep_alive: false }));
        let events = request.write(&mut out);
        if !is_over {
            seen.extend(events);
        }
    }
    (out, seen)
}

impl Request {
    fn version(&self) -> Version {
        if self.line.2 == "HTTP/1.0" { Version::Http10 } else { Version::Http11 }
    }

    /// All field lines, those that matter among the others.
    fn lines(&self) -> Vec<Line> {
        let mut lines = self.fields.clone();
        let middle = lines.len() / 2;
        lines.insert(middle, Line::new("hOST", "example.com:80"));
        if self.expects_continue {
            lines.insert(0, Line::new("Expect", "100-continue"));
        }
        if self.closes {
            lines.push(Line::new("Connection", "x, Close"));
        }
        if self.upgrades {
            lines.insert(middle, Line::new("Connection", "upgrade"));
            lines.push(Line::new("Upgrade", "y/1"));
        }
        match &self.body {
            Body::None => {}
            Body::Length(data) => lines.push(Line::new("Content-Length", &data.len().to_string())),
            Body::Chunked { .. } => lines.insert(middle, Line::new("Transfer-Encoding", "chunked")),
        }
        lines
    }

    fn write(&self, out: &mut Vec<u8>) -> Vec<Seen> {
        let (method, target, version) = &self.line;
        let (lines, is_http_1_1) = (self.lines(), self.version() == Version::Http11);
        let keep_alive = is_http_1_1 && !self.closes;
        let mut seen = vec![Seen::Head(SeenHead {
            offset: out.len() as u64,
            framing: match &self.body {
                Body::None => Framing::None,
                Body::Length(data) => Framing::Length(data.len() as u64),
                Body::Chunked { .. } => Framing::Chunked,
            },
            keep_alive,
            method: method.as_bytes().to_vec(),
            target: target.as_bytes().to_vec(),
            version: self.version(),
            fields: meaning(&lines),
        })];
        out.extend_from_slice(format!("{method} {target} {version}\r\n").as_bytes());
        lines.iter().for_each(|line| line.write(out));
        out.extend_from_slice(b"\r\n");
        let has_body = match &self.body {
            Body::None => false,
            Body::Length(data) => !data.is_empty(),
            Body::Chunked { .. } => true,
        };
        if self.expects_continue && is_http_1_1 && has_body {
            seen.push(Seen::Continue);
        }
        seen.extend(self.body.write(out));
        if self.upgrades && is_http_1_1 {
            seen.push(Seen::Upgrade { offset: out.len() as u64 });
        }
        seen.push(Seen::End { keep_alive });
        seen
    }
}

impl Body {
    fn write(&self, out: &mut Vec<u8>) -> Vec<Seen> {
        let data = match self {
            Self::None => Vec::new(),
            Self::Length(data) => {
                out.extend_from_slice(data);
                data.clone()
            }
            Self::Chunked { chunks, .. } => {
                chunks.iter().for_each(|chunk| chunk.write(out));
                chunks.iter().flat_map(|chunk| chunk.data.clone()).collect()
            }
        };
        let mut seen = Vec::new();
        if !data.is_empty() {
            seen.push(Seen::Data(data));
        }
        if let Self::Chunked { last_size, last_extensions, trailers, .. } = self {
            out.extend_from_slice(format!("{last_size}{last_extensions}\r\n").as_bytes());
            trailers.iter().for_each(|line| line.write(out));
            out.extend_from_slice(b"\r\n");
            if !trailers.is_empty() {
                seen.push(Seen::Trailers(meaning(trailers)));
            }
        }
        seen
    }
}

impl Chunk {
    fn write(&self, out: &mut Vec<u8>) {
        let (length, zeros) = (self.data.len(), "0".repeat(self.zeros));
        let size = if self.zeros.is_multiple_of(2) { format!("{length:x}") } else { format!("{length:X}") };
        out.extend_from_slice(format!("{zeros}{size}{}\r\n", self.extensions).as_bytes());
        out.extend_from_slice(&self.data);
        out.extend_from_slice(b"\r\n");
    }
}

pub(crate) fn request() -> impl Strategy<Value = Request> {
    let method = select(vec!["GET", "POST", "X", "get", "M!#$%&'*+-.^_`|~9"]);
    let target = "(/[!-\"$-~]{0,40}|http://[a-z]{1,9}(:80)?(/[!-\"$-~]{0,20})?)";
    let version = select(vec!["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.9", "HTTP/1.0"]);
    let flags = (any::<bool>(), prop::bool::weighted(0.1), prop::bool::weighted(0.2));
    let fields = prop::collection::vec(line(), 0..6);
    ((method, target, version), fields, flags, body()).prop_map(|(line, fields, flags, body)| Request {
        line: match line {
            // HTTP/1.0 has no chunks.
            (method, target, "HTTP/1.0") if matches!(body, Body::Chunked { .. }) => (method, target, "HTTP/1.1"),
            ("GET", target, version) if target == "/" => ("OPTIONS", "*".into(), version),
            line => line,
        },
        fields,
        expects_continue: flags.0,
        closes: flags.1,
        upgrades: flags.2,
        body,
    })
}

/// A name that means nothing to the parser: none that it knows starts so.
fn line() -> impl Strategy<Value = Line> {
    let value = prop::collection::vec(prop_oneof![Just(b' '), Just(b'\t'), 0x21..=0x7eu8, 0x80..=0xffu8], 0..50);
    ("q[!#$%&'*+.^_`|~0-9A-Za-z-]{0,40}", "[ \t]{0,2}", value, "[ \t]{0,2}").prop_map(|(name, before, value, after)| {
        let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
        let start = value.iter().take_while(|byte| is_space(byte)).count();
        let end = value.len() - value[start..].iter().rev().take_while(|byte| is_space(byte)).count();
        Line { name, before, value: value[start..end].to_vec(), after }
    })
}

fn extensions() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => Just(String::new()),
        1 => "(;[!#-'*+.^_`|~0-9A-Za-z-]{1,5}(=([!#-'*+.^_`|~0-9A-Za-z-]{1,5}|\"([ !#-\\[\\]-~\t\u{e9}]|\\\\[ -~]){0,6}\"))?){1,3}",
    ]
}

fn body() -> impl Strategy<Value = Body> {
    let data = || prop::collection::vec(any::<u8>(), 1..40);
    let chunk =
        (data(), 0..3usize, extensions()).prop_map(|(data, zeros, extensions)| Chunk { data, zeros, extensions });
    let chunked = (
        prop::collection::vec(chunk, 0..4),
        select(vec!["0", "000"]),
        extensions(),
        prop::collection::vec(line(), 0..3),
    );
    prop_oneof![
        Just(Body::None),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Body::Length),
        chunked.prop_map(|(chunks, last_size, last_extensions, trailers)| Body::Chunked {
            chunks,
            last_size,
            last_extensions,
            trailers,
        }),
    ]
}
