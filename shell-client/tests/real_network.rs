//! Both programs over a network of the test's own, which changes under them: runs where `NALCAST_REAL_TESTS` is set, as in
//! `make test`, and this machine lets the test make network namespaces.

#[path = "real/process.rs"]
mod process;

use core::time::Duration;
use std::process::Command;
use std::time::Instant;

use process::{PATIENCE, Process, turn};

const PORT: &str = "4600";

/// Two hosts and a cable between them.
struct Network {
    hosts: [String; 2],
}

impl Network {
    /// Nothing where the system does not let us.
    #[expect(clippy::print_stdout, reason = "a test that does not run says so")]
    fn new() -> Option<Self> {
        let name = |end: &str| format!("nalcast-{}-{end}", std::process::id());
        let network = Self { hosts: [name("a"), name("b")] };
        if !network.hosts.iter().all(|host| try_ip(&["netns", "add", host])) {
            println!("skipped: this machine does not let the test make network namespaces");
            return None;
        }
        let [a, b] = &network.hosts;
        ip(&["link", "add", "cable", "netns", a, "type", "veth", "peer", "name", "cable", "netns", b]);
        for (host, address) in [(a, "10.99.0.1/24"), (b, "10.99.0.2/24")] {
            ip(&["-n", host, "link", "set", "lo", "up"]);
            ip(&["-n", host, "address", "add", address, "dev", "cable"]);
            // The kernel passes a joined burst through such a cable whole, whatever its datagrams' size.
            ip(&["-n", host, "link", "set", "cable", "mtu", "1400", "gso_max_segs", "1", "up"]);
        }
        Some(network)
    }

    /// `program`, on one of the hosts.
    fn start(&self, host: usize, program: &str, arguments: &[&str]) -> Process {
        let inside = ["ip", "netns", "exec", &self.hosts[host]];
        Process::start_inside(&inside, program, arguments)
    }

    /// What the server says of its only viewer.
    fn status(&self) -> String {
        let url = "http://127.0.0.1:8080/api/v1/status";
        let output = Command::new("ip").args(["netns", "exec", &self.hosts[0], "curl", "-s", url]).output();
        String::from_utf8(output.expect("curl runs").stdout).expect("JSON")
    }

    fn wait_for_status(&self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.status().contains(text) {
            assert!(Instant::now() < deadline, "no {text} in {}", self.status());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for host in &self.hosts {
            try_ip(&["netns", "delete", host]);
        }
    }
}

fn try_ip(arguments: &[&str]) -> bool {
    Command::new("ip").args(arguments).output().is_ok_and(|output| output.status.success())
}

fn ip(arguments: &[&str]) {
    assert!(try_ip(arguments), "ip {arguments:?}");
}

#[test]
fn the_picture_stays_when_the_path_shrinks_and_the_address_changes() {
    let Some(_turn) = turn() else { return };
    let Some(network) = Network::new() else { return };
    let listen = format!("0.0.0.0:{PORT}");
    let mut server = network.start(0, "shell-server", &["--source", "pattern", "--open", "--listen", &listen]);
    server.line_with("sharing");
    let url = format!("nalcast://10.99.0.1:{PORT}");
    let mut client = network.start(1, "shell-client", &[&url, "--headless"]);
    client.line_with("first picture");
    network.wait_for_status("\"datagram_bytes_max\":1372");

    // The kernel of the far end drops what is larger, and tells nobody.
    ip(&["-n", &network.hosts[1], "link", "set", "cable", "mtu", "1300"]);
    network.wait_for_status("\"datagram_bytes_max\":1252");

    ip(&["-n", &network.hosts[1], "address", "add", "10.99.0.7/24", "dev", "cable"]);
    ip(&["-n", &network.hosts[1], "address", "delete", "10.99.0.2/24", "dev", "cable"]);
    // An address that was added second goes with the first on some systems.
    try_ip(&["-n", &network.hosts[1], "address", "add", "10.99.0.7/24", "dev", "cable"]);
    network.wait_for_status("\"viewers_moved\":1");
    server.line_with("is at 10.99.0.7");
    network.wait_for_status("\"state\":\"watching\"");
    client.signal("INT");
    assert!(client.end().success(), "{:#?}", client.seen);
    assert_eq!(client.seen.iter().filter(|line| line.contains("connected to")).count(), 1, "{:#?}", client.seen);
    server.line_with("is gone: left");
}
