//! Both shells' loops, joined in memory, in paused time.
#![expect(clippy::unwrap_used, reason = "a step that fails in a function of the tests fails the test")]

mod held_up;
mod memory;

use core::cell::RefCell;
use core::future::pending;
use core::time::Duration;

use bytes::Bytes;
use memory::{Fault, MemorySocket, SERVER, VIEWER, pair};
use nalcast_core::handshake::{Handshake, Noise};
use nalcast_core::nal::Codec;
use nalcast_core::recv::{Client, ClientConfig, ClientEvent, EndReason};
use nalcast_core::seal::Aead;
use nalcast_core::secrets::Secrets;
use nalcast_core::send::{LeaveReason, Recovery, Server, ServerConfig, ServerEvent, ViewerId};
use nalcast_core::wire::CloseCode;
use nalcast_core::{DatagramSocket, Timestamp, Transmit};
use shell_client::driver::{ClientOutcome, Sink, Word};
use shell_server::control::{Control, ControlToken, Removal, Unavailable};
use shell_server::driver::{DriverError, ServerEnd, ServerHooks, ServerIo, ServerReport};
use shell_server::source::SourceEvent;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

const FRAME_INTERVAL: Duration = Duration::from_millis(33);
/// Longer than any timer of the protocol runs.
const LONG: Duration = Duration::from_secs(120);

/// What a server's loop told.
#[derive(Default)]
struct Told {
    starts: u32,
    key_frames: u32,
    handed_over: Vec<u64>,
    events: Vec<ServerEvent>,
    observed: Vec<(Timestamp, usize)>,
}

#[derive(Default)]
struct Hooks<'a> {
    told: Option<&'a RefCell<Told>>,
}

impl Hooks<'_> {
    fn note(&self, note: impl FnOnce(&mut Told)) {
        note(&mut self.told.unwrap().borrow_mut());
    }
}

impl ServerHooks for Hooks<'_> {
    fn start_source(&mut self) {
        self.note(|told| told.starts += 1);
    }

    fn request_key_frame(&mut self) {
        self.note(|told| told.key_frames += 1);
    }

    fn handing_over(&mut self, index: u64) {
        self.note(|told| told.handed_over.push(index));
    }

    fn event(&mut self, event: &ServerEvent) {
        self.note(|told| told.events.push(*event));
    }

    fn observe<S: Handshake>(&mut self, now: Timestamp, server: &Server<S>) {
        self.note(|told| told.observed.push((now, server.viewer_count())));
        self.note(|told| assert!(told.observed.len() < 10_000, "the loop spins"));
    }
}

/// What a viewer's loop released and said.
#[derive(Default)]
struct Collector {
    units: Vec<Bytes>,
    events: Vec<String>,
    requests: u32,
    words: Option<mpsc::Receiver<Word>>,
}

impl Sink for Collector {
    fn event(&mut self, _now: Timestamp, event: ClientEvent) {
        match event {
            ClientEvent::AccessUnit(unit) => self.units.push(unit.bytes),
            ClientEvent::Lost { reason, .. } => self.events.push(format!("lost: {reason}")),
            ClientEvent::Connected => self.events.push("connected".to_owned()),
            ClientEvent::Abandoned { .. } => self.events.push("abandoned".to_owned()),
            ClientEvent::Frame(record) => self.requests += record.requests,
            ClientEvent::Config(_) | ClientEvent::Freeze(_) | ClientEvent::Ended(_) => {}
        }
    }

    async fn word(&mut self) -> Word {
        match &mut self.words {
            Some(words) => words.recv().await.unwrap(),
            None => pending().await,
        }
    }
}

