//! How many connections each client has.

use core::net::{IpAddr, Ipv6Addr};
use std::collections::BTreeMap;
use std::sync::Arc;

use super::limits::CONNECTIONS_PER_ADDRESS_MAX;

/// The connections that are open, by client.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Each connection holds a copy: the copies are counted.
    taken: BTreeMap<IpAddr, Arc<()>>,
}

/// One connection's, free again when it is dropped.
#[derive(Debug)]
#[must_use]
pub(super) struct Place(#[expect(dead_code, reason = "held, not read")] Arc<()>);

impl Places {
    /// A place for a connection of `peer`, unless it has as many as one may have.
    pub(super) fn take(&mut self, peer: IpAddr) -> Option<Place> {
        self.taken.retain(|_, places| Arc::strong_count(places) > 1);
        let places = self.taken.entry(client(peer)).or_default();
        (Arc::strong_count(places) <= CONNECTIONS_PER_ADDRESS_MAX).then(|| Place(Arc::clone(places)))
    }
}

/// The address that stands for a client: of IPv6 only the network, of which one host can have every address.
fn client(peer: IpAddr) -> IpAddr {
    const NETWORK: Ipv6Addr = Ipv6Addr::new(0xffff, 0xffff, 0xffff, 0xffff, 0, 0, 0, 0);
    match peer.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(address & NETWORK),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_and_given_back() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let mut places = Places::default();
        let take = |places: &mut Places, text: &str| places.take(address(text));
        let mut held: Vec<Place> =
            (0..CONNECTIONS_PER_ADDRESS_MAX).map(|_| take(&mut places, "192.0.2.1").unwrap()).collect();
        assert!(take(&mut places, "192.0.2.1").is_none());
        assert!(take(&mut places, "::ffff:192.0.2.1").is_none());
        assert!(take(&mut places, "192.0.2.2").is_some());
        held.pop();
        held.push(take(&mut places, "192.0.2.1").unwrap());
        assert!(take(&mut places, "192.0.2.1").is_none());
        drop(held);
        let one_network: Vec<Option<Place>> =
            (0..=CONNECTIONS_PER_ADDRESS_MAX).map(|host| take(&mut places, &format!("2001:db8::{host:x}"))).collect();
        assert_eq!(one_network.iter().flatten().count(), CONNECTIONS_PER_ADDRESS_MAX);
        assert!(take(&mut places, "2001:db8:0:1::1").is_some());
        assert_eq!(places.taken.len(), 2, "clients that are gone are forgotten");
    }
}
