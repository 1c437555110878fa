//! Which evidence of a flow is kept beside the pictures of its steps, and the signals by which a film is begun and
//! ended while an attempt runs.

use super::filming::Filming;
use futures::future::{Either, select};
use runners_core::{Attempt, Command, Received, Signals};
use serde::{Deserialize, Serialize};
use std::{convert::Infallible, future::pending, pin::pin};

/// What is listened to while a flow is replayed. All of it is an artifact, has a limit, and holds no
/// secret of the flow but for pictures, which show what the page shows. Console and requests take a browser of the
/// Chromium family on this machine or in a Selenium Grid, or Firefox; a film takes any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "each is asked for by itself")]
pub struct Capture {
    /// The console and what nobody caught as `console.json`, the requests as `network.har`
    /// (HAR 1.2). Yes by default.
    pub journal: bool,
    /// The bodies of requests and responses too, up to 64 KiB each, in `network.har`.
    pub bodies: bool,
    /// What the screen showed, as `film/index.json` and the parts that it names, which come while it goes on:
    /// at most ten pictures a second, fewer the longer it takes, each with its time, and when each step began.
    /// It plays in the HTML report. [`StartCapture`] asks for it while a job runs.
    pub frames: bool,
    /// The same as `video.webm`, if there is an `ffmpeg` on the `PATH`.
    pub video: bool,
}

impl Capture {
    /// Listens to nothing.
    pub const NOTHING: Self = Self { journal: false, bodies: false, frames: false, video: false };

    /// What a document may ask for under `runners.capture`.
    pub(crate) const WORDS: &'static [&'static str] = &["bodies", "frames", "video"];

    /// The same with what one of [`WORDS`](Self::WORDS) asks for.
    pub(crate) fn with(mut self, word: &str) -> Self {
        match word {
            "bodies" => (self.journal, self.bodies) = (true, true),
            "frames" => self.frames = true,
            "video" => self.video = true,
            _ => {}
        }
        self
    }

    /// The same with what the job of an attempt asks for. What nobody here knows is told in its log.
    pub(crate) fn asked_by(self, attempt: &Attempt) -> Self {
        attempt.capture().iter().fold(self, |capture, word| {
            if !Self::WORDS.contains(&&**word) {
                let known = Self::WORDS.join(", ");
                attempt.log(format!("{word:?} is nothing that can be kept of it: there is {known}\n"));
            }
            capture.with(word)
        })
    }

    /// What either of both asks for.
    pub(crate) const fn and(self, other: Self) -> Self {
        Self {
            journal: self.journal || other.journal,
            bodies: self.bodies || other.bodies,
            frames: self.frames || other.frames,
            video: self.video || other.video,
        }
    }

    pub(crate) const fn is_screen_watched(self) -> bool {
        self.frames || self.video
    }
}

impl Default for Capture {
    fn default() -> Self {
        Self { journal: true, ..Self::NOTHING }
    }
}

/// Has a running attempt film what its session shows, as [`Capture::frames`] does. Once it is on, a second one has no
/// effect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "users build it")]
pub struct StartCapture {}

impl Command for StartCapture {
    const KIND: &'static str = "runners.capture.start";
    type Result = ();
}

/// Ends the film of a running attempt. What was filmed stays, and [`StartCapture`] goes on with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "users build it")]
pub struct StopCapture {}

impl Command for StopCapture {
    const KIND: &'static str = "runners.capture.stop";
    type Result = ();
}

/// The signals to an attempt about its film.
#[derive(Debug)]
pub(crate) struct CaptureSignals {
    starts: Signals<StartCapture>,
    stops: Signals<StopCapture>,
}

impl CaptureSignals {
    pub(crate) fn of(attempt: &Attempt) -> Self {
        Self { starts: attempt.signals(), stops: attempt.signals() }
    }

    /// Does what they say until this is dropped.
    pub(crate) async fn direct(&mut self, filming: &Filming) -> Infallible {
        loop {
            match select(pin!(self.starts.next()), pin!(self.stops.next())).await {
                Either::Left((Some(start), _)) => answer(start, || filming.start()),
                Either::Right((Some(stop), _)) => answer(stop, || filming.stop()),
                // The attempt is over.
                Either::Left((None, _)) | Either::Right((None, _)) => return pending().await,
            }
        }
    }
}

fn answer<C: Command<Result = ()>>(signal: Received<C>, act: impl FnOnce()) {
    act();
    signal.answer(Ok(()));
}
