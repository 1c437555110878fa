//! Where requests may lead: which schemes, hosts and addresses the operator allows. What is known
//! only once a name was looked up is asked again, of the address that is connected to.

use crate::values::address::{AddressClass, AddressPolicy, Network};
use std::{borrow::Cow, net::IpAddr};
use url::{Host, Url};

/// The allow-list of an operator: what is called, or browsed, because somebody asked for it.
///
/// A URL is read as browsers read it, so that `http://2130706433/`, `http://0x7f.1/` and
/// `http://127.0.0.1./` are all what they lead to.
///
/// ```
/// use runners_core::Egress;
///
/// let egress = Egress::pushing();
/// assert!(egress.check("https://region.example/api/runner").is_ok());
/// assert!(egress.check("http://2130706433/").is_err());
/// let egress = egress.allow_network("127.0.0.0/8".parse().unwrap());
/// assert!(egress.check("http://localhost:8080/").is_ok());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Egress {
    schemes: Vec<Cow<'static, str>>,
    hosts: Vec<HostPattern>,
    addresses: AddressPolicy,
}

/// Why something may not be called or browsed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EgressError {
    /// Mend the URL: it is none, or has no host.
    #[error("it is no URL: {0}")]
    Malformed(String),
    /// Use another scheme, or have the operator allow this one.
    #[error("the scheme {scheme:?} is not allowed: use {allowed}")]
    Scheme {
        /// What was asked for.
        scheme: String,
        /// What is allowed.
        allowed: String,
    },
    /// Have the operator allow the host.
    #[error("the host {0:?} is not on the operator's list")]
    Host(String),
    /// Have the operator allow the network.
    #[error("{address} is a {class} address, and the operator has not allowed it")]
    Address {
        /// The address, or the name that always leads there.
        address: String,
        /// What kind of network it belongs to.
        class: AddressClass,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum HostPattern {
    /// This host.
    Exactly(String),
    /// What ends in this, which begins with a dot.
    Below(String),
}

/// Names that lead to the metadata of a cloud from within it.
const METADATA_NAMES: &[&str] = &["metadata.google.internal", "instance-data.ec2.internal"];

impl Egress {
    /// What a control plane may call for others: http and https to public addresses.
    #[must_use]
    pub fn pushing() -> Self {
        let schemes = vec!["http".into(), "https".into()];
        Self { schemes, hosts: Vec::new(), addresses: AddressPolicy::default() }
    }

    /// What a runner of a pool may browse: http and https, also within its own networks, which are
    /// what it is there for, but never what is link-local or a cloud's metadata.
    #[must_use]
    pub fn browsing() -> Self {
        Self { addresses: AddressPolicy::inside(), ..Self::pushing() }
    }

    /// Allows another scheme, such as `data`. What has no host is then allowed by its scheme alone.
    #[must_use]
    pub fn allow_scheme(mut self, scheme: impl Into<String>) -> Self {
        self.schemes.push(scheme.into().to_ascii_lowercase().into());
        self
    }

    /// Allows a host, or with `*.example.org` all below it. Once one is named, no other host is
    /// allowed; what a name may lead to is still decided by its addresses.
    #[must_use]
    pub fn allow_host(mut self, pattern: impl AsRef<str>) -> Self {
        let pattern = plain_name(pattern.as_ref()).to_ascii_lowercase();
        self.hosts.push(match pattern.strip_prefix('*') {
            Some(below) if below.starts_with('.') => HostPattern::Below(below.to_owned()),
            _ => HostPattern::Exactly(pattern),
        });
        self
    }

    /// Allows the addresses of a network.
    #[must_use]
    pub fn allow_network(mut self, network: Network) -> Self {
        self.addresses = self.addresses.allow(network);
        self
    }

    /// Says what can be said of a URL before anything is looked up.
    ///
    /// # Errors
    /// [`EgressError`], for what may not be called whatever its name leads to.
    pub fn check(&self, url: &str) -> Result<(), EgressError> {
        let url = Url::parse(url).map_err(|error| EgressError::Malformed(error.to_string()))?;
        self.check_scheme(url.scheme())?;
        let host = match url.host() {
            Some(host) => host,
            None if url.cannot_be_a_base() || url.scheme() == "file" => return Ok(()),
            None => return Err(EgressError::Malformed("it has no host".to_owned())),
        };
        match host {
            Host::Ipv4(address) => self.check_literal(address.into()),
            Host::Ipv6(address) => self.check_literal(address.into()),
            Host::Domain(name) => self.check_name(plain_name(name)),
        }
    }

    /// Says whether an address may be connected to. It has to be the one that a name was found to
    /// lead to: it may lead elsewhere the next time it is looked up.
    ///
    /// # Errors
    /// [`EgressError::Address`].
    pub fn check_address(&self, address: IpAddr) -> Result<(), EgressError> {
        if self.addresses.permits(address) {
            return Ok(());
        }
        Err(EgressError::Address { address: address.to_string(), class: AddressClass::of(address) })
    }

    fn check_scheme(&self, scheme: &str) -> Result<(), EgressError> {
        if self.schemes.iter().any(|allowed| allowed == scheme) {
            return Ok(());
        }
        Err(EgressError::Scheme { scheme: scheme.to_owned(), allowed: self.schemes.join(" or ") })
    }

    fn check_literal(&self, address: IpAddr) -> Result<(), EgressError> {
        self.check_host(&address.to_string())?;
        self.check_address(address)
    }

    fn check_name(&self, name: &str) -> Result<(), EgressError> {
        self.check_host(name)?;
        let leads_to = |class| EgressError::Address { address: name.to_owned(), class };
        let permits = |address: [u8; 4]| self.addresses.permits(address.into());
        // Browsers do not look these names up.
        if (name == "localhost" || name.ends_with(".localhost"))
            && !permits([127, 0, 0, 1])
            && !self.addresses.permits(std::net::Ipv6Addr::LOCALHOST.into())
        {
            return Err(leads_to(AddressClass::Loopback));
        }
        if METADATA_NAMES.contains(&name) && !permits([169, 254, 169, 254]) {
            return Err(leads_to(AddressClass::Metadata));
        }
        Ok(())
    }

    fn check_host(&self, host: &str) -> Result<(), EgressError> {
        let fits = |pattern: &HostPattern| match pattern {
            HostPattern::Exactly(name) => host == name,
            HostPattern::Below(ending) => host.len() > ending.len() && host.ends_with(ending),
        };
        if self.hosts.is_empty() || self.hosts.iter().any(fits) {
            return Ok(());
        }
        Err(EgressError::Host(host.to_owned()))
    }
}

/// A name without the dot that says that it is complete, and an address without its brackets.
fn plain_name(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name).trim_matches(['[', ']'])
}

#[cfg(test)]
mod tests;
