//! Files as the rules see them: with their text, and with their code alone.

use std::fs;
use std::path::Path;

/// One file of the project.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// Relative to the project's directory, with `/` between its parts.
    pub(crate) path: String,
    pub(crate) text: String,
    /// The text with comments and what is inside quotes blanked, each line where it was. Of Rust files only.
    pub(crate) code: String,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let code = if path.ends_with(".rs") { code_of(text) } else { String::new() };
        Self { path: path.to_owned(), text: text.to_owned(), code }
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// The crate's directory and nothing below another one.
    pub(crate) fn is_in(&self, directory: &str) -> bool {
        self.path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
    }

    /// A finding about the line that holds the byte `at` of the text or the code.
    pub(crate) fn found(&self, at: usize, what: impl core::fmt::Display) -> String {
        let line = 1 + self.text.bytes().take(at).filter(|&byte| byte == b'\n').count();
        format!("{}:{line}: {what}", self.path)
    }
}

/// Every file of the project, in order of paths; those that are not text have none.
pub(crate) fn project(root: &Path) -> Vec<Source> {
    let mut sources = Vec::new();
    walk(root, "", &mut sources);
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

fn walk(root: &Path, directory: &str, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(root.join(directory)).expect("a readable directory") {
        let entry = entry.expect("a readable directory");
        let name = entry.file_name().into_string().expect("a name in UTF-8");
        let path = if directory.is_empty() { name.clone() } else { format!("{directory}/{name}") };
        let is_made = matches!(path.as_str(), "target" | "fuzz/target" | "fuzz/artifacts" | "fuzz/coverage");
        if is_made || name == ".git" {
            continue;
        }
        if entry.path().is_dir() {
            walk(root, &path, sources);
        } else {
            let text = String::from_utf8(fs::read(entry.path()).expect("a readable file"));
            sources.push(Source::new(&path, &text.unwrap_or_default()));
        }
    }
}

/// Blanks comments, strings and characters, so that what remains has no brace or word that is not code.
fn code_of(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = Vec::with_capacity(bytes.len());
    while code.len() < bytes.len() {
        let at = code.len();
        let length = blank_length(bytes, at);
        if length == 0 {
            code.push(bytes[at]);
        } else {
            let blanked = bytes.iter().skip(at).take(length);
            code.extend(blanked.map(|&byte| if byte == b'\n' { byte } else { b' ' }));
        }
    }
    String::from_utf8(code).expect("whole characters were blanked")
}

/// How many bytes from `at` on are comment, string or character.
fn blank_length(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    let after_word = at > 0 && is_word(bytes[at - 1]);
    match rest {
        [b'/', b'/', ..] => rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len()),
        [b'/', b'*', ..] => block_comment_length(rest),
        [b'"', ..] => string_length(rest),
        [b'r', b'"' | b'#', ..] if !after_word => raw_string_length(rest),
        [b'b' | b'c', b'r', b'"' | b'#', ..] if !after_word => match raw_string_length(&rest[1..]) {
            0 => 0,
            length => length + 1,
        },
        [b'\'', ..] => character_length(rest),
        _ => 0,
    }
}

fn block_comment_length(rest: &[u8]) -> usize {
    let (mut at, mut depth) = (0, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (at, depth) = (at + 2, depth + 1),
            [b'*', b'/', ..] => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at.min(rest.len())
}

fn string_length(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != b'"' {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// Of `r"..."` and `r#"..."#`; nothing for a raw identifier.
fn raw_string_length(rest: &[u8]) -> usize {
    let hashes = rest[1..].iter().take_while(|&&byte| byte == b'#').count();
    if rest.get(1 + hashes) != Some(&b'"') {
        return 0;
    }
    let end: Vec<u8> = core::iter::once(b'"').chain(core::iter::repeat_n(b'#', hashes)).collect();
    let body = &rest[hashes + 2..];
    let length = body.windows(end.len()).position(|window| window == end).unwrap_or(body.len());
    (hashes + 2 + length + end.len()).min(rest.len())
}

/// Of a character; nothing for a lifetime, which has no quote behind its first letter.
fn character_length(rest: &[u8]) -> usize {
    if rest.get(1) == Some(&b'\\') {
        let end = rest.iter().skip(3).position(|&byte| byte == b'\'');
        return end.map_or(rest.len(), |end| end + 4);
    }
    let text = core::str::from_utf8(&rest[1..rest.len().min(5)]);
    let whole = text.map_or_else(|error| error.valid_up_to(), str::len);
    let first = core::str::from_utf8(&rest[1..=whole]).ok().and_then(|text| text.chars().next());
    match first {
        Some(letter) if rest.get(1 + letter.len_utf8()) == Some(&b'\'') => letter.len_utf8() + 2,
        _ => 0,
    }
}

/// Whether a byte can be part of a name.
pub(crate) const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Where `word` stands in `code` as a word of its own: no name goes on before or behind it.
pub(crate) fn word_positions<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let continues = |at: Option<usize>| at.and_then(|at| code.as_bytes().get(at)).is_some_and(|&byte| is_word(byte));
    let (begins, ends) = (word.as_bytes().first(), word.as_bytes().last());
    let (begins, ends) = (begins.is_some_and(|&byte| is_word(byte)), ends.is_some_and(|&byte| is_word(byte)));
    code.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let (before, behind) = (at.checked_sub(1), Some(at + word.len()));
        !(begins && continues(before) || ends && continues(behind))
    })
}

#[test]
fn only_code_remains() {
    let table = [
        ("a // b {\nc", "a c"),
        ("a /* b /* c */ } */ d", "a d"),
        (r#"f("{ \" }", b"{", c)"#, "f( , b , c)"),
        ("f(r#\"{ \" \"#, r\"\\\", br\"{\") }", "f( , , ) }"),
        ("r#type { for r in", "r#type { for r in"),
        (r"{ '{' | '\'' | '\u{7d}' | b'}' | 'é' | '语' => 'a: loop {} }", "{ | | | b | | => 'a: loop {} }"),
        ("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}"),
        ("a \"open {\n}", "a"),
        ("a '", "a '"),
    ];
    for (text, expected) in table {
        let code = Source::new("a.rs", text).code;
        assert_eq!(code.split_whitespace().collect::<Vec<_>>().join(" "), expected, "{text}");
        let breaks = |text: &str| text.bytes().map(|byte| byte == b'\n').collect::<Vec<_>>();
        assert_eq!(breaks(&code), breaks(text), "every line stays where it was");
    }
}

#[test]
fn words_are_whole() {
    let count = |code, word| word_positions(code, word).count();
    assert_eq!(count("unsafe_code unsafe not_unsafe unsafe{", "unsafe"), 2);
    assert_eq!(count("todo!() my_todo!()", "todo!"), 1);
    assert_eq!(count("/a/ b/a/c", "/a/"), 2);
}
