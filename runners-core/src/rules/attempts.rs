//! Failed attempts: a source that presents too many bad tokens has to wait, whatever it presents
//! next, unless that is a token that was good here before.

use crate::values::{digest::Digest, peer::Peer, time::BootTime};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

/// How long failed attempts are counted together, and a source waits at most.
const WINDOW: Duration = Duration::from_secs(60);

/// How many sources are counted. When there are more, those whose time is over are forgotten, and
/// if that makes no room, all.
const SOURCES_MAX: usize = 10_000;

/// How many tokens are remembered to be good. When there are more, all are forgotten.
const GOOD_MAX: usize = 16_384;

/// The failed attempts at one face.
#[derive(Debug)]
pub(crate) struct Attempts {
    failed_max: u32,
    failed: BTreeMap<IpAddr, (BootTime, u32)>,
    /// The first half of the digests of tokens that were good.
    good: BTreeSet<[u8; 16]>,
}

impl Attempts {
    pub(crate) const fn new(failed_max: u32) -> Self {
        Self { failed_max, failed: BTreeMap::new(), good: BTreeSet::new() }
    }

    /// How long this source has to wait before a token that was never good here is looked at.
    pub(crate) fn wait(&self, peer: Option<Peer>, token: Digest, now: BootTime) -> Option<Duration> {
        let (since, failed) = *self.failed.get(&peer?.network())?;
        let left = WINDOW.checked_sub(now.since(since)).filter(|left| !left.is_zero())?;
        (failed >= self.failed_max && !self.good.contains(&token.short())).then_some(left)
    }

    /// A token was good.
    pub(crate) fn succeeded(&mut self, token: Digest) {
        if self.good.len() >= GOOD_MAX {
            self.good.clear();
        }
        self.good.insert(token.short());
    }

    /// A token was not good.
    pub(crate) fn failed(&mut self, peer: Option<Peer>, token: Digest, now: BootTime) {
        self.good.remove(&token.short());
        let Some(peer) = peer else { return };
        if self.failed.len() >= SOURCES_MAX {
            self.failed.retain(|_, (since, _)| now.since(*since) < WINDOW);
        }
        if self.failed.len() >= SOURCES_MAX {
            self.failed.clear();
        }
        let (since, failed) = self.failed.entry(peer.network()).or_insert((now, 0));
        if now.since(*since) >= WINDOW {
            (*since, *failed) = (now, 0);
        }
        *failed = failed.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::token::Token;

    fn at(seconds: u64) -> BootTime {
        BootTime::from_duration(Duration::from_secs(1000 + seconds))
    }

    fn peer(text: &str) -> Option<Peer> {
        Some(Peer(text.parse().unwrap()))
    }

    #[test]
    fn a_source_waits_until_its_window_is_over_and_others_do_not() {
        let (mut attempts, bad) = (Attempts::new(2), Token::from_text("guess"));
        attempts.failed(peer("10.0.0.1"), bad.digest(), at(0));
        assert_eq!(attempts.wait(peer("10.0.0.1"), bad.digest(), at(1)), None, "one is allowed");
        attempts.failed(peer("10.0.0.1"), bad.digest(), at(20));
        assert_eq!(attempts.wait(peer("10.0.0.1"), bad.digest(), at(30)), Some(Duration::from_secs(30)));
        assert_eq!(attempts.wait(peer("10.0.0.2"), bad.digest(), at(30)), None);
        assert_eq!(attempts.wait(None, bad.digest(), at(30)), None);
        assert_eq!(attempts.wait(peer("10.0.0.1"), bad.digest(), at(60)), None);
        attempts.failed(peer("10.0.0.1"), bad.digest(), at(60));
        assert_eq!(attempts.wait(peer("10.0.0.1"), bad.digest(), at(60)), None, "they are counted anew");
    }

    #[test]
    fn a_token_that_was_good_is_not_locked_out_by_its_neighbours() {
        let (mut attempts, good) = (Attempts::new(1), Token::from_text("good"));
        attempts.succeeded(good.digest());
        attempts.failed(peer("2001:db8::1"), Token::from_text("guess").digest(), at(0));
        assert_eq!(attempts.wait(peer("2001:db8::1"), good.digest(), at(1)), None);
        let other = Token::from_text("other");
        assert!(attempts.wait(peer("2001:db8::2"), other.digest(), at(1)).is_some(), "the same /64");
        attempts.failed(peer("2001:db8::1"), good.digest(), at(2));
        assert!(attempts.wait(peer("2001:db8::1"), good.digest(), at(3)).is_some(), "it was revoked");
    }

    #[test]
    fn no_more_sources_are_kept_than_the_limit() {
        let (mut attempts, bad) = (Attempts::new(1), Token::from_text("guess"));
        for number in 0..u32::try_from(SOURCES_MAX).unwrap() + 10 {
            attempts.failed(Some(Peer(IpAddr::V4(number.into()))), bad.digest(), at(0));
        }
        assert!(attempts.failed.len() <= SOURCES_MAX);
    }
}
