//! Every cap and period of the core in one place, with its unit last in the name.
//!
//! Relations between them are asserted at compile time at the end of the file. The HTTP parser's limits are
//! a runtime choice and live in [`crate::http::Limits`].

use core::time::Duration;

// --- Datagrams -------------------------------------------------------------------------------------------

/// UDP payload that every path is assumed to carry (the floor QUIC also uses, RFC 9000 §14).
pub const DATAGRAM_BYTES_BASE: usize = 1200;
/// Largest UDP payload that is ever accepted or sent: an Ethernet frame less IPv4 and UDP headers.
pub const DATAGRAM_BYTES_MAX: usize = 1472;
/// Larger sizes that are tried, ascending: what is left of common link sizes behind IPv4 or IPv6 and UDP headers.
pub const MTU_PROBE_BYTES: [usize; 5] = [1252, 1372, 1432, 1452, DATAGRAM_BYTES_MAX];
/// How often a size is tried before it counts as too large (RFC 8899 §5.1.2).
pub const MTU_TRIES_MAX: usize = 3;
/// When larger sizes are tried again (RFC 8899 §5.1.1).
pub const MTU_RAISE_PERIOD: Duration = Duration::from_secs(600);
/// Datagrams over the base size that may go unanswered, none as large being answered since, before it is checked.
pub const MTU_HOLE_DATAGRAMS: usize = 3;
/// Such checks in a row that only a small datagram has to survive before the path counts as shrunk.
pub const MTU_HOLE_CHECKS: u32 = 6;
/// Datagrams in one send request; also the longest burst that pacing lets through.
pub const BURST_DATAGRAMS_MAX: usize = 10;

// --- Frames ----------------------------------------------------------------------------------------------

/// Largest access unit that is carried.
pub const FRAME_BYTES_MAX: usize = 2 << 20;
/// Largest frame header in front of the access unit: flags, epoch, two varints, capture time.
pub const FRAME_HEADER_BYTES_MAX: usize = 16;
/// Largest frame id that a peer may name in full: out of reach of any stream, and far enough below the largest
/// number that nothing overflows.
pub const FRAME_ID_MAX: u64 = 1 << 62;
/// Fragments of one frame: the wire's 12 bits.
pub const FRAGMENTS_PER_FRAME_MAX: usize = 4096;
/// Fragments that are coded together: the columns of the code's matrix, which has as many rows.
pub const CODE_BLOCK_FRAGMENTS_MAX: usize = 128;
/// Parity rows in a hundred fragments that go out with a frame at most, beyond the two that any frame may have.
pub const PARITY_PERCENT_MAX: usize = 50;
/// Rounds of repair that are planned for, behind the first transmission.
pub const ROUNDS_MAX: usize = 6;
/// Largest set of parameter sets (VPS, SPS and PPS together, with start codes) that CONFIG carries.
pub const PARAMETER_SETS_BYTES_MAX: usize = 1024;

// --- Sender ----------------------------------------------------------------------------------------------

