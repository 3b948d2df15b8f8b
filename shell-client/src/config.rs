//! What the command line says.

use core::time::Duration;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use clap::Parser;
use clap::error::ErrorKind;
use nalcast_core::handshake::SharedKey;
use shell_common::key::{KeyError, read_key, read_key_file};

use crate::address::ServerAddress;
use crate::display::Geometry;

/// Watch what a shell-server shares.
#[derive(Clone, Debug, Parser, PartialEq)]
#[command(name = "shell-client", version, max_term_width = 100)]
pub struct Config {
    /// The server, for example nalcast://192.168.1.20:4600, with `#` and its key if --key-file does not give it
    #[arg(value_name = "nalcast://HOST:PORT#KEY")]
    pub server: ServerAddress,

    /// Read the key from a file that only you can read, or from standard input if PATH is `-`
    #[arg(long, value_name = "PATH")]
    pub key_file: Option<PathBuf>,

    /// Time from capture to display to aim at, in milliseconds; by the network if not given
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub budget_ms: Option<u16>,

    /// Show pictures as evenly as they were taken, a little later, instead of each as soon as it can be
    #[arg(long)]
    pub smooth: bool,

    /// End after this many seconds from the start, for example 2.5
    #[arg(long, value_name = "SECS", value_parser = parse_duration)]
    pub duration: Option<Duration>,

    /// Open no window: decode, and print a line of status
    #[arg(long, help_heading = "Picture")]
    pub headless: bool,

    /// Size and place of the window
    #[arg(long, value_name = "WxH+X+Y", conflicts_with = "headless", help_heading = "Picture")]
    pub geometry: Option<Geometry>,

    /// Record the stream as it comes, an Annex-B file that any player opens
    #[arg(long, value_name = "PATH", help_heading = "Files")]
    pub record: Option<PathBuf>,

    /// Write a JSON line with time, size and hash of every picture's data
    #[arg(long, value_name = "PATH", help_heading = "Files")]
    pub frame_log: Option<PathBuf>,

    /// Write JSON lines on every picture's way, on every freeze and its cause, and once a second on the network; - is
    /// standard output
    #[arg(long, value_name = "PATH", help_heading = "Files")]
    pub stats_json: Option<PathBuf>,
}

impl Config {
    /// Reads a command line, the program's name first.
    ///
    /// # Errors
    /// clap's error, which prints itself, for `--help` too.
    pub fn parse_command_line(
        arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    ) -> Result<Self, clap::Error> {
        let config = Self::try_parse_from(arguments).map_err(without_key)?;
        if config.key_file.is_some() && config.server.key.is_some() {
            let message = "there are two keys, one in the address and one in --key-file; leave one out\n";
            return Err(clap::Error::raw(ErrorKind::ArgumentConflict, message));
        }
        Ok(config)
    }

    /// The key, from wherever it is to come.
    ///
    /// # Errors
    /// When the file or standard input holds none, or others can read the file.
    pub fn key(&self) -> Result<Option<SharedKey>, KeyError> {
        match self.key_file.as_deref() {
            None => Ok(self.server.key.clone()),
            Some(path) if path == Path::new("-") => {
                let failed = |source| KeyError::File { what: "read", path: path.to_owned(), source };
                read_key(io::stdin().lock(), "standard input").map_err(failed)?.map(Some)
            }
            Some(path) => read_key_file(path).map(Some),
        }
    }

    /// The time from capture to display that was asked for.
    #[must_use]
    pub fn budget(&self) -> Option<Duration> {
        self.budget_ms.map(|ms| Duration::from_millis(ms.into()))
    }
}

/// clap quotes what it cannot make sense of; a key is not to be quoted.
fn without_key(error: clap::Error) -> clap::Error {
    let text = error.render().to_string();
    let Some(shown) = hide_keys(&text) else { return error };
    // clap puts its own word in front of a message.
    clap::Error::raw(error.kind(), shown.strip_prefix("error: ").unwrap_or(&shown).to_owned())
}

