//! Safety on any link and with any input, and recovery once the link is good again.

#[path = "../../sim/src/plain.rs"]
#[allow(unreachable_pub, reason = "the simulator, where the file belongs, makes it public")]
mod plain;
mod world;

use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// The world checks after each step that frames are released in order, once, byte for byte and only with their
    /// reference, that no buffer is over its cap, and that no timer lies in the past.
    #[test]
    fn whatever_happens_nothing_breaks_and_everybody_sees_in_the_end(data in vec(any::<u8>(), 0..600)) {
        world::ops::run(&data);
    }
}
