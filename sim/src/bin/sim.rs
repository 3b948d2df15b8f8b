//! Runs seeds of the inner ring: `sim --seed N [--seeds M] [--trace]`.

use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use sim::scenario::Scenario;
use sim::world;

/// Simulates a server and its viewers over faulty networks and checks every law at every step.
#[derive(Parser)]
struct Args {
    /// The first seed; it decides the whole scenario.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds to run, one after the other.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// Print everything that happens.
    #[arg(long)]
    trace: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let mut out = std::io::stdout().lock();
    let started = Instant::now();
    let mut simulated = 0;
    let mut failed = 0u64;
    for seed in args.seed..args.seed.saturating_add(args.seeds) {
        let scenario = Scenario::from_seed(seed);
        let single = args.seeds == 1;
        if single {
            drop(write!(out, "{scenario}"));
        }
        match world::run(&scenario, args.trace) {
            Ok(report) => {
                simulated += report.simulated.as_micros();
                report.lines.iter().for_each(|line| drop(writeln!(out, "{line}")));
                if single {
                    drop(write!(out, "{report}"));
                }
            }
            Err(failure) => {
                failed += 1;
                failure.lines.iter().for_each(|line| drop(writeln!(out, "{line}")));
                drop(writeln!(out, "FAILED\n{failure}"));
            }
        }
        let done = seed - args.seed + 1;
        if !single && done.is_multiple_of(1_000) {
            drop(writeln!(out, "{done} of {} seeds, {failed} failed, {:.0?}", args.seeds, started.elapsed()));
        }
    }
    let wall = started.elapsed().as_secs_f64();
    let seconds = simulated as f64 / 1e6;
    drop(writeln!(
        out,
        "{} seeds, {failed} failed; {seconds:.0} s simulated in {wall:.1} s: {:.0} times real time",
        args.seeds,
        seconds / wall.max(1e-9)
    ));
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
