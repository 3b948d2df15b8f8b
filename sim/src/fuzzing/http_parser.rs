//! The HTTP request parser, cut up and whole, beside an independent parser.

use nalcast_core::http::{ErrorKind, Event, Framing, HeadView, HttpError, Limits, RequestParser, Version};

/// Bytes in front of the HTTP stream: one chooses the limits, the others the lengths of the pieces.
const PREFIX_BYTES: usize = 4;

/// Feeds the stream in `data` to one parser in pieces and to another at once.
///
/// # Panics
///
/// When their events differ, an offset lies outside the stream, scanning costs more than linear work, or something is
/// accepted that httparse reads differently.
pub fn http_parser(data: &[u8]) {
    let Some((prefix, stream)) = data.split_first_chunk::<PREFIX_BYTES>() else { return };
    let [choice, lengths @ ..] = *prefix;
    let limits = limits(choice);
    let whole = drive(limits, stream, [stream].into_iter());
    let cut = drive(limits, stream, pieces(stream, lengths));
    assert_eq!(cut, whole, "the events depend on how the stream was cut");
    check_chunked_bodies(stream, &whole);
}

/// The defaults, or limits small enough to be met by short streams.
fn limits(choice: u8) -> Limits {
    if choice & 1 == 0 {
        return Limits::default();
    }
    let small = u32::from(choice >> 1);
    Limits {
        empty_lines_max: small % 3,
        method_bytes_max: 3 + small % 5,
        target_bytes_max: 1 + small % 32,
        head_bytes_max: small * 2,
        field_count_max: small % 7,
        name_bytes_max: 1 + small % 20,
        value_bytes_max: small % 24,
        body_bytes_max: u64::from(small),
        chunk_line_bytes_max: small % 13,
        extension_bytes_max: small % 17,
        trailer_bytes_max: small % 29,
        trailer_count_max: small % 3,
    }
}

/// `stream` in pieces, whose lengths repeat.
fn pieces(stream: &[u8], lengths: [u8; PREFIX_BYTES - 1]) -> impl Iterator<Item = &[u8]> {
    let mut rest = stream;
    lengths.into_iter().cycle().map_while(move |length| {
        let (piece, after) = rest.split_at_checked(usize::from(length).max(1)).unwrap_or((rest, &[]));
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// What a parser said, adjacent data merged.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Head {
        offset: u64,
        bytes: Vec<u8>,
        framing: Framing,
        keep_alive: bool,
        expects_continue: bool,
    },
    Continue,
    Data(Vec<u8>),
    Trailers(Fields),
    /// Not taken up.
    Upgrade,
    /// Taken up; another protocol begins at this offset.
    Accepted(usize),
    End {
        keep_alive: bool,
        offset: usize,
    },
    Error(HttpError),
}

fn drive<'a>(limits: Limits, stream: &[u8], pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Seen> {
    let mut run = Run { parser: RequestParser::new(limits), stream, fed: 0, upgrades: 0, seen: Vec::new() };
    for piece in pieces {
        run.fed += piece.len();
        run.parser.buffer_mut().extend_from_slice(piece);
        run.drain();
        if matches!(run.seen.last(), Some(Seen::Accepted(_))) {
            break;
        }
    }
    run.finish();
    run.seen
}

/// A parser, what it was given and what it has said.
struct Run<'a> {
    parser: RequestParser,
    stream: &'a [u8],
    fed: usize,
    upgrades: usize,
    seen: Vec<Seen>,
}

