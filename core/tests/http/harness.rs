//! Drives a parser over inputs that are cut up in every way, and tells what it said in words.

use nalcast_core::http::{ErrorKind, Event, Framing, HeadView, HttpError, Limits, RequestParser, Version};

/// What a parser said, adjacent data merged: equal however the input is cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Head(SeenHead),
    Continue,
    Data(Vec<u8>),
    Trailers(Fields),
    /// An offer that was dropped.
    Upgrade {
        offset: u64,
    },
    /// An offer that was taken: the rest of the stream is in another protocol.
    Switched {
        offset: u64,
    },
    End {
        keep_alive: bool,
    },
    Error {
        kind: ErrorKind,
        offset: u64,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SeenHead {
    pub(crate) offset: u64,
    pub(crate) framing: Framing,
    pub(crate) keep_alive: bool,
    pub(crate) method: Vec<u8>,
    pub(crate) target: Vec<u8>,
    pub(crate) version: Version,
    pub(crate) fields: Fields,
}

pub(crate) type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// A kind of parser, and how its owner answers offers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Setup {
    pub(crate) limits: Limits,
    pub(crate) host_is_optional: bool,
    pub(crate) takes_upgrades: bool,
}

/// Longer inputs are not cut at every place: that would take a time that grows with the square of their length.
const CUT_EVERYWHERE_BYTES: usize = 160;