/// A tiny H.264 stream: 1280x720, a key unit, then pictures that refer to each other.
fn unit(index: u32) -> Bytes {
    let slice: &[u8] = if index == 0 {
        b"\0\0\0\x01\x67\x42\xc0\x1f\xda\x01\x40\x16\xe4\0\0\0\x01\x68\xce\x3c\x80\0\0\x01\x65\x88\x84"
    } else {
        b"\0\0\0\x01\x41\x9a\x24"
    };
    // Some need several datagrams.
    let filler = vec![0x55; 20 + 1_000 * (index as usize % 4)];
    Bytes::from([slice, &index.to_be_bytes().map(|byte| byte | 0x80), &filler].concat())
}

async fn serve(
    socket: &MemorySocket,
    source: mpsc::Receiver<SourceEvent>,
    told: &RefCell<Told>,
    shutdown: impl Future<Output = ()>,
) -> Result<ServerReport, DriverError<std::io::Error>> {
    // Nobody is there to ask for anything.
    let (_, removals) = mpsc::channel(1);
    serve_with(socket, source, removals, told, shutdown).await
}

async fn serve_with(
    socket: &MemorySocket,
    mut source: mpsc::Receiver<SourceEvent>,
    mut removals: mpsc::Receiver<Removal>,
    told: &RefCell<Told>,
    shutdown: impl Future<Output = ()>,
) -> Result<ServerReport, DriverError<std::io::Error>> {
    let clock = shell_server::clock::Clock::start();
    let config =
        ServerConfig { codec: Codec::H264, fps: 30, recovery: Recovery::KeyFrames, viewers_max: 4, pairing: false };
    let server = Server::new(config, Noise::open(Aead::Aes128Gcm), [7; 32], clock.now());
    let mut hooks = Hooks { told: Some(told) };
    let io = ServerIo { source: &mut source, removals: &mut removals, hooks: &mut hooks, wait_viewers: 1 };
    timeout(LONG, shell_server::driver::run(socket, server, clock, io, shutdown)).await.expect("the server hangs")
}

async fn watch(socket: &MemorySocket, sink: &mut Collector, shutdown: impl Future<Output = ()>) -> ClientOutcome {
    try_watch(socket, sink, shutdown).await.unwrap()
}

async fn try_watch(
    socket: &MemorySocket,
    sink: &mut Collector,
    shutdown: impl Future<Output = ()>,
) -> Result<ClientOutcome, shell_client::driver::DriverError<std::io::Error>> {
    let clock = shell_client::clock::Clock::start();
    let config = ClientConfig { server: SERVER.parse().unwrap(), budget: None, smooth: false, code: None };
    let client = Client::new(config, Noise::open(Aead::Aes128Gcm), [11; 32], clock.now());
    timeout(LONG, shell_client::driver::run(socket, client, clock, sink, shutdown)).await.expect("the viewer hangs")
}

/// Feeds `count` units once the source was started, then `last`.
async fn feed(source: mpsc::Sender<SourceEvent>, count: u32, last: Option<SourceEvent>, told: &RefCell<Told>) {
    let began = Instant::now();
    while told.borrow().starts == 0 {
        assert!(began.elapsed() < LONG, "the source was never started");
        sleep(FRAME_INTERVAL).await;
    }
    for index in 0..count {
        let captured = Instant::now().into_std();
        // The server may have ended before.
        if source.send(SourceEvent::AccessUnit { bytes: unit(index), captured }).await.is_err() {
            break;
        }
        sleep(FRAME_INTERVAL).await;
    }
    match last {
        Some(last) => drop(source.send(last).await),
        None => pending().await,
    }
}