impl Run<'_> {
    fn drain(&mut self) {
        while self.step() {
            if let Some(Seen::End { offset, .. }) = self.seen.last_mut() {
                *offset = self.fed - self.parser.buffer_mut().len();
            }
        }
    }

    /// Takes one event; false if there is none.
    fn step(&mut self) -> bool {
        let Self { parser, stream, fed, upgrades, seen } = self;
        match parser.poll() {
            Ok(None) => return false,
            Ok(Some(Event::Head(head))) => {
                check_head(head.view());
                check_views(head.view());
                let (offset, framing) = (head.offset(), head.framing());
                let (keep_alive, expects_continue) = (head.keep_alive(), head.expects_continue());
                // Every other head is detached, so that both ways are compared with each other.
                let bytes = if seen.len() & 1 == 0 {
                    head.view().bytes().to_vec()
                } else {
                    head.detach().view().bytes().to_vec()
                };
                let end = offset + bytes.len() as u64;
                assert_eq!(stream.get(offset as usize..end as usize), Some(&*bytes), "the head is not where it says");
                seen.push(Seen::Head { offset, bytes, framing, keep_alive, expects_continue });
            }
            Ok(Some(Event::Continue)) => {
                assert!(matches!(seen.last(), Some(Seen::Head { expects_continue: true, .. })), "{seen:?}");
                seen.push(Seen::Continue);
            }
            Ok(Some(Event::Data(data))) => {
                assert!(!data.is_empty(), "empty data");
                match seen.last_mut() {
                    Some(Seen::Data(earlier)) => earlier.extend_from_slice(&data),
                    _ => seen.push(Seen::Data(data.to_vec())),
                }
            }
            Ok(Some(Event::Trailers(trailers))) => {
                let fields: Fields = trailers.fields().map(|f| (f.name.to_vec(), f.value.to_vec())).collect();
                assert!(!fields.is_empty(), "an event for no trailers");
                let (name, value) = &fields[0];
                let name = core::str::from_utf8(name).expect("names are tokens");
                assert_eq!(trailers.get(name), Some(&**value), "the first of that name");
                seen.push(Seen::Trailers(fields));
            }
            // Every other one is taken up.
            Ok(Some(Event::Upgrade(upgrade))) => {
                *upgrades += 1;
                let offset = upgrade.offset() as usize;
                if *upgrades & 1 == 0 {
                    let rest = upgrade.accept();
                    assert!(stream.get(..*fed).is_some_and(|fed| fed.ends_with(&rest)), "not the rest of the bytes");
                    assert_eq!(offset, *fed - rest.len(), "the other protocol begins elsewhere");
                    seen.push(Seen::Accepted(offset));
                } else {
                    seen.push(Seen::Upgrade);
                }
            }
            Ok(Some(Event::End { keep_alive })) => seen.push(Seen::End { keep_alive, offset: 0 }),
            Err(error) => {
                assert!(error.offset() <= *fed as u64, "{error} in {fed} bytes");
                assert_eq!(parser.poll().expect_err("a refusal is final"), error);
                if !matches!(seen.last(), Some(Seen::Error(_))) {
                    seen.push(Seen::Error(error));
                }
                assert_eq!(seen.last(), Some(&Seen::Error(error)), "another refusal");
                return false;
            }
        }
        true
    }

    fn finish(&mut self) {
        match (self.parser.finish(), self.seen.last()) {
            (Ok(()), None | Some(Seen::End { .. } | Seen::Accepted(_))) => {}
            (Err(again), Some(Seen::Error(error))) => assert_eq!(again, *error),
            (Err(error), _) => {
                assert_eq!(error.kind(), ErrorKind::Incomplete);
                assert_eq!(error.offset(), self.stream.len() as u64, "an end is where the stream ends");
                self.seen.push(Seen::Error(error));
            }
            (Ok(()), Some(last)) => panic!("a clean end after {last:?}"),
        }
        let examined = self.parser.head_bytes_examined();
        assert!(examined <= 2 * self.stream.len() as u64 + 16, "{examined} bytes examined of {}", self.stream.len());
        assert!(!self.parser.wants_bytes(), "more bytes are wanted after the end");
    }
}

