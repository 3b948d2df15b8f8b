//! The whole state of a machine as text, less its counters: what nothing but an authentic datagram may change.

use nalcast_core::handshake::Noise;
use nalcast_core::recv::Client;
use nalcast_core::send::Server;

/// Everything about the server but what it counts and the time.
#[must_use]
pub fn server_state(server: &Server<Noise>) -> String {
    let text = format!("{server:?}");
    let counters = text.find("stats: ServerStats {").expect("it counts");
    without(&text, counters, '}')
}

/// Everything about a viewer but the number of datagrams that it dropped, and the time.
#[must_use]
pub fn client_state(client: &Client<Noise>) -> String {
    let text = format!("{client:?}");
    let counter = text.rfind("dropped: ").expect("it counts");
    without(&text, counter, ',')
}

/// `text` without the field that begins at `begin` and without the time that the machine was told last, its last field.
fn without(text: &str, begin: usize, ends_with: char) -> String {
    let end = begin + text[begin..].find(ends_with).expect("the field ends");
    let time = text.rfind("now: ").expect("it knows the time");
    uncounted(&format!("{}{}", &text[..begin], &text[end..time]))
}

/// `text` without the numbers of forgeries that each session's keys have met.
fn uncounted(text: &str) -> String {
    let mut parts = text.split("forged: ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.trim_start_matches(|c: char| c.is_ascii_digit()))
}
