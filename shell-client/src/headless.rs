//! Receiving without a window: one line of status on standard output.

use core::time::Duration;
use std::io::Write;
use std::time::Instant;

use crate::latency::tenths_of_ms;
use crate::present::{Mail, PresentHandle, ViewerStatus};

/// How often the line is renewed on a terminal.
const TERMINAL_INTERVAL: Duration = Duration::from_millis(500);
/// How often a line is written to a file or pipe.
const LINES_INTERVAL: Duration = Duration::from_secs(1);

/// Prints the status until the driver ends: to a `terminal` one line that renews itself, otherwise a line a second.
pub fn run_headless(handle: &PresentHandle, out: impl Write, terminal: bool) {
    let mut printer = StatusPrinter { out, terminal, failed: false };
    let interval = if terminal { TERMINAL_INTERVAL } else { LINES_INTERVAL };
    let mut status = ViewerStatus::default();
    let mut due = Instant::now();
    loop {
        let mail = handle.wait(due.saturating_duration_since(Instant::now()));
        let Mail { picture: _, status: newer, ended } = mail;
        status = newer.unwrap_or(status);
        if ended {
            return printer.end(&status);
        }
        let now = Instant::now();
        if now >= due {
            printer.print(&status);
            due = now + interval;
        }
    }
}

/// What the viewer is doing, in one line: the state, and while pictures come the figures.
#[must_use]
pub fn status_line(status: &ViewerStatus) -> String {
    let state = if status.state.is_empty() { "starting" } else { &status.state };
    if !status.playing {
        return state.to_owned();
    }
    let latency = status.latency_us.map_or_else(|| "unknown".to_owned(), |us| format!("{} ms", tenths_of_ms(us)));
    let fps = status.fps_milli.saturating_add(50) / 100;
    let loss = status.loss_ppm.saturating_add(500) / 1000;
    let bitrate = status.bitrate_bps.saturating_add(5_000) / 10_000;
    format!(
        "{state}  {}x{}  {}.{} fps  latency {latency}  loss {}.{} %  {}.{:02} Mbit/s",
        status.width,
        status.height,
        fps / 10,
        fps % 10,
        loss / 10,
        loss % 10,
        bitrate / 100,
        bitrate % 100
    )
}

struct StatusPrinter<W> {
    out: W,
    terminal: bool,
    failed: bool,
}

impl<W: Write> StatusPrinter<W> {
    fn print(&mut self, status: &ViewerStatus) {
        let line = status_line(status);
        // ECMA-48, EL: what a longer line left behind is erased.
        self.write(if self.terminal { format!("\r{line}\x1b[K") } else { format!("{line}\n") });
    }

    fn end(mut self, status: &ViewerStatus) {
        self.print(status);
        if self.terminal {
            self.write("\n".to_owned());
        }
    }

    /// Nobody may be reading any more; that is no reason to stop recording.
    fn write(&mut self, text: String) {
        if !self.failed {
            self.failed = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()).is_err();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn playing() -> ViewerStatus {
        ViewerStatus {
            state: "receiving".to_owned(),
            playing: true,
            fps_milli: 29_970,
            latency_us: Some(23_449),
            loss_ppm: 1_499,
            bitrate_bps: 3_404_999,
            width: 1920,
            height: 1080,
        }
    }

    #[test]
    fn figures_are_rounded_and_shown_only_while_pictures_come() {
        let table = [
            (ViewerStatus::default(), "starting"),
            (ViewerStatus { playing: false, state: "no answer yet".to_owned(), ..playing() }, "no answer yet"),
            (playing(), "receiving  1920x1080  30.0 fps  latency 23.4 ms  loss 0.1 %  3.40 Mbit/s"),
            (
                ViewerStatus {
                    latency_us: None,
                    loss_ppm: 1_000_000,
                    bitrate_bps: u64::MAX,
                    fps_milli: 0,
                    ..playing()
                },
                "receiving  1920x1080  0.0 fps  latency unknown  loss 100.0 %  18446744073709.55 Mbit/s",
            ),
        ];
        for (status, line) in table {
            assert_eq!(status_line(&status), line);
        }
    }

    #[test]
    fn a_terminal_renews_its_line_and_a_file_gets_lines() {
        let status = ViewerStatus { state: "x".to_owned(), ..ViewerStatus::default() };
        for (terminal, wanted) in [(true, "\rx\x1b[K\rx\x1b[K\n"), (false, "x\nx\n")] {
            let mut out = Vec::new();
            let mut printer = StatusPrinter { out: &mut out, terminal, failed: false };
            printer.print(&status);
            printer.end(&status);
            assert_eq!(String::from_utf8(out).unwrap(), wanted);
        }
    }
}
