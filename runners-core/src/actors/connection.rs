//! One message in, one message out, each within its time: what a connection to a runner and one to somebody who
//! looks have in common.

use crate::seams::{
    clock::{Clock, sleep},
    relay::{Incoming, Outgoing, Piece},
};
use futures::{SinkExt as _, StreamExt as _};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often a side that has nothing to say says so.
pub(crate) const PING_EVERY: Duration = Duration::from_secs(15);
/// After how long a silence a connection counts as cut: three pings.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(45);
/// How long one message may take to leave.
const WRITE_WITHIN: Duration = Duration::from_secs(30);
/// How long a connection may take to end well.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// The next message; `None` when the connection is cut, broken or silent.
pub(crate) async fn read(incoming: &mut Incoming, clock: &dyn Clock) -> Option<Piece> {
    loop {
        let piece = tokio::select! {
            piece = incoming.next() => piece?.ok()?,
            () = sleep(clock, SILENCE_MAX) => return None,
        };
        if piece != Piece::Ping {
            return Some(piece);
        }
    }
}

/// Sends a message; `None` when the connection is cut, broken or stuck.
pub(crate) async fn write(outgoing: &mut Outgoing, piece: Piece, clock: &dyn Clock) -> Option<()> {
    tokio::select! {
        written = outgoing.send(piece) => written.ok(),
        () = sleep(clock, WRITE_WITHIN) => None,
    }
}

/// Ends a connection well, if the other side takes part.
pub(crate) async fn close(outgoing: &mut Outgoing, clock: &dyn Clock) {
    tokio::select! {
        // There is nothing to be done about one that does not.
        _ = outgoing.close() => {}
        () = sleep(clock, CLOSE_WITHIN) => {}
    }
}

/// Completes a while after a stop, when everybody was told who listens.
pub(crate) async fn stopped(stopping: &CancellationToken, clock: &dyn Clock) {
    stopping.cancelled().await;
    sleep(clock, CLOSE_WITHIN).await;
}
