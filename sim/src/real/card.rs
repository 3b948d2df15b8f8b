//! The table of results beside those of other programs, and what is expected of it.

use core::fmt::Write as _;
use core::time::Duration;

use serde::Serialize;

use super::peers;
use super::score::{LOWER_HEADERS_BYTES, MARGIN, Outcome};
use crate::proxy::{Profile, Report};

/// One run over one path.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Run {
    /// Which dice.
    pub seed: u64,
    /// What came of it.
    pub figures: Figures,
    /// Frames later than displaced datagrams explain; counted where datagrams are reordered.
    pub late: Option<usize>,
    /// Datagrams with media beyond what the stream needs, that is repairs and parity; counted where none has a reason.
    pub repairs: Option<i64>,
    /// What the proxy counted.
    pub proxy: Report,
    /// Processes that ran or wanted to, on average, where the system says so.
    pub load: Option<f64>,
    /// What was not as it should be with the programs themselves.
    pub notes: Vec<String>,
}

/// What a viewer has of it and what it costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    /// Percent of the frames in time.
    pub in_time: f64,
    /// Percent of the frames usable.
    pub usable: f64,
    /// Bytes to the viewer beyond the access units, in percent of them.
    pub overhead: f64,
    /// Seconds that the picture stood still.
    pub frozen_s: f64,
    /// Median latency in milliseconds.
    pub p50_ms: Option<f64>,
    /// The same of 95 % of the released frames.
    pub p95_ms: Option<f64>,
    /// The same of 99 %.
    pub p99_ms: Option<f64>,
}

impl Figures {
    /// Those of one run.
    #[must_use]
    pub fn of(outcome: &Outcome, overhead: f64) -> Self {
        let ms = |duration: Option<Duration>| duration.map(|duration| duration.as_secs_f64() * 1e3);
        Self {
            in_time: outcome.in_time,
            usable: outcome.usable,
            overhead,
            frozen_s: outcome.frozen.as_secs_f64(),
            p50_ms: ms(outcome.p50),
            p95_ms: ms(outcome.p95),
            p99_ms: ms(outcome.p99),
        }
    }

    /// Their mean over all runs.
    fn mean(runs: &[Run]) -> Self {
        let all = || runs.iter().map(|run| &run.figures);
        let count = runs.len().max(1) as f64;
        let mean = |figure: fn(&Self) -> f64| all().map(figure).sum::<f64>() / count;
        let mean_known = |figure: fn(&Self) -> Option<f64>| Some(all().map(figure).sum::<Option<f64>>()? / count);
        Self {
            in_time: mean(|figures| figures.in_time),
            usable: mean(|figures| figures.usable),
            overhead: mean(|figures| figures.overhead),
            frozen_s: mean(|figures| figures.frozen_s),
            p50_ms: mean_known(|figures| figures.p50_ms),
            p95_ms: mean_known(|figures| figures.p95_ms),
            p99_ms: mean_known(|figures| figures.p99_ms),
        }
    }
}

/// All runs over one path.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The path's name.
    pub profile: &'static str,
    /// Means of the runs.
    pub mean: Figures,
    /// The runs.
    pub runs: Vec<Run>,
    /// Bars that are missed, each in a sentence.
    pub missed: Vec<String>,
}

impl Row {
    /// Takes the runs together and holds them against what is expected there.
    #[must_use]
    pub fn new(profile: &'static str, runs: Vec<Run>) -> Self {
        let mean = Figures::mean(&runs);
        let mut row = Self { profile, mean, runs, missed: Vec::new() };
        let bars = BARS.iter().filter(|(path, _)| *path == profile).flat_map(|(_, bars)| *bars);
        row.missed = bars.flat_map(|bar| bar.misses(&row)).collect();
        row
    }
}

