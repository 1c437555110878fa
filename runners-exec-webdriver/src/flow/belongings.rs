//! What a flow brings along: files, cookies and the storage of origins. None of their content is told
//! in `Debug`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;
use std::fmt;

/// A file that a flow brings along.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UploadedFile {
    /// What the page sees as its name.
    pub name: String,
    /// What the page sees as its type.
    pub media_type: String,
    /// What is in it.
    #[serde(serialize_with = "as_base64")]
    pub bytes: Vec<u8>,
}

/// A cookie, its members as the format of browsers has them.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Cookie {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Whose it is; that of the page if absent.
    pub domain: Option<String>,
    /// For which paths; `/` if absent.
    pub path: Option<String>,
    /// When it ends, in seconds since 1970; with the session if absent.
    pub expires: Option<f64>,
    /// Whether scripts cannot read it.
    pub http_only: bool,
    /// Whether it goes over TLS only.
    pub secure: bool,
    /// `Strict`, `Lax` or `None`.
    pub same_site: Option<String>,
}

/// What the local storage of an origin is to have.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredOrigin {
    /// Such as `https://shop.example`.
    pub origin: String,
    /// Names and values.
    pub local_storage: Vec<(String, String)>,
}

impl UploadedFile {
    /// A file of this name and media type; an empty type is none.
    pub fn new(name: impl Into<String>, media_type: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), media_type: media_type.into(), bytes: bytes.into() }
    }
}

impl fmt::Debug for UploadedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UploadedFile")
            .field("name", &self.name)
            .field("bytes", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

/// Values are left out: a cookie is often a session.
impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cookie")
            .field("name", &self.name)
            .field("domain", &self.domain)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for StoredOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredOrigin")
            .field("origin", &self.origin)
            .field("values", &self.local_storage.len())
            .finish_non_exhaustive()
    }
}

fn as_base64<S: serde::Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(bytes))
}
