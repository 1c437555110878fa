//! Signals: commands that a runner, or the attempt of a job, answers.

use super::{Face, caller::Caller, jobs::malformed};
use crate::wire::{
    body,
    json::{Asked, Json},
    path::{Path, Query},
    problem::Problem,
    text,
};
use axum::extract::State;
use http::StatusCode;
use runners_core::{
    JobId, RunnerId, SignalId, SignalTarget,
    protocol::{AnswerRequest, Answered, Reply, Request, SignalOutcome, SignalRequest},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};
use std::time::Duration;

/// The longest that an answer is held back: 20 s.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// A command for a runner, or for the attempt of a job that runs.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewSignal {
    /// Chosen by the sender, so that a repeat is the same signal. Drawn unless given.
    #[schema(value_type = Option<text::Signal>)]
    id: Option<SignalId>,
    /// The runner it is sent to; or else give `jobId`.
    #[schema(value_type = Option<text::Runner>)]
    runner_id: Option<RunnerId>,
    /// The job whose attempt it is sent to.
    #[schema(value_type = Option<text::Job>)]
    job_id: Option<JobId>,
    /// The kind of command, such as `runners.ping`.
    #[schema(value_type = text::Name)]
    kind: String,
    /// The command. `null` unless given.
    #[schema(value_type = Option<Object>)]
    payload: Option<Box<RawValue>>,
    /// How long an answer is waited for: one minute unless said otherwise, one day at most.
    #[schema(minimum = 1, maximum = 86_400_000)]
    expires_in_ms: Option<u64>,
}

impl Asked for NewSignal {
    const BYTES_MAX: usize = body::BYTES_MAX;
}

/// A signal that is on its way.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct SentSignal {
    #[schema(value_type = text::Signal)]
    id: SignalId,
}

/// What is known of the answer to a signal.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(crate) enum Answer {
    /// Nothing yet: ask again.
    Waiting,
    /// It was answered.
    Answered {
        /// The typed result of the command.
        #[schema(value_type = Object)]
        result: Value,
    },
    /// It was answered with trouble.
    Faulted {
        /// For machines.
        code: String,
        /// For people.
        message: String,
    },
    /// No answer came in time.
    Expired,
}

/// How long an answer is waited for.
#[derive(Clone, Copy, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AnswerQuery {
    /// How long the answer may be held back, in milliseconds.
    #[param(maximum = 20_000)]
    #[serde(default)]
    wait_ms: u64,
}

/// Sends a command to a runner, or to the attempt of a job that runs.
///
/// It is delivered once, and expires if nobody answers.
#[utoipa::path(post, path = "/signals", tag = "Signals", request_body = NewSignal,
    responses(
        (status = 202, description = "It is on its way.", body = SentSignal),
        (status = 409, description = "The target cannot be told, or another signal has this id.", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn send_signal(
    State(face): State<Face>,
    caller: Caller,
    Json(asked): Json<NewSignal>,
) -> Result<(StatusCode, Json<SentSignal>), Problem> {
    let to = match (asked.runner_id, asked.job_id) {
        (Some(runner), None) => SignalTarget::Runner(runner),
        (None, Some(job)) => SignalTarget::Job(job),
        _ => return Err(malformed("runnerId", "give it, or else `jobId`")),
    };
    let expires_in = Duration::from_millis(asked.expires_in_ms.unwrap_or(60_000));
    if expires_in.is_zero() || expires_in > SignalRequest::EXPIRES_IN_MAX {
        return Err(malformed("expiresInMs", "must be from 1 to 86400000"));
    }
    let payload = asked.payload.map_or_else(|| b"null".to_vec(), |payload| payload.get().into());
    let request = SignalRequest {
        id: asked.id.unwrap_or_else(|| face.draw(SignalId::new)),
        to,
        kind: asked.kind,
        payload: payload.into(),
        expires_in,
    };
    match caller.call(Request::Signal(request)).await? {
        Reply::Signalled(sent) => Ok((StatusCode::ACCEPTED, Json(SentSignal { id: sent.signal }))),
        _ => Err(Problem::unexpected()),
    }
}

/// Tells what came of a signal, once it is known or the wait is over.
#[utoipa::path(get, path = "/signals/{id}", tag = "Signals",
    params(("id" = inline(text::Signal), Path, description = "The signal."), AnswerQuery),
    responses((status = 200, description = "What is known.", body = Answer)))]
pub(super) async fn await_answer(
    caller: Caller,
    Path(signal): Path<SignalId>,
    Query(query): Query<AnswerQuery>,
) -> Result<Json<Answer>, Problem> {
    let park_for = Duration::from_millis(query.wait_ms);
    if park_for > WAIT_MAX {
        return Err(malformed("waitMs", "must be at most 20000"));
    }
    let answered = match caller.call(Request::Answer(AnswerRequest { signal, park_for })).await? {
        Reply::Answered(answered) => answered,
        _ => return Err(Problem::unexpected()),
    };
    Ok(Json(match answered {
        Answered::Outcome(SignalOutcome::Result(result)) => {
            let text = || Value::String(String::from_utf8_lossy(result.as_bytes()).into_owned());
            Answer::Answered { result: serde_json::from_slice(result.as_bytes()).unwrap_or_else(|_| text()) }
        }
        Answered::Outcome(SignalOutcome::Fault(fault)) => {
            Answer::Faulted { code: fault.code, message: fault.message }
        }
        Answered::Expired => Answer::Expired,
        _ => Answer::Waiting,
    }))
}