#[tokio::test(start_paused = true)]
async fn a_whole_stream_passes_and_its_end_ends_both() {
    let (server_socket, viewer_socket) = pair();
    let (source, units) = mpsc::channel(4);
    let (told, mut sink) = (RefCell::default(), Collector::default());
    let (report, outcome, ()) = tokio::join!(
        serve(&server_socket, units, &told, pending()),
        watch(&viewer_socket, &mut sink, pending()),
        feed(source, 50, Some(SourceEvent::Ended), &told),
    );
    let (report, told) = (report.unwrap(), told.into_inner());
    assert_eq!((report.end, outcome.reason), (ServerEnd::EndOfSource, EndReason::EndOfStream));
    assert_eq!(sink.units, (0..50).map(unit).collect::<Vec<_>>());
    assert_eq!(sink.events, ["connected"]);
    assert_eq!(told.handed_over, (0..50).collect::<Vec<_>>());
    assert_eq!(told.starts, 1);
    assert!(matches!(told.events[..], [ServerEvent::ViewerJoined { .. }, .., ServerEvent::Finished]));
    assert_eq!(report.stats.access_units, 50);
    let gaps = told.observed.windows(2).map(|pair| pair[1].0 - pair[0].0);
    assert!(gaps.clone().all(|gap| gap <= Duration::from_millis(251)), "{:?}", gaps.max());
    assert!(told.observed.len() < 20, "{} looks in two seconds", told.observed.len());
    assert!(told.observed.iter().any(|(_, viewers)| *viewers == 1));
    assert!(outcome.figures.bytes_received > 50_000);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_shuts_down_tells_its_viewer_which_waits_until_it_is_told_to_leave() {
    let (server_socket, viewer_socket) = pair();
    let (source, units) = mpsc::channel(4);
    let (told, mut sink) = (RefCell::default(), Collector::default());
    let (report, outcome) = tokio::select! {
        biased;
        both = async { tokio::join!(
            serve(&server_socket, units, &told, sleep(Duration::from_secs(1))),
            watch(&viewer_socket, &mut sink, sleep(Duration::from_secs(30))),
        ) } => both,
        () = feed(source, u32::MAX, None, &told) => unreachable!("the feed has no end"),
    };
    assert_eq!(report.unwrap().end, ServerEnd::Shutdown);
    assert_eq!(outcome.reason, EndReason::Left);
    assert_eq!(sink.events[..2], ["connected", "lost: the server stopped"]);
    assert!(sink.units.len() >= 25, "{}", sink.units.len());
}

#[tokio::test(start_paused = true)]
async fn a_viewer_that_leaves_is_gone_at_once_and_the_server_goes_on() {
    for by_word in [false, true] {
        let (server_socket, viewer_socket) = pair();
        let (source, units) = mpsc::channel(4);
        let (word, words) = mpsc::channel(1);
        let (told, mut sink) = (RefCell::default(), Collector { words: Some(words), ..Collector::default() });
        let leave = async {
            sleep(Duration::from_secs(1)).await;
            if by_word {
                word.send(Word::Leave).await.unwrap();
                pending::<()>().await;
            }
        };
        let (report, outcome, ()) = tokio::join!(
            serve(&server_socket, units, &told, sleep(Duration::from_secs(3))),
            watch(&viewer_socket, &mut sink, leave),
            feed(source, 120, Some(SourceEvent::Ended), &told),
        );
        assert_eq!((report.unwrap().end, outcome.reason), (ServerEnd::Shutdown, EndReason::Left));
        let told = told.into_inner();
        let left = |event: &ServerEvent| matches!(event, ServerEvent::ViewerLeft { reason: LeaveReason::Left, .. });
        assert!(told.events.iter().any(left), "{:?}", told.events);
        assert!(told.handed_over.len() > 60, "the source goes on: {}", told.handed_over.len());
    }
}

#[tokio::test(start_paused = true)]
async fn a_viewer_that_is_removed_is_told_so_and_the_server_goes_on() {
    let (server_socket, viewer_socket) = pair();
    let (source, units) = mpsc::channel(4);
    let (told, mut sink) = (RefCell::<Told>::default(), Collector::default());
    let (control, removals) = Control::new(ControlToken::random(&mut Secrets::new([1; 32])));
    let remove = async {
        sleep(Duration::from_secs(1)).await;
        let events = told.borrow().events.clone();
        let [ServerEvent::ViewerJoined { viewer, .. }, ..] = events[..] else { panic!("{events:?}") };
        assert_eq!(control.remove(ViewerId(viewer.0 + 1)).await, Ok(false));
        assert_eq!(control.remove(viewer).await, Ok(true));
        sleep(Duration::from_secs(1)).await;
        assert_eq!(control.remove(viewer).await, Ok(false), "it is gone");
    };
    let (report, outcome, (), ()) = tokio::join!(
        serve_with(&server_socket, units, removals, &told, sleep(Duration::from_secs(3))),
        watch(&viewer_socket, &mut sink, pending()),
        feed(source, 120, Some(SourceEvent::Ended), &told),
        remove,
    );
    assert_eq!((report.unwrap().end, outcome.reason), (ServerEnd::Shutdown, EndReason::Kicked));
    assert!((25..=32).contains(&sink.units.len()), "{}", sink.units.len());
    let told = told.into_inner();
    let expected = LeaveReason::Closed(CloseCode::Kicked);
    let left = |event: &ServerEvent| matches!(event, ServerEvent::ViewerLeft { reason, .. } if *reason == expected);
    assert!(told.events.iter().any(left), "{:?}", told.events);
    assert!(told.handed_over.len() > 60, "the source goes on: {}", told.handed_over.len());
    assert_eq!(control.remove(ViewerId(1)).await, Err(Unavailable), "the loop is at its end");
}

#[tokio::test(start_paused = true)]
async fn a_decoder_that_fails_gets_a_key_frame() {
    let (server_socket, viewer_socket) = pair();
    let (source, units) = mpsc::channel(4);
    let (word, words) = mpsc::channel(1);
    let (told, mut sink) = (RefCell::<Told>::default(), Collector { words: Some(words), ..Collector::default() });
    let complain = async {
        sleep(Duration::from_secs(1)).await;
        told.borrow_mut().key_frames = 0;
        word.send(Word::Undecodable { frame_id: 20 }).await.unwrap();
        pending::<()>().await;
    };
    tokio::select! {
        biased;
        _ = async { tokio::join!(
            serve(&server_socket, units, &told, sleep(Duration::from_secs(2))),
            watch(&viewer_socket, &mut sink, pending()),
        ) } => unreachable!("the viewer waits for another server"),
        () = feed(source, u32::MAX, None, &told) => unreachable!("the feed has no end"),
        () = complain => unreachable!("it complains once"),
        () = sleep(Duration::from_secs(5)) => {}
    }
    assert!(told.borrow().key_frames >= 1);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_fails_ends_the_server_with_the_sources_words() {
    let failures = [(Some(SourceEvent::Failed("the screen is gone".to_owned())), "the screen is gone"), (None, "bug")];
    for (last, expected) in failures {
        let (server_socket, viewer_socket) = pair();
        let (source, units) = mpsc::channel(4);
        let (told, mut sink) = (RefCell::default(), Collector::default());
        let fails = async {
            match last {
                Some(last) => feed(source, 5, Some(last), &told).await,
                None => drop(source),
            }
        };
        let (report, _, ()) = tokio::join!(
            serve(&server_socket, units, &told, pending()),
            watch(&viewer_socket, &mut sink, sleep(Duration::from_secs(5))),
            fails,
        );
        let error = report.unwrap_err();
        assert!(matches!(error, DriverError::Source(_)) && error.to_string().contains(expected), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_socket_ends_the_loops_and_one_that_cannot_send_does_not() {
    let (server_socket, viewer_socket) = pair();
    let (_source, units) = mpsc::channel(4);
    server_socket.set_fault(Fault::ReceiveFails);
    viewer_socket.set_fault(Fault::ReceiveFails);
    let told = RefCell::default();
    let report = serve(&server_socket, units, &told, pending()).await;
    assert!(matches!(report, Err(DriverError::Socket(_))), "{report:?}");
    let outcome = try_watch(&viewer_socket, &mut Collector::default(), pending()).await;
    assert!(outcome.is_err(), "{outcome:?}");

    viewer_socket.set_fault(Fault::SendFails);
    let outcome = watch(&viewer_socket, &mut Collector::default(), pending()).await;
    assert_eq!(outcome.reason, EndReason::NoAnswer);
    assert!(outcome.figures.send_errors >= 8, "{:?}", outcome.figures);
}

#[tokio::test]
async fn a_datagram_that_is_refused_keeps_no_other_of_its_burst_back() {
    let (server_socket, viewer_socket) = pair();
    server_socket.set_fault(Fault::LargeIsRefused);
    let transmit = Transmit { destination: VIEWER.parse().unwrap(), len: 2_500, segment_size: Some(1_000) };
    let refused = server_socket.send(&transmit, &[7; 3_000]).await.unwrap_err();
    assert_eq!(refused.datagrams, 2);
    let mut buf = [0; 1_000];
    let received = viewer_socket.try_recv_from(&mut buf).unwrap();
    assert_eq!(received, Some((500, SERVER.parse().unwrap())));
}

#[tokio::test(start_paused = true)]
async fn a_datagram_that_is_refused_is_one_that_got_lost() {
    let (server_socket, viewer_socket) = pair();
    server_socket.set_fault(Fault::LargeIsRefused);
    let (source, units) = mpsc::channel(4);
    let (told, mut sink) = (RefCell::default(), Collector::default());
    let (report, outcome, ()) = tokio::join!(
        serve(&server_socket, units, &told, pending()),
        watch(&viewer_socket, &mut sink, pending()),
        feed(source, 50, Some(SourceEvent::Ended), &told),
    );
    let report = report.unwrap();
    assert_eq!((report.end, outcome.reason), (ServerEnd::EndOfSource, EndReason::EndOfStream));
    assert_eq!(report.stats.access_units, 50);
    let too_large = server_socket.too_large.get();
    assert!(too_large > 0 && report.send_errors == too_large, "{too_large} {}", report.send_errors);
    assert_eq!(sink.units.first(), Some(&unit(0)));
    assert!(sink.events.contains(&"abandoned".to_owned()), "{:?}", sink.events);
}

#[tokio::test(start_paused = true)]
async fn a_closed_port_is_believed_sooner_than_silence() {
    let start = Instant::now();
    let (_server_socket, viewer_socket) = pair();
    viewer_socket.set_fault(Fault::Refused);
    let outcome = watch(&viewer_socket, &mut Collector::default(), pending()).await;
    assert_eq!(outcome.reason, EndReason::Unreachable);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

/// Time stands still while a loop is busy, so this test hangs if a flood keeps the other inputs from being served.
#[tokio::test(start_paused = true)]
async fn a_flood_does_not_starve_the_source_nor_the_owner_nor_the_shutdown() {
    let (server_socket, viewer_socket) = pair();
    server_socket.set_fault(Fault::Flooded);
    viewer_socket.set_fault(Fault::Flooded);
    let (source, units) = mpsc::channel(4);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let told: RefCell<Told> = RefCell::default();
    for index in 0..4 {
        source.try_send(SourceEvent::AccessUnit { bytes: unit(index), captured: Instant::now().into_std() }).unwrap();
    }
    let (control, removals) = Control::new(ControlToken::random(&mut Secrets::new([1; 32])));
    let stop_when_fed = async {
        assert_eq!(control.remove(ViewerId(1)).await, Ok(false));
        while told.borrow().handed_over.len() < 4 {
            tokio::task::yield_now().await;
        }
        stop.send(()).unwrap();
    };
    let stopped = async { stopped.await.unwrap() };
    let (report, ()) = tokio::join!(serve_with(&server_socket, units, removals, &told, stopped), stop_when_fed);
    let report = report.unwrap();
    assert_eq!(report.end, ServerEnd::Shutdown);
    assert!(report.stats.datagrams_received > 4 * 16, "the flood was real");

    let (word, words) = mpsc::channel(1);
    word.try_send(Word::Leave).unwrap();
    let mut sink = Collector { words: Some(words), ..Collector::default() };
    assert_eq!(watch(&viewer_socket, &mut sink, pending()).await.reason, EndReason::Left);
}
