//! Carries out our typed commands by commands of the foreign protocol, and takes its answers for ours: steps become
//! progress, logs the attempt's log, pictures its artifacts, and how a test ended a result or a fault.

use super::{
    commands::{
        CaptureScreenshot, PingProgram, Record, Recording, RunSetup, RunTest, SetupReport, StopRecording,
        TestReport,
    },
    seat::{Asked, Seat, random_id},
    wire::{Ended, EndedAs, Response, Screenshot, StepEvent},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use runners_core::{Attempt, Clock, Digest, Executor, Fault, Responder, RunnerBuilder, sleep};
use serde_json::{Map, Value, json};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// How long pictures may come after the end that counts them.
const PICTURES_LATE_MAX: Duration = Duration::from_secs(10);
/// How long to wait for one more picture after an end that does not count them.
const PICTURE_GAP_MAX: Duration = Duration::from_secs(1);
/// The most events of a recording that are kept.
const EVENTS_MAX: usize = 20_000;
/// How long a program may take to answer a ping.
const PONG_MAX: Duration = Duration::from_secs(15);

/// Adds everything that the runner of a seat can do.
pub(crate) fn equip(runner: RunnerBuilder, seat: &Arc<Seat>, clock: &Arc<dyn Clock>) -> RunnerBuilder {
    let hands = Hands { seat: Arc::clone(seat), clock: Arc::clone(clock) };
    runner
        .executor::<RunTest>(hands.clone())
        .executor::<RunSetup>(hands.clone())
        .executor::<Record>(hands.clone())
        .responder::<PingProgram>(hands)
}

/// What every executor of a seat needs.
#[derive(Clone, Debug)]
struct Hands {
    seat: Arc<Seat>,
    clock: Arc<dyn Clock>,
}

impl Executor<RunTest> for Hands {
    async fn execute(&self, test: RunTest, attempt: Attempt) -> Result<TestReport, Fault> {
        let _turn = tokio::select! {
            turn = self.seat.turn(&test.test_id) => turn,
            () = attempt.cancelled() => return Err(cancelled()),
            fault = self.seat.gone() => return Err(fault),
        };
        let mut payload = test.more;
        let run = attempt.job().to_string();
        payload.extend(code(&test.code, &test.target_url, test.timeout_ms));
        payload.insert("testId".to_owned(), test.test_id.clone().into());
        payload.insert("testRunId".to_owned(), run.into());
        payload.insert("screenshotPath".to_owned(), "screenshot.png".into());
        payload.extend(test.storage_state.map(|state| ("storageState".to_owned(), state)));
        payload.extend(test.setup_variables.map(|names| ("setupVariables".to_owned(), names.into())));
        let asked = self.seat.ask("command:run_test", payload);
        // The client looks the value up among its tests first, and then only this one ends.
        let stop = object(json!({ "testRunId": test.test_id, "reason": "cancelled" }));
        let (ended, screenshots) = self.follow(asked, &attempt, stop).await?;
        keep_video(&ended, &attempt).await;
        let (passed, error) = verdict(&ended)?;
        let duration_ms = millis(ended.duration_ms);
        let screenshots = screenshots.into_iter().collect();
        Ok(TestReport { passed, duration_ms, error, soft_errors: ended.soft_errors, screenshots })
    }
}

impl Executor<RunSetup> for Hands {
    async fn execute(&self, setup: RunSetup, attempt: Attempt) -> Result<SetupReport, Fault> {
        let mut payload = setup.more;
        payload.extend(code(&setup.code, &setup.target_url, setup.timeout_ms));
        payload.insert("setupId".to_owned(), setup.setup_id.clone().into());
        let asked = self.seat.ask("command:run_setup", payload);
        let stop = object(json!({ "testRunId": setup.setup_id, "reason": "cancelled" }));
        let (ended, _) = self.follow(asked, &attempt, stop).await?;
        let (passed, error) = verdict(&ended)?;
        let duration_ms = millis(ended.duration_ms);
        let (storage_state, variables) = (ended.storage_state, ended.variables.unwrap_or_default());
        Ok(SetupReport { passed, duration_ms, error, storage_state, variables })
    }
}

impl Executor<Record> for Hands {
    async fn execute(&self, record: Record, attempt: Attempt) -> Result<Recording, Fault> {
        let (mut stops, mut captures) =
            (attempt.signals::<StopRecording>(), attempt.signals::<CaptureScreenshot>());
        let session = random_id();
        let this = || object(json!({ "sessionId": session }));
        let mut payload = record.more;
        payload.extend(this());
        payload.insert("targetUrl".to_owned(), record.target_url.into());
        // Failures name the command, events the session.
        let mut heard = self.seat.listen(session.clone());
        let mut asked = self.seat.ask("command:start_recording", payload);
        let (mut events, mut missing, mut stopping) = (Vec::new(), 0, false);
        loop {
            let response = tokio::select! {
                response = heard.next() => response?,
                response = asked.next() => response?,
                Some(stop) = stops.next() => {
                    self.seat.send("command:stop_recording", this());
                    stop.answer(Ok(()));
                    continue;
                }
                Some(capture) = captures.next() => {
                    self.seat.send("command:capture_screenshot", this());
                    capture.answer(Ok(()));
                    continue;
                }
                () = attempt.cancelled(), if !stopping => {
                    stopping = true;
                    self.seat.send("command:stop_recording", this());
                    continue;
                }
            };
            match response {
                Response::Recorded(more) => {
                    let room = EVENTS_MAX.saturating_sub(events.len());
                    missing += more.len().saturating_sub(room);
                    events.extend(more.into_iter().take(room));
                    attempt.progress(format!("{} events", events.len()));
                }
                Response::Screenshot(picture) => drop(keep(&picture, &attempt).await),
                Response::Error { code, message } => {
                    return Err(Fault::retryable(code.to_lowercase(), message));
                }
                Response::RecordingStopped => break,
                _ => {}
            }
        }
        let bytes = serde_json::to_vec(&events).unwrap_or_default();
        // Without a store for artifacts the number of events is still worth having.
        drop(attempt.attach("events.json", "application/json", bytes).await);
        Ok(Recording { events: events.len(), missing })
    }
}

impl Responder<PingProgram> for Hands {
    async fn respond(&self, _: PingProgram) -> Result<(), Fault> {
        let mut asked = self.seat.ask("command:ping", Map::new());
        tokio::select! {
            response = asked.next() => response.map(drop),
            () = sleep(&*self.clock, PONG_MAX) => Err(Fault::retryable("no_pong", "the program did not answer")),
        }
    }
}

impl Hands {
    /// Follows a test or set-up to its end. Pictures come before it or after, so the end is not all.
    async fn follow(
        &self,
        mut asked: Asked,
        attempt: &Attempt,
        stop: Map<String, Value>,
    ) -> Result<(Ended, BTreeSet<String>), Fault> {
        let (mut ended, mut pictures, mut stopping) = (None::<Ended>, BTreeSet::new(), false);
        loop {
            let late = match &ended {
                None => None,
                Some(ended) => match ended.screenshot_count {
                    Some(count) if pictures.len() >= count => break,
                    Some(_) => Some(PICTURES_LATE_MAX),
                    None => Some(PICTURE_GAP_MAX),
                },
            };
            let response = tokio::select! {
                biased;
                response = asked.next() => response?,
                () = attempt.cancelled(), if !stopping => {
                    stopping = true;
                    self.seat.send("command:cancel_test", stop.clone());
                    continue;
                }
                () = sleep(&*self.clock, late.unwrap_or_default()), if late.is_some() => break,
            };
            match response {
                Response::Progress(step) => attempt.progress(step),
                Response::Step(step) => tell(&step, attempt),
                Response::Screenshot(picture) => {
                    if let Some(name) = keep(&picture, attempt).await {
                        pictures.insert(name);
                    }
                }
                Response::Ended(end) => {
                    for line in &end.logs {
                        attempt.log(format!("{} {}\n", line.level, line.message));
                    }
                    ended = Some(*end);
                }
                Response::Error { code, message } => {
                    return Err(Fault::retryable(code.to_lowercase(), message));
                }
                Response::Recorded(_) | Response::RecordingStopped | Response::Pong => {}
            }
        }
        let ended = ended.ok_or_else(|| Fault::retryable("no_result", "the runner sent no result"))?;
        if let Some(data) = ended.error.as_ref().and_then(|error| error.screenshot.clone()) {
            let picture = Screenshot { filename: "failure.png".to_owned(), data };
            pictures.extend(keep(&picture, attempt).await);
        }
        Ok((ended, pictures))
    }
}

/// The code with its SHA-256, which the runner checks. It tells corruption, not who wrote it: sign jobs for that.
fn code(code: &str, target: &str, timeout: u64) -> Map<String, Value> {
    let hash = Digest::of(code.as_bytes()).to_string();
    object(json!({ "code": code, "codeHash": hash, "targetUrl": target, "timeout": timeout }))
}

/// Whether it passed, and what went wrong. Trouble that says nothing about the product is a fault.
fn verdict(ended: &Ended) -> Result<(bool, Option<String>), Fault> {
    let error = ended.error.as_ref().map(|error| error.message.clone());
    let message = || error.clone().unwrap_or_else(|| "the runner does not say why".to_owned());
    match ended.ended {
        EndedAs::Passed => Ok((true, error)),
        EndedAs::Failed if message().contains("integrity") => Err(Fault::retryable("integrity", message())),
        EndedAs::Failed | EndedAs::Timeout => Ok((false, Some(message()))),
        EndedAs::Error => Err(Fault::retryable("runner_error", message())),
        EndedAs::Cancelled => Err(cancelled()),
    }
}

fn tell(step: &StepEvent, attempt: &Attempt) {
    let label = step.label.as_deref().unwrap_or("");
    let line = format!("step {} of {} {}: {label}", step.step_index + 1, step.total_steps, step.state);
    match &step.error {
        Some(error) => attempt.log(format!("{line} {error}\n")),
        None => attempt.log(format!("{line}\n")),
    }
    attempt.progress(line);
}

/// Keeps a picture. Its name if it could be kept; the attempt lists it as missing otherwise.
async fn keep(picture: &Screenshot, attempt: &Attempt) -> Option<String> {
    let media_type = match picture.filename.rsplit('.').next() {
        Some("jpg" | "jpeg") => "image/jpeg",
        _ => "image/png",
    };
    let Ok(bytes) = STANDARD.decode(&picture.data) else {
        attempt.log(format!("the picture {} is not base64\n", picture.filename));
        return None;
    };
    attempt.attach(&picture.filename, media_type, bytes).await.ok()?;
    Some(picture.filename.clone())
}

async fn keep_video(ended: &Ended, attempt: &Attempt) {
    let Some(bytes) = ended.video_data.as_ref().and_then(|data| STANDARD.decode(data).ok()) else { return };
    let name = ended.video_filename.clone().unwrap_or_else(|| "video.webm".to_owned());
    let media_type = if name.ends_with(".mp4") { "video/mp4" } else { "video/webm" };
    // One that cannot be put is listed as missing.
    drop(attempt.attach(name, media_type, bytes).await);
}

fn cancelled() -> Fault {
    Fault::permanent("cancelled", "it was cancelled")
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
fn millis(duration: f64) -> u64 {
    duration as u64
}
