//! Pictures that a Chromium sends as its page changes. While it is told to, it draws and copies the page with every
//! change, whatever becomes of the copies; so it is told to stop once a picture has come, and to go on when somebody has
//! taken it and what pictures cost has left the browser enough time. The first picture after that is what is to be seen
//! then; if it is the same as before, the page rests, and nothing is drawn until it changes. Where no picture comes, it is
//! asked for one.

use super::{
    audience::{End, Stage},
    chromium::{Chromium, Unseen},
    pace::Pace,
    pages::Pages,
};
use crate::{
    evidence::wire::{Said, Wire, WireError},
    within::within,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures::future::{Either, select};
use runners_core::{
    BootTime, Clock, Timestamp,
    live::{Frame, FrameFormat, FrameWish},
};
use serde_json::{Value, json};
use std::{pin::pin, sync::Arc, time::Duration};
use tokio::sync::watch;

/// How long it may take to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(6);
/// When a page that has sent no picture is asked for one. Asking draws the page once more, which those who do
/// something there wait for.
const SILENT_FOR: Duration = Duration::from_millis(400);
/// How many times longer than a picture takes, from the screen to here, there is none.
const REST: u32 = 15;
/// The most pictures per second.
const PER_SECOND_MAX: u32 = 30;
/// How often a page that lies behind another is asked for a picture.
const HIDDEN_EVERY: Duration = Duration::from_secs(1);
/// How long a page that is asked for a picture may take before it is asked again.
const ASKED_TIMEOUT: Duration = Duration::from_secs(5);

/// Shows the pages of a session while somebody looks.
pub(super) async fn show(chromium: Arc<Chromium>, mut stage: Stage, clock: Arc<dyn Clock>) {
    let connected = match within(&*clock, CONNECT_TIMEOUT, chromium.connect()).await {
        Some(connected) => connected,
        None => Err(Unseen::Trouble("the browser did not answer in time".into())),
    };
    let ended = match connected {
        Ok((wire, pages)) => {
            let mut screencast = Screencast::new(&chromium, &*clock, wire, pages);
            screencast.run(&mut stage).await
        }
        Err(Unseen::Over) => return stage.end(End::Over),
        Err(Unseen::Trouble(error)) => Err(error),
    };
    chromium.note_shown(None);
    match ended {
        Ok(()) => {}
        Err(_) if chromium.is_gone() => stage.end(End::Over),
        Err(error) => {
            tracing::debug!(error, "the browser shows no pictures");
            stage.end(End::Broken(error.to_string()));
        }
    }
}

/// A screencast of one session.
struct Screencast<'c> {
    chromium: &'c Chromium,
    clock: &'c dyn Clock,
    wire: Wire,
    pages: Pages,
    wish: FrameWish,
    on: Option<On>,
    pace: Pace,
    /// When a person did something last.
    acted: watch::Receiver<Option<BootTime>>,
    /// Since when the browser is told to send nothing.
    stopped: Option<BootTime>,
    /// The picture that was shown last.
    last: Bytes,
}

/// The page that is shown.
#[derive(Debug)]
struct On {
    target: String,
    /// What the browser calls the connection to it, once there is one.
    session: String,
    /// The size of the page in CSS pixels, once it is known.
    viewport: Option<(u32, u32)>,
    asked: Asked,
    /// It lies behind another page, so that it sends nothing.
    is_hidden: bool,
    /// When a picture is to be asked for, if none comes.
    due: Option<BootTime>,
}

/// A picture that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Nothing,
    /// For the size of the page, by the number of the command.
    Size(u64),
    /// For the picture, and when.
    Picture(u64, Timestamp),
}

impl<'c> Screencast<'c> {
    fn new(chromium: &'c Chromium, clock: &'c dyn Clock, wire: Wire, pages: Pages) -> Self {
        Self {
            chromium,
            clock,
            wire,
            pages,
            wish: FrameWish::default(),
            on: None,
            pace: Pace::new(REST, PER_SECOND_MAX),
            acted: chromium.acted(),
            stopped: None,
            last: Bytes::new(),
        }
    }

