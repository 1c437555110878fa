//! Tokens: the texts that speak for somebody. Who holds one keeps it secret; who checks one knows
//! only its digest.

use crate::values::digest::Digest;
use std::fmt;
use zeroize::{Zeroize as _, Zeroizing};

/// The text of a token. It is wiped from memory when it is dropped, and nothing prints it.
///
/// The tokens of this crate are a prefix that tells their [`TokenKind`], and 64 hex digits drawn
/// at random. Hosts with accounts of their own may use any other text.
#[derive(Clone)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// How many random bytes are in a token of this crate.
    pub const RANDOM_BYTES: usize = 32;

    /// Lays out a token from 32 bytes drawn at random, which are wiped.
    #[must_use]
    pub fn new(kind: TokenKind, mut random: [u8; Self::RANDOM_BYTES]) -> Self {
        let mut digits = hex::encode(random);
        random.zeroize();
        let mut text = Zeroizing::new(String::with_capacity(kind.prefix().len() + digits.len()));
        text.push_str(kind.prefix());
        text.push_str(&digits);
        digits.zeroize();
        Self(text)
    }

    /// Takes a text that somebody else made, as it is.
    #[must_use]
    pub fn from_text(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// What the token is for, as far as its prefix tells.
    #[must_use]
    pub fn kind(&self) -> Option<TokenKind> {
        TokenKind::of(&self.0)
    }

    /// Whether it is laid out as the tokens of this crate are, which are drawn and cannot be guessed.
    pub(crate) fn is_drawn(&self) -> bool {
        let digits = self.kind().and_then(|kind| self.0.strip_prefix(kind.prefix()));
        digits.is_some_and(|digits| {
            digits.len() == 2 * Self::RANDOM_BYTES && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    }

    /// The SHA-256 of the whole text: all that the other side may know.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }

    /// The text itself, for those who must send or keep it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    /// Only the kind.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind() {
            Some(kind) => write!(f, "Token({kind})"),
            None => f.write_str("Token"),
        }
    }
}

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenKind {
    /// Admits new runners to a pool.
    Registration,
    /// Speaks for a user of a tenant.
    Api,
    /// Speaks for one runner, which made it itself.
    Runner,
}

impl TokenKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Registration, Self::Api, Self::Runner];

    /// How the texts of this kind begin.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Registration => "rreg_",
            Self::Api => "rapi_",
            Self::Runner => "rcrd_",
        }
    }

    /// The kind of a text, as far as its prefix tells.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| text.starts_with(kind.prefix()))
    }
}

impl fmt::Display for TokenKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Registration => "registration token",
            Self::Api => "API credential",
            Self::Runner => "runner credential",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_its_prefix_and_64_hex_digits() {
        for kind in TokenKind::ALL {
            let token = Token::new(kind, [0xab; 32]);
            assert_eq!(token.expose(), format!("{}{}", kind.prefix(), "ab".repeat(32)));
            assert_eq!(token.kind(), Some(kind));
        }
    }

    #[test]
    fn nothing_prints_a_token() {
        let token = Token::new(TokenKind::Runner, [0xab; 32]);
        assert_eq!(format!("{token:?}"), "Token(runner credential)");
        assert_eq!(format!("{:?}", Token::from_text("hunter2")), "Token");
    }

    #[test]
    fn the_digest_is_of_the_whole_text() {
        let token = Token::new(TokenKind::Api, [1; 32]);
        assert_eq!(token.digest(), Digest::of(token.expose().as_bytes()));
    }
}
