//! What leaves for one viewer, and when: control first, then media, then what tries the path.

use super::Viewer;
use super::mtu::Probe;
use crate::limits::{CLOSE_TRIES_MAX, DATAGRAM_BYTES_BASE, HEARTBEAT_PERIOD};
use crate::seal::Seal;
use crate::send::state::ViewerState;
use crate::send::stream::Stream;
use crate::time::Timestamp;
use crate::transmit::Transmit;
use crate::wire::Writer;
use crate::wire::control::{Control, message_len};

impl<S: Seal> Viewer<S> {
    /// When there will be something to send.
    pub(in crate::send) fn transmit_due(&self, stream: &Stream) -> Option<Timestamp> {
        if let Some(closing) = &self.closing {
            return (closing.tries < CLOSE_TRIES_MAX).then_some(closing.next);
        }
        if !self.state.is_joined() {
            return None;
        }
        let at_once = (!self.pongs.is_empty() || self.wishes.is_unanswered()).then_some(Timestamp::ZERO);
        let config = stream.has_news_for(self.config_heard).then_some(self.config_at);
        let media = self.media_due();
        let heartbeat = (stream.newest_frame() > 0 && self.queue.is_empty()).then_some(self.heartbeat_at);
        let token = self.token.map(|_| self.token_at);
        let probe = (self.state == ViewerState::Live).then_some(self.mtu.due());
        let tail = self.tail_due();
        let all = [at_once, config, media, tail, heartbeat, self.skips.due(), token, self.roaming.due(), probe];
        all.into_iter().flatten().min()
    }

    /// Control first, then a burst of one frame's fragments.
    pub(in crate::send) fn poll_transmit(
        &mut self,
        now: Timestamp,
        stream: &Stream,
        buf: &mut [u8],
    ) -> Option<Transmit> {
        self.channel.renew(now, self.sent.rtt().timeout());
        let transmit = self
            .poll_control(now, stream, buf)
            .or_else(|| self.poll_challenge(now, buf))
            .or_else(|| self.poll_repair(now, stream, buf))
            .or_else(|| self.poll_late(now, stream, buf))
            .or_else(|| self.poll_media(now, stream, buf))
            .or_else(|| self.poll_tail(now, stream, buf))
            .or_else(|| self.poll_probe(now, buf))?;
        self.bytes_sent += transmit.len as u64;
        Some(transmit)
    }

    fn poll_control(&mut self, now: Timestamp, stream: &Stream, buf: &mut [u8]) -> Option<Transmit> {
        let buf = buf.get_mut(..DATAGRAM_BYTES_BASE)?;
        let rtt = *self.sent.rtt();
        self.tell_gap(now, stream);
        let Self { channel, closing, pongs, skips, wishes, config_heard, .. } = self;
        let Self { config_at, heartbeat_at, queue, token, token_at, .. } = self;
        let mut told_token = false;
        let (number, len) = channel.seal(None, buf, |writer| {
            if let Some(closing) = closing {
                if now >= closing.next && closing.tries < CLOSE_TRIES_MAX {
                    closing.tries += 1;
                    closing.next = now + rtt.timeout();
                    Control::Close(closing.code).write(writer);
                }
                return;
            }
            while has_room::<S>(writer, 14)
                && let Some((id, sent_us, received)) = pongs.pop_back()
            {
                let (received_us, replied_us) = (received.low_u32(), now.low_u32());
                Control::Pong { id, sent_us, received_us, replied_us }.write(writer);
            }
            if let Some(answer) = wishes.answer() {
                answer.write(writer);
            }
            while has_room::<S>(writer, 6)
                && let Some(skip) = skips.poll(now, rtt.or_initial())
            {
                skip.write(writer);
            }
            if stream.has_news_for(*config_heard) && now >= *config_at {
                let config = stream.config();
                if has_room::<S>(writer, 8 + config.parameter_sets.len()) {
                    Control::Config(config).write(writer);
                    *config_at = now + rtt.timeout();
                }
            }
            if let Some(bytes) = token
                && now >= *token_at
                && has_room::<S>(writer, bytes.len())
            {
                Control::Token(bytes).write(writer);
                *token_at = now + rtt.timeout();
                told_token = true;
            }
            if now >= *heartbeat_at && queue.is_empty() && stream.newest_frame() > 0 && has_room::<S>(writer, 16) {
                let (newest_frame, server_time_us) = (stream.newest_frame(), now.as_micros());
                Control::Heartbeat { newest_frame, server_time_us }.write(writer);
                *heartbeat_at = now + HEARTBEAT_PERIOD;
            }
        })?;
        if told_token {
            self.token_number = number;
        }
        self.sent.record(now, number, len);
        Some(Transmit { destination: self.address, len, segment_size: None })
    }

    /// Asks a new address to prove that the viewer is there.
    fn poll_challenge(&mut self, now: Timestamp, buf: &mut [u8]) -> Option<Transmit> {
        if self.closing.is_some() {
            return None;
        }
        let (destination, challenge) = self.roaming.poll(now)?;
        let (_, len) = self.channel.seal(None, buf, |writer| Control::PathChallenge(challenge).write(writer))?;
        self.roaming.sent(len);
        Some(Transmit { destination, len, segment_size: None })
    }

    /// Padding that tries how large a datagram the path carries.
    fn poll_probe(&mut self, now: Timestamp, buf: &mut [u8]) -> Option<Transmit> {
        if self.state != ViewerState::Live {
            return None;
        }
        let timeout = self.sent.rtt().timeout();
        let probe = self.mtu.poll(now, timeout)?;
        let padding = match probe {
            // Behind the type and a length of two bytes.
            Probe::Raise { bytes } | Probe::Hole { bytes } => bytes - self.channel.overhead() - 3,
            Probe::Small => 0,
        };
        let (number, len) = self.channel.seal(None, buf, |writer| Control::Pad(padding).write(writer))?;
        self.mtu.probed(probe, number);
        self.sent.record_probe(now, number, len);
        Some(Transmit { destination: self.address, len, segment_size: None })
    }

    /// Ahead of a heartbeat, what was withheld since the last frame is told: the viewer would miss it otherwise.
    fn tell_gap(&mut self, now: Timestamp, stream: &Stream) {
        let newest = stream.newest_frame();
        let about_to_name_it = self.state == ViewerState::Live && now >= self.heartbeat_at && self.queue.is_empty();
        // Who waits for a key frame misses more than that.
        if about_to_name_it
            && !self.needs_remedy
            && let Some(last) = self.last_enqueued.filter(|last| *last < newest)
        {
            self.skips.add(now, last + 1, newest);
            self.last_enqueued = Some(newest);
        }
    }
}

/// Whether a message with a body of `body_len` bytes still fits, with the tag behind it.
fn has_room<S: Seal>(writer: &Writer<'_>, body_len: usize) -> bool {
    writer.room() >= message_len(body_len) + S::TAG_BYTES
}
