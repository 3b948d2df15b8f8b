//! The status page in a real browser: runs where `NALCAST_REAL_TESTS` is set, as in `make test`.

#[path = "real/browser.rs"]
mod browser;
#[path = "real/process.rs"]
mod process;

use std::path::Path;

use browser::Browser;
use process::{Process, turn};
use serde_json::json;

/// Where the pictures are left.
fn picture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// A server with a status page, its address for viewers, and the page's.
fn server() -> (Process, String, String) {
    let arguments = ["--source", "pattern", "--http", "127.0.0.1:0"];
    let (mut server, url) = Process::server(&arguments, None);
    let ready = server.line_with("status at ");
    let page = ready.split_once("status at ").expect("the page's address").1.to_owned();
    (server, url, page)
}

/// A viewer whose first picture has come.
fn viewer(url: &str) -> Process {
    let mut viewer = Process::start("shell-client", &[url, "--headless"], None);
    viewer.line_with("first picture");
    viewer
}

const NOBODY: &str = "document.querySelector('#viewers .nobody') !== null";
const WATCHING: &str = "document.querySelectorAll('#viewers tr[data-viewer] .watching').length === 1";

#[test]
fn the_page_shows_who_joins_and_who_leaves() {
    let Some(_turn) = turn() else { return };
    let (_server, url, page) = server();
    let mut browser = Browser::start();
    browser.open(&page);
    browser.wait_for("document.getElementById('connection')?.textContent === 'live'");
    browser.wait_for(NOBODY);
    // Gone if the page is loaded again.
    browser.value("window.mark = 'still here'");

    let mut viewer = viewer(&url);
    browser.wait_for(WATCHING);
    let figure = |name: &str| format!("document.querySelector('[data-field={name}]').textContent");
    browser.wait_for(&format!("{} === 'Viewers (1)'", figure("viewers")));
    // The pattern has 30 frames a second.
    browser.wait_for(&format!("parseFloat({}) > 15", figure("fps")));
    browser.wait_for(&format!("{}.endsWith('bit/s') && parseFloat({0}) > 0", figure("sent")));
    browser.wait_for("/ms$/.test(document.querySelector('#viewers td[data-label=\"Round trip\"]').textContent)");
    browser.wait_for("/fps$/.test(document.querySelector('#viewers td[data-label=\"Decoded\"]').textContent)");
    browser.wait_for("document.querySelector('[data-chart=fps] .curve').getAttribute('points').split(' ').length > 2");
    browser.screenshot(&picture("status-page.png"));
    browser.resize(390, 1600);
    browser.screenshot(&picture("status-page-phone.png"));
    assert_eq!(browser.value("document.documentElement.scrollWidth <= 390"), true, "nothing is cut off on a phone");

    viewer.signal("INT");
    assert!(viewer.end().success());
    browser.wait_for(NOBODY);
    assert_eq!(browser.value("window.mark"), "still here");
    assert_eq!(browser.complaints, Vec::<String>::new());
}

#[test]
fn the_page_needs_no_script() {
    let Some(_turn) = turn() else { return };
    let (_server, url, page) = server();
    let mut browser = Browser::start();
    browser.command("Emulation.setScriptExecutionDisabled", &json!({ "value": true }));
    browser.open(&page);
    let mut wait_for_text = |text: &str| {
        let deadline = std::time::Instant::now() + process::PATIENCE;
        while !browser.source().contains(text) {
            assert!(std::time::Instant::now() < deadline, "{text:?} never came: {}", browser.source());
            std::thread::sleep(core::time::Duration::from_millis(50));
        }
    };
    wait_for_text("Nobody is watching.");
    let mut viewer = viewer(&url);
    wait_for_text("class=\"watching\"");
    viewer.signal("INT");
    assert!(viewer.end().success());
    wait_for_text("Nobody is watching.");
}

#[test]
fn the_page_says_when_the_server_is_gone_and_when_it_is_back() {
    let Some(_turn) = turn() else { return };
    let (mut server, _, page) = server();
    let mut browser = Browser::start();
    browser.open(&page);
    browser.wait_for("document.getElementById('connection')?.textContent === 'live'");
    server.signal("INT");
    assert!(server.end().success());
    browser.wait_for("document.getElementById('connection').textContent.startsWith('server unreachable since')");
    browser.screenshot(&picture("status-page-lost.png"));
    let address = page.trim_start_matches("http://").trim_end_matches('/');
    let arguments = ["--source", "pattern", "--http", address];
    let _again = Process::server(&arguments, None);
    browser.wait_for("document.getElementById('connection').textContent === 'live'");
}
