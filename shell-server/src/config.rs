//! What the command line says.

use core::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;
use nalcast_core::limits::VIEWERS_MAX;

use crate::source::{FPS_MAX, Region, SourceConfig, SourceKind};

/// Share a screen, a test picture or a video file with viewers, over plain UDP.
#[derive(Clone, Debug, Parser, PartialEq, Eq)]
#[command(name = "shell-server", version, max_term_width = 100)]
pub struct Config {
    /// What to share: `screen`, `pattern` (a drawn test picture) or `file:PATH` (Annex-B H.264 or H.265)
    #[arg(long, value_name = "SOURCE", default_value = "screen", value_parser = parse_source, help_heading = "Picture")]
    pub source: SourceKind,

    /// Part of the screen to share; with `pattern`, its size
    #[arg(long, value_name = "WxH+X+Y", allow_hyphen_values = true, help_heading = "Picture")]
    pub region: Option<Region>,

    /// Pictures a second
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=i64::from(FPS_MAX)))]
    #[arg(value_name = "N", help_heading = "Picture")]
    pub fps: u32,

    /// Bits a second that the encoder aims at, for example 4M, 800k or 2500000; files are sent as they are
    #[arg(long, value_name = "RATE", default_value = "4M", value_parser = parse_bitrate, help_heading = "Picture")]
    pub bitrate: u32,

    /// Begin a file again when it is at its end
    #[arg(long = "loop", help_heading = "Picture")]
    pub repeat: bool,

    /// UDP address that viewers connect to; `[::]` is every one, IPv6 and IPv4, and `0.0.0.0` every IPv4 one
    #[arg(long, value_name = "ADDR:PORT", default_value = "[::]:4600", help_heading = "Viewers")]
    pub listen: SocketAddr,

    /// Viewers at a time
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = parse_viewers, help_heading = "Viewers")]
    pub max_viewers: usize,

    /// Begin only when this many viewers are there
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Viewers")]
    pub wait_viewers: usize,

    /// Let in whoever has the key in this file, which only you may be able to read; without it a key is made for this run
    #[arg(long, value_name = "PATH", conflicts_with = "open", help_heading = "Viewers")]
    pub key_file: Option<PathBuf>,

    /// Make a new key and put it in the key file first: whoever has the old one is locked out
    #[arg(long, requires = "key_file", help_heading = "Viewers")]
    pub new_key: bool,

    /// Let anybody in who can reach the UDP port; the traffic is encrypted all the same
    #[arg(long, help_heading = "Viewers")]
    pub open: bool,

    /// Show a code of eight digits, a new one every two minutes, that lets in viewers who have no key
    #[arg(long, conflicts_with = "open", help_heading = "Viewers")]
    pub pairing_code: bool,

    /// TCP address of the status page, or `off`
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8080", value_parser = parse_http)]
    #[arg(help_heading = "Observation")]
    pub http: StatusPage,

    /// Write the token for removing viewers to this new file, instead of one in a private directory of yours
    #[arg(long, value_name = "PATH", help_heading = "Observation")]
    pub control_token_file: Option<PathBuf>,

    /// Write a JSON line with number and time of every picture's data before it is sent
    #[arg(long, value_name = "PATH", help_heading = "Observation")]
    pub frame_log: Option<PathBuf>,
}

/// Where the status page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusPage {
    /// Nowhere.
    Off,
    /// At this address.
    At(SocketAddr),
}

impl Config {
    /// Reads a command line, the program's name first.
    ///
    /// # Errors
    /// clap's error, which prints itself, for `--help` too.
    pub fn parse_command_line(
        arguments: impl IntoIterator<Item = impl Into<std::ffi::OsString> + Clone>,
    ) -> Result<Self, clap::Error> {
        let config = Self::try_parse_from(arguments)?;
        if config.http == StatusPage::Off && config.control_token_file.is_some() {
            let message = "--control-token-file is of no use with --http off; leave one of them out\n";
            return Err(clap::Error::raw(clap::error::ErrorKind::ArgumentConflict, message));
        }
        if config.wait_viewers > config.max_viewers {
            let Self { wait_viewers, max_viewers, .. } = config;
            let message = format!(
                "--wait-viewers {wait_viewers} can never be reached with --max-viewers {max_viewers}; raise the latter\n"
            );
            return Err(clap::Error::raw(clap::error::ErrorKind::ValueValidation, message));
        }
        Ok(config)
    }

    /// How to open the source.
    #[must_use]
    pub fn source_config(&self) -> SourceConfig {
        SourceConfig {
            kind: self.source.clone(),
            region: self.region,
            fps: self.fps,
            bitrate_bps: self.bitrate,
            repeat: self.repeat,
            wait_for_start: self.wait_viewers > 0,
        }
    }
}

fn parse_source(text: &str) -> Result<SourceKind, String> {
    match text {
        "screen" => Ok(SourceKind::Screen),
        "pattern" => Ok(SourceKind::Pattern),
        _ => match text.strip_prefix("file:") {
            Some(path) if !path.is_empty() => Ok(SourceKind::File(path.into())),
            _ => Err("write `screen`, `pattern` or `file:PATH`".to_owned()),
        },
    }
}

