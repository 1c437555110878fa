//! Who may look at a live view, and how it is.

use crate::values::{
    command::Command,
    id::{JobId, StreamId},
    lease::FencingToken,
    live::{Frame, FrameWish, Input},
    result::JobResult,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// How much of a live view there may be at one control plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LiveOptions {
    /// Whether there is any.
    pub relay: bool,
    /// The most streams at once.
    pub streams_max: usize,
    /// The most streams at once of one tenant.
    pub tenant_streams_max: usize,
    /// The most viewers of one stream.
    pub viewers_max: usize,
    /// How long a grant is good for.
    pub grant_life: Duration,
    /// The most that anybody who looks gets: pictures in a second, their width in pixels and their quality.
    pub wish_max: FrameWish,
}

/// What somebody may do who looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LiveAccess {
    /// Look.
    View,
    /// Look, and take control.
    Control,
}

/// The right to look at one attempt of one job, for a while. Whoever has its text has the right.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ViewGrant {
    /// What is shown to the relay.
    pub text: String,
    /// The job.
    pub job: JobId,
    /// Which attempt of it, from 1.
    pub attempt: u32,
    /// What it allows.
    pub access: LiveAccess,
    /// From when it is good for nothing, and whoever looks by it sees nothing more.
    pub expires_at: Timestamp,
}

/// How a live view is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LivePhase {
    /// The runner was asked to come, and has not.
    Connecting,
    /// The runner is there.
    Live,
    /// The runner's connection was cut. It comes again, or is given up.
    Reconnecting,
    /// It shows nothing any more.
    Over,
}

/// Whose inputs count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LiveControl {
    /// Nobody's.
    Nobody,
    /// Those of whoever is told this.
    You,
    /// Somebody else's.
    Another,
}

/// How a live view is to one who looks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LiveState {
    /// Names it in the logs of both sides.
    pub stream: StreamId,
    /// Which attempt of its job it shows, from 1.
    pub attempt: u32,
    /// How it is.
    pub phase: LivePhase,
    /// Why, as a word for machines; empty if there is nothing to say.
    pub reason: String,
    /// The same, as a sentence for people.
    pub detail: String,
    /// Whose inputs count.
    pub control: LiveControl,
    /// Whether whoever is told this may take control.
    pub may_control: bool,
    /// How many look.
    pub viewers: usize,
    /// What whoever is told this gets at the most: what they wish for, within the limits of the control plane.
    pub wish: FrameWish,
}

/// The stream of an attempt, as its job shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamView {
    /// Names it in the logs of both sides.
    pub stream: StreamId,
    /// Which attempt of the job it shows, from 1.
    pub attempt: u32,
    /// How it is.
    pub phase: LivePhase,
    /// How many look.
    pub viewers: usize,
    /// What went wrong last, if anything has.
    pub last_error: Option<String>,
}

/// A picture with its number, which grows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LivePicture {
    /// By which it is acknowledged.
    pub number: u64,
    /// The picture.
    pub frame: Frame,
}

/// What somebody who looks is told.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LiveEvent {
    /// How the live view is now.
    State(LiveState),
    /// The newest picture.
    Picture(LivePicture),
    /// An input was carried out, or why it was not.
    Done {
        /// The number that it was given.
        input: u64,
        /// Why it was not carried out.
        problem: Option<String>,
    },
}

/// Has a runner show one of its attempts. Every runner that was given a [`Relay`](crate::live::Relay) answers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "runners of other programs read it")]
pub struct OpenStream {
    /// Names it in the logs of both sides, and where to connect.
    pub stream: StreamId,
    /// The attempt.
    pub token: FencingToken,
}

/// The runner connects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "runners of other programs build it")]
pub struct StreamOpened {}

impl LiveOptions {
    /// None at all: whoever asks is told so.
    #[must_use]
    pub const fn off() -> Self {
        Self {
            relay: false,
            streams_max: 0,
            tenant_streams_max: 0,
            viewers_max: 0,
            grant_life: Duration::from_secs(15 * 60),
            wish_max: FrameWish { per_second_max: 30, width_max: 1920, quality: 90 },
        }
    }
}

/// 200 streams, 20 of each tenant, each with 32 viewers, and grants that are good for a quarter of an hour. Nobody gets
/// more than 30 pictures in a second, 1920 pixels wide, at quality 90.
impl Default for LiveOptions {
    fn default() -> Self {
        Self { relay: true, streams_max: 200, tenant_streams_max: 20, viewers_max: 32, ..Self::off() }
    }
}

impl LivePhase {
    /// The word that stands for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Live => "live",
            Self::Reconnecting => "reconnecting",
            Self::Over => "over",
        }
    }
}

/// Without the text.
impl fmt::Debug for ViewGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { job, attempt, access, expires_at, .. } = self;
        f.debug_struct("ViewGrant")
            .field("job", job)
            .field("attempt", attempt)
            .field("access", access)
            .field("expires_at", expires_at)
            .finish_non_exhaustive()
    }
}

impl OpenStream {
    /// The code of the fault that says that the runner does not reach the relay. Its message says why.
    pub const RELAY_UNREACHABLE: &'static str = "relay_unreachable";
    /// The code of the fault that says that the relay does not want the runner. Its message says why.
    pub const RELAY_REFUSED: &'static str = "relay_refused";
}

impl Command for OpenStream {
    const KIND: &'static str = "runners.open_stream";
    type Result = StreamOpened;
}

impl JobResult for StreamOpened {}

/// Why an input cannot be carried out by anybody, if so.
pub(crate) fn problem_of(input: &Input) -> Option<String> {
    let (name, length) = match input {
        Input::KeyDown { key } | Input::KeyUp { key } => ("key", key.len()),
        Input::Text { text } => ("text", text.len()),
        Input::Navigate { url } => ("url", url.len()),
        _ => return None,
    };
    let limit = Input::TEXT_BYTES_MAX;
    (length > limit)
        .then(|| format!("{name}: has {length} bytes, and the limit is {limit}: send less at once"))
}