impl Setup {
    pub(crate) fn with(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    pub(crate) fn parser(self) -> RequestParser {
        if self.host_is_optional {
            RequestParser::without_host_rule(self.limits)
        } else {
            RequestParser::new(self.limits)
        }
    }

    /// Feeds `input` cut at `cuts`, then ends the stream. Checks on the way what holds for every input.
    pub(crate) fn drive(self, input: &[u8], cuts: &[usize]) -> Vec<Seen> {
        let mut parser = self.parser();
        let mut seen = Vec::new();
        let mut start = 0;
        for end in cuts.iter().copied().chain([input.len()]) {
            parser.buffer_mut().extend_from_slice(&input[start..end]);
            start = end;
            self.drain(&mut parser, &input[..end], &mut seen);
            assert_eq!(parser.wants_bytes(), !is_over(&seen), "after {seen:?}");
        }
        match (parser.finish(), seen.last()) {
            (Ok(()), None | Some(Seen::End { .. } | Seen::Switched { .. })) => {
                assert!(!parser.wants_bytes(), "the stream has ended");
                assert!(matches!(parser.poll(), Ok(None)), "the stream has ended");
            }
            (Err(error), Some(Seen::Error { .. })) => assert_eq!(seen.last(), Some(&seen_error(error))),
            (Err(error), _) => {
                assert_eq!((error.kind(), error.offset()), (ErrorKind::Incomplete, input.len() as u64));
                stays_failed(&mut parser, error);
                seen.push(seen_error(error));
            }
            (Ok(()), Some(last)) => panic!("the stream ended cleanly after {last:?}"),
        }
        assert!(parser.head_bytes_examined() <= 2 * input.len() as u64 + 16, "more than linear work");
        seen
    }

    /// Takes all events; `input` is what the parser has got so far.
    fn drain(self, parser: &mut RequestParser, input: &[u8], seen: &mut Vec<Seen>) {
        loop {
            match parser.poll() {
                Ok(None) => {
                    assert!(matches!(parser.poll(), Ok(None)), "nothing has come in between");
                    return;
                }
                Ok(Some(Event::Head(head))) => {
                    let (offset, framing, keep_alive) = (head.offset(), head.framing(), head.keep_alive());
                    // Borrowed and detached heads alternate, and must not differ.
                    seen.push(Seen::Head(if seen.len().is_multiple_of(2) {
                        SeenHead::new(offset, framing, keep_alive, head.view())
                    } else {
                        SeenHead::new(offset, framing, keep_alive, head.detach().view())
                    }));
                }
                Ok(Some(Event::Continue)) => seen.push(Seen::Continue),
                Ok(Some(Event::Data(data))) => {
                    assert!(!data.is_empty());
                    match seen.last_mut() {
                        Some(Seen::Data(earlier)) => earlier.extend_from_slice(&data),
                        _ => seen.push(Seen::Data(data.to_vec())),
                    }
                }
                Ok(Some(Event::Trailers(trailers))) => {
                    let fields = trailers.fields().map(|field| (field.name.to_vec(), field.value.to_vec())).collect();
                    seen.push(Seen::Trailers(fields));
                }
                Ok(Some(Event::Upgrade(offer))) if self.takes_upgrades => {
                    let offset = offer.offset();
                    assert_eq!(offer.accept(), input[offset as usize..], "what has come in the other protocol");
                    seen.push(Seen::Switched { offset });
                    assert!(matches!(parser.poll(), Ok(None)) && parser.buffer_mut().is_empty());
                    return;
                }
                Ok(Some(Event::Upgrade(offer))) => seen.push(Seen::Upgrade { offset: offer.offset() }),
                Ok(Some(Event::End { keep_alive })) => seen.push(Seen::End { keep_alive }),
                Err(error) => {
                    if seen.last() != Some(&seen_error(error)) {
                        seen.push(seen_error(error));
                    }
                    assert!(error.offset() <= input.len() as u64);
                    stays_failed(parser, error);
                    return;
                }
            }
        }
    }

    /// What is seen of `input` however it is cut: whole, byte by byte, and in two at every place if it is short.
    pub(crate) fn see(self, input: &[u8]) -> Vec<Seen> {
        let whole = self.drive(input, &[]);
        let check = |cuts: &[usize]| {
            assert_eq!(self.drive(input, cuts), whole, "{} cut at {cuts:?}", input.escape_ascii());
        };
        check(&(0..input.len()).collect::<Vec<_>>());
        if input.len() <= CUT_EVERYWHERE_BYTES {
            (1..input.len()).for_each(|cut| check(&[cut]));
        }
        whole
    }

    /// The input is refused at its mark, and nothing was said before.
    pub(crate) fn refused(self, input: &str, kind: ErrorKind, status: u16) {
        self.refused_after("", input, kind, status);
    }

    /// The input is refused at its mark, after this was said.
    pub(crate) fn refused_after(self, expected: &str, input: &str, kind: ErrorKind, status: u16) {
        let (bytes, mark) = bytes_and_mark(input);
        let seen = self.see(&bytes);
        let offset = mark.expect("the input has a mark");
        assert_eq!(seen.last(), Some(&Seen::Error { kind, offset }), "{input:?}");
        assert_eq!(in_words(&seen[..seen.len() - 1]), expected, "{input:?}");
        assert_eq!(kind.status().code(), status, "{input:?}");
    }

    /// The input is understood so.
    pub(crate) fn accepted(self, input: &str, expected: &str) {
        let (bytes, _) = bytes_and_mark(input);
        assert_eq!(in_words(&self.see(&bytes)), expected, "{input:?}");
    }
}

/// [`Setup::refused`] by a parser with the default limits.
pub(crate) fn refused(input: &str, kind: ErrorKind, status: u16) {
    Setup::default().refused(input, kind, status);
}

/// [`Setup::accepted`] by a parser with the default limits.
pub(crate) fn accepted(input: &str, expected: &str) {
    Setup::default().accepted(input, expected);
}

/// Whether no byte that follows can matter.
fn is_over(seen: &[Seen]) -> bool {
    matches!(seen.last(), Some(Seen::Error { .. } | Seen::Switched { .. } | Seen::End { keep_alive: false }))
}

fn seen_error(error: HttpError) -> Seen {
    Seen::Error { kind: error.kind(), offset: error.offset() }
}

/// A parser that failed says so for ever, wants nothing more and keeps nothing.
fn stays_failed(parser: &mut RequestParser, error: HttpError) {
    assert_eq!(error.status(), error.kind().status());
    assert!(error.close());
    for _ in 0..2 {
        parser.buffer_mut().extend_from_slice(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        assert!(parser.poll().is_err_and(|again| again == error));
        assert_eq!(parser.finish(), Err(error));
        assert!(!parser.wants_bytes());
        assert!(parser.buffer_mut().is_empty());
    }
}

impl SeenHead {
    fn new(offset: u64, framing: Framing, keep_alive: bool, head: HeadView<'_>) -> Self {
        for field in head.fields() {
            assert!(head.bytes()[field.value_offset..].starts_with(field.value));
        }
        Self {
            offset,
            framing,
            keep_alive,
            method: head.method().to_vec(),
            target: head.target().to_vec(),
            version: head.version(),
            fields: head.fields().map(|field| (field.name.to_vec(), field.value.to_vec())).collect(),
        }
    }
}

/// One clause an event, with semicolons between.
pub(crate) fn in_words(seen: &[Seen]) -> String {
    seen.iter().map(word).collect::<Vec<_>>().join("; ")
}

fn word(seen: &Seen) -> String {
    let text = escaped;
    let joined = |fields: &Fields| -> String {
        fields.iter().map(|(name, value)| format!("|{}={}", text(name), text(value))).collect()
    };
    match seen {
        Seen::Head(head) => {
            let version = if head.version == Version::Http10 { "1.0" } else { "1.1" };
            format!("{} {} {version}{}", text(&head.method), text(&head.target), joined(&head.fields))
        }
        Seen::Continue => "continue".into(),
        Seen::Data(data) => format!("data {}", text(data)),
        Seen::Trailers(fields) => format!("trailers{}", joined(fields)),
        Seen::Upgrade { offset } => format!("upgrade at {offset}"),
        Seen::Switched { offset } => format!("switched at {offset}"),
        Seen::End { keep_alive: true } => "end".into(),
        Seen::End { keep_alive: false } => "close".into(),
        Seen::Error { kind, offset } => format!("{kind:?} at {offset}"),
    }
}

/// Quotes as they are, all else that is not plain text as escapes.
pub(crate) fn escaped(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string().replace("\\\"", "\"").replace("\\'", "'")
}

/// `input` with every character up to U+00FF as one byte; `‸` marks a place and is left out.
pub(crate) fn bytes_and_mark(input: &str) -> (Vec<u8>, Option<u64>) {
    let mark = input.chars().position(|c| c == '‸').map(|at| at as u64);
    (input.chars().filter(|c| *c != '‸').map(|c| u8::try_from(u32::from(c)).expect("Latin-1")).collect(), mark)
}
