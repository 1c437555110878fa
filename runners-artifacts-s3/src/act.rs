//! What is asked of the storage, each signed as a URL that is good for a while.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use jiff::Timestamp;
use runners_core::Digest;
use rusty_s3::{Bucket, Credentials, S3Action};
use std::{ops::Range, time::Duration};

/// The SHA-256 that an object must have, or has: in base64.
pub(crate) const CHECKSUM: &str = "x-amz-checksum-sha256";

/// Asks that the checksum be told.
const CHECKSUM_MODE: &str = "x-amz-checksum-mode";

/// One thing that is asked, about objects by their names.
#[derive(Clone, Debug)]
pub(crate) enum Act<'a> {
    /// Reads an object, or a part of it that is not empty.
    Read { name: &'a str, range: Option<Range<u64>> },
    /// Reads an object, which is told to be of this media type and disposition.
    Show { name: &'a str, media_type: &'a str, disposition: &'a str },
    /// Asks how long it is, and for its checksum.
    Look { name: &'a str },
    /// Puts an object of this length and digest: with others it is refused.
    Write { name: &'a str, length: u64, digest: Digest },
    /// Copies an object, if it still has this entity tag.
    Copy { from: &'a str, to: &'a str, tag: &'a str },
    /// Removes an object.
    Remove { name: &'a str },
    /// Lists objects by their names.
    List { prefix: &'a str, after: Option<&'a str>, limit: usize },
}

/// A request that needs nothing more but its body.
#[derive(Debug)]
pub(crate) struct Signed {
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) headers: HeaderMap,
}

type Headers = Vec<(&'static str, String)>;

impl Act<'_> {
    /// Signs it, to be good for `span` from `at`. Every header that says what is done is signed too.
    pub(crate) fn sign(
        &self,
        bucket: &Bucket,
        credentials: &Credentials,
        at: Timestamp,
        span: Duration,
    ) -> Signed {
        let (method, signed, plain) = self.head(bucket);
        let by = Some(credentials);
        let url = match self {
            Self::Read { name, .. } => sign(bucket.get_object(by, name), &signed, span, at),
            Self::Show { name, media_type, disposition } => {
                let mut read = bucket.get_object(by, name);
                read.query_mut().insert("response-content-type", *media_type);
                read.query_mut().insert("response-content-disposition", *disposition);
                sign(read, &signed, span, at)
            }
            Self::Look { name } => sign(bucket.head_object(by, name), &signed, span, at),
            Self::Write { name, .. } | Self::Copy { to: name, .. } => {
                sign(bucket.put_object(by, name), &signed, span, at)
            }
            Self::Remove { name } => sign(bucket.delete_object(by, name), &signed, span, at),
            Self::List { prefix, after, limit } => {
                let mut list = bucket.list_objects_v2(by);
                list.with_prefix(*prefix);
                list.with_max_keys(*limit);
                if let Some(after) = after {
                    list.with_start_after(*after);
                }
                sign(list, &signed, span, at)
            }
        };
        let headers = signed.into_iter().chain(plain).map(|(name, value)| {
            let value = HeaderValue::try_from(value).expect("invariant: numbers, base64, names and tags");
            (HeaderName::from_static(name), value)
        });
        Signed { method, url, headers: headers.collect() }
    }

    /// The method, the headers that are signed, and those that are not.
    fn head(&self, bucket: &Bucket) -> (Method, Headers, Headers) {
        match self {
            Self::Read { range, .. } => {
                let part = |range: &Range<u64>| format!("bytes={}-{}", range.start, range.end - 1);
                let range = range.as_ref().map(|range| (header::RANGE.as_str(), part(range)));
                (Method::GET, Vec::new(), range.into_iter().collect())
            }
            Self::Show { .. } => (Method::GET, Vec::new(), Vec::new()),
            Self::Look { .. } => (Method::HEAD, vec![(CHECKSUM_MODE, "ENABLED".to_owned())], Vec::new()),
            Self::Write { length, digest, .. } => {
                let length = (header::CONTENT_LENGTH.as_str(), length.to_string());
                (Method::PUT, vec![length, (CHECKSUM, base64_of(digest))], Vec::new())
            }
            Self::Copy { from, tag, .. } => {
                // Names have no letter that would have to be written otherwise.
                let source = ("x-amz-copy-source", format!("/{}/{from}", bucket.name()));
                let only = ("x-amz-copy-source-if-match", (*tag).to_owned());
                let empty = (header::CONTENT_LENGTH.as_str(), "0".to_owned());
                (Method::PUT, vec![source, only], vec![empty])
            }
            Self::Remove { .. } => (Method::DELETE, Vec::new(), Vec::new()),
            Self::List { .. } => (Method::GET, Vec::new(), Vec::new()),
        }
    }

    /// The body of a request that must have one, though there is nothing in it.
    pub(crate) fn empty_body(&self) -> Option<Bytes> {
        matches!(self, Self::Copy { .. }).then(Bytes::new)
    }
}

/// The SHA-256 as the storage writes it.
pub(crate) fn base64_of(digest: &Digest) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(digest.as_bytes())
}

fn sign<'a>(
    mut action: impl S3Action<'a>,
    headers: &[(&'static str, String)],
    span: Duration,
    at: Timestamp,
) -> String {
    for (name, value) in headers {
        action.headers_mut().insert(*name, value.clone());
    }
    action.sign_with_time(span, &at).to_string()
}
