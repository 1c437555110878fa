//! What kind of network an address belongs to, by the registries of special addresses. Which kinds
//! may be called is the policy's business.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// What kind of network an address belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AddressClass {
    /// Anybody's, reached over the internet.
    Public,
    /// This machine itself.
    Loopback,
    /// A private network of IPv4: `10.0.0.0/8`, `172.16.0.0/12`, `192.168.0.0/16`.
    Private,
    /// A private network of IPv6: `fc00::/7`.
    UniqueLocal,
    /// Shared by the customers of a provider: `100.64.0.0/10`.
    Shared,
    /// The link that this machine is on.
    LinkLocal,
    /// Where a cloud tells its machines about themselves, credentials included.
    Metadata,
    /// Nobody's that could be called: unspecified, multicast, documentation, tunnels, the future.
    Reserved,
}

/// The services of the clouds that machines ask about themselves.
const METADATA_4: &[Ipv4Addr] = &[
    // Amazon, Google, Microsoft, and most of the others.
    Ipv4Addr::new(169, 254, 169, 254),
    // Containers of Amazon, and their credentials by pod.
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(169, 254, 170, 23),
    // Scaleway.
    Ipv4Addr::new(169, 254, 42, 42),
    // Alibaba, within the shared network.
    Ipv4Addr::new(100, 100, 100, 200),
    // Oracle, within the network of protocols.
    Ipv4Addr::new(192, 0, 0, 192),
    // Microsoft's host of a machine, within what looks public.
    Ipv4Addr::new(168, 63, 129, 16),
];

const METADATA_6: &[Ipv6Addr] = &[
    // Amazon.
    Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254),
    Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0023),
    // Google.
    Ipv6Addr::new(0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254),
    // Scaleway.
    Ipv6Addr::new(0xfd00, 0x0042, 0, 0, 0, 0, 0, 0x0042),
];

impl AddressClass {
    /// What kind of network `address` belongs to. An IPv4 address within an IPv6 one, as mapped, by
    /// NAT64 or by 6to4, is what that IPv4 address is.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => of_4(address),
            IpAddr::V6(address) => of_6(address),
        }
    }
}

impl fmt::Display for AddressClass {
    /// As in "… is a private address".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public => "public",
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::UniqueLocal => "unique local",
            Self::Shared => "shared",
            Self::LinkLocal => "link-local",
            Self::Metadata => "cloud metadata",
            Self::Reserved => "reserved",
        })
    }
}

fn of_4(address: Ipv4Addr) -> AddressClass {
    let [first, second, third, _] = address.octets();
    let is_benchmark = first == 198 && (18..20).contains(&second);
    let is_protocol = first == 192 && second == 0 && third == 0;
    if METADATA_4.contains(&address) {
        AddressClass::Metadata
    } else if address.is_loopback() {
        AddressClass::Loopback
    } else if address.is_private() {
        AddressClass::Private
    } else if first == 100 && (64..128).contains(&second) {
        AddressClass::Shared
    } else if address.is_link_local() {
        AddressClass::LinkLocal
    } else if address.is_multicast()
        || address.is_documentation()
        || is_benchmark
        || is_protocol
        // 240 and above is reserved, the broadcast included; 0 is this host.
        || first == 0
        || first >= 240
    {
        AddressClass::Reserved
    } else {
        AddressClass::Public
    }
}

fn of_6(address: Ipv6Addr) -> AddressClass {
    if let Some(within) = within(address) {
        return of_4(within);
    }
    let segments = address.segments();
    // Only 2000::/3 is given to anybody. Within it are protocols, tunnels and documentation.
    let is_global = segments[0] & 0xe000 == 0x2000;
    let is_special = segments[0] == 0x2001 && (segments[1] < 0x0200 || segments[1] == 0x0db8);
    let is_documentation = segments[0] == 0x3fff;
    if METADATA_6.contains(&address) {
        AddressClass::Metadata
    } else if address.is_loopback() {
        AddressClass::Loopback
    } else if segments[0] & 0xfe00 == 0xfc00 {
        AddressClass::UniqueLocal
    } else if segments[0] & 0xffc0 == 0xfe80 {
        AddressClass::LinkLocal
    } else if is_global && !is_special && !is_documentation {
        AddressClass::Public
    } else {
        AddressClass::Reserved
    }
}

/// The IPv4 address that an IPv6 one leads to.
fn within(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let of = |high: u16, low: u16| Some(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    match address.segments() {
        // Mapped, translated by NAT64 under the well-known prefix, and translated by SIIT.
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0x0064, 0xff9b, 0, 0, 0, 0, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low] => of(high, low),
        // 6to4.
        [0x2002, high, low, ..] => of(high, low),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use AddressClass::{LinkLocal, Loopback, Metadata, Private, Public, Reserved, Shared, UniqueLocal};

    #[test]
    fn every_range_is_told_apart_in_each_of_its_spellings() {
        let table: &[(AddressClass, &[&str])] = &[
            (Public, &["1.1.1.1", "100.63.255.255", "100.128.0.0", "172.32.0.1", "169.253.0.1", "192.0.1.1"]),
            (Public, &["2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1", "2002:101:101::1"]),
            (Loopback, &["127.0.0.1", "127.255.255.255", "::1", "::ffff:127.0.0.1"]),
            (Loopback, &["64:ff9b::7f00:1", "2002:7f00:1::", "::ffff:0:127.0.0.1"]),
            (Private, &["10.0.0.0", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.1.1"]),
            (Private, &["::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:c0a8:101::"]),
            (UniqueLocal, &["fc00::1", "fd12:3456::1", "fdff::1"]),
            (Shared, &["100.64.0.0", "100.127.255.255", "::ffff:100.64.0.1"]),
            (LinkLocal, &["169.254.0.1", "169.254.255.254", "fe80::1", "febf::1", "::ffff:169.254.0.1"]),
            (Metadata, &["169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.192"]),
            (Metadata, &["168.63.129.16", "fd00:ec2::254", "fd20:ce::254", "::ffff:169.254.169.254"]),
            (Metadata, &["64:ff9b::169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1"]),
            (Reserved, &["0.0.0.0", "0.1.2.3", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"]),
            (Reserved, &["224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.0.8", "::", "::127.0.0.1"]),
            (
                Reserved,
                &["ff02::1", "2001::1", "2001:db8::1", "3fff::1", "fec0::1", "64:ff9b:1::1", "100::1"],
            ),
        ];
        for (class, addresses) in table {
            for address in *addresses {
                assert_eq!(AddressClass::of(address.parse().unwrap()), *class, "{address}");
            }
        }
    }
}
