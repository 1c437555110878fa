//! The runner's side of a stream at the relay: who may connect, and what is said until the connection ends.

use super::{
    LiveHub, Plane,
    neighbours::{join, unwanted},
    stream::Stream,
};
use crate::{
    actors::{
        connection::{PING_EVERY, close, read, stopped, write},
        control_plane::ControlPlane,
        error::Error,
        turn::Turns,
    },
    rules::live::{Ending, LiveStream},
    seams::{
        clock::sleep,
        relay::{Incoming, Outgoing, Piece, Relay, RelayError, Socket, SocketError},
    },
    values::{
        id::{PoolId, RunnerId, StreamId, TenantId},
        live::FrameWish,
        principal::Principal,
        relay::{FromSource, MESSAGE_BYTES_MAX, ToSource, decode, text},
    },
};
use async_trait::async_trait;
use std::sync::Arc;

/// The longest message of trouble that is kept, in bytes.
const TROUBLE_BYTES_MAX: usize = 500;

/// A runner that may connect to a stream.
#[derive(Debug)]
#[must_use = "nothing is shown until it is served"]
pub struct AdmittedSource {
    plane: Arc<Plane>,
    place: Place,
}

/// Where the stream is that a runner connects to.
#[derive(Debug)]
enum Place {
    Here(Arc<Stream>),
    /// At another control plane, to which this leads.
    Elsewhere(Socket),
}

/// The relay for a runner in the process of its control plane.
#[derive(Clone, Debug)]
pub struct LocalRelay {
    plane: Arc<Plane>,
    host: TenantId,
    runner: RunnerId,
}

impl ControlPlane {
    /// The relay for a runner in this process, or for one whose connections come in by a transport of the host's.
    #[must_use]
    pub fn relay(&self, host: TenantId, runner: RunnerId) -> LocalRelay {
        LocalRelay { plane: Arc::clone(&self.plane), host, runner }
    }
}

impl LiveHub {
    /// Admits the runner of a stream, and nobody else. A stream that another control plane on the same store has is
    /// connected to there, if both have [neighbours](crate::ControlPlaneBuilder::neighbours).
    ///
    /// # Errors
    /// [`Error::Refused`] (`not_found`): there is no such stream any more, or it is not this runner that was asked.
    /// [`Error::Store`].
    ///
    /// # Cancel safety
    /// Dropping the future leaves no connection.
    pub async fn admit(&self, principal: &Principal, stream: StreamId) -> Result<AdmittedSource, Error> {
        let Principal::Runner { tenant, runner, .. } = *principal else {
            return Err(Error::Refused(unwanted(stream)));
        };
        if let Some(found) = self.find(tenant, runner, stream) {
            return Ok(found);
        }
        let socket = self.plane.lead(tenant, runner, stream).await?;
        Ok(AdmittedSource { plane: Arc::clone(&self.plane), place: Place::Elsewhere(socket) })
    }

    /// The stream, if it is here and of this runner.
    pub(super) fn find(&self, host: TenantId, runner: RunnerId, stream: StreamId) -> Option<AdmittedSource> {
        let found = self.plane.live.named(stream).filter(|stream| !stream.is_over());
        let asked = found.filter(|stream| (stream.opening.host, stream.opening.runner) == (host, runner))?;
        Some(AdmittedSource { plane: Arc::clone(&self.plane), place: Place::Here(asked) })
    }
}

impl AdmittedSource {
    /// Serves the runner's connection until either side ends it. The control plane joins it when it stops.
    pub fn serve(self, socket: impl Future<Output = Result<Socket, SocketError>> + Send + 'static) {
        let Self { plane, place } = self;
        let duties = plane.duties.clone();
        duties.spawn(async move {
            match (socket.await, place) {
                (Ok(socket), Place::Here(stream)) => carry(&plane, &stream, socket).await,
                (Ok(socket), Place::Elsewhere(there)) => {
                    tokio::select! {
                        () = join(socket, there, &*plane.clock) => {}
                        () = stopped(&plane.stopping, &*plane.clock) => {}
                    }
                }
                (Err(error), _) => tracing::info!(%error, "the runner did not connect"),
            }
        });
    }
}

