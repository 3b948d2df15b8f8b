//! The lines that `http-events` prints, for inputs of every sort and however they are cut.

use core::num::NonZeroUsize;

use sim::http_events::{Line, Options, Split, events, text};

const STRICT: Options = Options { host_rule: true, eof: true };

/// The lines of `stream`, which every way to cut it gives.
fn lines(stream: &[u8], options: Options) -> Vec<Line> {
    let all = events(stream, Split::All, options).unwrap_or_else(|difference| panic!("{difference}"));
    let pieces = |bytes| Split::Pieces(NonZeroUsize::new(bytes).expect("at least one"));
    for split in [Split::Whole, pieces(1), pieces(7), Split::Seed(1), Split::Seed(2)] {
        assert_eq!(events(stream, split, options).expect("one way"), all, "{split:?}");
    }
    all
}

fn print(stream: &str, options: Options) -> String {
    text(&lines(stream.as_bytes(), options))
}

#[test]
fn a_pipeline_of_requests() {
    let stream = "GET /a?b=c HTTP/1.1\r\nHost: h\r\nConnection: close, x\r\nX: \"quoted\\\" \r\n\r\nGET / HTTP/1.1\r\n";
    let kept = stream.replace("close, ", "");
    insta::assert_snapshot!("last_request", print(stream, STRICT));
    insta::assert_snapshot!("cut_short", print(&kept, STRICT));
    insta::assert_snapshot!("more_to_come", print(&kept, Options { eof: false, ..STRICT }));
}

#[test]
fn bodies() {
    let post = "POST / HTTP/1.1\r\nHost: h\r\n";
    insta::assert_snapshot!(
        "length",
        print(&format!("{post}Content-Length: 4\r\nExpect: 100-continue\r\n\r\n\r\n\r\n"), STRICT)
    );
    insta::assert_snapshot!(
        "chunks",
        print(
            &format!(
                "{post}Transfer-Encoding: chunked\r\n\r\n3;a=\"b\"\r\nabc\r\n0a\r\n0123456789\r\n0\r\nSum: 1\r\nSum: 2\r\n\r\n{post}\r\n"
            ),
            STRICT
        )
    );
    insta::assert_snapshot!("half_a_chunk", print(&format!("{post}Transfer-Encoding: chunked\r\n\r\n3\r\nab"), STRICT));
    insta::assert_snapshot!("bad_chunk", print(&format!("{post}Transfer-Encoding: chunked\r\n\r\n3\r\nabcd"), STRICT));
}

#[test]
fn upgrades_and_old_versions() {
    let upgrade = "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    insta::assert_snapshot!("upgrade", print(&format!("{upgrade}\u{81}"), STRICT));
    insta::assert_snapshot!("http10", print("GET / HTTP/1.0\r\n\r\nignored", STRICT));
}

#[test]
fn the_host_rule() {
    let stream = "GET / HTTP/1.1\r\n\r\n";
    insta::assert_snapshot!("host_missing", print(stream, STRICT));
    insta::assert_snapshot!("host_not_needed", print(stream, Options { host_rule: false, ..STRICT }));
}

#[test]
fn every_byte_is_one_character() {
    let every: Vec<u8> = (b'!'..=b'~').chain(0x80..=0xff).collect();
    let stream = [b"GET / HTTP/1.0\r\nA: ", &*every, b"\r\n\r\n"].concat();
    let found = lines(&stream, STRICT);
    let Some(Line::Head { headers, .. }) = found.first() else { panic!("{found:?}") };
    let value: Vec<u8> = headers[0].1.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    assert_eq!(value, every);
}

#[test]
fn ways_to_split() {
    let parse = |text: &str| text.parse::<Split>().ok();
    assert_eq!(parse("all"), Some(Split::All));
    assert_eq!(parse("12"), Some(Split::Pieces(NonZeroUsize::new(12).unwrap())));
    assert_eq!(parse("seed:12"), Some(Split::Seed(12)));
    assert_eq!(parse("seed"), Some(Split::Seed(0)));
    for text in ["", "0", "-1", "every", "seed:", "seed:x", "seeds"] {
        assert_eq!(parse(text), None, "{text}");
    }
    assert!("0".parse::<Split>().unwrap_err().to_string().contains("`--split all`"));
}