/// A text with `...` in the place of the keys in its addresses; nothing if there is none.
fn hide_keys(text: &str) -> Option<String> {
    let mut parts = text.split("nalcast://");
    let mut shown = parts.next()?.to_owned();
    let mut is_changed = false;
    for part in parts {
        let end = part.find(|c: char| c.is_whitespace() || "'\"`>".contains(c)).unwrap_or(part.len());
        let (address, rest) = part.split_at(end);
        let (address, key) = address.split_once('#').map_or((address, None), |(address, key)| (address, Some(key)));
        shown.push_str("nalcast://");
        shown.push_str(address);
        // The name of the argument itself is no secret.
        match key {
            Some("KEY") => shown.push_str("#KEY"),
            Some(_) => {
                shown.push_str("#...");
                is_changed = true;
            }
            None => {}
        }
        shown.push_str(rest);
    }
    is_changed.then_some(shown)
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds: &f64| *seconds > 0.0);
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration.ok_or_else(|| "write seconds, for example 2.5".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Config, String> {
        let arguments = core::iter::once("shell-client").chain(line.split_whitespace());
        Config::parse_command_line(arguments).map_err(|error| error.to_string())
    }

    #[test]
    fn messages_show_no_key() {
        let key = "-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s";
        let address = format!("nalcast://h#{key}");
        for line in [format!("{address}x"), format!("{address} {address}"), format!("--bad {address} {address}x")] {
            let error = parse(&line).unwrap_err();
            assert!(!error.contains("-_v7"), "{line}: {error}");
        }
        let error = parse(&format!("{address} --key-file k")).unwrap_err();
        assert!(error.contains("two keys") && !error.contains(key), "{error}");
        let error = parse("nalcast://h#secret").unwrap_err();
        assert!(error.contains("'nalcast://h#...'") && error.contains("<nalcast://HOST:PORT#KEY>"), "{error}");
    }

    #[test]
    fn options() {
        let server = ServerAddress { host: "h".to_owned(), port: 4600, key: None };
        let defaults = Config {
            server,
            key_file: None,
            budget_ms: None,
            smooth: false,
            duration: None,
            headless: false,
            geometry: None,
            record: None,
            frame_log: None,
            stats_json: None,
        };
        let all = Config {
            budget_ms: Some(120),
            smooth: true,
            duration: Some(Duration::from_millis(2_500)),
            headless: true,
            record: Some("r.h264".into()),
            frame_log: Some("l.jsonl".into()),
            stats_json: Some("-".into()),
            ..defaults.clone()
        };
        let window = Config {
            geometry: Some(Geometry { width: 640, height: 360, position: Some((8, 16)) }),
            ..defaults.clone()
        };
        let table = [
            ("nalcast://h", defaults),
            (
                "--budget-ms 120 --smooth --duration 2.5 --headless --record r.h264 --frame-log l.jsonl --stats-json - \
                 nalcast://h:4600",
                all,
            ),
            ("nalcast://h --geometry 640x360+8+16", window),
        ];
        for (line, expected) in table {
            assert_eq!(parse(line), Ok(expected), "{line}");
        }
    }

    #[test]
    fn mistakes_are_explained() {
        let table = [
            ("", "nalcast://HOST:PORT"),
            ("192.0.2.1", "begins with nalcast://"),
            ("nalcast://h --duration 0", "2.5"),
            ("nalcast://h --duration inf", "2.5"),
            ("nalcast://h --duration soon", "2.5"),
            ("nalcast://h --budget-ms 0", "1..=10000"),
            ("nalcast://h --geometry big", "1280x720+100+50"),
            ("nalcast://h --geometry 640x360 --headless", "cannot be used with"),
        ];
        for (line, part) in table {
            let error = parse(line).expect_err(line);
            assert!(error.contains(part), "{line}: {error}");
        }
    }
}
