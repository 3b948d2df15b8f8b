//! What is missing and worth asking for, and until when.

use core::time::Duration;

use super::receiver::{Pace, Receiver};
use super::release::{first_known, is_overdue};
use super::sorted_buffer::Entry;
use crate::limits::{NEED_MAX, REPAIR_PERIOD_MAX};
use crate::time::{Timestamp, micros};
use crate::wire::feedback::{Need, SLACK_UNIT, WHOLE_FRAME};
use crate::wire::frame_id_low;

impl Receiver {
    /// Hands out what to ask for, most urgent first; how many symbols that is.
    pub(super) fn needs(&self, now: Timestamp, pace: &Pace<'_>, mut ask: impl FnMut(u64, Need)) -> u32 {
        let mut asked = 0;
        let mut symbols = 0;
        for (id, entry) in self.sorted.frames() {
            let Some(slack) = self.slack(now, entry, pace) else { continue };
            let mut push = |block, missing| {
                if asked < NEED_MAX {
                    asked += 1;
                    symbols += u32::from(missing);
                    ask(id, Need { frame: frame_id_low(id), block, missing, slack });
                }
            };
            match entry {
                Entry::Skipped => {}
                Entry::Absent { .. } if is_overdue(now, entry, pace.tolerance) => push(0, WHOLE_FRAME),
                Entry::Absent { .. } => {}
                Entry::Frame(slot) => slot.lost(now, pace.tolerance).for_each(|(block, missing)| {
                    // A request can never be as large as the whole frame's mark.
                    push(block, u8::try_from(missing).unwrap_or(u8::MAX).min(WHOLE_FRAME - 1));
                }),
            }
            if asked == NEED_MAX {
                break;
            }
        }
        symbols
    }

    /// When something more will be worth asking for.
    pub(super) fn next_loss(&self, now: Timestamp, pace: &Pace<'_>) -> Option<Timestamp> {
        let next = self.sorted.frames().filter_map(|(_, entry)| match entry {
            Entry::Skipped => None,
            Entry::Absent { since } => Some(*since + pace.tolerance).filter(|at| *at > now),
            Entry::Frame(slot) => slot.next_loss(now, pace.tolerance),
        });
        next.min()
    }

    /// Time left until what is asked for is useless, in the report's units; none if it is useless already. A frame that
    /// others need is late for its own display, but in time for that of the frames behind it.
    fn slack(&self, now: Timestamp, entry: &Entry, pace: &Pace<'_>) -> Option<u8> {
        let (leads_back, disposable) = match entry {
            Entry::Skipped => return None,
            Entry::Absent { .. } => (false, false),
            Entry::Frame(slot) => {
                let leads_back = slot.key || slot.header().is_some_and(|header| header.uses_long_term);
                (leads_back, slot.disposable)
            }
        };
        if (self.is_broken && !leads_back) || now >= first_known(entry) + REPAIR_PERIOD_MAX {
            return None;
        }
        let rtt = pace.clock.rtt().unwrap_or_default();
        let deadline = self.display_deadline(now, entry, pace);
        let earliest = now + rtt;
        if deadline < earliest && disposable {
            return None;
        }
        let interval = micros(pace.frame_interval).max(1);
        let short = micros(earliest.saturating_since(deadline)).div_ceil(interval);
        let left = (deadline + Duration::from_micros(interval * short)).saturating_since(now);
        u8::try_from(left.as_micros() / SLACK_UNIT.as_micros()).ok().or(Some(u8::MAX))
    }
}
