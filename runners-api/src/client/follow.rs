//! Following a run: events as the server sends them, and where that is cut, from the last one on.

use super::{
    Connection,
    exchange::{Failure, Patience, Trouble, within},
    route::Route,
    sse::{RawEvent, Reader},
};
use bytes::Bytes;
use futures::{Stream, stream};
use http::{HeaderValue, header};
use reqwest::Response;
use runners_core::{
    ArtifactSource, EventCursor,
    orchestration::{OrchestratorError, RunEvent, RunHappening, RunProgress},
};
use std::{collections::VecDeque, sync::Arc, time::Duration};

/// What a server must send within this: it says every 15 s that it is there.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// The body of an answer, piece by piece. A server that says nothing for too long has gone.
pub(super) fn pieces(
    connection: Arc<Connection>,
    response: Response,
) -> impl Stream<Item = Result<Bytes, ArtifactSource>> + Send {
    stream::try_unfold((connection, response), |(connection, mut response)| async move {
        let piece = within(&*connection.clock, SILENCE_MAX, response.chunk()).await;
        let piece = piece.ok_or(Trouble::Silent(SILENCE_MAX))?.map_err(Trouble::Broken)?;
        Ok(piece.map(|piece| (piece, (connection, response))))
    })
}

/// What a run tells from a place on, until it has ended.
pub(super) fn events(
    connection: Arc<Connection>,
    run: String,
    after: EventCursor,
) -> impl Stream<Item = Result<(EventCursor, RunEvent), OrchestratorError>> + Send {
    let following = Following {
        connection,
        run,
        next: after,
        ready: VecDeque::new(),
        open: None,
        patience: Patience::default(),
        known_ended: false,
        ended: false,
    };
    stream::try_unfold(following, |mut following| async move {
        loop {
            if let Some(event) = following.ready.pop_front() {
                return Ok(Some((event, following)));
            }
            if following.ended {
                return Ok(None);
            }
            following.go_on().await?;
        }
    })
}

/// Where a stream is.
struct Following {
    connection: Arc<Connection>,
    run: String,
    next: EventCursor,
    ready: VecDeque<(EventCursor, RunEvent)>,
    /// The answer that is being read.
    open: Option<Open>,
    patience: Patience,
    /// It was known before the answer began that the run had ended.
    known_ended: bool,
    ended: bool,
}

struct Open {
    response: Response,
    reader: Reader,
}

impl Following {
    /// Reads on, and begins again where it was cut.
    async fn go_on(&mut self) -> Result<(), OrchestratorError> {
        let failure = match self.read().await {
            Ok(true) => return Ok(()),
            Ok(false) => return self.answer_ended().await,
            Err(failure) => failure,
        };
        self.open = None;
        self.connection.bear(failure, &mut self.patience).await
    }

    /// Reads one piece. Whether there was one.
    async fn read(&mut self) -> Result<bool, Failure> {
        let connection = Arc::clone(&self.connection);
        if self.open.is_none() {
            let limit = connection.answer_within;
            let opened = within(&*connection.clock, limit, self.begin()).await;
            self.open = Some(opened.unwrap_or(Err(Failure::again(Trouble::Late(limit))))?);
        }
        let Open { response, reader } = self.open.as_mut().expect("invariant: it was just opened");
        let piece = within(&*connection.clock, SILENCE_MAX, response.chunk()).await;
        let piece = piece.ok_or(Failure::again(Trouble::Silent(SILENCE_MAX)))?;
        let Some(piece) = piece.map_err(|error| Failure::again(Trouble::Broken(error)))? else {
            return Ok(false);
        };
        self.patience.renew();
        let events = reader.take(&piece).map_err(|error| Failure::unexpected(error.to_string()))?;
        for event in events {
            self.take(&event)?;
        }
        Ok(true)
    }

    async fn begin(&self) -> Result<Open, Failure> {
        let connection = &self.connection;
        let route = Route::events(&connection.base, &self.run).map_err(Failure::Final)?;
        let request = connection.request(&route).header(header::ACCEPT, "text/event-stream");
        let last = HeaderValue::try_from(self.next.to_string()).expect("invariant: places are digits");
        let response = connection.send(request.header("last-event-id", last), &route).await?;
        let kind = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if !kind.is_some_and(|kind| kind.starts_with("text/event-stream")) {
            let kind = kind.unwrap_or("nothing in particular");
            return Err(Failure::unexpected(format!("events were asked for, and {kind} was answered")));
        }
        Ok(Open { response, reader: Reader::default() })
    }

    fn take(&mut self, event: &RawEvent) -> Result<(), Failure> {
        let place: EventCursor =
            event.id.parse().map_err(|_| Failure::unexpected("an event came without its place"))?;
        if place <= self.next {
            return Ok(());
        }
        self.next = place;
        // What this release does not know is passed over.
        if let Ok(event) = serde_json::from_str::<RunEvent>(&event.content) {
            self.ended |= matches!(event.what, RunHappening::RunEnded { .. });
            self.ready.push_back((place, event));
        }
        Ok(())
    }

    /// An answer ended by itself: because its time was over, or because there is nothing more to tell.
    async fn answer_ended(&mut self) -> Result<(), OrchestratorError> {
        self.open = None;
        if self.ended || !self.ready.is_empty() {
            return Ok(());
        }
        if self.known_ended {
            self.ended = true;
            return Ok(());
        }
        let route = Route::progress(&self.connection.base, &self.run)?;
        let progress: RunProgress = self.connection.ask(&route, Duration::ZERO).await?;
        self.known_ended = progress.state.is_ended();
        if !self.known_ended {
            // It is asked again after a moment, so that a server that tells nothing is not overrun.
            let wait = self.patience.next(&self.connection, None);
            let told_nothing = || {
                let problem = "events end before the run does".to_owned();
                OrchestratorError::Unexpected { problem }
            };
            self.connection.pause(wait.ok_or_else(told_nothing)?).await;
        }
        Ok(())
    }
}
