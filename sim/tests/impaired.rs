//! The impaired socket between two turmoil hosts: the link's loss and delay, and the same run for a seed.

use core::cell::RefCell;
use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::rc::Rc;

use nalcast_core::DatagramSocket;
use sim::impaired::{Egress, ImpairedSocket, network};
use sim::link::{LinkConfig, LinkStats, LossModel};
use tokio::time::{Instant, sleep, sleep_until};

const PORT: u16 = 4_000;
const COUNT: u64 = 1_000;
const GAP: Duration = Duration::from_millis(2);
const DELAY: Duration = Duration::from_millis(20);
/// Half a second in the middle in which nothing is let through.
const PARTITION: core::ops::Range<u64> = 400..650;

/// A number, its time of sending and of arrival in microseconds.
type Arrival = (u64, u64, u64);

fn lossy() -> LinkConfig {
    LinkConfig { delay: DELAY, loss: LossModel::Independent { ppm: 50_000 }, ..LinkConfig::default() }
}

fn now_us() -> u64 {
    turmoil::sim_elapsed().expect("a host asks").as_micros() as u64
}

fn unspecified(port: u16) -> SocketAddr {
    (Ipv4Addr::UNSPECIFIED, port).into()
}

/// Sends `COUNT` numbered datagrams, one every `GAP`; what the other host received and the link counted.
fn exchange(seed: u64, config: LinkConfig, partition: bool) -> (Vec<Arrival>, LinkStats) {
    let mut sim = network(seed, Duration::from_secs(10)).build();
    let received = Rc::new(RefCell::new(Vec::new()));
    let log = Rc::clone(&received);
    sim.host("receiver", move || {
        let log = Rc::clone(&log);
        async move {
            let egress = Egress::new(seed, |_| LinkConfig::default());
            let socket = ImpairedSocket::bind(unspecified(PORT), &egress).await?;
            let mut buf = [0; 64];
            loop {
                let (len, _) = socket.recv_from(&mut buf).await?;
                let words: Vec<u64> = buf[..len]
                    .chunks(8)
                    .map(|word| u64::from_be_bytes(word.try_into().expect("whole words")))
                    .collect();
                log.borrow_mut().push((words[0], words[1], now_us()));
            }
        }
    });
    let egress = Egress::new(seed, move |_| config.clone());
    let stats = Rc::new(RefCell::new(None));
    let stats_out = Rc::clone(&stats);
    sim.client("sender", async move {
        let receiver = SocketAddr::from((turmoil::lookup("receiver"), PORT));
        let socket = ImpairedSocket::bind(unspecified(0), &egress).await?;
        let start = Instant::now();
        for n in 0..COUNT {
            sleep_until(start + GAP * n as u32).await;
            egress.set_partitioned(receiver.ip(), partition && PARTITION.contains(&n));
            let datagram = [n.to_be_bytes(), now_us().to_be_bytes()].concat();
            socket.send_to(&datagram, receiver).await?;
        }
        sleep(Duration::from_millis(100)).await;
        *stats_out.borrow_mut() = egress.stats(receiver);
        Ok(())
    });
    sim.run().expect("both hosts end well");
    let (received, stats) = (received.borrow().clone(), stats.borrow().expect("the sender has sent"));
    (received, stats)
}

#[test]
fn loss_and_delay_are_the_links() {
    let (received, stats) = exchange(3, lossy(), false);
    assert!(stats.is_conserved() && stats.in_flight == 0, "{stats:?}");
    assert_eq!((stats.sent, stats.delivered), (COUNT, received.len() as u64));
    // 50 of 1,000 expected; 99.9 % lie within 3.29 * sqrt(47.5) = 22.7.
    assert!((28..=72).contains(&stats.dropped_loss), "{stats:?}");
    let late = received.iter().map(|(_, sent, arrived)| arrived - sent);
    assert!(late.clone().all(|late| (20_000..=22_000).contains(&late)), "{:?}", late.max());
}

#[test]
fn a_partition_cuts_exactly_what_is_sent_in_it() {
    let lossless = LinkConfig { delay: DELAY, ..LinkConfig::default() };
    let (received, stats) = exchange(4, lossless, true);
    let numbers: Vec<u64> = received.iter().map(|(n, ..)| *n).collect();
    assert_eq!(numbers, (0..COUNT).filter(|n| !PARTITION.contains(n)).collect::<Vec<_>>());
    assert_eq!(stats.dropped_partition, PARTITION.end - PARTITION.start);
}