/// Frames the global buffer holds at most.
pub const GLOBAL_BUFFER_FRAMES_MAX: usize = 600;
/// Bytes of frames since the last key frame that the global buffer holds at most.
pub const GLOBAL_BUFFER_BYTES_MAX: usize = 12 << 20;
/// Frames that are kept for repair although no newcomer needs them, and that are remembered for each viewer.
pub const REPAIRABLE_FRAMES_MAX: usize = 128;
/// Bytes of frames that are kept for repair although no newcomer needs them.
pub const REPAIRABLE_BYTES_MAX: usize = 4 << 20;
/// Requests that wait for one viewer: each is for a block of a frame.
pub const PENDING_REPAIRS_MAX: usize = 64;
/// Repairs and parity take at most this share of what the source makes.
pub const REPAIR_SHARE_PERCENT_MAX: u64 = 60;
/// The same while the delay of the path rises.
pub const REPAIR_SHARE_PERCENT_RISING: u64 = 25;
/// Of that, what is kept for repairs whatever parity takes.
pub const REPAIR_RESERVE_PERCENT: u64 = 10;
/// What they may take in any case, bytes a second and at once.
pub const REPAIR_RATE_MIN: u64 = 30_000;
/// See [`REPAIR_RATE_MIN`].
pub const REPAIR_CREDIT_BYTES_MIN: u64 = 64_000;
/// How long unused credit for repairs is saved up.
pub const REPAIR_CREDIT_PERIOD: Duration = Duration::from_secs(2);
/// Viewers a server can be configured for.
pub const VIEWERS_MAX: usize = 1024;
/// Half-open handshakes: accepted, but nothing heard over the new session yet.
pub const HALF_OPEN_MAX: usize = 64;
/// Half-open handshakes of one address, behind which a whole room may be.
pub const HALF_OPEN_PER_ADDRESS_MAX: usize = 16;
/// How long a half-open handshake is kept, and a duplicate INIT is answered by the same ACCEPT.
pub const HALF_OPEN_PERIOD: Duration = Duration::from_secs(10);
/// How long a half-open handshake keeps its place against another one of its address: time for its owner to
/// confirm it, so that viewers behind one address do not push each other out.
pub const HALF_OPEN_GRACE: Duration = Duration::from_secs(1);
/// Accepted handshakes that are remembered, lest a recorded one be accepted again.
pub const SEEN_HANDSHAKES_MAX: usize = 4096;
/// How long a token lets its host in without a cookie.
pub const TOKEN_PERIOD: Duration = Duration::from_secs(24 * 60 * 60);
/// Tokens of which it is remembered that they were used.
pub const SEEN_TOKENS_MAX: usize = 4096;
/// How often an address is asked to prove that a viewer moved there.
pub const PATH_CHALLENGE_TRIES_MAX: u32 = 3;
/// First wait for the answer, over a path of which nothing is known; doubles with each try.
pub const PATH_CHALLENGE_FIRST: Duration = Duration::from_millis(200);
/// The closest that two moves of a viewer follow each other.
pub const ROAMING_PERIOD_MIN: Duration = Duration::from_secs(1);
/// Bytes sent to an address that has proved nothing, per byte received from it (RFC 9000 §8).
pub const AMPLIFICATION_FACTOR_MAX: usize = 3;
/// Handshakes that one network (an IPv4 /24, an IPv6 /56) may begin at once.
pub const HANDSHAKES_OF_NETWORK_BURST: u32 = 64;
/// Time in which a network earns the right to one more.
pub const HANDSHAKES_OF_NETWORK_SPACING: Duration = Duration::from_millis(50);
/// Handshakes that are answered at once, of all who have proved their right.
pub const HANDSHAKES_BURST: u32 = 200;
/// Time in which one more may be: they never take more than a fifth of a processor core.
pub const HANDSHAKES_SPACING: Duration = Duration::from_millis(1);
/// Failed proofs of one host (an IPv4 address, an IPv6 /56) at once; from then on it is not listened to.
pub const FAILURES_OF_HOST_BURST: u32 = 10;
/// Time after which one more of its proofs is looked at.
pub const FAILURES_OF_HOST_SPACING: Duration = Duration::from_secs(6);
/// How long a pairing code is good.
pub const PAIRING_CODE_PERIOD: Duration = Duration::from_secs(120);
/// Wrong guesses that use a pairing code up.
pub const PAIRING_FAILURES_MAX: u32 = 3;
/// How long there is no pairing code after it was used up by guesses.
pub const PAIRING_PAUSE: Duration = Duration::from_secs(30);
/// How long the one exchange that may be under way can take.
pub const PAIRING_ATTEMPT_PERIOD: Duration = Duration::from_secs(10);
/// Exchanges of one host that may come to nothing at once.
pub const PAIRING_LAPSES_BURST: u32 = 2;
/// Time after which one more may: a host keeps the others waiting for less than half of the time.
pub const PAIRING_LAPSES_SPACING: Duration = Duration::from_secs(25);
/// Networks, and hosts, that are kept count of.
pub const SOURCES_MAX: usize = 1024;
/// How often the secret behind address cookies changes; the previous one stays good for as long.
pub const COOKIE_SECRET_PERIOD: Duration = Duration::from_secs(120);
/// Bytes of frames waiting for one viewer.
pub const QUEUE_BYTES_MAX: usize = 2 << 20;
/// Age of the oldest frame waiting for one viewer.
pub const QUEUE_AGE_MAX: Duration = Duration::from_millis(100);
/// The time over which a frame is spread while nothing is known about the path.
pub const PACING_FRAME_PERIOD: Duration = Duration::from_millis(10);
/// How late a shell may send a burst without losing its place: timers wake it up a millisecond late, or two.
pub const PACING_LATENESS: Duration = Duration::from_millis(3);
/// The time in which everything that waits for one viewer leaves, if nothing else is slower: a newcomer's
/// catch-up is many small frames.
pub const PACING_QUEUE_PERIOD: Duration = Duration::from_millis(50);
/// Bytes that a newcomer to a source without key frames on request is caught up with at most.
pub const CATCH_UP_BYTES_MAX: usize = 1 << 20;
/// Ranges of withheld frames that are remembered for one viewer: every second frame of a full global buffer.
pub const SKIP_RANGES_MAX: usize = 320;
/// The lowest rate that a path is slowed down to, bytes a second.
pub const RATE_BYTES_MIN: u64 = 15_000;
/// The highest rate that an estimate of a path can be, bytes a second.
pub const RATE_BYTES_MAX: u64 = 125_000_000;
/// Answers to one kind of control message that wait for one viewer.
pub const CONTROL_RETRANSMIT_MAX: usize = 8;