/// What a row must reach.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Bar {
    /// So many percent usable.
    Usable(f64),
    /// No more than so many percent of overhead.
    Overhead(f64),
    /// Nothing is sent twice or in advance.
    NoRepairs,
    /// No frame is later than displaced datagrams explain.
    NoneLate,
    /// No other program has more usable frames, and none that keeps [`WATCHABLE`] percent of them a shorter p99.
    Peers,
}

/// Percent of usable frames from which a latency says something.
const WATCHABLE: f64 = 90.0;

const BARS: [(&str, &[Bar]); 8] = [
    ("clean", &[Bar::Usable(100.0), Bar::Overhead(4.3)]),
    ("clean-1200", &[Bar::Usable(100.0), Bar::Overhead(5.0), Bar::NoRepairs]),
    ("reorder", &[Bar::NoneLate, Bar::Overhead(8.0)]),
    ("P1", &[Bar::Usable(100.0), Bar::Peers]),
    ("P2", &[Bar::Usable(99.9), Bar::Overhead(15.0), Bar::Peers]),
    ("P3", &[Bar::Usable(99.5), Bar::Overhead(20.0), Bar::Peers]),
    ("P4", &[Bar::Usable(95.0), Bar::Overhead(60.0), Bar::Peers]),
    ("P6", &[Bar::Usable(99.0), Bar::Overhead(60.0), Bar::Peers]),
];

impl Bar {
    fn misses(self, row: &Row) -> Vec<String> {
        let Row { profile, mean, runs, .. } = row;
        let missed =
            |is_missed: bool, text: String| if is_missed { vec![format!("{profile}: {text}")] } else { vec![] };
        match self {
            Self::Usable(min) => missed(mean.usable < min, format!("{:.2} % usable, not {min} %", mean.usable)),
            Self::Overhead(max) => {
                missed(mean.overhead > max, format!("{:.2} % overhead, over {max} %", mean.overhead))
            }
            Self::NoRepairs => {
                let repairs: Option<i64> = runs.iter().map(|run| run.repairs).sum();
                missed(repairs != Some(0), format!("{} repairs where nothing is lost", known(repairs)))
            }
            Self::NoneLate => {
                let late: Option<usize> = runs.iter().map(|run| run.late).sum();
                missed(late != Some(0), format!("{} frames later than displaced datagrams explain", known(late)))
            }
            Self::Peers => peers_ahead(row).into_iter().chain(peers_faster(row)).collect(),
        }
    }
}

/// The one with the most usable frames, if that is more than here.
fn peers_ahead(row: &Row) -> Option<String> {
    let Row { profile, mean, .. } = row;
    let best = peers::on(profile).into_iter().max_by(|(_, a), (_, b)| a.usable.total_cmp(&b.usable));
    let (name, peer) = best.filter(|(_, peer)| peer.usable > mean.usable)?;
    Some(format!("{profile}: {:.2} % usable, {name} has {} %", mean.usable, peer.usable))
}

/// The one with the shortest p99 among those that can be watched, if that is shorter than here.
fn peers_faster(row: &Row) -> Option<String> {
    let Row { profile, mean, .. } = row;
    let watchable = peers::on(profile).into_iter().filter(|(_, peer)| peer.usable >= WATCHABLE);
    let with_p99 = watchable.filter_map(|(name, peer)| Some((name, peer.p99_ms?)));
    let (name, p99_ms) = with_p99.min_by(|(_, a), (_, b)| a.total_cmp(b))?;
    let is_faster = mean.p99_ms.is_none_or(|ours| ours > p99_ms);
    is_faster.then(|| format!("{profile}: p99 {} ms, {name} has {p99_ms} ms", digits(mean.p99_ms, 1)))
}

fn known(number: Option<impl ToString>) -> String {
    number.map_or_else(|| "an unknown number of".to_owned(), |number| number.to_string())
}

fn digits(number: Option<f64>, places: usize) -> String {
    number.map_or_else(|| "-".to_owned(), |number| format!("{number:.places$}"))
}

