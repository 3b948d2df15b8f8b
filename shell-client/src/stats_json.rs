//! One JSON line for each picture, each freeze, and each second, for whoever wants to know where the time went.
//!
//! Times are microseconds on one clock of this viewer; what did not happen, or is not known, is null.

use core::time::Duration;
use std::io;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;

use nalcast_core::Timestamp;
use nalcast_core::recv::{Abandoned, ClientStats, FrameRecord, Freeze, FreezeCause, Repaired};
use nalcast_core::time::micros;
use serde_json::{Map, Value, json};
use shell_common::output::{CreateError, Output, Purpose};

use crate::driver::Figures;

const PURPOSE: Purpose = Purpose { name: "the statistics", beside: "viewing", buffer_bytes: 1 << 16 };
/// Lines that wait for a slow disk or reader; more are dropped, and counted.
const LINES_MAX: usize = 1024;
/// At the end of the program a slow disk or reader is waited for so long.
const END_PATIENCE: Duration = Duration::from_secs(2);

/// Writes the lines on a thread of its own: whoever reads them slowly holds up nobody.
pub struct StatsJson {
    lines: Option<SyncSender<Value>>,
    dropped: u64,
    /// Breaks off when everything is written.
    written: Receiver<()>,
    patience: Duration,
}

impl StatsJson {
    /// Opens `path`, emptying what is there; `-` is standard output.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn create(path: &Path) -> Result<Self, CreateError> {
        Ok(Self::to(match path {
            path if is_stdout(path) => Output::to(Box::new(io::stdout()), PURPOSE),
            path => Output::create(path, PURPOSE)?,
        }))
    }

    fn to(out: Output) -> Self {
        let (lines, waiting) = sync_channel(LINES_MAX);
        let (writing, written) = sync_channel(0);
        let thread = thread::Builder::new().name("statistics".to_owned()).spawn(move || {
            write(out, &waiting);
            drop(writing);
        });
        if let Err(error) = &thread {
            tracing::error!("the system refuses a thread: {error}; there will be no statistics");
        }
        Self { lines: Some(lines), dropped: 0, written, patience: END_PATIENCE }
    }

    /// A picture's way is over.
    pub fn frame(&mut self, record: &FrameRecord) {
        self.line(frame(record));
    }

    /// The picture had stood still.
    pub fn freeze(&mut self, now: Timestamp, freeze: &Freeze) {
        self.line(json!({
            "type": "freeze",
            "at_us": now.as_micros(),
            "stood": freeze.stood,
            "next": freeze.next,
            "length_us": micros(freeze.length),
            "cause": freeze.cause.name(),
            "in_words": freeze.cause.to_string(),
        }));
    }

    /// What was counted so far.
    pub fn figures(&mut self, now: Timestamp, figures: &Figures) {
        let line = stats(now, figures, self.dropped);
        self.line(line);
    }

    fn line(&mut self, line: Value) {
        let Some(lines) = &self.lines else { return };
        match lines.try_send(line) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => self.dropped += 1,
            Err(TrySendError::Disconnected(_)) => self.lines = None,
        }
    }
}

impl Drop for StatsJson {
    /// Waits until everything is written, but not for ever.
    fn drop(&mut self) {
        self.lines = None;
        if self.written.recv_timeout(self.patience) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("the last statistics are not written: nobody takes them");
        }
    }
}

/// Whether a path stands for standard output.
#[must_use]
pub fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

fn write(mut out: Output, lines: &Receiver<Value>) {
    while let Ok(first) = lines.recv() {
        for line in core::iter::once(first).chain(lines.try_iter()) {
            out.write(|out| writeln!(out, "{line}"));
        }
        out.flush();
        if out.has_failed() {
            return;
        }
    }
}

fn frame(record: &FrameRecord) -> Value {
    let us = |at: Option<Timestamp>| at.map(Timestamp::as_micros);
    let repaired = match record.repaired {
        Repaired::No => "no",
        Repaired::ByParity => "by parity",
        Repaired::ByRepair => "by request",
    };
    json!({
        "type": "frame",
        "id": record.frame_id,
        "key": record.key,
        "bytes": record.bytes,
        "captured_us": us(record.captured),
        "encoded_us": us(record.encoded),
        "first_packet_us": us(record.first_packet),
        "completed_us": us(record.completed),
        "asked_us": us(record.asked),
        "requests": record.requests,
        "repaired": repaired,
        "released_us": us(record.released),
        "late": record.late,
        "abandoned": record.abandoned.map(Abandoned::name),
        "decoded_us": us(record.decoded),
        "shown_us": us(record.shown),
    })
}

