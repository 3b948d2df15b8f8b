//! Measures what loss costs a viewer over a table of impaired paths, and holds it against what is possible.

use core::num::NonZeroUsize;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use sim::scorecard::{self, Score};

/// Measures every row of the scorecard, prints the table and writes it with a picture of each row.
#[derive(Parser)]
struct Args {
    /// A few short rows instead of all.
    #[arg(long)]
    quick: bool,
    /// Only rows whose name contains this.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Fail if a row misses one of its bars.
    #[arg(long)]
    check: bool,
    /// Rows that are measured at once; by default as many as there are processor cores.
    #[arg(long)]
    threads: Option<NonZeroUsize>,
    /// Where scorecard.md, scorecard.json and the pictures go.
    #[arg(long, value_name = "DIRECTORY", default_value = "target/scorecard")]
    out: PathBuf,
}

fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args) {
        Ok(passed) if passed || !args.check => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            drop(writeln!(io::stderr(), "scorecard: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<bool, Box<dyn core::error::Error>> {
    let mut rows = if args.quick { scorecard::quick() } else { scorecard::full() };
    rows.retain(|row| args.only.as_ref().is_none_or(|text| row.name.contains(text)));
    let threads = args.threads.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
    let started = Instant::now();
    let progress = |score: &Score| {
        drop(writeln!(io::stderr(), "{:7.1} s  {}", started.elapsed().as_secs_f64(), score.name));
    };
    let scores = scorecard::run(&rows, threads, progress);
    fs::create_dir_all(&args.out)?;
    let table = scorecard::markdown(&scores);
    fs::write(args.out.join("scorecard.md"), &table)?;
    fs::write(args.out.join("scorecard.json"), serde_json::to_string_pretty(&scores)?)?;
    for score in &scores {
        fs::write(args.out.join(file_name(&score.name)), scorecard::draw(score)?)?;
    }
    let mut out = io::stdout().lock();
    out.write_all(table.as_bytes())?;
    writeln!(out, "Measured in {:.0} s; pictures in {}", started.elapsed().as_secs_f64(), args.out.display())?;
    Ok(scores.iter().all(Score::passes))
}

/// Letters and digits of a row's name, with a dash for anything else.
fn file_name(name: &str) -> String {
    let words: Vec<_> =
        name.split(|c: char| !c.is_ascii_alphanumeric() && c != '.').filter(|word| !word.is_empty()).collect();
    format!("{}.svg", words.join("-").to_lowercase())
}
