//! One who looks: what they are told, what they may do, and the connection that carries both. Their place before the
//! stream is in `seat`; where another control plane has the stream, `far` speaks with that.

use super::{
    LiveHub, Plane,
    far::{Far, FarHand},
    seat::{Near, Seat},
    stream::{Opening, Stream},
};
use crate::{
    actors::{
        connection::{PING_EVERY, close, read, stopped, write},
        error::Error,
    },
    rules::{job::JobRecord, view_grant::Claims},
    seams::{
        clock::{Clock, sleep},
        relay::{Incoming, Outgoing, Piece, Socket, SocketError},
    },
    values::{
        live::{FrameWish, Input},
        relay::{FromViewer, MESSAGE_BYTES_MAX, ToViewer, encode, text},
        reply::{RefusalCode, Refused},
        view::LiveEvent,
    },
};
use std::{sync::Arc, time::Duration};

/// How long somebody who connects may take to show a grant.
const GRANT_WITHIN: Duration = Duration::from_secs(10);

/// One who looks at a live view. Dropping it is to look away.
#[derive(Debug)]
pub struct Viewer {
    plane: Arc<Plane>,
    eye: Eye,
}

/// Where the stream is that somebody looks at.
#[derive(Debug)]
enum Eye {
    Here(Near),
    Elsewhere(Far),
}

/// By what somebody who looks does something.
#[derive(Clone, Debug)]
enum Hand {
    Here(Arc<Seat>),
    Elsewhere(FarHand),
}

impl LiveHub {
    /// Begins to look, by a grant of [`Management::view`](crate::Management::view). The runner is asked to come,
    /// unless somebody looks already. Where another control plane on the same store has the streams of this runner,
    /// and both have [neighbours](crate::ControlPlaneBuilder::neighbours), it is looked at there.
    ///
    /// # Errors
    /// [`Error::Refused`]: the grant is not good (`forbidden`) or not any more (`expired`), the attempt has ended
    /// (`not_running`), there are as many streams or viewers as there may be (`exhausted`), or there is no live view
    /// for the tenant (`forbidden`). [`Error::Store`].
    pub async fn watch(&self, grant: &str) -> Result<Viewer, Error> {
        let (claims, opening) = self.checked(grant).await?;
        let plane = &self.plane;
        let is_here = plane.live.of(claims.token).is_some_and(|stream| !stream.is_over());
        let home = if is_here { None } else { plane.home_of(opening.runner) };
        let Some(address) = home else { return self.look(&claims, opening) };
        match Far::look(plane, &address, grant).await {
            Ok(far) => Ok(Viewer { plane: Arc::clone(plane), eye: Eye::Elsewhere(far) }),
            Err(Error::Unreachable(error)) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(%address, error, "another control plane is not reached: the runner is asked to come here");
                self.look(&claims, opening)
            }
            Err(error) => Err(error),
        }
    }

    /// What a grant says, and what is to be shown by it.
    async fn checked(&self, grant: &str) -> Result<(Claims, Opening), Error> {
        let plane = &self.plane;
        let key = plane.live_key().await.map_err(Error::Store)?;
        let claims = Claims::verify(grant, key, plane.now()).map_err(Error::Refused)?;
        plane.may_relay(claims.tenant).map_err(Error::Refused)?;
        plane.may_ask(claims.tenant)?;
        let found = plane.records.load::<JobRecord>(JobRecord::key_of(claims.tenant, claims.token.job)).await;
        let over = || Refused::new(RefusalCode::NotRunning, "grant: its job is not kept any more");
        let job = found.map_err(Error::Store)?.ok_or_else(|| Error::Refused(over()))?.record;
        let opening = Opening::of(&job, claims.token).map_err(Error::Refused)?;
        Ok((claims, opening))
    }

    /// Looks at a stream of this control plane.
    fn look(&self, claims: &Claims, opening: Opening) -> Result<Viewer, Error> {
        let plane = &self.plane;
        let (stream, is_new) =
            plane.live.open(claims, || Stream::new(plane, claims, opening)).map_err(Error::Refused)?;
        let limit = plane.live.options().viewers_max;
        let joined = stream.change(|rules, _| (rules.viewers() < limit).then(|| rules.join(claims.access)));
        if is_new {
            plane.duties.spawn(Arc::clone(plane).tend(Arc::clone(&stream)));
        }
        let Some(number) = joined else {
            let detail = format!("{limit} look at this attempt, which is the limit: try later");
            return Err(Error::Refused(Refused::new(RefusalCode::Exhausted, detail)));
        };
        let near = Near::new(Seat::new(stream, number, claims));
        Ok(Viewer { plane: Arc::clone(plane), eye: Eye::Here(near) })
    }

    /// Serves somebody whom another control plane has led here.
    pub(super) fn serve_led(
        self,
        grant: String,
        socket: impl Future<Output = Result<Socket, SocketError>> + Send + 'static,
    ) {
        let duties = self.plane.duties.clone();
        duties.spawn(async move {
            let Ok(mut socket) = socket.await else { return };
            let looked = match self.checked(&grant).await {
                Ok((claims, opening)) => self.look(&claims, opening),
                Err(error) => Err(error),
            };
            match looked {
                Ok(viewer) => viewer.carry(socket, std::future::pending()).await,
                Err(error) => self.refuse(&mut socket, &error).await,
            }
        });
    }

    /// Serves a connection whose first message is a grant: `{"type":"grant","grant":"…"}`. The control plane joins it when it
    /// stops.
    pub fn serve(&self, socket: impl Future<Output = Result<Socket, SocketError>> + Send + 'static) {
        let hub = self.clone();
        self.plane.duties.spawn(async move {
            let Ok(mut socket) = socket.await else { return };
            let clock = Arc::clone(&hub.plane.clock);
            let asked = tokio::select! {
                asked = read(&mut socket.stream, &*clock) => asked,
                () = sleep(&*clock, GRANT_WITHIN) => None,
                () = hub.plane.stopping.cancelled() => return,
            };
            let message = match asked {
                Some(Piece::Text(text)) if text.len() <= MESSAGE_BYTES_MAX => {
                    serde_json::from_str(&text).ok()
                }
                _ => None,
            };
            let watched = match message {
                Some(FromViewer::Grant { grant }) => hub.watch(&grant).await,
                _ => Err(Error::Refused(Refused::new(RefusalCode::Invalid, "send a grant first"))),
            };
            match watched {
                Ok(viewer) => viewer.carry(socket, std::future::pending()).await,
                Err(error) => hub.refuse(&mut socket, &error).await,
            }
        });
    }

    /// Tells somebody who may not look, and ends the connection.
    pub(crate) async fn refuse(&self, socket: &mut Socket, error: &Error) {
        refuse(&mut socket.sink, &self.plane, error).await;
    }
}

