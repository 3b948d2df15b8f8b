//! What must hold at every step, at the moment of convergence and in the end.

use nalcast_core::Timestamp;
use nalcast_core::recv::ClientState;
use nalcast_core::send::Server;

use super::World;
use crate::check::{Made, Violation};
use crate::plain::Plain;
use crate::report::{Report, ViewerReport};
use crate::viewer::Viewer;
use crate::wire_check::check_path;

impl World {
    /// After a timeout was handled the next one must be later, or the loop would spin.
    pub(super) fn expect_later(&self, who: &str, next: Option<Timestamp>) -> Result<(), Violation> {
        match next {
            Some(next) if next <= self.now => Err(format!("the {who}'s next timeout {next} is not later than now")),
            _ => Ok(()),
        }
    }

    /// What the server knows of its paths, and what it spends on them.
    pub(super) fn check_paths(&self, server: &Server<Plain>) -> Result<(), Violation> {
        server.viewers().try_for_each(|known| {
            let viewer = self.viewers.iter().find(|viewer| viewer.address == known.address);
            let delay = |viewer: &Viewer| viewer.down.config().delay + viewer.up.config().delay;
            check_path(self.now, &known, viewer.map(delay).unwrap_or_default(), &self.load)
        })
    }

    pub(super) fn check_link(&self, i: usize) -> Result<(), Violation> {
        let conserved = self.viewers[i].down.stats().is_conserved() && self.viewers[i].up.stats().is_conserved();
        if conserved { Ok(()) } else { Err(format!("viewer {i}'s link lost count of its datagrams")) }
    }

    /// Every viewer that should be there by now shows frames captured since the faults ended.
    pub(super) fn check_convergence(&self, of_all: bool) -> Result<(), Violation> {
        let full = self.scenario.viewers_max < self.scenario.viewers.len();
        for (i, viewer) in self.viewers.iter().enumerate() {
            let Some(client) = &viewer.client else { continue };
            let gone = matches!(client.state(), ClientState::Leaving | ClientState::Ended);
            let asking = client.state() == ClientState::Connecting && !of_all;
            if gone || asking || full {
                continue;
            }
            if viewer.last_release.is_none_or(|at| at <= self.scenario.faults_end) {
                let state = client.state();
                return Err(format!(
                    "viewer {i} ({state:?}) has shown nothing since the faults ended; last at {:?}",
                    viewer.last_release
                ));
            }
        }
        Ok(())
    }

    /// After the goodbye nobody is left, and everybody who was there has the last frame.
    pub(super) fn check_end(&self) -> Result<(), Violation> {
        if !self.finished {
            return Err("the server has not finished saying goodbye".into());
        }
        let newest = self.made.last().and_then(Made::newest);
        for (i, viewer) in self.viewers.iter().enumerate() {
            let Some(client) = &viewer.client else { continue };
            let full = self.scenario.viewers_max < self.scenario.viewers.len();
            if client.state() != ClientState::Ended && !full {
                return Err(format!("viewer {i} is still {:?}", client.state()));
            }
            let behind = viewer.ended_with_stream && viewer.session.last_released() != newest;
            if behind && self.scenario.is_live() && !full {
                let last = viewer.session.last_released();
                return Err(format!("viewer {i} ended with frame {last:?}, the last one was {newest:?}"));
            }
        }
        Ok(())
    }

    pub(super) fn report(&self) -> Report {
        Report {
            digest: self.trace.digest(),
            events: self.trace.events(),
            simulated: self.now,
            units: self.units,
            server: self.server.as_ref().map(Server::stats).unwrap_or_default(),
            viewers: self.viewers.iter().map(ViewerReport::new).collect(),
            lines: self.trace.lines().to_vec(),
        }
    }
}