/// The rows beside the peers' and all that is missed.
#[must_use]
pub fn markdown(rows: &[Row], budget: Duration) -> String {
    let mut out = format!("# Impaired paths on real sockets, budget {} ms\n\n", budget.as_millis());
    out += "| path | program | in time % | usable % | overhead % | frozen s | p50 ms | p95 ms | p99 ms |\n";
    out += "|---|---|---|---|---|---|---|---|---|\n";
    for row in rows {
        write_row(&mut out, row);
    }
    let frames_after = budget + MARGIN;
    out += &format!(
        "\n720p, 30 pictures a second, 3.99 Mbit/s, a key frame each 10 s; nothing answers requests for key frames. Both \
         directions are impaired alike.\nMeans of the runs. *In time*: released to the decoder within {} ms after the \
         server's core had it; this viewer releases nothing whose\nreferences it lacks. *Usable*: by then all references \
         back to the key frame had been, too. *Overhead*: everything sent to the viewer, before\nlosses, with {} bytes of \
         IPv4 and UDP headers a datagram, over the bytes of the access units. *Frozen*: freezes as webrtc-stats defines\nthem, \
         between usable frames. Latencies are of all released frames. The other programs were measured earlier with the \
         same profiles.\n",
        frames_after.as_millis(),
        LOWER_HEADERS_BYTES,
    );
    write_list(&mut out, "Missed", rows.iter().flat_map(|row| row.missed.iter().cloned()));
    let noted = |row: &Row| {
        let of_run = |run: &Run| {
            let proxy = run.proxy.lateness;
            let (p99_us, max_us, load) = (proxy.p99_us, proxy.max_us, digits(run.load, 1));
            let timing = format!("proxy late by {p99_us} us at p99, {max_us} us at most; load average {load}");
            [vec![timing], run.notes.clone()].concat().join("; ")
        };
        let lines = row.runs.iter().map(|run| format!("{} seed {}: {}", row.profile, run.seed, of_run(run)));
        lines.collect::<Vec<_>>()
    };
    write_list(&mut out, "Runs", rows.iter().flat_map(noted));
    out
}

fn write_row(out: &mut String, row: &Row) {
    let Row { profile, mean, runs, .. } = row;
    let says = Profile::named(profile).map_or("", |profile| profile.says);
    let _ = writeln!(
        out,
        "| **{profile}**: {says} | **nalcast**, {} runs | {:.2} | {:.2} | {:.2} | {:.2} | {} | {} | {} |",
        runs.len(),
        mean.in_time,
        mean.usable,
        mean.overhead,
        mean.frozen_s,
        digits(mean.p50_ms, 1),
        digits(mean.p95_ms, 1),
        digits(mean.p99_ms, 1),
    );
    for (name, peer) in peers::on(profile) {
        let peers::Result { in_time, usable, overhead, p99_ms } = peer;
        let (overhead, p99_ms) = (digits(overhead, 0), digits(p99_ms, 0));
        let _ = writeln!(out, "| | {name} | {in_time} | {usable} | {overhead} | - | - | - | {p99_ms} |");
    }
}

