//! Asks for the code that a server shows.

use std::io::{self, BufRead, Write};
use std::thread;

use nalcast_core::handshake::PairingCode;
use tokio::sync::oneshot;

use crate::address::ServerAddress;

/// How often something that is no code may be typed before the next line is not waited for.
const LINES_MAX: usize = 10;

/// Asks whoever sits at the terminal. The answer comes from a thread of its own, as nothing can interrupt its reading: it
/// is left behind when the program ends. No answer if there is nothing more to read.
pub(crate) fn ask(server: &ServerAddress) -> oneshot::Receiver<PairingCode> {
    let (answer, answered) = oneshot::channel();
    let question = format!("type the code that {server} shows: ");
    thread::spawn(move || {
        if let Some(code) = read(&question, io::stdin().lock(), &mut io::stdout()) {
            // Nobody waits for it if the program ends just now.
            let _ = answer.send(code);
        }
    });
    answered
}

fn read(question: &str, mut lines: impl BufRead, out: &mut impl Write) -> Option<PairingCode> {
    for _ in 0..LINES_MAX {
        // Without anybody to see it, a line may still be there to be read.
        let _ = write!(out, "{question}").and_then(|()| out.flush());
        let mut line = String::new();
        if lines.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(code) = PairingCode::parse(&line) {
            return Some(code);
        }
        let _ = writeln!(out, "a code has eight digits");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_asks_until_a_code_is_typed_or_nothing_is_left() {
        let mut out = Vec::new();
        let code = read("code: ", &b"hello\n\n1234-5678\n"[..], &mut out);
        assert_eq!(code, PairingCode::parse("12345678"));
        let said = String::from_utf8(out).unwrap();
        assert_eq!(said.matches("code: ").count(), 3);
        assert_eq!(read("code: ", &b"hello\n"[..], &mut Vec::new()), None);
        assert_eq!(read("code: ", &b"no\n".repeat(100)[..], &mut Vec::new()), None);
    }
}
