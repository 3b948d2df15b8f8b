//! A viewer is removed with curl, as the README shows it: runs where `NALCAST_REAL_TESTS` is set, as in `make test`.

#[path = "real/process.rs"]
mod process;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use process::{Process, turn};
use serde_json::Value;
use tempfile::TempDir;

/// A server that shows a test picture; where viewers connect to, its page's address and its token's file.
fn server(more: &[&str]) -> (Process, String, String, PathBuf) {
    let pattern = ["--source", "pattern", "--region", "640x360", "--http", "127.0.0.1:0"];
    let (mut server, url) = Process::server(&[&pattern, more].concat(), None);
    let after = |line: String, text: &str| line.split_once(text).expect("just found").1.to_owned();
    let page = after(server.line_with("status at "), "status at ");
    let file = after(server.line_with("control token in "), "control token in ");
    (server, url, page, file.into())
}

/// What a line of shell prints, `$FILE` being the token's file.
fn shell(line: &str, file: &Path) -> String {
    let output = Command::new("sh").args(["-c", line]).env("FILE", file).output().expect("a shell");
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// The numbers of those who watch.
fn viewers(page: &str, file: &Path) -> Vec<u64> {
    let status = shell(&format!("curl -sS --noproxy '*' {page}api/v1/status"), file);
    let status: Value = serde_json::from_str(&status).expect("JSON");
    let viewers = status["viewers"].as_array().expect("viewers");
    viewers.iter().map(|viewer| viewer["id"].as_u64().expect("a number")).collect()
}

#[test]
fn a_viewer_is_removed_with_the_token_that_only_the_owner_can_read() {
    let Some(_turn) = turn() else { return };
    let (mut server, url, page, file) = server(&[]);
    assert_eq!(fs::metadata(&file).expect("the file").permissions().mode() & 0o7777, 0o600);
    let directory = file.parent().expect("a directory");
    assert_eq!(fs::metadata(directory).expect("the directory").permissions().mode() & 0o7777, 0o700);

    let mut steady = Process::start("shell-client", &[&url, "--headless"], None);
    steady.line_with("first picture");
    let [stays] = viewers(&page, &file)[..] else { panic!("one viewer") };
    // Both ways of the README.
    let delete = "curl -sS --noproxy '*' -w '%{http_code}' -X DELETE";
    let by_input = format!("sed 's/^/Authorization: Bearer /' \"$FILE\" | {delete} -H @-");
    let by_argument = format!("{delete} -H \"Authorization: Bearer $(cat \"$FILE\")\"");
    for curl in [by_input, by_argument] {
        let mut removed = Process::start("shell-client", &[&url, "--headless"], None);
        removed.line_with("first picture");
        let id = *viewers(&page, &file).iter().find(|id| **id != stays).expect("the other viewer");
        assert!(shell(&format!("{delete} {page}api/v1/viewers/{id}"), &file).ends_with("401"));
        assert_eq!(shell(&format!("{curl} {page}api/v1/viewers/{id}"), &file), "204");
        assert!(!removed.end().success(), "{:#?}", removed.seen);
        assert!(removed.seen.iter().any(|line| line.contains("removed this viewer")), "{:#?}", removed.seen);
        server.line_with("removed by the host");
        assert!(shell(&format!("{curl} {page}api/v1/viewers/{id}"), &file).ends_with("404"));
    }

    assert_eq!(viewers(&page, &file), [stays]);
    let token = fs::read_to_string(&file).expect("the token");
    server.signal("TERM");
    assert!(server.end().success(), "{:#?}", server.seen);
    steady.line_with("server stopped");
    assert!(!file.exists(), "the file is deleted in the end");
    assert!(!server.seen.iter().any(|line| line.contains(token.trim())), "{:#?}", server.seen);
}

#[test]
fn the_file_can_be_anywhere_but_where_one_is() {
    let Some(_turn) = turn() else { return };
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("token");
    let chosen = ["--control-token-file", path.to_str().expect("a path in UTF-8")];
    let (mut server, _, _, file) = server(&chosen);
    assert_eq!(file, path);
    let other = [&["--source", "pattern", "--open", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"], &chosen[..]];
    let mut other = Process::start("shell-server", &other.concat(), None);
    assert!(!other.end().success());
    assert!(other.seen.iter().any(|line| line.contains(chosen[1]) && line.contains("delete it")), "{:#?}", other.seen);
    assert!(file.exists(), "the one that runs keeps its file");
    server.signal("INT");
    assert!(server.end().success(), "{:#?}", server.seen);
    assert!(!file.exists());
}