fn write_list(out: &mut String, title: &str, lines: impl Iterator<Item = String>) {
    let _ = write!(out, "\n{title}:\n\n");
    let mut empty = true;
    for line in lines {
        empty = false;
        let _ = writeln!(out, "- {line}");
    }
    if empty {
        *out += "- nothing\n";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(figures: Figures) -> Run {
        Run {
            seed: 1,
            figures,
            late: Some(0),
            repairs: Some(0),
            proxy: Report::default(),
            load: Some(0.5),
            notes: Vec::new(),
        }
    }

    /// Good enough for every path.
    fn good() -> Figures {
        Figures {
            in_time: 100.0,
            usable: 100.0,
            overhead: 4.2,
            frozen_s: 0.0,
            p50_ms: Some(20.0),
            p95_ms: Some(40.0),
            p99_ms: Some(60.0),
        }
    }

    #[track_caller]
    fn check(profile: &'static str, runs: Vec<Run>, says: &[&str]) {
        let missed = Row::new(profile, runs).missed;
        assert_eq!(missed.len(), says.len(), "{profile}: {missed:#?}");
        for (missed, says) in missed.iter().zip(says) {
            assert!(missed.starts_with(profile) && missed.contains(says), "{missed}");
        }
    }

    #[test]
    fn what_is_good_enough_misses_nothing() {
        for (profile, bars) in BARS {
            assert!(!bars.is_empty() && Profile::named(profile).is_some(), "{profile}");
            check(profile, vec![run(good()), run(good())], &[]);
        }
        let barely = Figures { usable: 95.0, overhead: 60.0, p99_ms: Some(1e6), ..good() };
        check("P4", vec![run(barely)], &[]);
    }

    #[test]
    fn each_bar_can_be_missed() {
        let with = |figures: Figures| vec![run(good()), run(figures)];
        check("P1", with(Figures { usable: 99.9, ..good() }), &["99.95 % usable, not 100 %", "has 100 %"]);
        check("P2", with(Figures { usable: 99.7, ..good() }), &["99.85 % usable, not 99.9 %"]);
        check("P3", with(Figures { overhead: 36.0, ..good() }), &["20.10 % overhead, over 20 %"]);
        check("P4", with(Figures { usable: 89.9, ..good() }), &["94.95 % usable"]);
        check(
            "P4",
            with(Figures { usable: -13.0, ..good() }),
            &["not 95 %", "QUIC (quinn), BBR, a stream a frame has 44 %"],
        );
        check(
            "P1",
            with(Figures { p99_ms: Some(67.0), ..good() }),
            &["p99 63.5 ms, QUIC (quinn), BBR, a stream a frame has 63"],
        );
        check("P6", with(Figures { overhead: 116.0, usable: 97.0, ..good() }), &["98.50 % usable", "60.10 %"]);
        check("clean", with(Figures { overhead: 4.5, ..good() }), &["4.35 % overhead"]);
        check("clean-1200", with(Figures { usable: 99.0, ..good() }), &["99.50 % usable"]);
        check("reorder", with(Figures { overhead: 12.0, ..good() }), &["8.10 % overhead"]);
        // Of the peers, only those that can be watched are compared with.
        check(
            "P2",
            with(Figures { p99_ms: Some(227.0), ..good() }),
            &["p99 143.5 ms, QUIC (quinn), BBR, a stream a frame has 143"],
        );
        check("P3", with(Figures { p99_ms: None, ..good() }), &["p99 - ms, QUIC"]);
        check("P6", with(Figures { p99_ms: None, ..good() }), &[]);
        for repairs in [Some(1), None] {
            check("clean-1200", vec![run(good()), Run { repairs, ..run(good()) }], &["repairs where nothing is lost"]);
        }
        for late in [Some(2), None] {
            check("reorder", vec![run(good()), Run { late, ..run(good()) }], &["frames later than"]);
        }
    }

    #[test]
    fn the_table_has_both_sides_and_what_was_missed() {
        let noted = Run { notes: vec!["the viewer ended with 1".to_owned()], ..run(good()) };
        let rows = [Row::new("P4", vec![noted]), Row::new("clean", vec![run(Figures { overhead: 5.0, ..good() })])];
        let text = markdown(&rows, Duration::from_millis(150));
        for wanted in [
            "| **P4**: 10 % lost, 50 ms | **nalcast**, 1 runs | 100.00 | 100.00 | 4.20 | 0.00 | 20.0 | 40.0 | 60.0 |\n",
            "| | QUIC (quinn), BBR, a stream a frame | 66 | 44 | 16 | - | - | - | 387 |\n",
            "within 160 ms",
            "- clean: 5.00 % overhead, over 4.3 %\n",
            "- P4 seed 1: proxy late by 0 us at p99, 0 us at most; load average 0.5; the viewer ended with 1\n",
        ] {
            assert!(text.contains(wanted), "no {wanted:?} in {text}");
        }
    }
}
