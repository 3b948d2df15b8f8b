//! What holds for any input.

use nalcast_core::http::Limits;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::harness::{Setup, in_words};
use crate::model::{request, write};

/// Small enough that the requests of the model run into every one.
const SMALL: Limits = Limits {
    empty_lines_max: 1,
    method_bytes_max: 8,
    target_bytes_max: 20,
    head_bytes_max: 200,
    field_count_max: 4,
    name_bytes_max: 20,
    value_bytes_max: 24,
    body_bytes_max: 60,
    chunk_line_bytes_max: 16,
    extension_bytes_max: 20,
    trailer_bytes_max: 60,
    trailer_count_max: 1,
};

/// Pipelined requests, some bytes of which were changed, doubled or lost.
fn damaged_stream() -> impl Strategy<Value = Vec<u8>> {
    let nasty = select(b"\r\n \t:;=\",0\0\x7f\xe9/#ACh".to_vec());
    let changes = prop::collection::vec((any::<Index>(), nasty, 0..4u8), 0..4);
    (prop::collection::vec(request(), 1..4), changes).prop_map(|(requests, changes)| {
        let (mut bytes, _) = write(&requests);
        for (index, byte, how) in changes {
            let at = index.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => bytes.insert(at, bytes[at]),
                _ => drop(bytes.drain(at..(at + 2).min(bytes.len()))),
            }
            bytes.push(b'.');
        }
        bytes
    })
}

fn cuts() -> impl Strategy<Value = Vec<Index>> {
    prop::collection::vec(any::<Index>(), 0..8)
}

fn setup() -> impl Strategy<Value = Setup> {
    (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(is_small, host_is_optional, takes_upgrades)| Setup {
        limits: if is_small { SMALL } else { Limits::default() },
        host_is_optional,
        takes_upgrades,
    })
}

/// Sorted places of `input`, both of its ends among them.
fn places(cuts: &[Index], input: &[u8]) -> Vec<usize> {
    let mut places: Vec<usize> = cuts.iter().map(|index| index.index(input.len() + 1)).collect();
    places.sort_unstable();
    places
}

proptest! {
    #[test]
    fn events_do_not_depend_on_cuts(input in damaged_stream(), cuts in cuts(), setup in setup()) {
        let whole = setup.see(&input);
        prop_assert_eq!(setup.drive(&input, &places(&cuts, &input)), whole);
    }

    #[test]
    fn requests_are_read_as_they_were_meant(requests in prop::collection::vec(request(), 1..4), cuts in cuts()) {
        let (input, meant) = write(&requests);
        let seen = Setup::default().see(&input);
        prop_assert_eq!(&seen, &meant, "{} is not {}", in_words(&seen), in_words(&meant));
        prop_assert_eq!(Setup::default().drive(&input, &places(&cuts, &input)), meant);
    }

    #[test]
    fn any_bytes_are_survived(input in prop::collection::vec(any::<u8>(), 0..200), setup in setup()) {
        setup.see(&input);
    }

    /// Bytes that look like a request for longer than random ones do.
    #[test]
    fn any_text_is_survived(input in "(GET|POST|PUT) [/*a]{1,9} HTTP/1.[01]\r\n([A-Za-z-]{1,9}:? ?[ -~]{0,9}\r?\n){0,9}\r\n.{0,40}", setup in setup()) {
        setup.see(input.as_bytes());
    }
}

/// Heads of one long line and of many short ones, in pieces of several sizes: the work grows with the bytes only.
#[test]
fn work_is_linear_however_slowly_a_head_comes() {
    let limits = Limits {
        head_bytes_max: 1 << 20,
        value_bytes_max: 1 << 20,
        name_bytes_max: 1 << 20,
        target_bytes_max: 1 << 20,
        field_count_max: 1 << 20,
        ..Limits::default()
    };
    let setup = Setup::with(limits);
    for size in [4 << 10, 16 << 10, 64 << 10] {
        for (start, filling, end) in [
            ("GET / HTTP/1.1\r\nHost: h\r\nA: ", "v", ""),
            ("GET / HTTP/1.1\r\nHost: h\r\nA:", " ", ""),
            ("GET / HTTP/1.1\r\nHost: h\r\n", "n", ":"),
            ("GET /", "t", " HTTP/1.1\r\nHost: h"),
            ("GET / HTTP/1.1\r\nHost: h\r\n", "A: b\r\n", "B:"),
        ] {
            let room = size - start.len() - end.len() - "\r\n\r\n".len();
            let head = format!("{start}{}{end}\r\n\r\n", filling.repeat(room / filling.len()));
            for step in [1, 3, 17, 64, 1000, size] {
                let mut parser = setup.parser();
                let mut heads = 0;
                for piece in head.as_bytes().chunks(step) {
                    parser.buffer_mut().extend_from_slice(piece);
                    while parser.poll().unwrap().is_some() {
                        heads += 1;
                    }
                }
                let (examined, bytes) = (parser.head_bytes_examined(), head.len() as u64);
                assert_eq!(heads, 2, "a head and its end");
                assert!(
                    (bytes..=2 * bytes + 16).contains(&examined),
                    "{examined} of {bytes}, {step} at a time: {start}"
                );
            }
        }
    }
}
