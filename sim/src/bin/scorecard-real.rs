//! Holds the real programs over impaired paths against what others reach: `scorecard-real [--profiles P1,P3]`.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;

use std::thread;

use clap::Parser;
use nalcast_core::limits::DATAGRAM_BYTES_BASE;
use nalcast_core::nal::{Codec, Inspector};
use nalcast_core::wire::media::{FRAGMENT_HEADER_BYTES, FrameHeader};
use nalcast_core::wire::sealed::TO_VIEWER_BYTES;
use shell_common::program::run_program;
use sim::proxy::{PROFILES, Profile};
use sim::real::card::{Figures, Row, Run, markdown};
use sim::real::logs::Index;
use sim::real::run::{Finished, Plan};
use sim::real::score::{Frame, Passage, late_beyond, overhead, repairs, score};
use sim::real::stream;

/// Tag of either cipher (RFC 8439, NIST SP 800-38D).
const TAG_BYTES: usize = 16;
/// The largest displacement on the path `reorder`: its jitter.
const DISPLACED: Duration = Duration::from_millis(30);

/// Shares a video of 30 seconds over each path, through the proxy, and scores what the viewer had of it.
///
/// The programs shell-server, shell-client and proxy must lie beside this one. Ends with a failure where a bar is missed.
#[derive(Clone, Debug, Parser)]
#[command(name = "scorecard-real", max_term_width = 100)]
struct Args {
    /// Which paths, with commas between them; all if not given
    #[arg(long, value_delimiter = ',', value_parser = parse_profile)]
    profiles: Vec<&'static Profile>,
    /// Runs over each path, each with dice of its own
    #[arg(long, value_name = "N", default_value_t = 3)]
    seeds: u64,
    /// Length of the video in seconds, 30 at most
    #[arg(long, value_name = "SECS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=30))]
    seconds: u64,
    /// Runs at a time
    #[arg(long, value_name = "N", default_value_t = 1)]
    jobs: usize,
    /// What the viewer is to keep
    #[arg(long, value_name = "MS", default_value_t = 150)]
    budget_ms: u16,
    /// Where the results go
    #[arg(long, value_name = "PATH", default_value = "target/scorecard")]
    out: PathBuf,
}

fn parse_profile(name: &str) -> Result<&'static Profile, String> {
    Profile::named(name).ok_or_else(|| "choose from clean, clean-1200, reorder, P1, P2, P3, P4 and P6".to_owned())
}

type Failure = Box<dyn core::error::Error + Send + Sync>;

fn main() -> ExitCode {
    run_program("scorecard-real", Args::try_parse(), run)
}

fn run(args: &Args) -> Result<(), Failure> {
    let directory = args.out.join("real");
    fs::create_dir_all(&directory)?;
    let units = stream::access_units((args.seconds * u64::from(stream::FPS)) as usize);
    let video = directory.join("video.h264");
    fs::write(&video, units.concat())?;
    let programs = std::env::current_exe()?.parent().map(PathBuf::from).unwrap_or_default();
    let length = Duration::from_secs(args.seconds);
    let plan = Plan { programs, stream: video, length, directory, budget_ms: args.budget_ms };
    let profiles = if args.profiles.is_empty() { PROFILES.iter().collect() } else { args.profiles.clone() };
    let scorer = Scorer::new(&units, Duration::from_millis(args.budget_ms.into()));

    let scored = run_all(&plan, &scorer, &profiles, args)?;
    let rows = scorer.rows(&profiles, scored);
    let text = markdown(&rows, scorer.budget);
    fs::write(args.out.join("real.md"), &text)?;
    fs::write(args.out.join("real.json"), serde_json::to_string_pretty(&rows)?)?;
    say(&text);
    let missed: usize = rows.iter().map(|row| row.missed.len()).sum();
    if missed == 0 { Ok(()) } else { Err(format!("{missed} bars are missed").into()) }
}