    async fn run(&mut self, stage: &mut Stage) -> Result<(), WireError> {
        while let Some(wish) = stage.wish() {
            self.follow(wish).await?;
            let due = self.due(stage.is_taken());
            let sleep = async {
                match due {
                    Some(due) => self.clock.sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            let heard = {
                let (sleep, changed) = (pin!(sleep), pin!(stage.changed()));
                // Who does something need not wait until the browser has rested.
                let acted = pin!(self.acted.changed());
                match select(pin!(self.wire.next()), select(sleep, select(changed, acted))).await {
                    Either::Left((said, _)) => Some(said?),
                    Either::Right(_) => None,
                }
            };
            match heard {
                Some(said) => self.hear(said, stage).await?,
                None => self.do_due(stage.is_taken()).await?,
            }
        }
        Ok(())
    }

    /// Turns to the page that is to be shown, in the way that is wished.
    async fn follow(&mut self, wish: FrameWish) -> Result<(), WireError> {
        let is_other = (wish.quality, wish.width_max) != (self.wish.quality, self.wish.width_max);
        self.wish = wish;
        let shown = self.pages.shown();
        if self.on.as_ref().map(|on| &*on.target) != shown {
            let shown = shown.map(str::to_owned);
            if let Some(before) = self.on.take().filter(|on| !on.session.is_empty()) {
                // It may be gone. A connection that ends takes its screencast with it.
                let params = json!({ "sessionId": before.session });
                self.wire.send("", "Target.detachFromTarget", params).await?;
            }
            self.stopped = None;
            self.chromium.note_shown(shown.as_deref());
            if let Some(target) = shown {
                let params = json!({ "targetId": target, "flatten": true });
                self.wire.send("", "Target.attachToTarget", params).await?;
                self.on = Some(On::new(target));
            }
        } else if is_other && let Some(on) = self.on.as_ref().filter(|on| !on.session.is_empty()) {
            let session = on.session.clone();
            self.wire.send(&session, "Page.stopScreencast", json!({})).await?;
            self.last = Bytes::new();
            self.start(&session).await?;
        }
        Ok(())
    }

    async fn start(&mut self, session: &str) -> Result<(), WireError> {
        let screen = json!({
            "format": "jpeg", "quality": self.wish.quality,
            "maxWidth": self.wish.width_max, "maxHeight": self.wish.width_max * 2,
        });
        self.stopped = None;
        self.wire.send(session, "Page.startScreencast", screen).await?;
        if let Some(on) = &mut self.on {
            on.due = Some(self.clock.boot() + SILENT_FOR);
        }
        Ok(())
    }

    /// When something is to be done by itself.
    fn due(&self, is_taken: bool) -> Option<BootTime> {
        let next = self.stopped.filter(|_| is_taken).map(|stopped| self.goes_on(stopped));
        let on = self.on.as_ref().and_then(|on| on.due);
        next.into_iter().chain(on).min()
    }

    async fn do_due(&mut self, is_taken: bool) -> Result<(), WireError> {
        let now = self.clock.boot();
        if is_taken
            && self.stopped.is_some_and(|stopped| self.goes_on(stopped) <= now)
            && let Some(on) = &self.on
        {
            let session = on.session.clone();
            return self.start(&session).await;
        }
        let Some(on) = self.on.as_mut().filter(|on| on.due.is_some_and(|due| due <= now)) else {
            return Ok(());
        };
        on.due = Some(now + ASKED_TIMEOUT);
        on.asked = if on.viewport.is_some() {
            let params = json!({ "format": "jpeg", "quality": self.wish.quality, "optimizeForSpeed": true });
            let asked = self.clock.wall();
            Asked::Picture(self.wire.send(&on.session, "Page.captureScreenshot", params).await?, asked)
        } else {
            Asked::Size(self.wire.send(&on.session, "Page.getLayoutMetrics", json!({})).await?)
        };
        Ok(())
    }

    async fn hear(&mut self, said: Said, stage: &Stage) -> Result<(), WireError> {
        if let Some(id) = said.id {
            self.take_answer(id, &said, stage);
            return Ok(());
        }
        self.pages.hear(&said.method, &said.params);
        let Some(on) = self.on.as_mut() else { return Ok(()) };
        match &*said.method {
            "Target.attachedToTarget" if said.params["targetInfo"]["targetId"] == *on.target => {
                let session = said.params["sessionId"].as_str().unwrap_or_default().to_owned();
                on.session.clone_from(&session);
                self.wire.send(&session, "Page.enable", json!({})).await?;
                self.start(&session).await?;
            }
            "Page.screencastVisibilityChanged" if said.session == on.session => {
                on.is_hidden = said.params["visible"] == false;
                if on.is_hidden && on.due.is_none() {
                    on.due = Some(self.clock.boot() + HIDDEN_EVERY);
                }
            }
            "Page.screencastFrame" if said.session == on.session => {
                on.asked = Asked::Nothing;
                on.due = on.is_hidden.then(|| self.clock.boot() + HIDDEN_EVERY);
                let (session, number) = (on.session.clone(), said.params["sessionId"].clone());
                self.wire.send(&session, "Page.screencastFrameAck", json!({ "sessionId": number })).await?;
                if let Some(frame) = sent(&said.params) {
                    self.take_sent(&session, frame, stage).await?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Shows a picture that was sent, and has the browser rest unless it looks as before.
    async fn take_sent(&mut self, session: &str, frame: Frame, stage: &Stage) -> Result<(), WireError> {
        self.pace.took(self.clock.wall().since(frame.at));
        if let Some(on) = &mut self.on {
            on.viewport = Some(frame.viewport);
        }
        if frame.bytes == self.last {
            return Ok(());
        }
        self.last = frame.bytes.clone();
        stage.show(frame);
        if self.stopped.is_none() {
            self.stopped = Some(self.clock.boot());
            self.wire.send(session, "Page.stopScreencast", json!({})).await?;
        }
        Ok(())
    }

    fn take_answer(&mut self, id: u64, said: &Said, stage: &Stage) {
        let now = self.clock.boot();
        let Some(on) = self.on.as_mut() else { return };
        if on.asked == Asked::Size(id) {
            let size = &said.result["cssVisualViewport"];
            on.asked = Asked::Nothing;
            on.viewport = whole(&size["clientWidth"]).zip(whole(&size["clientHeight"]));
            on.due = Some(if on.viewport.is_some() { now } else { now + SILENT_FOR });
        } else if let Asked::Picture(asked, at) = on.asked
            && asked == id
        {
            on.asked = Asked::Nothing;
            let picture = said.result["data"].as_str().and_then(|data| STANDARD.decode(data).ok());
            if let (Some(bytes), Some(viewport)) = (picture, on.viewport) {
                on.due = on.is_hidden.then(|| now + HIDDEN_EVERY);
                stage.show(Frame::new(at, FrameFormat::Jpeg, viewport, bytes.into()));
            } else {
                on.due = Some(now + HIDDEN_EVERY);
            }
        }
    }

    /// When a browser that was told to stop is told to go on.
    fn goes_on(&self, stopped: BootTime) -> BootTime {
        stopped + self.pace.rest_at(self.clock.boot(), *self.acted.borrow(), self.wish.per_second_max)
    }
}

impl On {
    const fn new(target: String) -> Self {
        Self {
            target,
            session: String::new(),
            viewport: None,
            asked: Asked::Nothing,
            is_hidden: false,
            due: None,
        }
    }
}

/// A picture as the browser sends it.
fn sent(params: &Value) -> Option<Frame> {
    let bytes = STANDARD.decode(params["data"].as_str()?).ok()?;
    let told = &params["metadata"];
    let viewport = (whole(&told["deviceWidth"])?, whole(&told["deviceHeight"])?);
    Some(Frame::new(at(told["timestamp"].as_f64()?), FrameFormat::Jpeg, viewport, bytes.into()))
}

/// Seconds since 1970 as a time.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time after 1970")]
fn at(seconds: f64) -> Timestamp {
    Timestamp::from_millis((seconds * 1_000.0) as u64)
}

/// A size in whole pixels; none if it is nothing.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is cut to what fits")]
fn whole(size: &Value) -> Option<u32> {
    let pixels = size.as_f64()?.round() as u32;
    (pixels > 0).then_some(pixels)
}
