//! The program: sockets, source and status page around the driver, from its start to its end.

use core::net::SocketAddr;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::process::ExitCode;

use nalcast_core::DatagramSocket;
use nalcast_core::Timestamp;
use nalcast_core::handshake::{Handshake, Noise, PairingCode};
use nalcast_core::limits::PAIRING_PAUSE;
use nalcast_core::secrets::Secrets;
use nalcast_core::send::{Recovery, Server, ServerConfig, ServerEvent};
use shell_common::clock::{Clock, monotonic_ns};
use shell_common::key::KeyError;
use shell_common::output::CreateError;
use shell_common::program::run_program;
use shell_common::signals::shutdown_signal;

use crate::board::StatusBoard;
use crate::config::{Config, StatusPage};
use crate::control::{Control, ControlToken, Places, TokenFile, TokenFileError};
use crate::driver::{self, DriverError, ServerEnd, ServerHooks, ServerIo, ServerReport};
use crate::framelog::FrameLog;
use crate::http::StatusListener;
use crate::invitation::Invitation;
use crate::net::{ServerSocket, reachable_address};
use crate::source::{self, SourceControl, SourceError, SourceHandle};

/// Why the program ends with a failure; each message is for its user.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The source cannot be opened.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// An address cannot be bound.
    #[error("cannot listen at {address} for {purpose}: {source}; {}", advice(source, option))]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What would have been there.
        purpose: &'static str,
        /// The option that chooses it.
        option: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// There is no key to let viewers in by.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// There is no place for the control token.
    #[error(transparent)]
    ControlToken(#[from] TokenFileError),
    /// The frame log cannot be opened.
    #[error(transparent)]
    FrameLog(#[from] CreateError),
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
}

fn advice(error: &io::Error, option: &str) -> String {
    if error.kind() == ErrorKind::AddrInUse {
        format!("another program uses it: end that one, or choose another port with `{option}`")
    } else {
        format!("choose another address with `{option}`")
    }
}

/// Runs the program with a command line and tells how it ended.
pub fn main(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> ExitCode {
    run_program("shell-server", Config::parse_command_line(arguments), run)
}

/// Shares until the source ends or a signal comes.
///
/// # Errors
/// [`RunError`], when the program cannot begin or cannot go on.
pub fn run(config: &Config) -> Result<(), RunError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| RunError::System { what: "an event loop", source })?;
    runtime.block_on(share(config))
}

async fn share(config: &Config) -> Result<(), RunError> {
    let socket = ServerSocket::bind(config.listen)
        .map_err(|source| bind_error(config.listen, "viewers", "--listen ADDR:PORT", source))?;
    let status_page = listen_for_status(config.http)?;
    let frame_log = config.frame_log.as_deref().map(FrameLog::create).transpose()?;
    let shutdown = shutdown_signal().map_err(|source| RunError::System { what: "to hand over signals", source })?;
    let mut source = source::open(&config.source_config())?;

    let mut secrets = Secrets::new(random_seed()?);
    let invitation = Invitation::of(config, &mut secrets)?;
    let token = ControlToken::random(&mut secrets);
    let token_file = write_token(config, status_page.as_ref(), &token, &mut secrets)?;
    let (control, mut removals) = Control::new(token);
    let clock = Clock::start();
    let server = new_server(config, &source, &invitation, secrets.bytes(), clock.now());
    let (board, snapshots) =
        StatusBoard::new(matches!(invitation, Invitation::Open), source.info.clone(), source.control.clone());
    let announced = Announcement {
        invitation: &invitation,
        config,
        source: &source,
        viewers_at: socket.local_addr(),
        page: &status_page,
        token_file: &token_file,
    };
    announced.print();
    let start = |listener: StatusListener| listener.start(snapshots, control);
    let _status_server = status_page
        .map(start)
        .transpose()
        .map_err(|source| RunError::System { what: "a thread for the status page", source })?;
    let mut hooks = Hooks { control: source.control.clone(), frame_log, board };
    let io = ServerIo {
        source: &mut source.events,
        removals: &mut removals,
        hooks: &mut hooks,
        wait_viewers: config.wait_viewers,
    };
    let outcome = driver::run(&socket, server, clock, io, shutdown).await;
    let times = source.finish();
    let report = outcome?;
    log_end(&report);
    if times.capture.count > 0 {
        tracing::info!("{times}");
    }
    Ok(())
}

const fn bind_error(address: SocketAddr, purpose: &'static str, option: &'static str, source: io::Error) -> RunError {
    RunError::Bind { address, purpose, option, source }
}

fn listen_for_status(page: StatusPage) -> Result<Option<StatusListener>, RunError> {
    let StatusPage::At(address) = page else { return Ok(None) };
    let option = "--http ADDR:PORT` or `--http off";
    StatusListener::bind(address).map(Some).map_err(|source| bind_error(address, "the status page", option, source))
}