/// A run and what its frames went through.
type Scored = (&'static str, Run, Vec<Option<Passage>>);

fn run_all(plan: &Plan, scorer: &Scorer, profiles: &[&'static Profile], args: &Args) -> Result<Vec<Scored>, Failure> {
    let work: Vec<_> = profiles.iter().flat_map(|profile| (1..=args.seeds).map(move |seed| (*profile, seed))).collect();
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let worker = || {
        while let Some(&(profile, seed)) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
            let result = scorer.run(plan, profile, seed);
            if let Ok(mut results) = results.lock() {
                results.push(result);
            }
        }
    };
    thread::scope(|scope| (0..args.jobs.max(1)).for_each(|_| drop(scope.spawn(worker))));
    let mut scored = results.into_inner()?.into_iter().collect::<Result<Vec<Scored>, Failure>>()?;
    scored.sort_by_key(|(_, run, _)| run.seed);
    Ok(scored)
}

/// What the logs of a run are held against.
struct Scorer {
    frames: Vec<Frame>,
    index: Index,
    budget: Duration,
}

impl Scorer {
    fn new(units: &[Vec<u8>], budget: Duration) -> Self {
        let mut inspector = Inspector::new(Codec::H264);
        let frame = |unit: &Vec<u8>| {
            let info = inspector.inspect(unit);
            Frame { key: info.key, disposable: info.disposable, bytes: unit.len() }
        };
        Self { frames: units.iter().map(frame).collect(), index: Index::of(units), budget }
    }

    fn run(&self, plan: &Plan, profile: &'static Profile, seed: u64) -> Result<Scored, Failure> {
        let finished = plan.run(profile, seed)?;
        let passages = self.index.passages(&finished.server_log, &finished.viewer_log)?;
        let outcome = score(&self.frames, &passages, self.budget);
        let down = &finished.proxy.counts.down;
        let figures = Figures::of(&outcome, overhead(down.sent, down.sent_bytes, &self.frames));
        let repairs = (profile.name == "clean-1200").then(|| repairs(&finished.proxy.counts, &self.needed()));
        say(&format!(
            "{} seed {seed}: {:.2} % usable, {:.2} % overhead\n",
            profile.name, figures.usable, figures.overhead
        ));
        let Finished { proxy, load, notes, .. } = finished;
        let run = Run { seed, figures, late: None, repairs, proxy, load, notes };
        Ok((profile.name, run, passages))
    }

    /// Datagrams that each frame needs on a path of the base size.
    fn needed(&self) -> Vec<u64> {
        let fragment_bytes = DATAGRAM_BYTES_BASE - TO_VIEWER_BYTES - FRAGMENT_HEADER_BYTES - TAG_BYTES;
        let needed = |frame: &Frame| (frame.bytes + header_bytes(frame)).div_ceil(fragment_bytes) as u64;
        self.frames.iter().map(needed).collect()
    }

    fn rows(&self, profiles: &[&'static Profile], mut scored: Vec<Scored>) -> Vec<Row> {
        // The first run without any fault is what reordering is compared with.
        let plain = scored.iter().find(|(name, ..)| *name == "clean").map(|(.., passages)| passages.clone());
        for (_, run, passages) in scored.iter_mut().filter(|(name, ..)| *name == "reorder") {
            run.late = plain.as_ref().map(|plain| late_beyond(DISPLACED, plain, passages));
        }
        let runs = |profile: &Profile| {
            let of_profile = scored.iter().filter(|(name, ..)| *name == profile.name);
            of_profile.map(|(_, run, _)| run.clone()).collect()
        };
        profiles.iter().map(|profile| Row::new(profile.name, runs(profile))).collect()
    }
}

fn header_bytes(frame: &Frame) -> usize {
    let header = FrameHeader {
        codec: Codec::H264,
        key: frame.key,
        parameter_sets: frame.key,
        marks_long_term: false,
        uses_long_term: false,
        geometry_changed: false,
        parameter_epoch: 0,
        reference_delta: u32::from(!frame.key),
        capture_us: 0,
        encode_units: 0,
        body_len: frame.bytes as u32,
    };
    header.len()
}

/// Nobody may be reading; that is no reason to stop measuring.
fn say(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
