//! Failed attempts: a source that presents too many bad tokens has to wait, unless it presents one that is
//! good.
//!
//! Behind one address there may be a whole fleet, which has to come in whatever its neighbours present. A token
//! of this crate cannot be guessed, so looking it up gives nothing away: what is bounded then is how often that is
//! done. A token of a host's own form may be a password, so it is looked up only if it was good here before.

use crate::values::{digest::Digest, peer::Peer, time::BootTime, token::Token};
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

/// How many tokens that were never good here are looked up within [`LOOKED_UP_WITHIN`] for a source that has
/// to wait.
const LOOKED_UP_MAX: u32 = 100;

/// Within what time they are counted together.
const LOOKED_UP_WITHIN: Duration = Duration::from_secs(1);

/// What is to be done about a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Look it up, and tell what it is.
    Free,
    /// Look it up. If it is not good, its source has to wait as long.
    IfGood(Duration),
    /// Its source has to wait as long.
    Wait(Duration),
}

/// The failed attempts at one face.
#[derive(Debug)]
pub(crate) struct Attempts {
    failed_max: u32,
    failed: BTreeMap<IpAddr, Source>,
    /// The first half of the digests of tokens that were good.
    good: BTreeSet<[u8; 16]>,
}

/// What is counted of a source.
#[derive(Clone, Copy, Debug)]
struct Source {
    since: BootTime,
    failed: u32,
    looked_up_since: BootTime,
    looked_up: u32,
}

impl Attempts {
    pub(crate) const fn new(failed_max: u32) -> Self {
        Self { failed_max, failed: BTreeMap::new(), good: BTreeSet::new() }
    }

    /// What is to be done about a token that this source presents, and takes note of it.
    pub(crate) fn turn(&mut self, peer: Option<Peer>, token: &Token, now: BootTime) -> Turn {
        let Some(source) = peer.and_then(|peer| self.failed.get_mut(&peer.network())) else {
            return Turn::Free;
        };
        let left = WINDOW.checked_sub(now.since(source.since)).filter(|left| !left.is_zero());
        let Some(left) = left.filter(|_| source.failed >= self.failed_max) else { return Turn::Free };
        if self.good.contains(&token.digest().short()) {
            return Turn::Free;
        }
        if !token.is_drawn() {
            return Turn::Wait(left);
        }
        source.look_up(now).map_or(Turn::IfGood(left), Turn::Wait)
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
            self.failed.retain(|_, source| now.since(source.since) < WINDOW);
        }
        if self.failed.len() >= SOURCES_MAX {
            self.failed.clear();
        }
        let source = self.failed.entry(peer.network()).or_insert_with(|| Source::new(now));
        if now.since(source.since) >= WINDOW {
            *source = Source::new(now);
        }
        source.failed = source.failed.saturating_add(1);
    }
}

impl Source {
    const fn new(now: BootTime) -> Self {
        Self { since: now, failed: 0, looked_up_since: now, looked_up: 0 }
    }

    /// Counts one more token that is looked up. How long it has to wait if that would be too many.
    fn look_up(&mut self, now: BootTime) -> Option<Duration> {
        if now.since(self.looked_up_since) >= LOOKED_UP_WITHIN {
            (self.looked_up_since, self.looked_up) = (now, 0);
        }
        if self.looked_up >= LOOKED_UP_MAX {
            return Some(LOOKED_UP_WITHIN);
        }
        self.looked_up += 1;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::token::TokenKind;

    fn at(seconds: u64) -> BootTime {
        BootTime::from_duration(Duration::from_secs(1000 + seconds))
    }

    fn peer(text: &str) -> Option<Peer> {
        Some(Peer(text.parse().unwrap()))
    }

    fn drawn(byte: u8) -> Token {
        Token::new(TokenKind::Runner, [byte; Token::RANDOM_BYTES])
    }

    #[test]
    fn a_source_waits_until_its_window_is_over_and_others_do_not() {
        let (mut attempts, bad) = (Attempts::new(2), Token::from_text("guess"));
        attempts.failed(peer("10.0.0.1"), bad.digest(), at(0));
        assert_eq!(attempts.turn(peer("10.0.0.1"), &bad, at(1)), Turn::Free, "one is allowed");
        attempts.failed(peer("10.0.0.1"), bad.digest(), at(20));
        let half = Duration::from_secs(30);
        assert_eq!(attempts.turn(peer("10.0.0.1"), &bad, at(30)), Turn::Wait(half));
        assert_eq!(attempts.turn(peer("10.0.0.1"), &drawn(1), at(30)), Turn::IfGood(half));
        assert_eq!(attempts.turn(peer("10.0.0.2"), &bad, at(30)), Turn::Free);
        assert_eq!(attempts.turn(None, &bad, at(30)), Turn::Free);
        assert_eq!(attempts.turn(peer("10.0.0.1"), &bad, at(60)), Turn::Free);
        attempts.failed(peer("10.0.0.1"), bad.digest(), at(60));
        assert_eq!(attempts.turn(peer("10.0.0.1"), &bad, at(60)), Turn::Free, "they are counted anew");
    }

    #[test]
    fn a_token_that_was_good_is_not_locked_out_by_its_neighbours() {
        let (mut attempts, good) = (Attempts::new(1), Token::from_text("good"));
        attempts.succeeded(good.digest());
        attempts.failed(peer("2001:db8::1"), Token::from_text("guess").digest(), at(0));
        assert_eq!(attempts.turn(peer("2001:db8::1"), &good, at(1)), Turn::Free);
        let other = Token::from_text("other");
        assert!(matches!(attempts.turn(peer("2001:db8::2"), &other, at(1)), Turn::Wait(_)), "the same /64");
        attempts.failed(peer("2001:db8::1"), good.digest(), at(2));
        let turn = attempts.turn(peer("2001:db8::1"), &good, at(3));
        assert!(matches!(turn, Turn::Wait(_)), "it was revoked");
    }

    #[test]
    fn no_more_is_looked_up_for_a_source_that_has_to_wait_than_the_limit() {
        let mut attempts = Attempts::new(1);
        attempts.failed(peer("10.0.0.1"), drawn(0).digest(), at(0));
        let mut look = |byte: u8, seconds| attempts.turn(peer("10.0.0.1"), &drawn(byte), at(seconds));
        for _ in 0..LOOKED_UP_MAX {
            assert!(matches!(look(1, 5), Turn::IfGood(_)));
        }
        assert_eq!(look(1, 5), Turn::Wait(LOOKED_UP_WITHIN));
        assert!(matches!(look(1, 6), Turn::IfGood(_)));
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
