//! The rules, each from the project's files to what breaks it.

use super::source::{Source, word_positions};

pub(crate) type Rule = fn(&[Source]) -> Vec<String>;

/// Every rule with its name.
pub(crate) const RULES: &[(&str, Rule)] = &[
    ("files are short", files_are_short),
    ("functions of the core are short", functions_are_short),
    ("the core cannot touch the world", the_core_is_pure),
    ("the core depends on little", the_core_depends_on_little),
    ("every select! has an order", every_select_is_biased),
    ("unsafe code has its places", unsafe_has_its_places),
    ("nothing is left undone", nothing_is_left_undone),
    ("nothing speaks of a machine or of the making", nothing_private),
    ("every crate says which side it is on", crates_name_their_side),
    ("every crate takes the workspace's lints", crates_take_the_lints),
    ("every fuzz target has a corpus and is replayed", fuzz_targets_are_complete),
];

const FILE_LINES_MAX: usize = 420;
const FUNCTION_LINES_MAX: usize = 70;

/// The only files with `unsafe` code: each says beside it why it is sound.
const UNSAFE_FILES: &[&str] = &["shell-server/src/encode/openh264.rs"];
/// As many as there may ever be.
const UNSAFE_FILES_MAX: usize = 2;

/// What the core may be built upon: none of them reads a clock, opens a socket or draws randomness.
const CORE_DEPENDENCIES: &[&str] =
    &["bytes", "fearless_simd", "rand_chacha", "rand_core_06", "ring", "siphasher", "snow", "spake2"];

const CRATES: &[(&str, &str)] = &[
    ("core/src/lib.rs", "deciding side of the I/O line"),
    ("shell-server/src/lib.rs", "touching side of the I/O line"),
    ("shell-server/common/src/lib.rs", "touching side of the I/O line"),
    ("shell-client/src/lib.rs", "touching side of the I/O line"),
    ("sim/src/lib.rs", "proving side of the I/O line"),
];

fn rust(sources: &[Source]) -> impl Iterator<Item = &Source> {
    sources.iter().filter(|source| source.is_rust())
}

/// Where any of `words` stands in the code of `source`, as findings.
fn words(source: &Source, words: &[&str], why: &str) -> Vec<String> {
    let find = |word| word_positions(&source.code, word).map(move |at| source.found(at, format!("`{word}`: {why}")));
    words.iter().copied().flat_map(find).collect()
}

fn files_are_short(sources: &[Source]) -> Vec<String> {
    let long = rust(sources).filter(|source| source.text.lines().count() > FILE_LINES_MAX);
    long.map(|source| format!("{}: {} lines, not {FILE_LINES_MAX}", source.path, source.text.lines().count())).collect()
}

fn functions_are_short(sources: &[Source]) -> Vec<String> {
    rust(sources).filter(|source| source.is_in("core")).flat_map(long_functions).collect()
}

/// From the line of `fn` to that of the brace that closes its body.
fn long_functions(source: &Source) -> Vec<String> {
    let check = |at: usize| {
        let length = function_length(&source.code[at..])?;
        let lines = source.code[at..at + length].lines().count();
        (lines > FUNCTION_LINES_MAX).then(|| source.found(at, format!("{lines} lines, not {FUNCTION_LINES_MAX}")))
    };
    word_positions(&source.code, "fn").filter_map(check).collect()
}

/// Nothing for a function without a body and for the type of one.
fn function_length(code: &str) -> Option<usize> {
    // Both kinds of brackets of a signature, and the braces of the body.
    let (mut brackets, mut braces) = (0, 0);
    let mut before = b' ';
    for (at, byte) in code.bytes().enumerate() {
        match (byte, braces) {
            (b'{', _) => braces += 1,
            (b'}', 0) => return None,
            (b'}', 1) => return Some(at + 1),
            (b'}', _) => braces -= 1,
            (b'(' | b'[' | b'<', 0) => brackets += 1,
            (b'>', 0) if before == b'-' => {}
            // The end of what the type of a function stood in.
            (b')' | b']' | b'>', 0) if brackets == 0 => return None,
            (b')' | b']' | b'>', 0) => brackets -= 1,
            (b';' | b'=', 0) if brackets == 0 => return None,
            (b',', 0) if brackets == 0 && word_positions(&code[..at], "where").next().is_none() => return None,
            _ => {}
        }
        before = byte;
    }
    None
}

/// `no_std` keeps most of it out already; this names the rest, and what a test could bring back.
fn the_core_is_pure(sources: &[Source]) -> Vec<String> {
    let banned = [
        "HashMap",
        "HashSet",
        "Instant",
        "SystemTime",
        "UdpSocket",
        "TcpStream",
        "std::net",
        "std::time",
        "std::thread",
        "std::fs",
        "std::env",
        "std::process",
        "f32",
        "f64",
    ];
    let why = "the core has no clocks, sockets, threads, files, unordered maps or floats";
    rust(sources).filter(|source| source.is_in("core/src")).flat_map(|source| words(source, &banned, why)).collect()
}

fn the_core_depends_on_little(sources: &[Source]) -> Vec<String> {
    let manifest = sources.iter().filter(|source| source.path == "core/Cargo.toml");
    manifest
        .flat_map(dependencies)
        .filter(|(name, _)| !CORE_DEPENDENCIES.contains(name))
        .map(|(_, found)| found)
        .collect()
}

