//! One who looks: what they are told, what they may do, and the connection that carries both.

use super::{
    LiveHub, Plane,
    stream::{Opening, Stream},
};
use crate::{
    actors::{
        connection::{PING_EVERY, close, read, stopped, write},
        error::Error,
        turn::Turns,
    },
    rules::{job::JobRecord, live::Phase, view_grant::Claims},
    seams::{
        clock::sleep,
        relay::{Incoming, Outgoing, Piece, Socket, SocketError},
    },
    values::{
        live::{FrameWish, Input},
        relay::{FromViewer, MESSAGE_BYTES_MAX, ToViewer, encode, text},
        reply::{RefusalCode, Refused},
        time::Timestamp,
        view::{LiveAccess, LiveControl, LiveEvent, LivePicture, LiveState, problem_of},
    },
};
use std::{sync::Arc, time::Duration};

/// How long somebody who connects may take to show a grant.
const GRANT_WITHIN: Duration = Duration::from_secs(10);

/// One who looks at a live view. Dropping it is to look away.
#[derive(Debug)]
pub struct Viewer {
    plane: Arc<Plane>,
    seat: Arc<Seat>,
    turns: Turns,
    /// What was told last of the stream, by its version.
    told: u64,
}

/// A place before a stream.
#[derive(Debug)]
struct Seat {
    stream: Arc<Stream>,
    number: u64,
    access: LiveAccess,
    until: Timestamp,
}

impl LiveHub {
    /// Begins to look, by a grant of [`Management::view`](crate::Management::view). The runner is asked to come,
    /// unless somebody looks already.
    ///
    /// # Errors
    /// [`Error::Refused`]: the grant is not good (`forbidden`) or not any more (`expired`), the attempt has ended
    /// (`not_running`), there are as many streams or viewers as there may be (`exhausted`), or there is no live view
    /// for the tenant (`forbidden`). [`Error::Store`].
    pub async fn watch(&self, grant: &str) -> Result<Viewer, Error> {
        let plane = &self.plane;
        let key = plane.live_key().await.map_err(Error::Store)?;
        let claims = Claims::verify(grant, key, plane.now()).map_err(Error::Refused)?;
        plane.may_relay(claims.tenant).map_err(Error::Refused)?;
        plane.may_ask(claims.tenant)?;
        let found = plane.records.load::<JobRecord>(JobRecord::key_of(claims.tenant, claims.token.job)).await;
        let over = || Refused::new(RefusalCode::NotRunning, "grant: its job is not kept any more");
        let job = found.map_err(Error::Store)?.ok_or_else(|| Error::Refused(over()))?.record;
        let opening = Opening::of(&job, claims.token).map_err(Error::Refused)?;
        let (stream, is_new) =
            plane.live.open(&claims, || Stream::new(plane, &claims, opening)).map_err(Error::Refused)?;
        let limit = plane.live.options().viewers_max;
        let joined = stream.change(|rules, _| (rules.viewers() < limit).then(|| rules.join(claims.access)));
        if is_new {
            plane.duties.spawn(Arc::clone(plane).tend(Arc::clone(&stream)));
        }
        let Some(number) = joined else {
            let detail = format!("{limit} look at this attempt, which is the limit: try later");
            return Err(Error::Refused(Refused::new(RefusalCode::Exhausted, detail)));
        };
        let turns = stream.turns();
        let seat = Seat { stream, number, access: claims.access, until: claims.until };
        Ok(Viewer { plane: Arc::clone(plane), seat: Arc::new(seat), turns, told: 0 })
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
        let clock = Arc::clone(&self.plane.clock);
        loop {
            let left = self.seat.until.since(self.plane.now());
            if left.is_zero() {
                return None;
            }
            if let Some(event) = self.event() {
                return Some(event);
            }
            if self.seat.stream.is_over() {
                return None;
            }
            let until = self.seat.stream.look(|rules, now| {
                let over = now + left;
                rules.picture_at(self.seat.number).filter(|at| *at > now).map_or(over, |at| at.min(over))
            });
            tokio::select! {
                () = self.turns.changed() => {}
                () = clock.sleep_until(until) => {}
            }
        }
    }

    /// Wishes for so many pictures of such a size from now on; [`FrameWish::default`] counts until then. The limits
    /// of the control plane hold, which the [state](LiveState::wish) tells, and pictures may be larger than wished if
    /// somebody else wishes for that.
    pub fn wish(&self, wish: FrameWish) {
        self.seat.stream.change(|rules, _| rules.wish_of(self.seat.number, wish));
    }

    /// Acknowledges a picture, and every one before it.
    pub fn shown(&self, number: u64) {
        self.seat.shown(number);
    }

    /// Whether the pictures are to stop for now, as while the page that shows them is hidden.
    pub fn pause(&self, paused: bool) {
        self.seat.stream.change(|rules, _| rules.pause(self.seat.number, paused));
    }

