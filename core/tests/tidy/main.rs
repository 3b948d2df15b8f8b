//! The house rules, as tests that say where they are broken.

use std::path::Path;

use rules::RULES;

mod rules;
mod samples;
mod source;

#[test]
fn the_house_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let sources = source::project(&root);
    let broken: Vec<String> = RULES.iter().filter_map(|(name, rule)| report(name, &rule(&sources))).collect();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

fn report(name: &str, findings: &[String]) -> Option<String> {
    (!findings.is_empty()).then(|| format!("{name}:\n    {}", findings.join("\n    ")))
}

#[test]
fn the_whole_house_is_seen() {
    let sources = source::project(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    for path in ["Makefile", ".ci/run", "core/src/lib.rs", "core/Cargo.toml", "fuzz/fuzz_targets/http_parser.rs"] {
        assert!(sources.iter().any(|source| source.path == path), "{path}");
    }
    assert!(!sources.iter().any(|source| source.is_in("target")));
}
