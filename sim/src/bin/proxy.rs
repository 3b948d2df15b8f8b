//! Impairs the way between the real programs: `proxy --to ADDR --profile P3`.

use core::net::SocketAddr;
use std::io::{self, Read, Write};
use std::process::ExitCode;

use clap::Parser;
use shell_common::program::run_program;
use shell_common::signals::shutdown_signal;
use sim::proxy::{PathSpec, Profile, Relay, sockets::Proxy};
use tokio::sync::oneshot;

/// Stands between viewers and a server and loses, delays and reorders datagrams as the simulator's links do.
///
/// Prints where viewers are taken. Ends at SIGINT, at SIGTERM, or when standard input does, with a line of JSON that
/// tells what became of the datagrams. A path is written as items with commas between them: loss=5%, burst=5 (mean run
/// of lost datagrams), delay=25ms, jitter=30ms, reorder, hold=1%:5ms:20ms, dup=1%:2ms, rate=10M, queue=64k, mtu=1472,
/// corrupt=0.1%, truncate=0.1%, blackout=2s:2.5s.
#[derive(Clone, Debug, Parser)]
#[command(name = "proxy", max_term_width = 100)]
struct Args {
    /// UDP address for viewers
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The server's UDP address
    #[arg(long, value_name = "ADDR:PORT")]
    to: SocketAddr,
    /// What happens on the way to the viewers
    #[arg(long, value_name = "PATH", default_value = "")]
    down: PathSpec,
    /// What happens on the way to the server
    #[arg(long, value_name = "PATH", default_value = "")]
    up: PathSpec,
    /// What happens both ways
    #[arg(long, value_name = "PATH", conflicts_with_all = ["down", "up"])]
    both: Option<PathSpec>,
    /// Both ways, by name: clean, clean-1200, reorder, P1, P2, P3, P4 or P6
    #[arg(long, value_name = "NAME", conflicts_with_all = ["down", "up", "both"], value_parser = parse_profile)]
    profile: Option<PathSpec>,
    /// Decides what is lost
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

fn parse_profile(name: &str) -> Result<PathSpec, String> {
    let profile = Profile::named(name).ok_or("choose clean, clean-1200, reorder, P1, P2, P3, P4 or P6")?;
    profile.spec.parse().map_err(|error: sim::proxy::SpecError| error.to_string())
}

fn main() -> ExitCode {
    run_program("proxy", Args::try_parse(), run)
}

fn run(args: &Args) -> Result<(), Box<dyn core::error::Error>> {
    let both = args.profile.as_ref().or(args.both.as_ref());
    let (down, up) = both.map_or_else(|| (&args.down, &args.up), |both| (both, both));
    let proxy = Proxy::start(args.listen, args.to, Relay::new(down.clone(), up.clone(), args.seed))?;
    say(&format!("proxy at {} for {}", proxy.local_addr()?, args.to))?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(end())?;
    say(&serde_json::to_string(&proxy.report())?)?;
    Ok(())
}

/// Waits for a signal or for the end of standard input.
async fn end() -> io::Result<()> {
    let signal = shutdown_signal()?;
    let (tell, told) = oneshot::channel::<()>();
    std::thread::Builder::new().name("input".to_owned()).spawn(move || {
        let _ended = io::stdin().lock().read_to_end(&mut Vec::new());
        drop(tell);
    })?;
    tokio::select! {
        biased;
        () = signal => {}
        _ = told => {}
    }
    Ok(())
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
