//! One run of the real programs: server, proxy and viewer as processes.

use core::time::Duration;
use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Instant;

use crate::proxy::{Profile, Report};

/// What a program has for its end, beyond the length of the stream.
const PATIENCE: Duration = Duration::from_secs(25);
/// Starts a program with the lowest real-time priority (util-linux, chrt(1)).
const URGENT: [&str; 3] = ["chrt", "--fifo", "1"];
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What a run needs.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where the programs are.
    pub programs: PathBuf,
    /// The stream that is shared.
    pub stream: PathBuf,
    /// How long it is.
    pub length: Duration,
    /// Where the logs go.
    pub directory: PathBuf,
    /// Time from capture to display that the viewer is to keep, in milliseconds.
    pub budget_ms: u16,
}

/// What a run leaves.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The server's frame log.
    pub server_log: String,
    /// The viewer's frame log.
    pub viewer_log: String,
    /// What the proxy counted.
    pub proxy: Report,
    /// How busy the machine was at the end.
    pub load: Option<f64>,
    /// What was not as it should be.
    pub notes: Vec<String>,
}

/// A process that does not outlive its owner.
struct Program {
    name: &'static str,
    child: Child,
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended already, mostly.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Plan {
    /// Shares the stream over one path and waits for the end of all programs.
    ///
    /// # Errors
    /// When a program does not start, or a log cannot be read.
    pub fn run(&self, profile: &Profile, seed: u64) -> io::Result<Finished> {
        let name = |what: &str| self.directory.join(format!("{}-{seed}-{what}", profile.name));
        let (server_log, viewer_log) = (name("server.jsonl"), name("viewer.jsonl"));
        let (mut server, address) = self.start_server(&server_log, &name("server.txt"))?;
        let (mut proxy, mut words, at) = self.start_proxy(&address, profile, seed)?;
        let mut viewer = self.start_viewer(&at, &viewer_log, &name("viewer.txt"))?;

        let deadline = Instant::now() + self.length + PATIENCE;
        let mut notes = Vec::new();
        notes.extend(viewer.wait(deadline)?);
        notes.extend(server.wait(deadline)?);
        // The end of its input is the proxy's, too.
        drop(proxy.child.stdin.take());
        let mut report = String::new();
        words.read_to_string(&mut report)?;
        notes.extend(proxy.wait(deadline.max(Instant::now() + PATIENCE))?);
        let proxy: Report = serde_json::from_str(&report)?;
        if proxy.overrun.is_some_and(|overrun| overrun > 0) {
            notes.push(format!("the system dropped {} datagrams at the proxy", proxy.overrun.unwrap_or_default()));
        }
        if !fs::read_to_string(name("viewer.txt"))?.contains("first picture, 1280x720") {
            notes.push("the viewer decoded nothing".to_owned());
        }
        let (server_log, viewer_log) = (fs::read_to_string(server_log)?, fs::read_to_string(viewer_log)?);
        Ok(Finished { server_log, viewer_log, proxy, load: load_average(), notes })
    }

    fn start_server(&self, log: &Path, says: &Path) -> io::Result<(Program, String)> {
        let mut command = self.command("shell-server", says)?;
        let source = [b"file:".as_slice(), self.stream.as_os_str().as_encoded_bytes()].concat();
        command.arg("--source").arg(String::from_utf8_lossy(&source).into_owned());
        command.args(["--open", "--http", "off", "--listen", "127.0.0.1:0", "--wait-viewers", "1"]);
        let (program, words) = start("shell-server", command.arg("--frame-log").arg(log))?;
        let (line, words) = line_with(words, "nalcast://")?;
        // It goes on printing, and would wait for a reader.
        thread::Builder::new().spawn(move || io::copy(&mut words.into_inner(), &mut io::sink()))?;
        let address = line.split("nalcast://").nth(1).and_then(|rest| rest.split([' ', '\'', '#']).next());
        Ok((program, address.unwrap_or_default().trim().to_owned()))
    }

    fn start_proxy(
        &self,
        server: &str,
        profile: &Profile,
        seed: u64,
    ) -> io::Result<(Program, BufReader<ChildStdout>, String)> {
        // The network must not wait for the programs that it connects, nor for others on a busy machine.
        let prefix: &[&str] = if can_be_urgent() { &URGENT } else { &[] };
        let mut command = self.command_by(prefix, "proxy", &self.directory.join("proxy.txt"))?;
        command.args(["--to", server, "--profile", profile.name, "--seed", &seed.to_string()]);
        let (program, words) = start("proxy", command.stdin(Stdio::piped()))?;
        let (line, words) = line_with(words, "proxy at ")?;
        Ok((program, words, line.split(' ').nth(2).unwrap_or_default().to_owned()))
    }

    fn start_viewer(&self, at: &str, log: &Path, says: &Path) -> io::Result<Program> {
        let mut command = self.command("shell-client", says)?;
        let duration = (self.length + PATIENCE).as_secs().to_string();
        command.args([&format!("nalcast://{at}"), "--headless", "--duration", &duration]);
        command.args(["--budget-ms", &self.budget_ms.to_string()]).arg("--frame-log").arg(log);
        let (program, words) = start("shell-client", &mut command)?;
        thread::Builder::new().spawn(move || io::copy(&mut words.into_inner(), &mut io::sink()))?;
        Ok(program)
    }

    fn command(&self, name: &str, says: &Path) -> io::Result<Command> {
        self.command_by(&[], name, says)
    }

    /// A program that writes what it has to say into a file, started by way of another one if there is a prefix.
    fn command_by(&self, prefix: &[&str], name: &str, says: &Path) -> io::Result<Command> {
        let program = self.programs.join(name);
        let mut command = match prefix.split_first() {
            None => Command::new(program),
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
        };
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(fs::File::create(says)?);
        command.env_remove("RUST_LOG");
        Ok(command)
    }
}

/// Whether the system lets this user have a process of real-time priority.
fn can_be_urgent() -> bool {
    let [chrt, arguments @ ..] = URGENT;
    let silent = Command::new(chrt).args(arguments).arg("true").stdout(Stdio::null()).stderr(Stdio::null()).status();
    silent.is_ok_and(|status| status.success())
}

/// Processes that ran or wanted to in the last minute, on average, where the system says so (Linux, proc(5)).
fn load_average() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}