impl Viewer {
    /// What is to be told next: how the live view is, once at the beginning and whenever that changes; the newest
    /// picture; what became of inputs. `None` after the state that says that it is over, or when the grant is.
    ///
    /// A picture is to be [acknowledged](Self::shown): two may be under way, and meanwhile others are skipped.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<LiveEvent> {
        match &mut self.eye {
            Eye::Here(near) => near.next(&self.plane).await,
            Eye::Elsewhere(far) => far.next().await,
        }
    }

    /// Wishes for so many pictures of such a size from now on; [`FrameWish::default`] counts until then. The limits
    /// of the control plane hold, which the [state](crate::live::LiveState::wish) tells, and pictures may be larger than wished if
    /// somebody else wishes for that.
    pub fn wish(&self, wish: FrameWish) {
        self.hand().act(FromViewer::Wish(wish));
    }

    /// Acknowledges a picture, and every one before it.
    pub fn shown(&self, number: u64) {
        self.hand().act(FromViewer::Shown { number });
    }

    /// Whether the pictures are to stop for now, as while the page that shows them is hidden.
    pub fn pause(&self, paused: bool) {
        self.hand().act(if paused { FromViewer::Pause } else { FromViewer::Resume });
    }

    /// Takes control, from whoever has it. Whether that is allowed stands in the [state](crate::live::LiveState::may_control).
    pub fn take_control(&self) {
        self.hand().act(FromViewer::TakeControl);
    }

    /// Gives control back.
    pub fn release_control(&self) {
        self.hand().act(FromViewer::ReleaseControl);
    }

    /// Does something to what is shown. It is carried out at most once, in the order of the calls, and answered by
    /// [`LiveEvent::Done`] with the same number.
    pub fn input(&self, number: u64, input: Input) {
        self.hand().act(FromViewer::Input { number, input });
    }

    /// Carries it over a connection until either is over, or `ended` completes. The control plane joins it when it
    /// stops.
    pub fn serve(
        self,
        socket: impl Future<Output = Result<Socket, SocketError>> + Send + 'static,
        ended: impl Future<Output = ()> + Send + 'static,
    ) {
        let plane = Arc::clone(&self.plane);
        plane.duties.spawn(async move {
            if let Ok(socket) = socket.await {
                self.carry(socket, ended).await;
            }
        });
    }

    pub(crate) async fn carry(self, socket: Socket, ended: impl Future<Output = ()> + Send) {
        let Socket { mut sink, stream } = socket;
        let (hand, plane) = (self.hand(), Arc::clone(&self.plane));
        let named = hand.to_string();
        tracing::info!(stream = named, "somebody looks");
        let expired = tokio::select! {
            () = hear(stream, &hand, &*plane.clock) => false,
            expired = self.tell(&mut sink) => expired,
            () = ended => true,
            () = stopped(&plane.stopping, &*plane.clock) => false,
        };
        if expired {
            let over = Refused::new(RefusalCode::Expired, "the grant is over: ask for another");
            refuse(&mut sink, &plane, &Error::Refused(over)).await;
        }
        tracing::info!(stream = named, "somebody looks away");
    }

    fn hand(&self) -> Hand {
        match &self.eye {
            Eye::Here(near) => Hand::Here(Arc::clone(near.seat())),
            Eye::Elsewhere(far) => Hand::Elsewhere(far.hand().clone()),
        }
    }

    /// Whether there is nothing more to see because the grant is over.
    fn is_expired(&self) -> bool {
        match &self.eye {
            Eye::Here(near) => !near.seat().is_over(),
            Eye::Elsewhere(far) => far.is_expired(),
        }
    }

    /// Sends everything there is to tell. Answers whether it ended because the grant is over.
    async fn tell(mut self, sink: &mut Outgoing) -> bool {
        let clock = Arc::clone(&self.plane.clock);
        loop {
            let piece = tokio::select! {
                event = self.next() => match event {
                    Some(LiveEvent::Picture(picture)) => Piece::Bytes(encode(picture.number, &picture.frame)),
                    Some(LiveEvent::State(state)) => Piece::Text(text(&ToViewer::State(state))),
                    Some(LiveEvent::Done { input, problem }) => Piece::Text(text(&ToViewer::Done { input, problem })),
                    None => return self.is_expired(),
                },
                () = sleep(&*clock, PING_EVERY) => {
                    // A page cannot see pings, and a connection that nothing sees may be dead.
                    if write(sink, Piece::Ping, &*clock).await.is_none() {
                        return false;
                    }
                    Piece::Text(text(&ToViewer::Alive))
                }
            };
            if write(sink, piece, &*clock).await.is_none() {
                return false;
            }
        }
    }
}