/// Names of what a package is built with, but for its tests, each with a finding.
fn dependencies(manifest: &Source) -> Vec<(&str, String)> {
    let mut table = "";
    let mut names = Vec::new();
    for line in manifest.text.lines() {
        if let Some(header) = line.strip_prefix('[') {
            table = header.trim_end_matches(']');
        }
        let is_dependency = table.ends_with("dependencies") && !table.ends_with("dev-dependencies");
        let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
        if is_dependency && !name.is_empty() && !line.starts_with(['[', '#']) {
            names.push((name, format!("{}: `{name}` is not one of {CORE_DEPENDENCIES:?}", manifest.path)));
        } else if table.contains("dependencies.") && line.starts_with('[') {
            names.push(("", format!("{}: name dependencies in one table, a line each", manifest.path)));
        }
    }
    names
}

fn every_select_is_biased(sources: &[Source]) -> Vec<String> {
    let check = |source: &Source| -> Vec<String> {
        let unordered = word_positions(&source.code, "select!").filter(|at| {
            let body = source.code[at + "select!".len()..].trim_start();
            !body.strip_prefix('{').is_some_and(|body| body.trim_start().starts_with("biased;"))
        });
        unordered
            .map(|at| source.found(at, "`select!` must begin with `biased;`, or no seed fixes its order"))
            .collect()
    };
    rust(sources).flat_map(check).collect()
}

fn unsafe_has_its_places(sources: &[Source]) -> Vec<String> {
    const { assert!(UNSAFE_FILES.len() <= UNSAFE_FILES_MAX) };
    let why = "allowed in the files of UNSAFE_FILES only";
    let elsewhere = rust(sources).filter(|source| !UNSAFE_FILES.contains(&source.path.as_str()));
    elsewhere.flat_map(|source| words(source, &["unsafe"], why)).collect()
}

fn nothing_is_left_undone(sources: &[Source]) -> Vec<String> {
    let banned = ["#[ignore", "todo!", "unimplemented!", "dbg!"];
    rust(sources).flat_map(|source| words(source, &banned, "finish it or leave it out")).collect()
}

/// Written in two halves, so that this file does not break its own rule.
const PRIVATE: &[&str] = &[
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
    concat!("/wo", "rk/"),
    concat!("/t", "mp/"),
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("Cla", "ude"),
    concat!("Chat", "GPT"),
    concat!("Copi", "lot"),
    concat!("LL", "M"),
    concat!("sub", "agent"),
    concat!("artifact", "ory"),
];

fn nothing_private(sources: &[Source]) -> Vec<String> {
    let check = |source: &Source| -> Vec<String> {
        let find = |word| word_positions(&source.text, word).map(move |at| source.found(at, format!("`{word}`")));
        PRIVATE.iter().copied().flat_map(find).collect()
    };
    // Lock files and bytes that happen to be text are nobody's words.
    sources
        .iter()
        .filter(|source| !source.is_in("fuzz/corpus") && source.path != "Cargo.lock")
        .flat_map(check)
        .collect()
}

fn crates_name_their_side(sources: &[Source]) -> Vec<String> {
    let check = |source: &Source| {
        let &(_, side) = CRATES.iter().find(|(path, _)| *path == source.path)?;
        let first = source.text.lines().next().unwrap_or_default();
        (!(first.starts_with("//!") && first.contains(side))).then(|| source.found(0, format!("must name the {side}")))
    };
    let unknown = |source: &Source| {
        let is_crate = source.path.ends_with("/src/lib.rs") && !CRATES.iter().any(|(path, _)| *path == source.path);
        is_crate.then(|| source.found(0, "a crate that is not in CRATES"))
    };
    rust(sources).filter_map(|source| check(source).or_else(|| unknown(source))).collect()
}

fn crates_take_the_lints(sources: &[Source]) -> Vec<String> {
    let manifests = sources.iter().filter(|source| source.path.ends_with("/Cargo.toml"));
    let lax = manifests.filter(|source| !source.text.contains("[lints]\nworkspace = true\n"));
    lax.map(|source| format!("{}: lacks `[lints]` with `workspace = true`", source.path)).collect()
}

fn fuzz_targets_are_complete(sources: &[Source]) -> Vec<String> {
    let text = |path: &str| sources.iter().find(|source| source.path == path).map_or("", |source| &source.text);
    let check = |source: &Source| -> Vec<String> {
        let Some(name) = source.path.strip_prefix("fuzz/fuzz_targets/").and_then(|name| name.strip_suffix(".rs"))
        else {
            return Vec::new();
        };
        let corpus = format!("fuzz/corpus/{name}");
        let wants = [
            (source.text.contains(&format!("sim::fuzzing::{name}::")), "calls no body of its name in sim::fuzzing"),
            (sources.iter().any(|source| source.is_in(&corpus)), "has no corpus"),
            (text("sim/tests/corpus.rs").contains(&format!("(\"{name}\", ")), "is not replayed by sim/tests/corpus.rs"),
            (text("fuzz/Cargo.toml").contains(&format!("name = \"{name}\"\n")), "is not in fuzz/Cargo.toml"),
        ];
        wants.iter().filter(|(is_met, _)| !is_met).map(|(_, what)| source.found(0, what)).collect()
    };
    rust(sources).flat_map(check).collect()
}