impl Program {
    /// Waits for the end; says if it was none to be proud of.
    fn wait(&mut self, deadline: Instant) -> io::Result<Option<String>> {
        let name = self.name;
        while Instant::now() < deadline {
            match self.child.try_wait()?.map(|status: ExitStatus| (status.success(), status)) {
                Some((true, _)) => return Ok(None),
                Some((false, status)) => return Ok(Some(format!("{name} ended with {status}"))),
                None => thread::sleep(LOOK_EVERY),
            }
        }
        Ok(Some(format!("{name} did not end")))
    }
}

fn start(name: &'static str, command: &mut Command) -> io::Result<(Program, BufReader<ChildStdout>)> {
    let mut child = command.spawn().map_err(|error| {
        let program = command.get_program().display();
        io::Error::new(error.kind(), format!("{program} does not start ({error}): build all programs first"))
    })?;
    let words = child.stdout.take().ok_or_else(|| io::Error::other("a pipe is missing"))?;
    Ok((Program { name, child }, BufReader::new(words)))
}

/// Reads on to the line with this text.
fn line_with(mut words: BufReader<ChildStdout>, text: &str) -> io::Result<(String, BufReader<ChildStdout>)> {
    let mut line = String::new();
    while words.read_line(&mut line)? > 0 {
        if line.contains(text) {
            return Ok((line, words));
        }
        line.clear();
    }
    Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("a program ended without saying `{text}`")))
}
