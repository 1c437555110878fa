//! Uploads straight to where artifacts are kept: what lets somebody make one.

use crate::values::{id::UploadId, time::millis};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, time::Duration};

/// Lets its holder put the bytes of one artifact where they are kept, without sending them through the
/// control plane: by `PUT` to a URL in which key, length and checksum are signed.
///
/// What was put counts as nothing until it was
/// [taken over](crate::ArtifactStore::take_upload) under [`upload`](Self::upload).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "stores are written outside this crate and build it")]
pub struct UploadGrant {
    /// Names the upload when it is taken over.
    pub upload: UploadId,
    /// Where the bytes are to be put. Whoever has it may, so it is a secret while it is good.
    pub url: String,
    /// The headers that the request must have, beside `Content-Length`.
    pub headers: BTreeMap<String, String>,
    /// How long the URL is good, from when it was asked for.
    #[serde(rename = "expires_in_ms", with = "millis")]
    #[cfg_attr(feature = "schema", schemars(with = "u64"))]
    pub expires_in: Duration,
}

impl UploadGrant {
    /// How long a URL is good at the most: ten minutes.
    pub const EXPIRES_IN_MAX: Duration = Duration::from_secs(600);
    /// The largest number of headers.
    pub const HEADERS_MAX: usize = 16;
}

/// Tells nothing of the URL but where it leads: its signature is a secret.
impl fmt::Debug for UploadGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.url.split(['?', '#']).next().unwrap_or_default();
        f.debug_struct("UploadGrant")
            .field("upload", &self.upload)
            .field("url", &place)
            .field("expires_in", &self.expires_in)
            .finish_non_exhaustive()
    }
}

/// Asks for an upload of an artifact, or has one taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "clients of other transports build it")]
pub struct UploadRequest {
    /// How many bytes the artifact has. The server has a limit of its own, of 1 GiB unless it says otherwise.
    #[cfg_attr(feature = "schema", schemars(range(max = 1_073_741_824)))]
    pub length: u64,
    /// Whether an upload straight to where artifacts are kept is wanted. `true` unless said otherwise; who
    /// cannot reach that place only asks how much is here of one in pieces.
    #[serde(default = "yes", skip_serializing_if = "is_so")]
    pub direct: bool,
}

const fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_so(value: &bool) -> bool {
    *value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_prints_the_signature_of_a_grant() {
        let grant = UploadGrant {
            upload: UploadId::from_bytes([1; 16]),
            url: "https://storage.example/bucket/key?X-Amz-Signature=hush".to_owned(),
            headers: BTreeMap::new(),
            expires_in: Duration::from_secs(600),
        };
        let told = format!("{grant:?}");
        assert!(told.contains("storage.example/bucket/key") && !told.contains("hush"), "{told}");
    }

    #[test]
    fn a_grant_stands_on_the_wire_as_it_always_did() {
        let text = concat!(
            r#"{"upload":"upload_01010101010101010101010101010101","url":"https://s.example/k","#,
            r#""headers":{"x-amz-checksum-sha256":"ug=="},"expires_in_ms":600000}"#
        );
        let grant: UploadGrant = serde_json::from_str(text).unwrap();
        assert_eq!(grant.expires_in, UploadGrant::EXPIRES_IN_MAX);
        assert_eq!(serde_json::to_string(&grant).unwrap(), text);
    }
}