impl Hand {
    fn act(&self, what: FromViewer) {
        match self {
            Self::Here(seat) => seat.act(what),
            Self::Elsewhere(hand) => hand.act(what),
        }
    }
}

/// Names it in logs.
impl std::fmt::Display for Hand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Here(seat) => seat.fmt(f),
            Self::Elsewhere(hand) => hand.fmt(f),
        }
    }
}

/// Does what somebody who looks tells. Completes when the connection is cut.
async fn hear(mut incoming: Incoming, hand: &Hand, clock: &dyn Clock) {
    while let Some(Piece::Text(text)) = read(&mut incoming, clock).await {
        if text.len() > MESSAGE_BYTES_MAX {
            return;
        }
        match serde_json::from_str(&text) {
            Ok(message) => hand.act(message),
            // It may be of a later release.
            Err(error) => tracing::debug!(stream = %hand, %error, "somebody who looks is not understood"),
        }
    }
}

async fn refuse(sink: &mut Outgoing, plane: &Plane, error: &Error) {
    let (code, detail) = match error {
        Error::Refused(refused) => (refused.code.as_str().to_owned(), refused.detail.clone()),
        error => {
            tracing::warn!(error = error as &dyn std::error::Error, "a live view could not be opened");
            ("unavailable".to_owned(), "the control plane cannot answer now: try again later".to_owned())
        }
    };
    let refused = Piece::Text(text(&ToViewer::Refused { code, detail }));
    if write(sink, refused, &*plane.clock).await.is_some() {
        close(sink, &*plane.clock).await;
    }
}
