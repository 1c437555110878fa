//! Reads straight from where artifacts are kept: what lets somebody make one.

use std::{fmt, time::Duration};

/// As what an artifact is read, whatever it was put as.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "faces write `ReadAs { file_name, ..ReadAs::default() }`")]
pub struct ReadAs {
    /// Its media type; `application/octet-stream` if it is not said.
    pub media_type: Option<String>,
    /// Under which name it is saved; what browsers make of the address if it is not said. It is never shown
    /// in place.
    pub file_name: Option<String>,
}

/// Lets its holder read one artifact from where it is kept, without its bytes coming through the control
/// plane: by `GET` of a URL, with or without a range.
#[derive(Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "stores are written outside this crate and build it")]
pub struct ReadGrant {
    /// Where it is read. Whoever has it may, so it is a secret while it is good.
    pub url: String,
    /// How long a read may begin, from when it was asked for.
    pub expires_in: Duration,
}

impl ReadGrant {
    /// How long a URL is good: a minute. What has begun is read to its end.
    pub const EXPIRES_IN: Duration = Duration::from_secs(60);
}

/// Tells nothing of the URL but where it leads: its signature is a secret.
impl fmt::Debug for ReadGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.url.split(['?', '#']).next().unwrap_or_default();
        f.debug_struct("ReadGrant").field("url", &place).field("expires_in", &self.expires_in).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_prints_the_signature_of_a_grant() {
        let url = "https://storage.example/bucket/key?X-Amz-Signature=hush".to_owned();
        let told = format!("{:?}", ReadGrant { url, expires_in: ReadGrant::EXPIRES_IN });
        assert!(told.contains("storage.example/bucket/key") && !told.contains("hush"), "{told}");
    }
}
