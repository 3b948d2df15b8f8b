//! What the HTTP request parser makes of a stream, as lines of JSON that other parsers' verdicts can be held against.

use core::fmt;
use core::num::NonZeroUsize;
use core::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use nalcast_core::http::{Event, Framing, Head, HttpError, Limits, RequestParser, Version};
use nalcast_core::rng::Rng;
use serde::Serialize;

/// The longest piece that [`Split::Seed`] makes.
const RANDOM_PIECE_BYTES_MAX: u64 = 16;

/// How a stream is cut before it is fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// Not at all.
    Whole,
    /// Into pieces of this many bytes.
    Pieces(NonZeroUsize),
    /// In every way that gives two pieces, and into single bytes: all have to say the same.
    All,
    /// Into pieces of random lengths, which the seed decides.
    Seed(u64),
}

impl FromStr for Split {
    type Err = InvalidSplit;

    fn from_str(text: &str) -> Result<Self, InvalidSplit> {
        match (text, text.strip_prefix("seed:")) {
            ("all", _) => Ok(Self::All),
            ("seed", _) => Ok(Self::Seed(0)),
            (_, Some(seed)) => seed.parse().map(Self::Seed).map_err(|_| InvalidSplit),
            (bytes, None) => bytes.parse().map(Self::Pieces).map_err(|_| InvalidSplit),
        }
    }
}

/// A text that names no [`Split`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidSplit;

impl fmt::Display for InvalidSplit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a split is a number of bytes from 1, `all`, or `seed:` with a number; try `--split all`")
    }
}

impl core::error::Error for InvalidSplit {}

/// What the parser is told besides the bytes.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether an HTTP/1.1 request must have a Host field.
    pub host_rule: bool,
    /// Whether the stream ends after the bytes.
    pub eof: bool,
}

/// One line. Bytes are in it as characters of the same number (Latin-1), offsets count from the start of the stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "ev", rename_all = "snake_case")]
pub enum Line {
    /// A head.
    Head {
        /// Where it begins.
        off: u64,
        /// As sent.
        method: String,
        /// As sent.
        target: String,
        /// `1.0` or `1.1`.
        version: &'static str,
        /// Names and values as sent, without the whitespace around values.
        headers: Vec<(String, String)>,
        /// `none`, `len:` with a number of bytes, or `chunked`.
        framing: String,
        /// Whether another request may follow.
        keep_alive: bool,
        /// Whether the client waits for 100 (Continue).
        expect: bool,
    },
    /// All bytes of the body up to the next line of another sort.
    Data {
        /// How many.
        len: usize,
        /// Which, in Base64.
        b64: String,
    },
    /// The trailers of a chunked body.
    Trailers {
        /// As `headers` of a head.
        headers: Vec<(String, String)>,
    },
    /// The client would change to another protocol here. Nobody takes it up, so HTTP goes on.
    Upgrade {
        /// Where the other protocol would begin.
        off: u64,
    },
    /// A request is complete.
    End {
        /// Where it ends.
        off: u64,
    },
    /// The parser refused.
    Error {
        /// At which byte.
        off: u64,
        /// Why.
        kind: String,
        /// What a server answers.
        status: u16,
    },
    /// The bytes end inside a request, and more may come.
    NeedMore,
}

/// Two ways to cut one stream were read differently.
#[derive(Clone, Debug)]
pub struct Difference {
    /// Into how many bytes each piece but the last was cut, or where the only cut is.
    pub cut: String,
    /// What the uncut stream gives.
    pub whole: Vec<Line>,
    /// What the pieces give.
    pub pieces: Vec<Line>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "the parser reads the stream differently when it is cut {}", self.cut)?;
        writeln!(f, "uncut:\n{}cut:\n{}", text(&self.whole), text(&self.pieces))
    }
}

impl core::error::Error for Difference {}

/// What the parser makes of `stream`, cut as `split` says.
///
/// # Errors
///
/// [`Split::All`] only: when the cuts do not agree.
pub fn events(stream: &[u8], split: Split, options: Options) -> Result<Vec<Line>, Difference> {
    match split {
        Split::Whole => Ok(read([stream], options)),
        Split::Pieces(bytes) => Ok(read(stream.chunks(bytes.get()), options)),
        Split::All => agreed(stream, options),
        Split::Seed(seed) => Ok(read(random_pieces(stream, seed), options)),
    }
}

/// `lines` as they are printed.
#[must_use]
pub fn text(lines: &[Line]) -> String {
    lines.iter().map(|line| serde_json::to_string(line).expect("strings and numbers") + "\n").collect()
}