// --- Keys ------------------------------------------------------------------------------------------------

/// Datagrams after which a direction gets new keys, half of what AES-GCM is safe for (RFC 9001 §6.6).
pub const KEY_DATAGRAMS: u64 = 1 << 22;
/// Datagrams that are sealed with the same keys at most, should the peer never acknowledge them.
pub const KEY_DATAGRAMS_MAX: u64 = 1 << 23;
/// Datagrams that may fail to open with a session's keys before nothing is opened any more: the least of what its ciphers
/// are safe for (ChaCha20-Poly1305, RFC 9001 §6.6).
pub const FORGED_DATAGRAMS_MAX: u64 = 1 << 36;
/// Time after which a direction gets new keys.
pub const KEY_PERIOD: Duration = Duration::from_secs(600);
/// Old keys are kept for so many times the wait for an answer.
pub const KEY_KEEP_TIMEOUTS: u32 = 3;

// --- Membership ------------------------------------------------------------------------------------------

/// A viewer that is silent for this long is sent no media.
pub const STALLED_PERIOD: Duration = Duration::from_secs(2);
/// A session over which nothing was ever heard is over after this long: the server may have had to forget it.
pub const UNCONFIRMED_PERIOD: Duration = Duration::from_secs(2);
/// A session that is silent for this long is over, on both sides.
pub const IDLE_PERIOD: Duration = Duration::from_secs(10);
/// The longest silence of a viewer while media flows.
pub const FEEDBACK_MEDIA_PERIOD: Duration = Duration::from_millis(16);
/// The longest silence of a viewer while nothing flows.
pub const FEEDBACK_STILL_PERIOD: Duration = Duration::from_millis(250);
/// The closest that two reports may follow each other, however urgent.
pub const FEEDBACK_SPACING_MIN: Duration = Duration::from_millis(5);
/// How often the round trip is measured once the session has settled.
pub const PING_PERIOD: Duration = Duration::from_secs(1);
/// How often the newest frame is named while no frame flows.
pub const HEARTBEAT_PERIOD: Duration = Duration::from_secs(1);
/// First wait for an answer to INIT; doubles with each try.
pub const INIT_RETRY_FIRST: Duration = Duration::from_millis(250);
/// Longest wait for an answer to INIT.
pub const INIT_RETRY_MAX: Duration = Duration::from_secs(4);
/// INITs of one attempt.
pub const INIT_TRIES_MAX: u32 = 8;
/// First pause before a new attempt; doubles with each one, plus up to a quarter of jitter.
pub const RECONNECT_FIRST: Duration = Duration::from_millis(500);
/// Longest pause before a new attempt.
pub const RECONNECT_MAX: Duration = Duration::from_secs(8);
/// How often CLOSE is said, if it is not answered.
pub const CLOSE_TRIES_MAX: u32 = 3;
/// Round-trip time that is assumed until one is measured.
pub const RTT_INITIAL: Duration = Duration::from_millis(100);

// --- Key frames ------------------------------------------------------------------------------------------

/// Frames whose references and capture times the server remembers: more than may be under way.
pub const FRAMES_REMEMBERED_MAX: usize = 256;
/// Long-term references at once: no decoder keeps more (ITU-T H.264, clause A.3.1: 16 frames).
pub const LONG_TERM_REFERENCES_MAX: usize = 16;
/// Requests that arrive within this time of each other make one key frame.
pub const REMEDY_COALESCE_PERIOD: Duration = Duration::from_millis(30);
/// Time in which the encoder earns the right to one more key frame.
pub const KEY_FRAME_SPACING: Duration = Duration::from_millis(500);
/// Key frames that may follow each other at once.
pub const KEY_FRAME_BURST: u32 = 2;
/// Time in which one viewer earns the right to one more key frame.
pub const KEY_FRAME_VIEWER_SPACING: Duration = Duration::from_secs(2);
/// Key frames that one viewer may ask for in a row.
pub const KEY_FRAME_VIEWER_BURST: u32 = 3;

// --- Receiver --------------------------------------------------------------------------------------------

