//! Chromium without a window, told what to do over its remote debugging pipe (`--remote-debugging-pipe`).

use core::time::Duration;
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::PATIENCE;

/// A browser with one page; ended when dropped.
pub(crate) struct Browser {
    child: Child,
    commands: File,
    messages: Receiver<Value>,
    session: Value,
    next_id: u64,
    /// What the page complained about: refused scripts and styles, failed requests, exceptions.
    pub(crate) complaints: Vec<String>,
    _directory: TempDir,
}

impl Browser {
    /// A browser with an empty page of 1280 by 800 pixels.
    pub(crate) fn start() -> Self {
        let directory = TempDir::new().expect("a directory");
        let pipes = [directory.path().join("commands"), directory.path().join("messages")];
        assert!(Command::new("mkfifo").args(&pipes).status().expect("mkfifo").success());
        // The browser reads from file descriptor 3 and writes to 4, which only a shell sets up in safe code.
        // It refuses to run as root with its sandbox; what it opens here is our own page.
        let script = "exec chromium --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run \
                      --no-proxy-server --disable-background-networking --window-size=1280,800 \
                      --user-data-dir=\"$0\" --remote-debugging-pipe about:blank 3<\"$1\" 4>\"$2\"";
        let profile = directory.path().join("profile");
        let child = Command::new("sh")
            .args([OsStr::new("-c"), OsStr::new(script), profile.as_os_str()])
            .args(&pipes)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        let commands = OpenOptions::new().write(true).open(&pipes[0]).expect("a pipe to it");
        let mut reader = BufReader::new(File::open(&pipes[1]).expect("a pipe from it"));
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            while reader.read_until(0, &mut bytes).is_ok_and(|read| read > 0) {
                bytes.pop();
                drop(sender.send(serde_json::from_slice(&bytes).expect("JSON")));
                bytes.clear();
            }
        });
        let mut browser = Self {
            child,
            commands,
            messages,
            session: Value::Null,
            next_id: 0,
            complaints: Vec::new(),
            _directory: directory,
        };
        let target = browser.command("Target.createTarget", &json!({ "url": "about:blank" }))["targetId"].take();
        let attach = json!({ "targetId": target, "flatten": true });
        browser.session = browser.command("Target.attachToTarget", &attach)["sessionId"].take();
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            browser.command(domain, &json!({}));
        }
        browser
    }

    /// Sends a command of the DevTools protocol and waits for its result.
    pub(crate) fn command(&mut self, method: &str, parameters: &Value) -> Value {
        let mut reply = self.reply(method, parameters);
        assert!(reply["error"].is_null(), "{method}: {reply}");
        reply["result"].take()
    }

    fn reply(&mut self, method: &str, parameters: &Value) -> Value {
        self.next_id += 1;
        let mut command = json!({ "id": self.next_id, "method": method, "params": parameters });
        if !self.session.is_null() {
            command["sessionId"] = self.session.clone();
        }
        self.commands.write_all(format!("{command}\0").as_bytes()).expect("it reads");
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let message = self.messages.recv_timeout(left).unwrap_or_else(|error| panic!("{method}: {error}"));
            if message["id"] == self.next_id {
                return message;
            }
            self.note(&message);
        }
    }

    fn note(&mut self, message: &Value) {
        let entry = &message["params"]["entry"];
        let is_error = message["method"] == "Log.entryAdded" && entry["level"] == "error";
        if is_error || message["method"] == "Runtime.exceptionThrown" {
            self.complaints.push(message["params"].to_string());
        }
    }

    /// Opens a page.
    pub(crate) fn open(&mut self, url: &str) {
        let opened = self.command("Page.navigate", &json!({ "url": url }));
        assert!(opened["errorText"].is_null(), "{opened}");
    }

    /// The value of an expression in the page.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let question = json!({ "expression": expression, "returnByValue": true });
        self.command("Runtime.evaluate", &question)["result"]["value"].take()
    }

    /// Waits until an expression is true in the page.
    pub(crate) fn wait_for(&mut self, expression: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.value(expression) != true {
            assert!(Instant::now() < deadline, "never true: {expression} in {}", self.source());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The page as it is now, which needs no script in it.
    pub(crate) fn source(&mut self) -> String {
        loop {
            let mut document = self.command("DOM.getDocument", &json!({}));
            let node = json!({ "nodeId": document["root"]["nodeId"].take() });
            // Between the two the page may have been loaded again.
            if let Some(html) = self.reply("DOM.getOuterHTML", &node)["result"]["outerHTML"].as_str() {
                return html.to_owned();
            }
        }
    }

    /// Makes the page so wide, in pixels of its own.
    pub(crate) fn resize(&mut self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.command("Emulation.setDeviceMetricsOverride", &size);
    }

    /// Keeps a picture of the page, in PNG, for whoever wants to look at it.
    pub(crate) fn screenshot(&mut self, path: &Path) {
        let whole = json!({ "format": "png", "captureBeyondViewport": true });
        let shot = self.command("Page.captureScreenshot", &whole);
        let picture = STANDARD.decode(shot["data"].as_str().expect("text")).expect("Base64");
        assert!(picture.starts_with(b"\x89PNG"));
        std::fs::write(path, picture).expect("a writable directory");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Asked to, it ends its helpers too; killed, it would leave them.
        let close = json!({ "id": u64::MAX, "method": "Browser.close" });
        drop(self.commands.write_all(format!("{close}\0").as_bytes()));
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline && self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            std::thread::sleep(Duration::from_millis(20));
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
