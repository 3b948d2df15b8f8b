//! The program: the network on a thread of its own, window or status line on the main thread.

use core::cell::Cell;
use core::future::pending;
use core::net::SocketAddr;
use core::pin::pin;
use core::time::Duration;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::thread;

use nalcast_core::handshake::Noise;
use nalcast_core::recv::{Client, ClientConfig, EndReason};
use shell_common::cipher::preferred_cipher;
use shell_common::clock::Clock;
use shell_common::key::KeyError;
use shell_common::output::CreateError;
use shell_common::program::run_program;
use shell_common::signals::shutdown_signal;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::address::ServerAddress;
use crate::code;
use crate::config::Config;
use crate::display::{DisplayError, WindowOptions, run_window};
use crate::driver::{self, DriverError};
use crate::framelog::FrameLog;
use crate::headless::run_headless;
use crate::net::ViewerSocket;
use crate::present::{PresentEvent, PresentHandle, PresentOptions, UnitSender, presenter};
use crate::record::Recorder;
use crate::stats_json::{StatsJson, is_stdout};
use crate::viewer::Viewer;

/// Why the program ends with a failure; each message is for its user.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The server's name has no address.
    #[error("cannot find the host {}: {source}; check the name, or use its IP address", server.host)]
    Unresolved {
        /// What was looked up.
        server: ServerAddress,
        /// What the system says.
        source: io::Error,
    },
    /// There is no way to the server.
    #[error("cannot reach {address}: {source}; check the address and the network")]
    NoRoute {
        /// Where to.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The server ended it, or never began it.
    #[error("{}", describe(*reason, server))]
    Ended {
        /// Why.
        reason: EndReason,
        /// Which server.
        server: ServerAddress,
    },
    /// The time was over before the server answered.
    #[error("{server} has not let this viewer in within the given duration; check that shell-server runs there")]
    NeverConnected {
        /// Which server.
        server: ServerAddress,
    },
    /// There is no window.
    #[error(transparent)]
    Display(#[from] DisplayError),
    /// The recording or the frame log cannot be created.
    #[error(transparent)]
    Output(#[from] CreateError),
    /// The loop could not go on.
    #[error(transparent)]
    Driver(#[from] DriverError<io::Error>),
    /// The operating system refuses something basic.
    #[error("the system refuses {what}: {source}")]
    System {
        /// What.
        what: &'static str,
        /// What it says.
        source: io::Error,
    },
    /// There is no key where one should be.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The network thread is gone without a word.
    #[error("the network thread ended unexpectedly: this is a bug in the program")]
    Thread,
}

fn describe(reason: EndReason, server: &ServerAddress) -> String {
    match reason {
        EndReason::EndOfStream => format!("{server} has nothing more to share"),
        EndReason::Left => format!("left {server}"),
        EndReason::Kicked => format!("{server} has removed this viewer; ask its owner to be let in again"),
        EndReason::Protocol => format!("{server} and this viewer do not understand each other; use the same version"),
        EndReason::NoAnswer => format!(
            "{server} does not answer; check the key, that shell-server runs there, and that UDP port {} is not blocked",
            server.port
        ),
        EndReason::Unreachable => {
            format!("nobody listens at {server}; start shell-server there, or correct the address")
        }
        EndReason::Incompatible => {
            format!("{server} speaks another version of the protocol; update the older of the two programs")
        }
        EndReason::KeyNeeded => {
            format!("{server} lets nobody in without its key; ask its owner for the whole address, or use --key-file")
        }
        EndReason::CodeNeeded => format!(
            "{server} asks for the code that it shows; type it where this program runs, or use the address with the key"
        ),
        EndReason::WrongCode => format!("that is not the code that {server} shows just now"),
        EndReason::CodeUnwanted => {
            format!("{server} shows no code; ask its owner for the whole address, or use --key-file")
        }
        EndReason::KeyUnwanted => {
            format!(
                "{server} lets anybody in and knows no key, so it may not be the one you mean; leave the key out if it is"
            )
        }
    }
}

/// Runs the program with a command line and tells how it ended.
pub fn main(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> ExitCode {
    let started = Instant::now();
    run_program("shell-client", Config::parse_command_line(arguments), |config| run(config, started))
}

/// Watches until the server ends, the user leaves or the time is over. To be called on the main thread.
///
/// # Errors
/// [`RunError`], when the program cannot begin or cannot go on, or the server does not want it.
pub fn run(config: &Config, started: Instant) -> Result<(), RunError> {
    let server = config.server.clone();
    let address = server.resolve().map_err(|source| RunError::Unresolved { server: server.clone(), source })?;
    let handshake = match config.key()? {
        Some(key) => Noise::with_key(key, preferred_cipher()),
        None => Noise::open(preferred_cipher()),
    };
    let options = PresentOptions {
        window: !config.headless,
        recorder: config.record.as_deref().map(Recorder::create).transpose()?,
        frame_log: config.frame_log.as_deref().map(FrameLog::create).transpose()?,
    };
    let (units, handle, events) = presenter(options).map_err(|source| RunError::System { what: "a thread", source })?;

    let (stop, stopped) = oneshot::channel();
    let plan = Plan {
        handshake,
        address,
        server,
        budget: config.budget(),
        smooth: config.smooth,
        stats: config.stats_json.as_deref().map(StatsJson::create).transpose()?,
        deadline: config.duration.map(|after| started + after),
    };
    let network = thread::Builder::new()
        .name("network".to_owned())
        .spawn(move || plan.watch(units, events, stopped))
        .map_err(|source| RunError::System { what: "a thread", source })?;
    let shown = show(config, &handle);
    // The network may have ended first; otherwise it says goodbye now.
    let _ = stop.send(());
    let watched = network.join().map_err(|_| RunError::Thread)?;
    handle.finish();
    print_latency(&handle, &mut messages(config));
    shown?;
    watched
}

fn show(config: &Config, handle: &PresentHandle) -> Result<(), DisplayError> {
    if config.headless {
        run_headless(handle, messages(config), !stats_on_stdout(config) && io::stdout().is_terminal());
        return Ok(());
    }
    let title = format!("nalcast {}", config.server);
    run_window(handle.clone(), WindowOptions { geometry: config.geometry, title }).map(drop)
}

fn stats_on_stdout(config: &Config) -> bool {
    config.stats_json.as_deref().is_some_and(is_stdout)
}

/// Where to tell people what happens: statistics have standard output to themselves.
fn messages(config: &Config) -> Box<dyn Write> {
    if stats_on_stdout(config) { Box::new(io::stderr()) } else { Box::new(io::stdout()) }
}

fn print_latency(handle: &PresentHandle, out: &mut dyn Write) {
    let lines: String = handle.latency_summary().into_iter().flat_map(|line| [line, "\n".to_owned()]).collect();
    // Nobody may be reading.
    let _ = out.write_all(lines.as_bytes()).and_then(|()| out.flush());
}

/// What the network thread is to do.
struct Plan {
    handshake: Noise,
    address: SocketAddr,
    server: ServerAddress,
    budget: Option<Duration>,
    smooth: bool,
    stats: Option<StatsJson>,
    deadline: Option<Instant>,
}

impl Plan {
    fn watch(
        self,
        units: UnitSender,
        events: mpsc::Receiver<PresentEvent>,
        stopped: oneshot::Receiver<()>,
    ) -> Result<(), RunError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| RunError::System { what: "an event loop", source })?;
        runtime.block_on(self.watch_async(units, events, stopped))
    }

    async fn watch_async(
        self,
        units: UnitSender,
        events: mpsc::Receiver<PresentEvent>,
        stopped: oneshot::Receiver<()>,
    ) -> Result<(), RunError> {
        let Self { handshake, address, server, budget, smooth, stats, deadline } = self;
        let socket = ViewerSocket::connect(address).map_err(|source| RunError::NoRoute { address, source })?;
        let signal = shutdown_signal().map_err(|source| RunError::System { what: "to hand over signals", source })?;
        let time_is_over = Cell::new(false);
        let mut shutdown = pin!(async {
            tokio::select! {
                biased;
                () = signal => {}
                _ = stopped => {}
                () = until(deadline) => time_is_over.set(true),
            }
        });
        let clock = Clock::start();
        let mut viewer = Viewer::new(units, events, clock, server.to_string()).with_stats(stats);
        let mut config = ClientConfig { server: address, budget, smooth, code: None };
        let reason = loop {
            let mut seed = [0; 32];
            getrandom::fill(&mut seed)
                .map_err(|error| RunError::System { what: "random numbers", source: io::Error::other(error) })?;
            let client = Client::new(config.clone(), handshake.clone(), seed, clock.now());
            let outcome = driver::run(&socket, client, clock, &mut viewer, shutdown.as_mut()).await?;
            if outcome.reason == EndReason::WrongCode {
                tracing::warn!("{}", describe(outcome.reason, &server));
            } else if outcome.reason != EndReason::CodeNeeded {
                break outcome.reason;
            }
            viewer.wait_for_code();
            let code = code::ask(&server);
            tokio::select! {
                biased;
                () = shutdown.as_mut() => break EndReason::Left,
                code = code => match code {
                    Ok(code) => config.code = Some(code),
                    Err(_) => break outcome.reason,
                },
            }
        };
        match reason {
            EndReason::Left if time_is_over.get() && viewer.sessions() == 0 => Err(RunError::NeverConnected { server }),
            EndReason::Left => Ok(()),
            EndReason::EndOfStream => {
                tracing::info!("{}", describe(reason, &server));
                Ok(())
            }
            reason @ (EndReason::Kicked
            | EndReason::Protocol
            | EndReason::NoAnswer
            | EndReason::Unreachable
            | EndReason::Incompatible
            | EndReason::KeyNeeded
            | EndReason::CodeNeeded
            | EndReason::WrongCode
            | EndReason::CodeUnwanted
            | EndReason::KeyUnwanted) => Err(RunError::Ended { reason, server }),
        }
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => pending().await,
    }
}