    /// Takes control, from whoever has it. Whether that is allowed stands in the [state](LiveState::may_control).
    pub fn take_control(&self) {
        self.seat.stream.change(|rules, _| rules.take_control(self.seat.number));
    }

    /// Gives control back.
    pub fn release_control(&self) {
        self.seat.stream.change(|rules, _| rules.release_control(self.seat.number));
    }

    /// Does something to what is shown. It is carried out at most once, in the order of the calls, and answered by
    /// [`LiveEvent::Done`] with the same number.
    pub fn input(&self, number: u64, input: Input) {
        self.seat.input(number, input);
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
        let (seat, plane) = (Arc::clone(&self.seat), Arc::clone(&self.plane));
        let stream_id = seat.stream.id;
        tracing::info!(stream = %stream_id, viewer = seat.number, access = ?seat.access, "somebody looks");
        let expired = tokio::select! {
            () = hear(stream, &seat) => false,
            expired = self.tell(&mut sink) => expired,
            () = ended => true,
            () = stopped(&plane.stopping, &*plane.clock) => false,
        };
        if expired {
            let over = Refused::new(RefusalCode::Expired, "the grant is over: ask for another");
            refuse(&mut sink, &plane, &Error::Refused(over)).await;
        }
        tracing::info!(stream = %stream_id, viewer = seat.number, "somebody looks away");
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
                    None => return !self.seat.stream.is_over(),
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

    fn event(&mut self) -> Option<LiveEvent> {
        let Seat { stream, number, .. } = &*self.seat;
        let number = *number;
        if let Some((input, problem)) = stream.look(|rules, _| rules.answer_for(number)) {
            return Some(LiveEvent::Done { input, problem });
        }
        let version = stream.look(|rules, _| rules.version());
        if std::mem::replace(&mut self.told, version) != version {
            return Some(LiveEvent::State(self.seat.state()));
        }
        let (number, frame) = stream.look(|rules, now| rules.picture_for(number, now))?;
        // What is given may be acknowledged to the source.
        stream.change(|_, _| {});
        Some(LiveEvent::Picture(LivePicture { number, frame }))
    }
}

impl Seat {
    fn shown(&self, number: u64) {
        self.stream.change(|rules, _| rules.shown(self.number, number));
    }

    fn input(&self, number: u64, input: Input) {
        let problem = problem_of(&input);
        self.stream.change(|rules, _| match problem {
            Some(problem) => rules.answer(self.number, number, Some(problem)),
            None => rules.ask(self.number, number, input),
        });
    }

    fn state(&self) -> LiveState {
        self.stream.look(|rules, _| {
            let (reason, detail) = match rules.phase() {
                Phase::Over(ending) => (ending.reason.clone(), ending.detail.clone()),
                Phase::Connected | Phase::Opening { .. } => match rules.trouble_now() {
                    Some(trouble) => ("trouble".to_owned(), trouble.to_owned()),
                    None => (String::new(), String::new()),
                },
                Phase::Cut { .. } => {
                    ("cut".to_owned(), "the runner's connection was cut: it comes again".to_owned())
                }
            };
            LiveState {
                stream: self.stream.id,
                attempt: self.stream.opening.attempt,
                phase: rules.public_phase(),
                reason,
                detail,
                control: if rules.is_over() { LiveControl::Nobody } else { rules.control_of(self.number) },
                may_control: rules.may_control(self.number),
                viewers: rules.viewers(),
                wish: rules.wished_by(self.number),
            }
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.stream.change(|rules, now| rules.leave(self.number, now));
    }
}

/// Does what somebody who looks tells. Completes when the connection is cut.
async fn hear(mut incoming: Incoming, seat: &Seat) {
    let (stream, number) = (&seat.stream, seat.number);
    while let Some(Piece::Text(text)) = read(&mut incoming, stream.clock()).await {
        if text.len() > MESSAGE_BYTES_MAX {
            return;
        }
        match serde_json::from_str(&text) {
            Ok(FromViewer::Shown { number }) => seat.shown(number),
            Ok(FromViewer::Pause) => stream.change(|rules, _| rules.pause(number, true)),
            Ok(FromViewer::Resume) => stream.change(|rules, _| rules.pause(number, false)),
            Ok(FromViewer::Wish(wish)) => stream.change(|rules, _| rules.wish_of(number, wish)),
            Ok(FromViewer::TakeControl) => stream.change(|rules, _| rules.take_control(number)),
            Ok(FromViewer::ReleaseControl) => stream.change(|rules, _| rules.release_control(number)),
            Ok(FromViewer::Input { number, input }) => seat.input(number, input),
            Ok(FromViewer::Alive | FromViewer::Grant { .. }) => {}
            // It may be of a later release.
            Err(error) => {
                tracing::debug!(stream = %stream.id, %error, "somebody who looks is not understood");
            }
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