/// Bits a second that an encoder can be asked for.
const BITRATE_BPS_MIN: u32 = 10_000;
const BITRATE_BPS_MAX: u32 = 1_000_000_000;

fn parse_bitrate(text: &str) -> Result<u32, String> {
    let usage = || "write bits a second, for example 4M, 800k or 2500000".to_owned();
    let (number, scale) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 1e3),
        Some((at, 'm' | 'M')) => (&text[..at], 1e6),
        _ => (text, 1.0),
    };
    let is_plain = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let number: f64 = number.parse().ok().filter(|_| is_plain).ok_or_else(usage)?;
    let bits = (number * scale).round();
    if (f64::from(BITRATE_BPS_MIN)..=f64::from(BITRATE_BPS_MAX)).contains(&bits) {
        Ok(bits as u32)
    } else {
        Err("choose from 10k to 1000M".to_owned())
    }
}

fn parse_viewers(text: &str) -> Result<usize, String> {
    let viewers = text.parse().ok().filter(|viewers| (1..=VIEWERS_MAX).contains(viewers));
    viewers.ok_or_else(|| format!("choose from 1 to {VIEWERS_MAX}"))
}

fn parse_http(text: &str) -> Result<StatusPage, String> {
    if text == "off" {
        return Ok(StatusPage::Off);
    }
    let address = text.parse().map_err(|_| "write an IP address and a port, for example 127.0.0.1:8080, or `off`");
    Ok(StatusPage::At(address?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Config, String> {
        let arguments = core::iter::once("shell-server").chain(line.split_whitespace());
        Config::parse_command_line(arguments).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults() {
        let config = parse("").unwrap();
        let expected = Config {
            source: SourceKind::Screen,
            region: None,
            fps: 30,
            bitrate: 4_000_000,
            repeat: false,
            listen: "[::]:4600".parse().unwrap(),
            max_viewers: 16,
            wait_viewers: 0,
            key_file: None,
            new_key: false,
            open: false,
            pairing_code: false,
            http: StatusPage::At("127.0.0.1:8080".parse().unwrap()),
            control_token_file: None,
            frame_log: None,
        };
        assert_eq!(config, expected);
        assert!(!config.source_config().wait_for_start);
    }

    #[test]
    fn every_option() {
        let config = parse(
            "--source file:a:b.h264 --region 640x480-8+16 --fps 60 --bitrate 2.5M --loop --listen [::]:1 \
             --max-viewers 3 --wait-viewers 3 --key-file k --new-key --pairing-code --http [::1]:2 --control-token-file t \
             --frame-log log.jsonl",
        );
        let expected = Config {
            source: SourceKind::File("a:b.h264".into()),
            region: Some(Region { width: 640, height: 480, x: -8, y: 16 }),
            fps: 60,
            bitrate: 2_500_000,
            repeat: true,
            listen: "[::]:1".parse().unwrap(),
            max_viewers: 3,
            wait_viewers: 3,
            key_file: Some("k".into()),
            new_key: true,
            open: false,
            pairing_code: true,
            http: StatusPage::At("[::1]:2".parse().unwrap()),
            control_token_file: Some("t".into()),
            frame_log: Some("log.jsonl".into()),
        };
        assert_eq!(config.as_ref(), Ok(&expected));
        assert!(expected.source_config().wait_for_start);
    }

    #[test]
    fn the_status_page_can_be_left_out() {
        assert_eq!(parse("--http off").unwrap().http, StatusPage::Off);
    }

    #[test]
    fn bitrates() {
        let table =
            [("4M", 4_000_000), ("800k", 800_000), ("0.5m", 500_000), ("12345", 12_345), ("1000M", 1_000_000_000)];
        for (text, expected) in table {
            assert_eq!(parse_bitrate(text), Ok(expected), "{text}");
        }
        for wrong in ["", "M", "4G", "-4M", "4 M", "9999", "1001M", "inf", "nan", "1e6", "4MM", "é"] {
            assert!(parse_bitrate(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn mistakes_are_explained() {
        let table = [
            ("--source camera", "file:PATH"),
            ("--source file:", "file:PATH"),
            ("--fps 0", "1..=240"),
            ("--fps 241", "1..=240"),
            ("--region big", "1280x720+0+0"),
            ("--bitrate fast", "4M"),
            ("--listen everywhere", "--listen"),
            ("--http localhost", "127.0.0.1:8080"),
            ("--max-viewers 0", "1 to 1024"),
            ("--max-viewers 2 --wait-viewers 3", "--max-viewers 2"),
            ("--open --key-file k", "--open"),
            ("--new-key", "--key-file"),
            ("--http off --control-token-file t", "--http off"),
            ("--nonsense", "--nonsense"),
        ];
        for (line, part) in table {
            let error = parse(line).expect_err(line);
            assert!(error.contains(part), "{line}: {error}");
        }
    }
}
