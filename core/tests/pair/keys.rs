//! Keys change while the session goes on.

use core::time::Duration;

use crate::world::Kind;
use crate::world::look::{lost, released, up};

#[test]
fn both_directions_get_new_keys_and_nobody_notices() {
    let mut world = up();
    for _ in 0..25 {
        world.run(Duration::from_secs(60));
        world.feed(Kind::Delta, 2_000);
    }
    world.run(Duration::from_secs(1));
    for to_server in [true, false] {
        let sealed = world.log.iter().filter(|sent| sent.to_server == to_server && sent.bytes[0] & 0x80 != 0);
        let mut phases: Vec<bool> = sealed.map(|sent| sent.bytes[0] & 0x20 != 0).collect();
        phases.dedup();
        assert_eq!(phases, [false, true, false], "every ten minutes, to the server: {to_server}");
    }
    assert_eq!(released(&world, 0).len(), 26);
    assert_eq!(lost(&world, 0), []);
}