/// The token is accepted by the status page's server: without one there is no file.
fn write_token(
    config: &Config,
    page: Option<&StatusListener>,
    token: &ControlToken,
    secrets: &mut Secrets,
) -> Result<Option<TokenFile>, RunError> {
    let Some(page) = page else { return Ok(None) };
    let port = page.local_addr().map_or(0, |address| address.port());
    let written = match &config.control_token_file {
        Some(path) => TokenFile::create_at(path, token),
        None => TokenFile::create_in(&Places::of_environment(), port, token, secrets),
    };
    Ok(Some(written?))
}

fn random_seed() -> Result<[u8; 32], RunError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)
        .map_err(|error| RunError::System { what: "random numbers", source: io::Error::other(error) })?;
    Ok(seed)
}

fn new_server(
    config: &Config,
    source: &SourceHandle,
    invitation: &Invitation,
    seed: [u8; 32],
    now: Timestamp,
) -> Server<Noise> {
    let config = ServerConfig {
        codec: source.info.codec,
        fps: u8::try_from(source.info.fps).unwrap_or(u8::MAX),
        recovery: if source.info.live { Recovery::KeyFrames } else { Recovery::Nothing },
        viewers_max: config.max_viewers,
        pairing: config.pairing_code,
    };
    Server::new(config, invitation.handshake(), seed, now)
}

/// What the user is told when everything is ready.
struct Announcement<'a> {
    invitation: &'a Invitation,
    config: &'a Config,
    source: &'a SourceHandle,
    viewers_at: io::Result<SocketAddr>,
    page: &'a Option<StatusListener>,
    token_file: &'a Option<TokenFile>,
}

impl Announcement<'_> {
    fn print(&self) {
        let local = self.viewers_at.as_ref().map_or(self.config.listen, |address| *address);
        let address = reachable_address(local);
        let mut text = Vec::new();
        let stdout = io::stdout();
        // Nobody may be reading; that is no reason not to share.
        let _ = self
            .invitation
            .print(&mut text, stdout.is_terminal(), address, self.config.pairing_code)
            .and_then(|()| self.print_rest(&mut text))
            .and_then(|()| stdout.lock().write_all(&text))
            .and_then(|()| stdout.lock().flush());
    }

    fn print_rest(&self, text: &mut impl Write) -> io::Result<()> {
        if let Some(address) = self.page.as_ref().and_then(|listener| listener.local_addr().ok()) {
            writeln!(text, "status at http://{address}/")?;
        }
        if let Some(file) = self.token_file {
            writeln!(text, "control token in {}", file.path().display())?;
        }
        writeln!(text, "sharing {}", self.source.info.name)
    }
}

/// Ties the loop to the source's controls, the frame log, the status page and the log.
struct Hooks {
    control: SourceControl,
    frame_log: Option<FrameLog>,
    board: StatusBoard,
}

impl ServerHooks for Hooks {
    fn start_source(&mut self) {
        self.control.start();
    }

    fn request_key_frame(&mut self) {
        self.control.request_key_frame();
    }

    fn limit_bitrate(&mut self, bits_per_second: Option<u64>) {
        self.control.limit_bitrate(bits_per_second);
    }

    fn handing_over(&mut self, index: u64) {
        if let Some(log) = &mut self.frame_log {
            log.write(index, monotonic_ns());
        }
    }

    fn event(&mut self, event: &ServerEvent) {
        self.board.note(event);
        match event {
            ServerEvent::ViewerJoined { address, .. } => tracing::info!("viewer {address} joined"),
            ServerEvent::ViewerLeft { address, reason, .. } => tracing::info!("viewer {address} is gone: {reason}"),
            ServerEvent::ViewerMoved { from, to, .. } => tracing::info!("viewer {from} is at {to} now"),
            ServerEvent::PairingCode(code) => print_code(*code),
            ServerEvent::BitrateWanted(Some(bits)) => tracing::info!("the paths carry {} kbit/s", bits / 1_000),
            ServerEvent::BitrateWanted(None) => tracing::info!("the paths carry all that the encoder makes"),
            ServerEvent::KeyFrameWanted
            | ServerEvent::ReferenceWanted { .. }
            | ServerEvent::ReferenceShared { .. }
            | ServerEvent::Finished => {}
        }
    }

    fn observe<S: Handshake>(&mut self, now: Timestamp, server: &Server<S>) {
        self.board.update(now, server);
    }
}

/// Shows the code that lets viewers in: what `--pairing-code` asks for, so on the output and never in the log.
fn print_code(code: Option<PairingCode>) {
    let text = match code.as_ref().map(PairingCode::expose) {
        Some((first, second)) => format!("code: {first} {second}\n"),
        None => format!("three wrong codes: a new one follows in {} s\n", PAIRING_PAUSE.as_secs()),
    };
    let mut stdout = io::stdout().lock();
    // Nobody may be reading; that is no reason not to share.
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

fn log_end(report: &ServerReport) {
    let ServerReport { end, stats, send_errors, .. } = report;
    let why = match end {
        ServerEnd::EndOfSource => "the source is at its end",
        ServerEnd::Shutdown => "stopped",
    };
    tracing::info!(
        "{why}; access units {}, viewers {}, units refused {}, send errors {send_errors}",
        stats.access_units,
        stats.viewers_joined,
        stats.access_units_refused
    );
}
