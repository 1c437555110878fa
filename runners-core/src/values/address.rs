//! Which addresses the control plane may call by itself: none inside the operator's networks,
//! unless the operator says so.

mod class;

pub use class::AddressClass;

use std::{fmt, net::IpAddr, str::FromStr};

/// Which addresses may be called. Public ones, and the networks that are allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressPolicy {
    allowed: Vec<Network>,
    inside: bool,
}

impl AddressPolicy {
    /// Allows what is inside too: this machine, and networks that are private, unique local or
    /// shared. The metadata of a cloud and what is link-local are then never called, whatever else
    /// is allowed.
    #[must_use]
    pub fn inside() -> Self {
        Self { inside: true, ..Self::default() }
    }

    /// Allows the addresses of a network too, whatever they are.
    #[must_use]
    pub fn allow(mut self, network: Network) -> Self {
        self.allowed.push(network);
        self
    }

    /// Whether an address may be called. It has to be the one that is connected to: a name may
    /// lead elsewhere the next time it is looked up.
    #[must_use]
    pub fn permits(&self, address: IpAddr) -> bool {
        let allowed = |address| self.allowed.iter().any(|network| network.contains(address));
        match AddressClass::of(address) {
            AddressClass::Public => true,
            AddressClass::Metadata | AddressClass::LinkLocal if self.inside => false,
            AddressClass::Reserved => allowed(plain(address)),
            _ => self.inside || allowed(plain(address)),
        }
    }
}

/// A network: an address, and how many of its leading bits count. `10.0.0.0/8`, or a bare address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let apart = u32::from(network) ^ u32::from(address);
                apart.checked_shr(32 - self.bits).unwrap_or(0) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let apart = u128::from(network) ^ u128::from(address);
                apart.checked_shr(128 - self.bits).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

/// Why a text is not a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a network is an address with a number of bits, such as 10.0.0.0/8 or fd00::/8")]
#[non_exhaustive]
pub struct NetworkError;

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl FromStr for Network {
    type Err = NetworkError;
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(at, bits)| (at, Some(bits)));
        let address = plain(address.parse().map_err(|_| NetworkError)?);
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), str::parse).map_err(|_| NetworkError)?;
        if bits > most { Err(NetworkError) } else { Ok(Self { address, bits }) }
    }
}

/// An IPv4 address that is written as an IPv6 one is an IPv4 address.
fn plain(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(policy: &AddressPolicy, address: &str) -> bool {
        policy.permits(address.parse().unwrap())
    }

    #[test]
    fn nothing_inside_is_called_unless_it_is_allowed() {
        let inside = [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "100.127.255.255",
            "192.0.0.8",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "2001::1",
        ];
        let nobody = AddressPolicy::default();
        for address in inside {
            assert!(!permits(&nobody, address), "{address}");
        }
        for address in ["1.1.1.1", "8.8.8.8", "100.63.0.1", "172.32.0.1", "2606:4700::1111", "::ffff:1.1.1.1"]
        {
            assert!(permits(&nobody, address), "{address}");
        }
    }

    #[test]
    fn a_network_is_allowed_by_its_leading_bits() {
        let policy = AddressPolicy::default().allow("10.2.0.0/16".parse().unwrap());
        assert!(permits(&policy, "10.2.9.9") && permits(&policy, "::ffff:10.2.0.1"));
        assert!(!permits(&policy, "10.3.0.1") && !permits(&policy, "127.0.0.1"));
        let policy = AddressPolicy::default().allow("::1".parse().unwrap());
        assert!(permits(&policy, "::1") && !permits(&policy, "fd00::1"));
        let policy = AddressPolicy::default().allow("0.0.0.0/0".parse().unwrap());
        assert!(permits(&policy, "127.0.0.1") && !permits(&policy, "::1"));
        let policy = AddressPolicy::inside().allow("0.0.0.0/0".parse().unwrap());
        assert!(
            ["127.0.0.1", "10.0.0.1", "100.64.0.1", "fd12::1", "1.1.1.1"]
                .iter()
                .all(|one| permits(&policy, one))
        );
        assert!(!["169.254.169.254", "fd00:ec2::254", "fe80::1"].iter().any(|one| permits(&policy, one)));
        for text in ["10.0.0.0/33", "10.0.0.0/x", "host/8", ""] {
            assert_eq!(text.parse::<Network>(), Err(NetworkError), "{text:?}");
        }
    }
}