fn stats(now: Timestamp, figures: &Figures, dropped: u64) -> Value {
    let Figures { stats, bytes_received, .. } = figures;
    let ClientStats { receiver, freezes, .. } = stats;
    let causes = FreezeCause::ALL.iter().zip(freezes.count);
    let causes: Map<String, Value> = causes.map(|(cause, count)| (cause.name().to_owned(), count.into())).collect();
    let reasons = Abandoned::ALL.iter().zip(receiver.frames_abandoned);
    let abandoned: Map<String, Value> =
        reasons.map(|(reason, count)| (reason.name().to_owned(), count.into())).collect();
    json!({
        "type": "stats",
        "at_us": now.as_micros(),
        "sessions": stats.sessions,
        "rtt_us": stats.rtt.map(micros),
        "budget_us": micros(stats.budget),
        "bytes_received": bytes_received,
        "packets_sent_by_server": stats.packets_sent_by_server,
        "packets_received": stats.packets_received,
        "datagrams_dropped": stats.datagrams_dropped,
        "reports": stats.reports,
        "newest_frame": stats.newest_frame,
        "fragments": receiver.fragments,
        "rows": receiver.rows,
        "frames_released": receiver.frames_released,
        "frames_late": receiver.frames_late,
        "frames_by_parity": receiver.frames_by_parity,
        "frames_repaired": receiver.frames_repaired,
        "frames_abandoned": abandoned,
        "freezes": causes,
        "frozen_us": micros(freezes.total),
        "longest_freeze_us": micros(freezes.longest),
        "lines_dropped": dropped,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &Path) -> Vec<Value> {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn each_line_is_an_object_that_says_what_it_is() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut json = StatsJson::create(file.path()).unwrap();
        let ms = Timestamp::from_millis;
        let shown = FrameRecord {
            frame_id: 7,
            bytes: 900,
            captured: Some(ms(100)),
            asked: Some(ms(140)),
            requests: 2,
            repaired: Repaired::ByRepair,
            released: Some(ms(160)),
            shown: Some(ms(170)),
            ..FrameRecord::default()
        };
        json.frame(&shown);
        json.frame(&FrameRecord { frame_id: 8, abandoned: Some(Abandoned::Late), ..FrameRecord::default() });
        let length = Duration::from_millis(140);
        json.freeze(ms(170), &Freeze { stood: 3, next: 7, length, cause: FreezeCause::BurstLoss });
        json.figures(ms(1_000), &Figures { bytes_received: 5, ..Figures::default() });
        drop(json);
        let lines = lines(file.path());
        let types: Vec<_> = lines.iter().map(|line| line["type"].as_str().unwrap()).collect();
        assert_eq!(types, ["frame", "frame", "freeze", "stats"]);
        assert_eq!(
            lines[0],
            json!({
                "type": "frame", "id": 7, "key": false, "bytes": 900, "captured_us": 100_000, "encoded_us": null,
                "first_packet_us": null, "completed_us": null, "asked_us": 140_000, "requests": 2,
                "repaired": "by request", "released_us": 160_000, "late": false, "abandoned": null,
                "decoded_us": null, "shown_us": 170_000,
            })
        );
        assert_eq!((&lines[1]["abandoned"], &lines[1]["shown_us"]), (&json!("late"), &Value::Null));
        assert_eq!((&lines[2]["cause"], &lines[2]["length_us"]), (&json!("burst loss"), &json!(140_000)));
        assert_eq!((&lines[3]["bytes_received"], &lines[3]["freezes"]["silence"]), (&json!(5), &json!(0)));
    }

    #[test]
    fn a_file_that_cannot_be_is_said_at_once() {
        let error = StatsJson::create(Path::new("/nonexistent/s.jsonl")).err().unwrap();
        assert!(error.to_string().contains("the statistics /nonexistent/s.jsonl"));
    }

    #[test]
    fn a_reader_that_does_not_read_holds_up_nobody() {
        /// Takes nothing until it is let.
        struct Stubborn(Receiver<()>);
        impl io::Write for Stubborn {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                let _ = self.0.recv();
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (let_go, held) = std::sync::mpsc::channel();
        let mut json = StatsJson::to(Output::to(Box::new(Stubborn(held)), PURPOSE));
        (0..LINES_MAX * 8).for_each(|_| json.frame(&FrameRecord::default()));
        assert!(json.dropped >= 1, "nothing waits without end");
        json.patience = Duration::from_millis(10);
        drop(json);
        drop(let_go);
    }
}
