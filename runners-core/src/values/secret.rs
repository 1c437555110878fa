//! Secrets that a job names and its runner resolves. Where they come from is left to the secret
//! source, and that none is told to the control plane to the redactor.

use std::fmt;
use zeroize::Zeroizing;

/// A text that must not be shown. It is wiped from memory when it is dropped, and nothing prints it.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The shortest secret that a job may be given: what is shorter cannot be told from other text
    /// in a log, so it could not be redacted.
    pub const BYTES_MIN: usize = 4;
    /// The largest secret that a job may be given: 4 KiB.
    pub const BYTES_MAX: usize = 4 << 10;
    /// The largest number of bytes in the name of a secret.
    pub const NAME_BYTES_MAX: usize = 64;

    /// Takes a text as it is.
    #[must_use]
    pub fn from_text(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself, for those who must use it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether a text can name a secret: 1 to [`Self::NAME_BYTES_MAX`] letters, digits, `-`, `_` or
    /// `.`, the first not a dot.
    #[must_use]
    pub fn is_name(text: &str) -> bool {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        (1..=Self::NAME_BYTES_MAX).contains(&text.len()) && !text.starts_with('.') && text.bytes().all(plain)
    }
}

impl fmt::Debug for Secret {
    /// Nothing of the text, and not even how long it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_prints_a_secret() {
        assert_eq!(format!("{:?}", Secret::from_text("hunter2")), "Secret");
    }

    #[test]
    fn a_name_is_no_path() {
        assert!(Secret::is_name("SHOP_PASSWORD") && Secret::is_name("shop.password-2"));
        for bad in ["", ".", "..", ".hidden", "a/b", "a\\b", "a b", "ä", "x=y", &"x".repeat(65)] {
            assert!(!Secret::is_name(bad), "{bad:?}");
        }
    }
}
