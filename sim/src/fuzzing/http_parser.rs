//! The HTTP request parser, cut up and whole, beside an independent parser.

use nalcast_core::http::{ErrorKind, Event, Framing, HeadView, Limits, RequestParser, Version};

/// Bytes in front of the HTTP stream: one chooses the limits, the others the lengths of the pieces.
const PREFIX_BYTES: usize = 4;

/// Feeds the stream in `data` to one parser in pieces and to another at once.
///
/// # Panics
///
/// When their events differ, an offset lies outside the stream, scanning costs more than linear work, or a head is
/// accepted that httparse reads differently.
pub fn http_parser(data: &[u8]) {
    let Some((prefix, stream)) = data.split_first_chunk::<PREFIX_BYTES>() else { return };
    let [choice, lengths @ ..] = *prefix;
    let limits = limits(choice);
    let whole = drive(limits, stream, [stream].into_iter());
    let cut = drive(limits, stream, pieces(stream, lengths));
    assert_eq!(cut, whole, "the events depend on how the stream was cut");
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
        chunk_line_bytes_max: 1 + small % 24,
        extension_bytes_max: small % 32,
        trailer_bytes_max: small,
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

/// What a parser said, adjacent data merged.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Head { offset: u64, bytes: Vec<u8>, framing: Framing },
    Continue,
    Data(Vec<u8>),
    Trailers(Vec<(Vec<u8>, Vec<u8>)>),
    Upgrade { offset: u64 },
    End { keep_alive: bool },
    Error { kind: ErrorKind, offset: u64 },
}

fn drive<'a>(limits: Limits, stream: &[u8], pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Seen> {
    let mut parser = RequestParser::new(limits);
    let mut seen = Vec::new();
    for piece in pieces {
        parser.buffer_mut().extend_from_slice(piece);
        drain(&mut parser, &mut seen, stream);
    }
    if let Err(error) = parser.finish()
        && !matches!(seen.last(), Some(Seen::Error { .. }))
    {
        assert_eq!(error.offset(), stream.len() as u64, "an end is where the stream ends");
        seen.push(Seen::Error { kind: error.kind(), offset: error.offset() });
    }
    let examined = parser.head_bytes_examined();
    assert!(examined <= 2 * stream.len() as u64 + 16, "{examined} bytes examined of {}", stream.len());
    seen
}

fn drain(parser: &mut RequestParser, seen: &mut Vec<Seen>, stream: &[u8]) {
    loop {
        match parser.poll() {
            Ok(None) => return,
            Ok(Some(Event::Head(head))) => {
                check_against_httparse(head.view());
                let (offset, framing) = (head.offset(), head.framing());
                // Every other head is detached, so that both ways are compared with each other.
                let bytes = if seen.len() & 1 == 0 {
                    head.view().bytes().to_vec()
                } else {
                    head.detach().view().bytes().to_vec()
                };
                let end = offset + bytes.len() as u64;
                assert_eq!(stream.get(offset as usize..end as usize), Some(&*bytes), "the head is not where it says");
                seen.push(Seen::Head { offset, bytes, framing });
            }
            Ok(Some(Event::Continue)) => seen.push(Seen::Continue),
            Ok(Some(Event::Data(data))) => {
                assert!(!data.is_empty(), "empty data");
                match seen.last_mut() {
                    Some(Seen::Data(earlier)) => earlier.extend_from_slice(&data),
                    _ => seen.push(Seen::Data(data.to_vec())),
                }
            }
            Ok(Some(Event::Trailers(trailers))) => {
                let fields = trailers.fields().map(|field| (field.name.to_vec(), field.value.to_vec()));
                seen.push(Seen::Trailers(fields.collect()));
            }
            Ok(Some(Event::Upgrade(offer))) => seen.push(Seen::Upgrade { offset: offer.offset() }),
            Ok(Some(Event::End { keep_alive })) => seen.push(Seen::End { keep_alive }),
            Err(error) => {
                assert!(error.offset() <= stream.len() as u64, "{error} in {} bytes", stream.len());
                let failed = Seen::Error { kind: error.kind(), offset: error.offset() };
                if seen.last() != Some(&failed) {
                    assert!(!matches!(seen.last(), Some(Seen::Error { .. })), "{error} after {seen:?}");
                    seen.push(failed);
                }
                return;
            }
        }
    }
}

/// Whoever is strict accepts less, and reads what it accepts the same.
fn check_against_httparse(head: HeadView<'_>) {
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

fn with_known_version(head: HeadView<'_>) -> Vec<u8> {
    let mut text = head.bytes().to_vec();
    let minor = head.method().len() + 1 + head.target().len() + 1 + b"HTTP/1.".len();
    if let Some(digit @ b'2'..=b'9') = text.get_mut(minor) {
        *digit = b'1';
    }
    text
}