/// Compares a head with what httparse makes of it: whoever is strict accepts less, and reads what it accepts the same.
///
/// # Panics
///
/// When httparse refuses it, or reads it differently.
pub fn check_head(head: HeadView<'_>) {
    let mut fields = vec![httparse::EMPTY_HEADER; head.fields().count()];
    let mut request = httparse::Request::new(&mut fields);
    // httparse knows 1.0 and 1.1 only; later minor versions are ours to read as 1.1.
    let text = with_known_version(head);
    let verdict = request.parse(&text);
    assert_eq!(verdict, Ok(httparse::Status::Complete(text.len())), "httparse refuses {}", text.escape_ascii());
    assert_eq!(request.method.map(str::as_bytes), Some(head.method()));
    assert_eq!(request.path.map(str::as_bytes), Some(head.target()));
    assert_eq!(request.version, Some(u8::from(head.version() == Version::Http11)));
    let ours = head.fields().map(|field| (field.name, field.value));
    assert!(ours.eq(request.headers.iter().map(|field| (field.name.as_bytes(), field.value))), "other fields");
}

/// What is read from a target on demand: decoding never adds bytes, and faults are where an escape begins.
fn check_views(head: HeadView<'_>) {
    let path = head.path();
    match head.decoded_path() {
        Ok(decoded) => assert!(decoded.len() <= path.len(), "{} bytes from {}", decoded.len(), path.len()),
        Err(error) => assert_eq!(path.get(error.offset()), Some(&b'%'), "{error}"),
    }
    let query = head.query().unwrap_or_default();
    let mut decoded_bytes = 0;
    for pair in head.query_pairs() {
        match pair {
            Ok((name, value)) => decoded_bytes += name.len() + value.len(),
            Err(error) => assert_eq!(query.get(error.offset()), Some(&b'%'), "{error}"),
        }
    }
    assert!(decoded_bytes <= query.len(), "{decoded_bytes} bytes from {}", query.len());
    assert!(head.version() == Version::Http10 || head.authority().is_some(), "nobody is asked");
}

fn with_known_version(head: HeadView<'_>) -> Vec<u8> {
    let mut text = head.bytes().to_vec();
    let minor = head.method().len() + 1 + head.target().len() + 1 + b"HTTP/1.".len();
    if let Some(digit @ b'2'..=b'9') = text.get_mut(minor) {
        *digit = b'1';
    }
    text
}

/// Takes every complete chunked body apart again, with httparse, and compares.
fn check_chunked_bodies(stream: &[u8], seen: &[Seen]) {
    let mut begun = None;
    let (mut data, mut trailers): (&[u8], &[_]) = (&[], &[]);
    for seen in seen {
        match seen {
            Seen::Head { offset, bytes, framing, .. } => {
                begun = (*framing == Framing::Chunked).then_some(*offset as usize + bytes.len());
                (data, trailers) = (&[], &[]);
            }
            Seen::Data(found) => data = found,
            Seen::Trailers(found) => trailers = found,
            Seen::End { offset: end, .. } | Seen::Accepted(end) => {
                if let Some(start) = begun.take() {
                    let (expected_data, expected_trailers) = decode_chunked(&stream[start..*end]);
                    assert_eq!(data, expected_data);
                    assert_eq!(trailers, expected_trailers);
                }
            }
            Seen::Continue | Seen::Upgrade | Seen::Error(_) => {}
        }
    }
}

/// The data and the trailers of a chunked body that ends where `body` ends.
fn decode_chunked(body: &[u8]) -> (Vec<u8>, Fields) {
    let mut data = Vec::new();
    let mut rest = body;
    loop {
        let line = httparse::parse_chunk_size(rest).expect("a chunk line");
        let httparse::Status::Complete((line_bytes, size)) = line else { panic!("half a chunk line") };
        rest = &rest[line_bytes..];
        if size == 0 {
            break;
        }
        let (chunk, after) = rest.split_at(size as usize);
        data.extend_from_slice(chunk);
        rest = after.strip_prefix(b"\r\n").expect("CRLF after the data of a chunk");
    }
    let mut fields = vec![httparse::EMPTY_HEADER; rest.len() / 4];
    let parsed = httparse::parse_headers(rest, &mut fields).expect("trailers");
    let httparse::Status::Complete((trailer_bytes, fields)) = parsed else { panic!("half a trailer section") };
    assert_eq!(trailer_bytes, rest.len(), "the body ends with its trailers");
    (data, fields.iter().map(|field| (field.name.as_bytes().to_vec(), field.value.to_vec())).collect())
}