/// Fragments that wait unsorted.
pub const FIRST_BUFFER_FRAGMENTS_MAX: usize = 4096;
/// Bytes of fragments that wait unsorted.
pub const FIRST_BUFFER_BYTES_MAX: usize = 5 << 20;
/// Unsorted fragments that start the sorting process, unless the frame is smaller.
pub const SORT_FRAGMENTS_THRESHOLD: usize = 32;
/// Age of the oldest unsorted fragment that starts the sorting process.
pub const SORT_AGE_THRESHOLD: Duration = Duration::from_millis(2);
/// Frames that are being put together or wait for an earlier one.
pub const SORTED_BUFFER_FRAMES_MAX: usize = 160;
/// Bytes of frames that are being put together or wait for an earlier one.
pub const SORTED_BUFFER_BYTES_MAX: usize = 16 << 20;
/// After this long an incomplete frame is given up even if others need it.
pub const REPAIR_PERIOD_MAX: Duration = Duration::from_secs(2);
/// Shortest time to wait for a fragment that another one overtook.
pub const REORDER_TOLERANCE_MIN: Duration = Duration::from_millis(1);
/// Longest such time, unless the round trip is longer still.
pub const REORDER_TOLERANCE_MAX: Duration = Duration::from_millis(40);
/// How long a new path is taken to reorder by an eighth of its round trip, whatever was seen.
pub const REORDER_SETTLING: Duration = Duration::from_secs(1);
/// Shortest pause within a frame that may mean that its last fragments are lost.
pub const TAIL_PAUSE_MIN: Duration = Duration::from_millis(3);
/// Longest such pause, however long those before were: a newer frame tells soon, too.
pub const TAIL_PAUSE_MAX: Duration = Duration::from_millis(10);
/// Frames of so much time that wait behind one that is missing: a way around them costs less than all their repairs.
pub const OUTAGE_PERIOD: Duration = Duration::from_millis(300);
/// How often a request is repeated until it is answered.
pub const NEED_REPEAT_PERIOD: Duration = Duration::from_millis(10);
/// Time after which displacement seen earlier no longer counts.
pub const REORDER_MEMORY: Duration = Duration::from_secs(10);
/// Frames whose ways a viewer remembers.
pub const LEDGER_FRAMES_MAX: usize = 256;
/// Records of frames that wait to be told after one input.
pub const LEDGER_RECORDS_MAX: usize = 512;
/// A picture that stands still for no longer is no freeze.
pub const FREEZE_PERIOD_MIN: Duration = Duration::from_millis(100);
/// Packet numbers whose arrival is remembered for acknowledgement.
pub const ARRIVALS_MAX: usize = 1024;
/// Packet numbers that one report acknowledges below the largest.
pub const ACK_BITS_MAX: usize = 512;
/// Frames that one report can ask for.
pub const NEED_MAX: usize = 32;
/// Events that wait for the shell.
pub const EVENTS_MAX: usize = 1024;

const _: () = {
    assert!(DATAGRAM_BYTES_BASE <= DATAGRAM_BYTES_MAX);
    // A frame of the largest size fits the wire's fragment count at the smallest datagram.
    assert!((FRAME_BYTES_MAX + FRAME_HEADER_BYTES_MAX).div_ceil(DATAGRAM_BYTES_BASE - 25) <= FRAGMENTS_PER_FRAME_MAX);
    assert!(FRAME_BYTES_MAX <= QUEUE_BYTES_MAX && FRAME_BYTES_MAX <= GLOBAL_BUFFER_BYTES_MAX);
    // A catch-up leaves before its last frame is too old to wait.
    assert!(PACING_QUEUE_PERIOD.as_micros() < QUEUE_AGE_MAX.as_micros() && CATCH_UP_BYTES_MAX <= QUEUE_BYTES_MAX);
    assert!(SKIP_RANGES_MAX * 2 >= GLOBAL_BUFFER_FRAMES_MAX);
    // Parameter sets travel in one CONFIG message, in one datagram.
    assert!(PARAMETER_SETS_BYTES_MAX + 64 <= DATAGRAM_BYTES_BASE);
    assert!(FIRST_BUFFER_FRAGMENTS_MAX * DATAGRAM_BYTES_BASE <= FIRST_BUFFER_BYTES_MAX);
    assert!(PAIRING_LAPSES_SPACING.as_secs() > 2 * PAIRING_ATTEMPT_PERIOD.as_secs());
    assert!(ACK_BITS_MAX < ARRIVALS_MAX && ARRIVALS_MAX.is_power_of_two());
    assert!(STALLED_PERIOD.as_micros() < IDLE_PERIOD.as_micros());
    assert!(RATE_BYTES_MIN < RATE_BYTES_MAX);
};