#[test]
fn a_seed_fixes_what_is_received_and_when() {
    let stormy =
        || LinkConfig { jitter: Duration::from_millis(9), jitter_reorders: true, duplicate_ppm: 30_000, ..lossy() };
    assert_eq!(exchange(5, stormy(), true), exchange(5, stormy(), true));
    assert_ne!(exchange(5, stormy(), true).0, exchange(6, stormy(), true).0);
}

/// Receives `count` datagrams and notes when, in milliseconds.
async fn receive(count: usize, log: Rc<RefCell<Vec<u64>>>) -> turmoil::Result {
    let egress = Egress::new(0, |_| LinkConfig::default());
    let socket = ImpairedSocket::bind(unspecified(PORT), &egress).await?;
    let mut buf = [0; 1_500];
    assert_eq!(socket.try_recv_from(&mut buf)?, None);
    for _ in 0..count {
        socket.recv_from(&mut buf).await?;
        log.borrow_mut().push(now_us() / 1_000);
    }
    Ok(())
}

#[test]
fn a_change_from_outside_acts_at_once_and_outlives_a_crash() {
    let mut sim = network(7, Duration::from_secs(10)).build();
    // 1,000 bytes leave in 100 ms.
    let egress = Egress::new(7, |_| LinkConfig { delay: DELAY, rate_bps: 80_000, ..LinkConfig::default() });
    let (inside, received) = (egress.clone(), Rc::new(RefCell::new(Vec::new())));
    sim.client("receiver", receive(3, Rc::clone(&received)));
    sim.host("sender", move || {
        let egress = inside.clone();
        async move {
            let receiver = SocketAddr::from((turmoil::lookup("receiver"), PORT));
            let socket = ImpairedSocket::bind(unspecified(PORT), &egress).await?;
            for _ in 0..3 {
                socket.send_to(&[0; 1_000], receiver).await?;
            }
            core::future::pending().await
        }
    });
    for _ in 0..50 {
        sim.step().unwrap();
    }
    let receiver = SocketAddr::from((sim.lookup("receiver"), PORT));
    egress.set_config(receiver.ip(), LinkConfig { delay: DELAY, ..LinkConfig::default() });
    sim.run().unwrap();
    // The first was on its way out; the others need not wait for the old rate any more.
    assert!(received.borrow().iter().all(|at| (121..=123).contains(at)), "{received:?}");
    assert!(egress.stats(receiver).is_some_and(|stats| stats.delivered == 3));

    sim.crash("sender");
    assert_eq!(egress.stats(receiver), None);
    sim.bounce("sender");
    sim.step().unwrap();
    let stats = egress.stats(receiver).unwrap();
    assert_eq!((stats.sent, stats.in_flight, stats.queued_bytes), (3, 3, 0));
}

#[test]
fn a_dropped_socket_delivers_what_is_under_way_and_frees_its_port() {
    let mut sim = network(8, Duration::from_secs(10)).build();
    sim.client("sender", async {
        let receiver = SocketAddr::from((turmoil::lookup("receiver"), PORT));
        let egress = Egress::new(8, |_| LinkConfig { delay: DELAY, ..LinkConfig::default() });
        let socket = ImpairedSocket::bind(unspecified(PORT), &egress).await?;
        socket.send_to(b"hello", receiver).await?;
        egress.set_config(receiver.ip(), LinkConfig { delay: 2 * DELAY, ..LinkConfig::default() });
        socket.send_to(b"goodbye", receiver).await?;
        drop(socket);
        sleep(3 * DELAY).await;
        let idle = ImpairedSocket::bind(unspecified(PORT), &egress).await?;
        sleep(DELAY).await;
        drop(idle);
        sleep(Duration::from_millis(1)).await;
        ImpairedSocket::bind(unspecified(PORT), &egress).await?;
        Ok(())
    });
    let received = Rc::new(RefCell::new(Vec::new()));
    sim.client("receiver", receive(2, Rc::clone(&received)));
    sim.run().unwrap();
    assert!(matches!(received.borrow()[..], [21..=22, 41..=42]), "{received:?}");
}
