//! Failed attempts: a source that presents too many bad tokens has to wait, whatever it presents
//! next, unless that is a token that was good here before.

use runners_core::{BootTime, Token};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// How many attempts of one source may fail within [`WINDOW`], unless said otherwise.
pub(super) const FAILED_MAX: u32 = 60;

/// How long failed attempts are counted together, and a source waits at most.
const WINDOW: Duration = Duration::from_secs(60);

/// How many sources are counted. When there are more, those whose time is over are forgotten, and
/// if that makes no room, all.
const SOURCES_MAX: usize = 10_000;

/// How many tokens are remembered to be good. When there are more, all are forgotten.
const GOOD_MAX: usize = 16_384;

/// From where a request came: put it into the extensions of a request that is passed to a face, and
/// failed attempts are limited by it. [`Server`](crate::Server) does so by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "hosts that serve a face by themselves build it")]
pub struct Peer(pub IpAddr);

/// The failed attempts at one face.
#[derive(Debug)]
pub(super) struct Attempts {
    failed_max: u32,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    failed: BTreeMap<IpAddr, (BootTime, u32)>,
    /// The first half of the digests of tokens that were good.
    good: BTreeSet<[u8; 16]>,
}

impl Attempts {
    pub(super) fn new(failed_max: u32) -> Self {
        Self { failed_max, kept: Mutex::default() }
    }

    /// How long this source has to wait before a token that was never good here is looked at.
    pub(super) fn wait(&self, peer: Option<Peer>, token: &Token, now: BootTime) -> Option<Duration> {
        let kept = self.kept();
        let (since, failed) = *kept.failed.get(&network(peer?))?;
        let left = WINDOW.checked_sub(now.since(since)).filter(|left| !left.is_zero())?;
        (failed >= self.failed_max && !kept.good.contains(&token.digest().short())).then_some(left)
    }

    /// A token was good.
    pub(super) fn succeeded(&self, token: &Token) {
        let mut kept = self.kept();
        if kept.good.len() >= GOOD_MAX {
            kept.good.clear();
        }
        kept.good.insert(token.digest().short());
    }

    /// A token was not good.
    pub(super) fn failed(&self, peer: Option<Peer>, token: &Token, now: BootTime) {
        let mut kept = self.kept();
        kept.good.remove(&token.digest().short());
        let Some(peer) = peer else { return };
        if kept.failed.len() >= SOURCES_MAX {
            kept.failed.retain(|_, (since, _)| now.since(*since) < WINDOW);
        }
        if kept.failed.len() >= SOURCES_MAX {
            kept.failed.clear();
        }
        let (since, failed) = kept.failed.entry(network(peer)).or_insert((now, 0));
        if now.since(*since) >= WINDOW {
            (*since, *failed) = (now, 0);
        }
        *failed = failed.saturating_add(1);
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        // Both maps are whole after every statement.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What counts as one source: an IPv4 address, or the /64 that one subscriber of IPv6 has.
fn network(Peer(address): Peer) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> BootTime {
        BootTime::from_duration(Duration::from_secs(1000 + seconds))
    }

    fn peer(text: &str) -> Option<Peer> {
        Some(Peer(text.parse().unwrap()))
    }

    #[test]
    fn a_source_waits_until_its_window_is_over_and_others_do_not() {
        let (attempts, bad) = (Attempts::new(2), Token::from_text("guess"));
        attempts.failed(peer("10.0.0.1"), &bad, at(0));
        assert_eq!(attempts.wait(peer("10.0.0.1"), &bad, at(1)), None, "one is allowed");
        attempts.failed(peer("10.0.0.1"), &bad, at(20));
        assert_eq!(attempts.wait(peer("10.0.0.1"), &bad, at(30)), Some(Duration::from_secs(30)));
        assert_eq!(attempts.wait(peer("10.0.0.2"), &bad, at(30)), None);
        assert_eq!(attempts.wait(None, &bad, at(30)), None);
        assert_eq!(attempts.wait(peer("10.0.0.1"), &bad, at(60)), None);
        attempts.failed(peer("10.0.0.1"), &bad, at(60));
        assert_eq!(attempts.wait(peer("10.0.0.1"), &bad, at(60)), None, "they are counted anew");
    }

    #[test]
    fn a_token_that_was_good_is_not_locked_out_by_its_neighbours() {
        let (attempts, good) = (Attempts::new(1), Token::from_text("good"));
        attempts.succeeded(&good);
        attempts.failed(peer("2001:db8::1"), &Token::from_text("guess"), at(0));
        assert_eq!(attempts.wait(peer("2001:db8::1"), &good, at(1)), None);
        let other = Token::from_text("other");
        assert!(attempts.wait(peer("2001:db8::2"), &other, at(1)).is_some(), "the same /64");
        attempts.failed(peer("2001:db8::1"), &good, at(2));
        assert!(attempts.wait(peer("2001:db8::1"), &good, at(3)).is_some(), "it was revoked");
    }

    #[test]
    fn no_more_sources_are_kept_than_the_limit() {
        let (attempts, bad) = (Attempts::new(1), Token::from_text("guess"));
        for number in 0..u32::try_from(SOURCES_MAX).unwrap() + 10 {
            attempts.failed(Some(Peer(IpAddr::V4(number.into()))), &bad, at(0));
        }
        assert!(attempts.kept().failed.len() <= SOURCES_MAX);
    }
}
