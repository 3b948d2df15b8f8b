//! The frame logs of both programs, put together.

use core::time::Duration;
use std::collections::BTreeMap;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::score::Passage;

/// Access units by the hash of their bytes.
#[derive(Clone, Debug)]
pub struct Index(BTreeMap<String, usize>);

/// What in a log cannot be read.
#[derive(Debug)]
pub struct LogError {
    whose: &'static str,
    line: usize,
    source: Option<serde_json::Error>,
}

impl core::fmt::Display for LogError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { whose, line, source } = self;
        write!(f, "line {line} of the {whose}'s frame log ")?;
        match source {
            Some(source) => write!(f, "cannot be read: {source}"),
            None => f.write_str("is of a picture that is not in the stream"),
        }
    }
}

impl core::error::Error for LogError {}

#[derive(Deserialize)]
struct Sent {
    au: usize,
    t_ns: u64,
}

#[derive(Deserialize)]
struct Released {
    t_ns: u64,
    sha256: String,
}

impl Index {
    /// Of the stream's access units, no two of which are equal.
    #[must_use]
    pub fn of(units: &[Vec<u8>]) -> Self {
        let hex = |unit: &Vec<u8>| Sha256::digest(unit).iter().map(|byte| format!("{byte:02x}")).collect();
        Self(units.iter().enumerate().map(|(place, unit)| (hex(unit), place)).collect())
    }

    /// When each access unit was where, by what the server and the viewer logged; both programs ran on one machine.
    ///
    /// # Errors
    /// When a log is damaged or belongs to another stream.
    pub fn passages(&self, server: &str, viewer: &str) -> Result<Vec<Option<Passage>>, LogError> {
        let mut passages: Vec<Option<Passage>> = vec![None; self.0.len()];
        for (line, text) in server.lines().enumerate() {
            let fault = |source| LogError { whose: "server", line: line + 1, source };
            let sent: Sent = serde_json::from_str(text).map_err(|source| fault(Some(source)))?;
            let passage = passages.get_mut(sent.au).ok_or_else(|| fault(None))?;
            *passage = Some(Passage { sent: Duration::from_nanos(sent.t_ns), released: None });
        }
        for (line, text) in viewer.lines().enumerate() {
            let fault = |source| LogError { whose: "viewer", line: line + 1, source };
            let released: Released = serde_json::from_str(text).map_err(|source| fault(Some(source)))?;
            let place = self.0.get(&released.sha256).ok_or_else(|| fault(None))?;
            let passage = passages.get_mut(*place).and_then(Option::as_mut).ok_or_else(|| fault(None))?;
            // A viewer that begins anew may get a frame again: the first time counts.
            passage.released.get_or_insert_with(|| Duration::from_nanos(released.t_ns));
        }
        Ok(passages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-4: the hash of "abc".
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn read(server: &str, viewer: &str) -> Result<Vec<Option<Passage>>, String> {
        let index = Index::of(&[b"abc".to_vec(), b"def".to_vec()]);
        index.passages(server, viewer).map_err(|error| error.to_string())
    }

    #[test]
    fn the_two_logs_meet_by_hash() {
        let viewer = format!("{{\"t_ns\":70,\"size\":3,\"sha256\":\"{ABC}\"}}\n");
        let again = format!("{{\"t_ns\":90,\"size\":3,\"sha256\":\"{ABC}\"}}\n");
        let sent = |ns| Duration::from_nanos(ns);
        let both = read("{\"au\":0,\"t_ns\":50}\n{\"au\":1,\"t_ns\":60}\n", &(viewer.clone() + &again)).unwrap();
        let first = Some(Passage { sent: sent(50), released: Some(sent(70)) });
        assert_eq!(both, [first, Some(Passage { sent: sent(60), released: None })]);
        assert_eq!(read("{\"au\":0,\"t_ns\":50}\n", &viewer).unwrap(), [first, None]);
        for (server, viewer, says) in [
            ("{\"au\":2,\"t_ns\":50}\n", "", "line 1 of the server's"),
            ("{\"au\":0,\"t_ns\":50}\n{\"au\":1,", "", "line 2 of the server's"),
            ("{\"au\":0,\"t_ns\":50}\n", "{\"t_ns\":70,\"size\":3,\"sha256\":\"00\"}\n", "line 1 of the viewer's"),
            ("{\"au\":1,\"t_ns\":50}\n", &viewer, "not in the stream"),
        ] {
            let error = read(server, viewer).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
