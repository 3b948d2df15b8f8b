//! Prints what the HTTP request parser makes of the bytes on standard input: `http-events [--split HOW] [--eof]`.

use std::io::{self, Read, Write};
use std::process::ExitCode;

use clap::Parser;
use sim::http_events::{self, Options, Split};

/// Feeds the bytes on standard input to the HTTP request parser and prints its events, a JSON object a line.
///
/// A refused request is an event like any other: the exit code tells only of the program's own failures.
#[derive(Parser)]
struct Args {
    /// How to cut the input: a number of bytes for each piece; `all` for every way to make two pieces and for single
    /// bytes, which must all give the same events, or the exit code is 1; `seed:N` for random pieces that N decides. Time grows with
    /// the square of the input's length under `all`.
    #[arg(long, value_name = "BYTES|all|seed:N")]
    split: Option<Split>,
    /// Let HTTP/1.1 requests lack a Host field, as those of many test collections do.
    #[arg(long)]
    no_host_rule: bool,
    /// The stream ends after the input. Without it more may come, and the last line may be `need_more`.
    #[arg(long)]
    eof: bool,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            drop(writeln!(io::stderr(), "http-events: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Box<dyn core::error::Error>> {
    let mut stream = Vec::new();
    io::stdin().lock().read_to_end(&mut stream)?;
    let options = Options { host_rule: !args.no_host_rule, eof: args.eof };
    let lines = http_events::events(&stream, args.split.unwrap_or(Split::Whole), options)?;
    io::stdout().lock().write_all(http_events::text(&lines).as_bytes())?;
    Ok(())
}
