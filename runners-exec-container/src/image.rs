//! References to images: of which registry, by which tag or digest.

use std::{fmt, str::FromStr};

/// The registry of images that name none.
const USUAL_REGISTRY: &str = "docker.io";
/// The tag of images that name none.
const USUAL_TAG: &str = "latest";

/// A reference to an image, such as `registry.example:5000/shop/tests:4` or one with a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageReference {
    text: String,
    registry: String,
    has_digest: bool,
}

/// Why a text refers to no image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no image: {problem}; write it as registry.example/name:tag or name@sha256:…")]
#[non_exhaustive]
pub struct ImageReferenceError {
    /// What was written, cut.
    pub text: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl ImageReference {
    /// The largest reference in bytes.
    pub const BYTES_MAX: usize = 500;

    /// The registry that it is pulled from.
    #[must_use]
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// Whether it is pinned by a digest, so that nobody can put another image in its place.
    #[must_use]
    pub const fn has_digest(&self) -> bool {
        self.has_digest
    }

    /// The reference with its tag or digest.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for ImageReference {
    type Err = ImageReferenceError;

    fn from_str(text: &str) -> Result<Self, ImageReferenceError> {
        let wrong =
            |problem| ImageReferenceError { text: text.chars().take(100).collect::<String>(), problem };
        if text.is_empty() || text.len() > Self::BYTES_MAX {
            return Err(wrong("it has to have 1 to 500 bytes"));
        }
        let (named, digest) = match text.split_once('@') {
            Some((named, digest)) => (named, Some(digest)),
            None => (text, None),
        };
        if let Some(digest) = digest
            && !digest.strip_prefix("sha256:").is_some_and(is_hex)
        {
            return Err(wrong("a digest is sha256: and 64 lowercase hex digits"));
        }
        let (registry, path) = match named.split_once('/') {
            Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (first, rest),
            _ => (USUAL_REGISTRY, named),
        };
        let (path, tag) = match path.rsplit_once(':') {
            Some((path, tag)) => (path, Some(tag)),
            None => (path, None),
        };
        if !is_host(registry) {
            return Err(wrong("its registry is no host with or without a port"));
        }
        if !path.split('/').all(is_part) {
            return Err(wrong("a name is lowercase letters, digits, and . _ - between them"));
        }
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(wrong("a tag is 1 to 128 letters, digits, and _ . - but not at its start"));
        }
        // Without either, an engine would pull every tag that there is.
        let usual = if tag.is_none() && digest.is_none() { format!(":{USUAL_TAG}") } else { String::new() };
        let text = format!("{text}{usual}");
        Ok(Self { text, registry: registry.to_owned(), has_digest: digest.is_some() })
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn is_hex(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_host(text: &str) -> bool {
    let (host, port) = text.split_once(':').unwrap_or((text, "0"));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    host.split('.').all(|part| !part.is_empty()) && host.bytes().all(plain) && port.parse::<u16>().is_ok()
}

fn is_part(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let inner = |byte: u8| plain(byte) || matches!(byte, b'.' | b'_' | b'-');
    let bytes = text.as_bytes();
    let ends = bytes.first().zip(bytes.last());
    ends.is_some_and(|(first, last)| plain(*first) && plain(*last)) && text.bytes().all(inner)
}

fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=128).contains(&text.len())
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|byte| word(byte) || matches!(byte, b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_tells_its_registry_and_is_never_all_tags() {
        let read = |text: &str| {
            let image: ImageReference = text.parse().unwrap();
            (image.registry().to_owned(), image.to_string(), image.has_digest())
        };
        let told = |registry: &str, text: &str, digest| (registry.to_owned(), text.to_owned(), digest);
        assert_eq!(read("python"), told("docker.io", "python:latest", false));
        assert_eq!(read("shop/tests:4"), told("docker.io", "shop/tests:4", false));
        assert_eq!(read("localhost/a"), told("localhost", "localhost/a:latest", false));
        assert_eq!(read("r.example:5000/a/b:x"), told("r.example:5000", "r.example:5000/a/b:x", false));
        let pinned = format!("r.example/a@sha256:{}", "0".repeat(64));
        assert_eq!(read(&pinned), told("r.example", &pinned, true));
    }

    #[test]
    fn what_is_no_image_is_told_why() {
        for bad in ["", "A", "a b", "a:", "a@sha256:0", "a/", "-a", "../a", "r.example:x/a", "a@b@c"] {
            assert!(bad.parse::<ImageReference>().is_err(), "{bad:?}");
        }
        let told = "a@md5:0".parse::<ImageReference>().unwrap_err().to_string();
        assert!(told.contains("64 lowercase hex digits"), "{told}");
    }
}
