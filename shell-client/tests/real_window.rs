//! What a screen shows and what the viewer's window shows of it, on displays of the test's own: runs where
//! `NALCAST_REAL_TESTS` is set, as in `make test`.
#![cfg(feature = "display")]

#[path = "real/process.rs"]
mod process;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use process::{PATIENCE, Process, turn};
use x11rb::connection::Connection;
use x11rb::protocol::xproto::{ConnectionExt, ImageFormat, KEY_PRESS_EVENT, KEY_RELEASE_EVENT};
use x11rb::protocol::xtest::ConnectionExt as _;
use x11rb::rust_connection::RustConnection;

const WIDTH: usize = 1280;
const HEIGHT: usize = 720;

/// An X server of the test's own.
struct Display {
    server: Child,
    name: String,
    connection: RustConnection,
    root: u32,
}

impl Display {
    fn start() -> Self {
        let screen = format!("{WIDTH}x{HEIGHT}x24");
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", &screen, "-nolisten", "tcp"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb is installed");
        let mut number = String::new();
        let stdout = server.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_line(&mut number).expect("Xvfb tells its number");
        let name = format!(":{}", number.trim());
        let (connection, _) = x11rb::connect(Some(&name)).expect("it is ready");
        let root = connection.setup().roots[0].root;
        Self { server, name, connection, root }
    }

    /// The picture on the display: BGRX.
    fn grab(&self) -> Vec<u8> {
        let (width, height) = (WIDTH as u16, HEIGHT as u16);
        let request = self.connection.get_image(ImageFormat::Z_PIXMAP, self.root, 0, 0, width, height, !0);
        request.expect("a connection").reply().expect("a picture").data
    }

    /// Presses and releases the space bar, over whatever is under the pointer.
    fn press_space(&self) {
        const SPACE_BAR: u8 = 65;
        for kind in [KEY_PRESS_EVENT, KEY_RELEASE_EVENT] {
            let request = self.connection.xtest_fake_input(kind, SPACE_BAR, 0, self.root, 0, 0, 0);
            request.expect("a connection").check().expect("XTEST");
        }
    }

    /// Text that moves for a few seconds and then stands still.
    fn draw(&self) -> Child {
        let script = "i=0; while [ $i -lt 80 ]; do echo \"line $i: the quick brown fox jumps over the lazy dog\"; \
                      i=$((i+1)); sleep 0.05; done; sleep 1000";
        Command::new("xterm")
            .args(["-display", &self.name, "-geometry", "100x40+0+0", "-e", "sh", "-c", script])
            .stderr(Stdio::null())
            .spawn()
            .expect("xterm is installed")
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

/// Looks until `done`, which must come to pass.
fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "{what} does not come to pass");
        std::thread::sleep(core::time::Duration::from_millis(20));
    }
}

fn luma(pixel: &[u8]) -> f64 {
    0.0722 * f64::from(pixel[0]) + 0.7152 * f64::from(pixel[1]) + 0.2126 * f64::from(pixel[2])
}

/// Peak signal-to-noise ratio of the luma of two pictures, dB.
fn psnr(a: &[u8], b: &[u8]) -> f64 {
    let squares: f64 = a.chunks(4).zip(b.chunks(4)).map(|(a, b)| (luma(a) - luma(b)).powi(2)).sum();
    10.0 * (255.0 * 255.0 * a.len() as f64 / 4.0 / squares.max(1.0)).log10()
}

/// How many pixels are lighter than the dark half.
fn light(picture: &[u8]) -> usize {
    picture.chunks(4).filter(|pixel| luma(pixel) > 128.0).count()
}

#[test]
fn the_window_shows_what_the_screen_shows() {
    let Some(_turn) = turn() else { return };
    let (shared, viewed) = (Display::start(), Display::start());
    let mut drawing = shared.draw();
    wait_for("the drawing", || light(&shared.grab()) > 10_000);
    let (_server, url) = Process::server(&["--source", "screen", "--http", "off"], Some(&shared.name));
    let geometry = format!("{WIDTH}x{HEIGHT}+0+0");
    let mut client = Process::start("shell-client", &[&url, "--geometry", &geometry], Some(&viewed.name));
    client.line_with("first picture");
    // While the screen moves, so does the window.
    let mut pictures = vec![viewed.grab()];
    wait_for("movement in the window", || {
        let picture = viewed.grab();
        if pictures.last() != Some(&picture) {
            pictures.push(picture);
        }
        pictures.len() > 10
    });
    let mut best = 0.0f64;
    wait_for("the same picture on both, in luma within 35 dB", || {
        let (source, shown) = (shared.grab(), viewed.grab());
        assert!(light(&source) > 10_000, "the screen shows something");
        best = best.max(psnr(&source, &shown));
        best > 35.0
    });
    client.signal("INT");
    assert!(client.end().success(), "{:#?}", client.seen);
    drop(drawing.kill());
    drop(drawing.wait());
}

/// A display that the test picture fills, and the programs that bring it there.
fn watch_the_test_picture() -> (Display, [Process; 2]) {
    let viewed = Display::start();
    let (server, url) = Process::server(&["--source", "pattern", "--http", "off"], None);
    let geometry = format!("{WIDTH}x{HEIGHT}+0+0");
    let mut client = Process::start("shell-client", &[&url, "--geometry", &geometry], Some(&viewed.name));
    client.line_with("first picture");
    (viewed, [server, client])
}

#[test]
fn the_test_pictures_counter_is_read_back_from_the_window() {
    let Some(_turn) = turn() else { return };
    let (viewed, _programs) = watch_the_test_picture();
    let mut counters = Vec::new();
    wait_for("twenty different pictures in the window", || {
        counters.extend(shell_server::source::pattern::read_counter(&viewed.grab(), WIDTH * 4));
        counters.dedup();
        counters.len() > 20
    });
    assert!(counters.is_sorted(), "pictures are shown in order: {counters:?}");
}

#[test]
fn the_space_bar_stops_the_picture_and_lets_it_go_on() {
    let Some(_turn) = turn() else { return };
    let (viewed, _programs) = watch_the_test_picture();
    let counter = || shell_server::source::pattern::read_counter(&viewed.grab(), WIDTH * 4);
    wait_for("a picture", || counter().is_some());
    viewed.press_space();
    // The picture is dimmed, which spoils the counter, and the pause is written over it.
    wait_for("a dim picture", || counter().is_none());
    let dim = viewed.grab();
    std::thread::sleep(core::time::Duration::from_millis(700));
    assert!(dim == viewed.grab(), "the picture stands still");
    viewed.press_space();
    wait_for("a picture", || counter().is_some());
}

#[test]
fn psnr_tells_pictures_apart() {
    let picture: Vec<u8> = (0..WIDTH * 4).map(|i| i as u8).collect();
    let other: Vec<u8> = picture.iter().map(|byte| byte ^ 0x80).collect();
    assert!(psnr(&picture, &picture) > 60.0 && psnr(&picture, &other) < 10.0);
}
