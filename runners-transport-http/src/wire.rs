//! What client and server agree on: versions, header names, media types and limits.

pub(crate) mod deadline;
#[cfg(any(feature = "client", feature = "server"))]
pub(crate) mod problem;
pub(crate) mod route;

#[cfg(any(feature = "client", feature = "server"))]
pub(crate) use problem::PROBLEM_JSON;

use http::HeaderName;
use std::time::Duration;

/// The oldest protocol version that is understood.
pub const PROTOCOL_MIN: u32 = 1;

/// The newest protocol version that is understood, and the one that is spoken.
pub const PROTOCOL_MAX: u32 = 1;

/// The largest number of bytes in a token.
#[cfg(any(feature = "client", feature = "server"))]
pub(crate) const TOKEN_BYTES_MAX: usize = 512;

/// The largest reply in JSON that a client reads: 4 MiB.
pub const REPLY_BYTES_MAX: usize = 4 << 20;

/// Where one control plane leads to another what belongs there.
pub(crate) const RELAY: &str = "relay";

/// In every request and every reply: the protocol version.
pub(crate) const PROTOCOL: HeaderName = HeaderName::from_static("runners-protocol");

/// Names a request in the logs of both ends. Made by the client, or else by the server.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// In requests of the operator: the tenant that they are about, by its id or its name. In requests about
/// artifacts a runner of the operator names a tenant too, whose job it holds.
pub(crate) const TENANT: HeaderName = HeaderName::from_static("runners-tenant");

/// In answers about artifacts: the largest number of bytes in one.
pub(crate) const ARTIFACT_BYTES_MAX: HeaderName = HeaderName::from_static("runners-artifact-bytes-max");

/// In requests that read an artifact: the client goes to where it is kept, if it is told where. What is
/// said does not matter.
pub(crate) const DIRECT: HeaderName = HeaderName::from_static("runners-direct");

/// In requests and answers about uploads in pieces: where the next piece begins.
pub(crate) const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");

/// In requests with a piece: how many bytes the whole artifact has.
pub(crate) const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");

/// The media type of a piece of an artifact.
pub(crate) const PIECE: &str = "application/partial-upload";

/// The media type of requests and replies.
pub(crate) const JSON: &str = "application/json";

/// The media type of artifacts on the wire. What they are is in the record of the attempt.
pub(crate) const OCTETS: &str = "application/octet-stream";

/// The longest that either end waits for the next piece of a body that is streamed.
pub(crate) const STALL_MAX: Duration = Duration::from_secs(30);

/// Whether `value` of a `Content-Type` header is the media type `wanted`, parameters aside.
pub(crate) fn is_media_type(value: Option<&http::HeaderValue>, wanted: &str) -> bool {
    let essence = value.and_then(|value| value.to_str().ok()).and_then(|value| value.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case(wanted))
}