fn agreed(stream: &[u8], options: Options) -> Result<Vec<Line>, Difference> {
    let whole = read([stream], options);
    let compare = |pieces, cut: String| {
        if pieces == whole { Ok(()) } else { Err(Difference { cut, whole: whole.clone(), pieces }) }
    };
    compare(read(stream.chunks(1), options), "into single bytes".into())?;
    for at in 1..stream.len() {
        let (start, end) = stream.split_at(at);
        compare(read([start, end], options), format!("at byte {at}"))?;
    }
    Ok(whole)
}

fn random_pieces(stream: &[u8], seed: u64) -> impl Iterator<Item = &[u8]> {
    let mut rng = Rng::new(seed);
    let mut rest = stream;
    core::iter::from_fn(move || {
        let length = 1 + rng.below(RANDOM_PIECE_BYTES_MAX) as usize;
        let (piece, after) = rest.split_at(length.min(rest.len()));
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, options: Options) -> Vec<Line> {
    let limits = Limits::default();
    let parser = if options.host_rule { RequestParser::new(limits) } else { RequestParser::without_host_rule(limits) };
    let mut reader = Reader { parser, fed: 0, data: Vec::new(), lines: Vec::new() };
    for piece in pieces {
        reader.feed(piece);
    }
    reader.end(options.eof);
    reader.lines
}

/// A parser, and what it has said.
struct Reader {
    parser: RequestParser,
    fed: usize,
    /// A body's bytes that are not in a line yet.
    data: Vec<u8>,
    lines: Vec<Line>,
}

/// What is left of an event when the parser may be asked again.
enum Said {
    Line(Line),
    Data,
    Upgrade,
    End,
    Nothing,
}

impl Reader {
    fn feed(&mut self, piece: &[u8]) {
        self.fed += piece.len();
        self.parser.buffer_mut().extend_from_slice(piece);
        loop {
            let said = match self.parser.poll() {
                Ok(None) => return,
                Ok(Some(Event::Head(head))) => Said::Line(head_line(&head)),
                Ok(Some(Event::Continue)) => Said::Nothing,
                Ok(Some(Event::Data(data))) => {
                    self.data.extend_from_slice(&data);
                    Said::Data
                }
                Ok(Some(Event::Trailers(trailers))) => Said::Line(Line::Trailers {
                    headers: trailers.fields().map(|field| (latin1(field.name), latin1(field.value))).collect(),
                }),
                Ok(Some(Event::Upgrade(_))) => Said::Upgrade,
                Ok(Some(Event::End { .. })) => Said::End,
                Err(error) => return self.refuse(&error),
            };
            self.note(said);
        }
    }

    fn note(&mut self, said: Said) {
        let off = self.offset();
        match said {
            Said::Line(line) => self.push(line),
            Said::Upgrade => self.push(Line::Upgrade { off }),
            Said::End => self.push(Line::End { off }),
            Said::Data | Said::Nothing => {}
        }
    }

    fn end(&mut self, eof: bool) {
        match self.parser.finish() {
            Ok(()) => {}
            Err(error) if eof || matches!(self.lines.last(), Some(Line::Error { .. })) => self.refuse(&error),
            Err(_) => self.push(Line::NeedMore),
        }
    }

    /// Once, however often the parser repeats it.
    fn refuse(&mut self, error: &HttpError) {
        if !matches!(self.lines.last(), Some(Line::Error { .. })) {
            let kind = format!("{:?}", error.kind());
            self.push(Line::Error { off: error.offset(), kind, status: error.status().code() });
        }
    }

    fn push(&mut self, line: Line) {
        if !self.data.is_empty() {
            let len = self.data.len();
            self.lines.push(Line::Data { len, b64: STANDARD.encode(core::mem::take(&mut self.data)) });
        }
        self.lines.push(line);
    }

    /// Where the bytes begin that the parser still holds.
    fn offset(&mut self) -> u64 {
        (self.fed - self.parser.buffer_mut().len()) as u64
    }
}

fn head_line(head: &Head<'_>) -> Line {
    let view = head.view();
    Line::Head {
        off: head.offset(),
        method: latin1(view.method()),
        target: latin1(view.target()),
        version: match view.version() {
            Version::Http10 => "1.0",
            Version::Http11 => "1.1",
        },
        headers: view.fields().map(|field| (latin1(field.name), latin1(field.value))).collect(),
        framing: match head.framing() {
            Framing::None => "none".into(),
            Framing::Length(bytes) => format!("len:{bytes}"),
            Framing::Chunked => "chunked".into(),
        },
        keep_alive: head.keep_alive(),
        expect: head.expects_continue(),
    }
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}
