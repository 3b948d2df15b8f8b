//! Every rule against a file that breaks it and files that do not.

use std::collections::BTreeSet;

use super::rules::{RULES, Rule};
use super::source::Source;

/// One rule, files of which it likes all but the last, and what it says of that one.
struct Sample {
    rule: &'static str,
    good: Vec<(&'static str, String)>,
    bad: (&'static str, String),
    says: &'static str,
}

fn sample<const N: usize>(
    rule: &'static str,
    good: [(&'static str, &str); N],
    bad: (&'static str, &str),
    says: &'static str,
) -> Sample {
    let owned = |(path, text): (&'static str, &str)| (path, text.to_owned());
    Sample { rule, good: good.map(owned).to_vec(), bad: owned(bad), says }
}

fn findings(rule: &str, sources: &[Source]) -> Vec<String> {
    let rule: Rule = RULES.iter().find(|(name, _)| *name == rule).expect(rule).1;
    rule(sources)
}

fn check(sample: &Sample) {
    let Sample { rule, good, bad, says } = sample;
    let mut sources: Vec<Source> = good.iter().map(|(path, text)| Source::new(path, text)).collect();
    assert_eq!(findings(rule, &sources), Vec::<String>::new(), "{rule}");
    sources.push(Source::new(bad.0, &bad.1));
    let found = findings(rule, &sources);
    assert!(found.len() == 1 && found[0].contains(says), "{rule}: {found:?}, not {says}");
}

#[test]
fn every_rule_bites() {
    let samples: Vec<Sample> = [lengths(), core(), order(), words(), crates(), fuzz()].into_iter().flatten().collect();
    samples.iter().for_each(check);
    let proven: BTreeSet<_> = samples.iter().map(|sample| sample.rule).collect();
    assert_eq!(proven, RULES.iter().map(|(name, _)| *name).collect(), "a rule without a sample");
}

fn lengths() -> Vec<Sample> {
    let file = |lines| "a\n".repeat(lines);
    // The line of the signature and that of the last brace count.
    let function = |signature: &str, lines: usize| format!("struct A;\n{signature} {{{}}}\n", "\n".repeat(lines - 1));
    let short = "functions of the core are short";
    let bad = |signature| Sample {
        rule: short,
        good: vec![
            ("core/src/a.rs", function(signature, 70)),
            ("sim/src/a.rs", function(signature, 71)),
            ("core/src/b.rs", format!("struct A {{ a: fn(u8), b: fn() -> u8 }} {}", function("mod b", 80))),
            ("core/src/c.rs", format!("trait A {{ fn a() where A: B; }} {}", function("mod b", 80))),
            ("core/src/d.rs", format!("fn a(a: Option<fn(u8)>, b: fn()) {{ '}}' }} {}", function("mod b", 80))),
        ],
        bad: ("core/src/e.rs", function(signature, 71)),
        says: "core/src/e.rs:2: 71 lines",
    };
    let files = Sample {
        rule: "files are short",
        good: vec![("core/src/a.rs", file(420)), ("README.md", file(421))],
        bad: ("core/tests/b.rs", file(421)),
        says: "core/tests/b.rs: 421 lines",
    };
    let signatures = [
        "fn a()",
        "fn a<T: B<C = D>>(a: [u8; 3], b: &'a str) -> Result<impl E<F = G>, H>",
        "pub const fn a() -> u8 where A: B, C: D<E = F>,",
    ];
    signatures.map(bad).into_iter().chain([files]).collect()
}

fn core() -> Vec<Sample> {
    let pure = "the core cannot touch the world";
    let depends = "the core depends on little";
    let good = ("core/src/a.rs", "// an Instant\nuse alloc::collections::BTreeMap; extern crate std;");
    let outside = ("sim/src/a.rs", "use std::time::Instant;");
    let few = ("core/Cargo.toml", "[dependencies]\nbytes = \"1\"\n\n[dev-dependencies]\nproptest.workspace = true\n");
    vec![
        sample(pure, [good, outside], ("core/src/b.rs", "\nuse std::time;"), "core/src/b.rs:2: `std::time`"),
        sample(pure, [], ("core/src/b.rs", "let a: HashMap<u8, u8>;"), "`HashMap`"),
        sample(pure, [], ("core/src/b.rs", "fn a(now: Instant)"), "`Instant`"),
        sample(pure, [], ("core/src/b.rs", "UdpSocket::bind()"), "`UdpSocket`"),
        sample(pure, [], ("core/src/b.rs", "let a = 1 as f64;"), "`f64`"),
        sample(depends, [few], ("core/Cargo.toml", "[dependencies]\nrand.workspace = true"), "`rand`"),
        sample(depends, [], ("core/Cargo.toml", "[build-dependencies]\ncc = \"1\""), "`cc`"),
        sample(depends, [], ("core/Cargo.toml", "[target.'cfg(unix)'.dependencies]\nlibc = \"1\""), "`libc`"),
        sample(depends, [], ("core/Cargo.toml", "[dependencies.tokio]"), "one table"),
    ]
}

fn order() -> Vec<Sample> {
    let rule = "every select! has an order";
    let good = ("sim/src/a.rs", "// select! {\ntokio::select! { // first\n    biased;\n    a = b => {} }");
    vec![
        sample(rule, [good], ("sim/src/b.rs", "\ntokio::select! { a = b => {} }"), "sim/src/b.rs:2: "),
        sample(rule, [], ("sim/src/b.rs", "select!(biased; a = b => {})"), "biased"),
    ]
}

fn words() -> Vec<Sample> {
    let places = "unsafe code has its places";
    let undone = "nothing is left undone";
    let private = "nothing speaks of a machine or of the making";
    let wrapper = ("shell-server/src/encode/openh264.rs", "unsafe { a() }");
    let forbids = ("sim/src/a.rs", "#![forbid(unsafe_code)] // unsafe\n\"unsafe\"");
    let quoted = ("sim/src/a.rs", "// todo!()\n\"dbg!(\" #[expect(dead_code)]");
    let machine = concat!("see /ro", "ot/a");
    let path = ("README.md", "http://root.example/ and ./work and a/tmp");
    vec![
        sample(places, [wrapper, forbids], ("shell-server/src/net.rs", "unsafe fn a() {}"), "net.rs:1: `unsafe`"),
        sample(undone, [quoted], ("core/src/a.rs", "\n#[ignore = \"slow\"]"), "core/src/a.rs:2: `#[ignore`"),
        sample(undone, [], ("core/src/a.rs", "todo!()"), "`todo!`"),
        sample(undone, [], ("core/src/a.rs", "unimplemented!()"), "`unimplemented!`"),
        sample(undone, [], ("core/src/a.rs", "dbg!(a)"), "`dbg!`"),
        sample(private, [path], ("scripts/demo", machine), "scripts/demo:1: "),
        sample(
            private,
            [("Cargo.lock", machine), ("fuzz/corpus/a/b", machine)],
            ("core/src/a.rs", machine),
            "a.rs:1: ",
        ),
        sample(private, [], ("core/src/a.rs", concat!("// TO", "DO: more")), "a.rs:1: "),
    ]
}

fn crates() -> Vec<Sample> {
    let side = "every crate says which side it is on";
    let lints = "every crate takes the workspace's lints";
    let core = ("core/src/lib.rs", "//! The deciding side of the I/O line: a, b.\n");
    let lax = "[package]\nname = \"a\"\n";
    let strict = "[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n";
    vec![
        sample(side, [core], ("sim/src/lib.rs", "//! Tools.\n//! The proving side of the I/O line."), "proving side"),
        sample(side, [], ("new/src/lib.rs", "//! The deciding side of the I/O line."), "new/src/lib.rs:1: "),
        sample(lints, [("core/Cargo.toml", strict), ("Cargo.toml", lax)], ("sim/Cargo.toml", lax), "sim/Cargo.toml: "),
    ]
}

fn fuzz() -> Vec<Sample> {
    let corpus = ("fuzz/corpus/nal/one", "");
    let replay = ("sim/tests/corpus.rs", "[(\"nal\", fuzzing::nal::nal)]");
    let manifest = ("fuzz/Cargo.toml", "[[bin]]\nname = \"nal\"\n");
    let target = ("fuzz/fuzz_targets/nal.rs", "fuzz_target!(|data: &[u8]| sim::fuzzing::nal::nal(data));");
    let idle = (target.0, "fuzz_target!(|_data: &[u8]| {});");
    let rule = "every fuzz target has a corpus and is replayed";
    vec![
        sample(rule, [corpus, replay, manifest], idle, "fuzz/fuzz_targets/nal.rs:1: calls no body"),
        sample(rule, [replay, manifest], target, "has no corpus"),
        sample(rule, [corpus, manifest], target, "is not replayed"),
        sample(rule, [corpus, replay], target, "fuzz/Cargo.toml"),
    ]
}
