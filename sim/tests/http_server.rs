//! The status page's connections on a simulated network: what a client is answered does not depend on how the network
//! cut up and delayed what it sent, and a client that stalls delays nobody.

use core::cell::RefCell;
use core::net::Ipv4Addr;
use core::time::Duration;
use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use nalcast_core::Rng;
use nalcast_core::secrets::Secrets;
use shell_server::control::{Control, ControlToken};
use shell_server::http::{Ends, Site, serve_connection};
use shell_server::status::StatusSnapshot;
use sim::impaired::network;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::sleep;
use turmoil::net::{TcpListener, TcpStream};

const PORT: u16 = 8080;
/// Far less than the server waits for.
const GAP_MS_MAX: u64 = 20;
/// Bytes in front of the HTTP stream in the fuzzer's corpus.
const CORPUS_PREFIX_BYTES: usize = 4;

/// A network with a server, on which every connection is served.
fn simulation(seed: u64) -> turmoil::Sim<'static> {
    let mut sim = network(seed, Duration::from_secs(60)).build();
    sim.host("server", async || {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).await?;
        let (_snapshots, status) = watch::channel(Arc::new(StatusSnapshot::default()));
        let (control, _removals) = Control::new(ControlToken::random(&mut Secrets::new([1; 32])));
        let site = Site::new(status, control, || 784_111_777);
        let ends = Ends { local: Ipv4Addr::LOCALHOST.into(), peer: Ipv4Addr::LOCALHOST.into() };
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(serve_connection(stream, ends, site.clone()));
        }
    });
    sim
}

/// What the server says to a client that sends `pieces` with pauses and then no more.
fn answer(seed: u64, pieces: Vec<Vec<u8>>) -> Vec<u8> {
    let mut sim = simulation(seed);
    let answer = Rc::new(RefCell::new(Vec::new()));
    let heard = Rc::clone(&answer);
    sim.client("client", async move {
        let (mut from_server, mut to_server) = TcpStream::connect(("server", PORT)).await?.into_split();
        let send = async {
            let mut rng = Rng::new(seed);
            for piece in pieces {
                // A server that has refused need not listen any more.
                if to_server.write_all(&piece).await.is_err() {
                    return;
                }
                sleep(Duration::from_millis(rng.below(GAP_MS_MAX))).await;
            }
            let _ = to_server.shutdown().await;
        };
        let mut said = Vec::new();
        let ((), read) = tokio::join!(send, from_server.read_to_end(&mut said));
        heard.replace(said);
        read.map(drop).map_err(Into::into)
    });
    sim.run().expect("the client hears the server out");
    answer.take()
}

fn random_pieces(seed: u64, stream: &[u8]) -> Vec<Vec<u8>> {
    let mut rng = Rng::new(seed);
    let mut pieces = Vec::new();
    let mut rest = stream;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at((1 + rng.below(rest.len() as u64 / 3 + 2) as usize).min(rest.len()));
        pieces.push(piece.to_vec());
        rest = after;
    }
    pieces
}

/// What the fuzzer found worth keeping, and a pipeline of everything that the server does.
fn streams() -> Vec<Vec<u8>> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/http_parser");
    let mut paths: Vec<_> =
        fs::read_dir(corpus).expect("a corpus").map(|entry| entry.expect("a readable directory").path()).collect();
    paths.sort();
    let kept = paths.iter().map(|path| fs::read(path).expect("a readable input"));
    let mut streams: Vec<_> = kept.filter_map(|input| Some(input.get(CORPUS_PREFIX_BYTES..)?.to_vec())).collect();
    let request = |line: &str, rest: &str| format!("{line} HTTP/1.1\r\nHost: localhost\r\n{rest}");
    streams.push(
        [
            request("GET /healthz", "\r\n"),
            request("HEAD /", "\r\n"),
            request("POST /", "Content-Length: 5\r\n\r\nGET /"),
            request("PUT /x", "Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nSum: 1\r\n\r\n"),
            request("OPTIONS *", "Connection: upgrade\r\nUpgrade: h2c\r\n\r\n"),
            request("GET /metrics", "Host: twice\r\n\r\n"),
        ]
        .concat()
        .into_bytes(),
    );
    streams
}

#[test]
fn answers_do_not_depend_on_how_requests_arrive() {
    for (index, stream) in streams().into_iter().enumerate() {
        let whole = answer(0, vec![stream.clone()]);
        for seed in 1..=3 {
            let found = answer(seed, random_pieces(seed, &stream));
            assert_eq!(
                found.escape_ascii().to_string(),
                whole.escape_ascii().to_string(),
                "stream {index}, seed {seed}: {}",
                stream.escape_ascii()
            );
        }
    }
    let everything = answer(0, vec![streams().pop().expect("the pipeline")]);
    let text = String::from_utf8(everything).expect("text");
    let statuses: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("HTTP/1.1 ")).collect();
    let expected = ["200 OK", "200 OK", "405 Method Not Allowed", "404 Not Found", "204 No Content", "400 Bad Request"];
    assert_eq!(statuses, expected);
}

#[test]
fn a_client_that_stalls_delays_nobody() {
    let mut sim = simulation(1);
    for stalled in 0..20 {
        sim.client(format!("stalled-{stalled}"), async {
            let mut stream = TcpStream::connect(("server", PORT)).await?;
            stream.write_all(b"GET / HTTP/1.1\r\nHost: loc").await?;
            let mut said = String::new();
            stream.read_to_string(&mut said).await?;
            assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
            Ok(())
        });
    }
    sim.client("quick", async {
        let mut stream = TcpStream::connect(("server", PORT)).await?;
        let mut buffer = vec![0; 4096];
        for _ in 0..100 {
            let asked = tokio::time::Instant::now();
            stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await?;
            let read = stream.read(&mut buffer).await?;
            assert!(buffer[..read].ends_with(b"\r\n\r\nok\n"));
            // A millisecond there and one back, in steps of one.
            assert!(asked.elapsed() <= Duration::from_millis(5), "{:?}", asked.elapsed());
            sleep(Duration::from_millis(150)).await;
        }
        Ok(())
    });
    sim.run().expect("everybody is answered");
}
