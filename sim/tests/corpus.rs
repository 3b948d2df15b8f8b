//! Replays what the fuzzer found worth keeping, on a stable compiler: every file of every corpus through its target.

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use sim::fuzzing;

type Body = fn(&[u8]);

/// Every target with its body. The directory `fuzz/corpus/NAME` holds its inputs.
const TARGETS: [(&str, Body); 5] = [
    ("annexb", fuzzing::annexb::annexb),
    ("datagram", fuzzing::datagram::datagram),
    ("http_parser", fuzzing::http_parser::http_parser),
    ("reorder_buffer", fuzzing::reorder_buffer::reorder_buffer),
    ("session", fuzzing::session::session),
];

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus")
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let list = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut paths: Vec<_> = list.map(|entry| entry.expect("a readable directory").path()).collect();
    paths.sort();
    paths
}

/// The inputs at which `body` panics. What it says of each is on stderr, above the list.
fn failures(inputs: &[PathBuf], body: Body) -> Vec<&Path> {
    let fails = |path: &PathBuf| {
        let input = fs::read(path).expect("a readable input");
        catch_unwind(|| body(&input)).is_err()
    };
    inputs.iter().filter(|path| fails(path)).map(PathBuf::as_path).collect()
}

#[test]
fn no_input_contradicts_an_oracle() {
    for (name, body) in TARGETS {
        let inputs = entries(&corpus().join(name));
        assert!(!inputs.is_empty(), "the corpus of {name} is empty");
        assert_eq!(failures(&inputs, body), Vec::<&Path>::new(), "target {name}");
    }
}

#[test]
fn every_corpus_is_replayed() {
    let kept: BTreeSet<_> =
        entries(&corpus()).iter().map(|path| path.file_name().expect("a name").to_owned()).collect();
    let replayed: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).into()).collect();
    assert_eq!(kept, replayed);
}

#[test]
fn a_failure_is_named() {
    let inputs = entries(&corpus().join("http_parser"));
    let contradicted = |input: &[u8]| assert!(input.is_empty(), "an oracle that every input contradicts");
    assert_eq!(failures(&inputs, contradicted).len(), inputs.len());
    assert!(failures(&inputs, |_| {}).is_empty());
}
