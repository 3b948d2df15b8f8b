//! Both programs as processes, ended when the test ends however it ends.
#![allow(dead_code, reason = "each binary that includes this file uses a part of it")]

use core::time::Duration;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Far longer than anything takes, so that a hang becomes a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// One at a time: these tests share a machine with each other.
static TURN: Mutex<()> = Mutex::new(());

/// The right to run, or nothing where real sockets and displays are not wanted.
#[expect(clippy::print_stdout, reason = "a test that does not run says so")]
pub(crate) fn turn() -> Option<MutexGuard<'static, ()>> {
    if std::env::var_os("NALCAST_REAL_TESTS").is_none() {
        println!("skipped: runs as part of `make test`, or with NALCAST_REAL_TESTS=1");
        return None;
    }
    Some(TURN.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A program that runs; killed when dropped.
pub(crate) struct Process {
    child: Child,
    lines: Receiver<String>,
    /// Everything it has printed so far that was waited for.
    pub(crate) seen: Vec<String>,
}

impl Process {
    /// Starts `shell-server` or `shell-client` from the directory of the test's own build.
    pub(crate) fn start(program: &str, arguments: &[&str], display: Option<&str>) -> Self {
        Self::start_with_input(program, arguments, display, "")
    }

    /// The same, with this typed into it.
    pub(crate) fn start_with_input(program: &str, arguments: &[&str], display: Option<&str>, input: &str) -> Self {
        Self::spawn(&[], program, arguments, display, Some(input))
    }

    /// Starts a program by way of another one that takes it as arguments.
    pub(crate) fn start_inside(wrapper: &[&str], program: &str, arguments: &[&str]) -> Self {
        Self::spawn(wrapper, program, arguments, None, Some(""))
    }

    /// Starts a program that runs until its input ends.
    pub(crate) fn start_until_input_ends(program: &str, arguments: &[&str]) -> Self {
        Self::spawn(&[], program, arguments, None, None)
    }

    /// Ends the input of such a program.
    pub(crate) fn end_input(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Without an input to give it, the program's stays open.
    fn spawn(wrapper: &[&str], program: &str, arguments: &[&str], display: Option<&str>, input: Option<&str>) -> Self {
        let client = PathBuf::from(env!("CARGO_BIN_EXE_shell-client"));
        let path = client.with_file_name(program);
        assert!(path.exists(), "{} is not built: run `cargo build` first", path.display());
        let mut command = match wrapper.split_first() {
            None => Command::new(path),
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(path);
                command
            }
        };
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env_remove("WAYLAND_DISPLAY").env_remove("RUST_LOG").env_remove("DISPLAY");
        // A killed server leaves its token's file behind: among the test's own files.
        command.env_remove("XDG_RUNTIME_DIR").env("TMPDIR", env!("CARGO_TARGET_TMPDIR"));
        if let Some(display) = display {
            command.env("DISPLAY", display);
        }
        let mut child = command.spawn().expect("the program starts");
        if let Some(input) = input {
            // A program that has ended already reads nothing.
            let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
        }
        let (sender, lines) = channel();
        let streams: [Option<Box<dyn std::io::Read + Send>>; 2] = [
            child.stdout.take().map(|stream| Box::new(stream) as Box<dyn std::io::Read + Send>),
            child.stderr.take().map(|stream| Box::new(stream) as Box<dyn std::io::Read + Send>),
        ];
        for stream in streams.into_iter().flatten() {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    drop(sender.send(line));
                }
            });
        }
        Self { child, lines, seen: Vec::new() }
    }

    /// A server on a free port of the loopback address, and the address that viewers take. Without a key file it lets
    /// anybody in.
    pub(crate) fn server(arguments: &[&str], display: Option<&str>) -> (Self, String) {
        let open: &[&str] = if arguments.contains(&"--key-file") { &[] } else { &["--open"] };
        let all = [arguments, open, &["--listen", "127.0.0.1:0"]].concat();
        let mut server = Self::start("shell-server", &all, display);
        let ready = server.line_with("nalcast://");
        let at = ready.find("nalcast://").expect("just found");
        let url = ready[at..].split([';', ' ']).next().expect("a part").to_owned();
        (server, url)
    }

    /// Waits for a line that contains `text`.
    pub(crate) fn line_with(&mut self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("no line with {text:?} among {:#?}", self.seen);
                }
            }
        }
    }

    /// Waits for the program to end by itself; everything it printed is in `seen` then.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        // Both streams close when it ends.
        while let Ok(line) = self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            self.seen.push(line);
        }
        assert!(Instant::now() < deadline, "it does not end: {:#?}", self.seen);
        self.child.wait().expect("it ended")
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        // The shell's own `kill`: a program of that name is not on every machine.
        let command = format!("kill -{name} {}", self.child.id());
        let status = Command::new("sh").args(["-c", &command]).status().expect("a shell");
        assert!(status.success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