/// Serves a runner at its stream.
async fn carry(plane: &Plane, stream: &Stream, socket: Socket) {
    let Socket { mut sink, stream: mut incoming } = socket;
    let hello = tokio::select! {
        hello = read(&mut incoming, stream.clock()) => hello.as_ref().and_then(understood),
        () = plane.stopping.cancelled() => None,
    };
    let Some(FromSource::Hello { token, takes_input }) = hello.filter(|_| !stream.is_over()) else {
        return;
    };
    if token != stream.token {
        tracing::warn!(stream = %stream.id, %token, "the runner shows another attempt than was asked for");
        return;
    }
    let turns = stream.turns();
    let connection = stream.connect(takes_input);
    tracing::info!(stream = %stream.id, %token, connection, "the runner has connected");
    let told = tokio::select! {
        () = hear(&mut incoming, stream, connection) => false,
        told = tell(&mut sink, stream, connection, turns) => told,
        () = stopped(&plane.stopping, stream.clock()) => true,
    };
    if told {
        // Whoever was told goes by itself; if not, the connection is over anyway.
        close(&mut sink, stream.clock()).await;
    } else if stream.is_newest(connection) {
        stream.change(LiveStream::cut);
    }
    tracing::info!(stream = %stream.id, connection, cut = !told, "the runner's connection is over");
}

#[async_trait]
impl Relay for LocalRelay {
    async fn connect(&self, stream: StreamId) -> Result<Socket, RelayError> {
        let (tenant, runner) = (self.host, self.runner);
        let hub = LiveHub::new(&self.plane);
        // Which pool it is of makes no difference.
        let principal = Principal::Runner { tenant, pool: PoolId::DEFAULT, runner };
        let admitted = hub.admit(&principal, stream).await.map_err(|error| match error {
            Error::Refused(refused) => RelayError::Refused(refused.detail),
            error => RelayError::Unreachable(error.into()),
        })?;
        let (ours, theirs) = Socket::pair();
        admitted.serve(std::future::ready(Ok(ours)));
        Ok(theirs)
    }
}

/// Takes what the runner sends. Completes when its connection is cut, or what it sends is no picture.
async fn hear(incoming: &mut Incoming, stream: &Stream, connection: u64) {
    while let Some(piece) = read(incoming, stream.clock()).await {
        if !stream.is_newest(connection) {
            return;
        }
        if let Piece::Bytes(bytes) = &piece {
            let Some((number, frame)) = decode(bytes) else { return };
            stream.change(|rules, _| rules.pictured(number, frame));
            continue;
        }
        match understood(&piece) {
            Some(FromSource::Done { input, problem }) => stream.change(|rules, _| rules.done(input, problem)),
            Some(FromSource::Trouble { mut message }) => {
                let end =
                    (0..=TROUBLE_BYTES_MAX.min(message.len())).rev().find(|&at| message.is_char_boundary(at));
                message.truncate(end.unwrap_or(0));
                tracing::info!(stream = %stream.id, message, "the runner cannot show now");
                stream.change(|rules, _| rules.trouble(message));
            }
            Some(FromSource::Over) => {
                let over = Ending::new("over", "the attempt shows nothing any more");
                stream.change(|rules, _| rules.end(over));
            }
            // A later release may say more.
            Some(FromSource::Hello { .. }) | None => {}
        }
    }
}

/// Sends the runner everything there is for it. Answers whether it was told that this is the end.
async fn tell(outgoing: &mut Outgoing, stream: &Stream, connection: u64, mut turns: Turns) -> bool {
    let mut playing = None;
    loop {
        while let Some(message) = next(stream, connection, &mut playing) {
            let is_end = matches!(message, ToSource::End { .. });
            let piece = Piece::Text(text(&message));
            if write(outgoing, piece, stream.clock()).await.is_none() {
                return is_end;
            }
            if is_end {
                return true;
            }
        }
        tokio::select! {
            () = turns.changed() => {}
            () = sleep(stream.clock(), PING_EVERY) => {
                if write(outgoing, Piece::Ping, stream.clock()).await.is_none() {
                    return false;
                }
            }
        }
    }
}

/// What the runner is to be told next.
fn next(stream: &Stream, connection: u64, playing: &mut Option<FrameWish>) -> Option<ToSource> {
    if !stream.is_newest(connection) {
        return Some(ToSource::End { reason: "another connection has taken its place".to_owned() });
    }
    stream.look(|rules, _| {
        if rules.is_over() {
            return Some(ToSource::End { reason: "nobody looks any more".to_owned() });
        }
        let wish = rules.wish();
        if wish != std::mem::replace(playing, wish) {
            return Some(wish.map_or(ToSource::Pause, |wish| ToSource::Play { wish }));
        }
        if let Some((number, input)) = rules.next_input() {
            return Some(ToSource::Input { number, input });
        }
        rules.next_acknowledgement().map(|number| ToSource::Shown { number })
    })
}

fn understood(piece: &Piece) -> Option<FromSource> {
    let Piece::Text(text) = piece else { return None };
    (text.len() <= MESSAGE_BYTES_MAX).then(|| serde_json::from_str(text).ok()).flatten()
}
