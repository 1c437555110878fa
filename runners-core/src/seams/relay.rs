//! The seams of the relay: how a runner connects out to show an attempt, how control planes lead such connections to
//! one another, and the pipe that a connection is. What travels on it is made and read by the actors.

use crate::values::{id::StreamId, token::Token};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{Sink, SinkExt as _, Stream, StreamExt as _, channel::mpsc};
use std::{error::Error, fmt, pin::Pin, sync::Arc};

/// How many messages wait in a pipe within one process.
const PIPE_MESSAGES_MAX: usize = 4;

/// A runner's way to the relay of its control plane. It speaks for that runner.
#[async_trait]
pub trait Relay: fmt::Debug + Send + Sync + 'static {
    /// Connects to a stream that the control plane has asked for.
    ///
    /// # Errors
    /// [`RelayError::Refused`] if it is not wanted, or not from this runner; [`RelayError::Unreachable`] if it is to be
    /// tried again.
    ///
    /// # Cancel safety
    /// Dropping the future leaves no connection.
    async fn connect(&self, stream: StreamId) -> Result<Socket, RelayError>;
}

#[async_trait]
impl<R: Relay + ?Sized> Relay for Arc<R> {
    async fn connect(&self, stream: StreamId) -> Result<Socket, RelayError> {
        (**self).connect(stream).await
    }
}

/// The way to other control planes on the same store, so that a live view is found wherever its runner and those who
/// look come in.
#[async_trait]
pub trait Neighbours: fmt::Debug + Send + Sync + 'static {
    /// Connects to the control plane at `address`, which is what that one has said, and shows it `pass`. Whatever
    /// serves the address gives both to [`LiveHub::pass`](crate::live::LiveHub::pass).
    ///
    /// # Errors
    /// [`RelayError::Refused`] if the other one does not want this connection; [`RelayError::Unreachable`] if it does
    /// not answer.
    ///
    /// # Cancel safety
    /// Dropping the future leaves no connection.
    async fn connect(&self, address: &str, pass: &Token) -> Result<Socket, RelayError>;
}

#[async_trait]
impl<N: Neighbours + ?Sized> Neighbours for Arc<N> {
    async fn connect(&self, address: &str, pass: &Token) -> Result<Socket, RelayError> {
        (**self).connect(address, pass).await
    }
}

/// Why there is no connection to the relay.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RelayError {
    /// Nobody wants this stream, or not from here: it is not tried again.
    #[error("the relay refuses: {0}")]
    Refused(String),
    /// It may work when it is tried again.
    #[error("the relay was not reached")]
    Unreachable(#[source] Box<dyn Error + Send + Sync>),
}

/// One message on a [`Socket`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "whoever carries messages carries each of these")]
pub enum Piece {
    /// A message in JSON.
    Text(String),
    /// A picture.
    Bytes(Bytes),
    /// A sign of life. The other side may answer one.
    Ping,
}

/// A connection that carries messages both ways, in order, until either side ends it.
pub struct Socket {
    pub(crate) sink: Outgoing,
    pub(crate) stream: Incoming,
}

/// The way out of a [`Socket`].
pub(crate) type Outgoing = Pin<Box<dyn Sink<Piece, Error = SocketError> + Send>>;
/// The way into a [`Socket`].
pub(crate) type Incoming = Pin<Box<dyn Stream<Item = Result<Piece, SocketError>> + Send>>;

/// A connection is broken.
#[derive(Debug, thiserror::Error)]
#[error("the connection is broken")]
#[expect(clippy::exhaustive_structs, reason = "whoever carries messages makes one")]
pub struct SocketError(#[source] pub Box<dyn Error + Send + Sync>);

impl Socket {
    /// Joins the two ways of a connection. The way out must be bounded: it takes a message once there is room.
    pub fn new(
        sink: impl Sink<Piece, Error = SocketError> + Send + 'static,
        stream: impl Stream<Item = Result<Piece, SocketError>> + Send + 'static,
    ) -> Self {
        Self { sink: Box::pin(sink), stream: Box::pin(stream) }
    }

    /// Sends a message.
    ///
    /// # Errors
    /// The connection is broken, or has ended.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the message sent or not.
    pub async fn send(&mut self, piece: Piece) -> Result<(), SocketError> {
        self.sink.send(piece).await
    }

    /// The next message; `None` when the other side has ended the connection.
    ///
    /// # Errors
    /// The connection is broken.
    ///
    /// # Cancel safety
    /// Dropping the future loses no message.
    pub async fn receive(&mut self) -> Result<Option<Piece>, SocketError> {
        self.stream.next().await.transpose()
    }

    /// The two ends of a connection within this process.
    #[must_use]
    pub fn pair() -> (Self, Self) {
        let ((to_left, from_right), (to_right, from_left)) =
            (mpsc::channel(PIPE_MESSAGES_MAX), mpsc::channel(PIPE_MESSAGES_MAX));
        (Self::over(to_right, from_right), Self::over(to_left, from_left))
    }

    fn over(to: mpsc::Sender<Piece>, from: mpsc::Receiver<Piece>) -> Self {
        Self::new(to.sink_map_err(|error| SocketError(error.into())), from.map(Ok))
    }

    /// The same connection, which counts as cut once `cut` completes.
    #[must_use]
    pub fn until(self, cut: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { sink: self.sink, stream: Box::pin(self.stream.take_until(cut)) }
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_pair_carries_both_ways_and_ends_with_either_side() {
        let (mut left, mut right) = Socket::pair();
        left.sink.send(Piece::Text("a".into())).await.unwrap();
        right.sink.send(Piece::Ping).await.unwrap();
        assert_eq!(right.stream.next().await.unwrap().unwrap(), Piece::Text("a".into()));
        assert_eq!(left.stream.next().await.unwrap().unwrap(), Piece::Ping);
        drop(right);
        assert!(left.stream.next().await.is_none());
        assert!(left.sink.send(Piece::Ping).await.is_err());
    }

    #[derive(Debug)]
    struct Nobody;

    #[async_trait]
    impl Neighbours for Nobody {
        async fn connect(&self, address: &str, _: &Token) -> Result<Socket, RelayError> {
            Err(RelayError::Refused(address.to_owned()))
        }
    }

    #[tokio::test]
    async fn a_way_to_neighbours_that_is_shared_is_one() {
        async fn refused(way: impl Neighbours) -> String {
            way.connect("https://b.example", &Token::from_text("pass")).await.unwrap_err().to_string()
        }
        let shared: Arc<dyn Neighbours> = Arc::new(Nobody);
        assert_eq!(refused(shared).await, "the relay refuses: https://b.example");
    }
}
