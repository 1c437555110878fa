//! From where requests come.

use std::net::{IpAddr, Ipv6Addr};

/// From where a request came: put it into the extensions of a request that is passed to a face, and
/// failed attempts are limited by it. The server of the runner protocol does so by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "hosts that serve a face by themselves build it")]
pub struct Peer(pub IpAddr);

impl Peer {
    /// What counts as one source: an IPv4 address, or the /64 that one subscriber of IPv6 has.
    pub(crate) fn network(self) -> IpAddr {
        match self.0.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
            v4 @ IpAddr::V4(_) => v4,
        }
    }
}
