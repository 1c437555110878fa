//! The body of an answer: a few bytes in memory, or an artifact as it is read.

use bytes::Bytes;
use futures::TryStreamExt as _;
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use runners_core::{ArtifactSource, ByteStream};
use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

/// The body of an answer of [`HttpFace`](crate::HttpFace).
pub struct ReplyBody(UnsyncBoxBody<Bytes, ArtifactSource>);

impl ReplyBody {
    pub(super) fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self(Full::new(bytes.into()).map_err(|never: Infallible| match never {}).boxed_unsync())
    }

    pub(super) fn stream(bytes: ByteStream) -> Self {
        Self(StreamBody::new(bytes.map_ok(Frame::data)).boxed_unsync())
    }
}

impl http_body::Body for ReplyBody {
    type Data = Bytes;
    type Error = ArtifactSource;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ArtifactSource>>> {
        Pin::new(&mut self.0).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

impl fmt::Debug for ReplyBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReplyBody")
    }
}
