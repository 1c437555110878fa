//! Carrying a call out: by the region, in time, until its caller hangs up; and one result for each
//! check in their order, whatever becomes of it.

use super::{
    Face, Inner, Whose,
    repeats::Keyed,
    request::{self, Asked},
};
use crate::{
    contract::{body, error::Refusal},
    wire::body::within,
};
use axum::{
    Extension,
    body::Body,
    extract::State,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use futures::FutureExt as _;
use http::{HeaderMap, HeaderValue, header};
use runners_core::{
    JobId,
    orchestration::{AskedCheck, RegionCall, RegionError, RegionReply, RegionResult},
};
use serde::{Deserialize as _, Serialize};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

/// The largest body of a call.
const BYTES_MAX: usize = 4 << 20;
/// How much longer than its time a check may take with opening and closing what it looks at.
const AROUND_CHECK: Duration = Duration::from_secs(90);
/// How long a call has to end that was told to.
const CANCEL_GRACE: Duration = Duration::from_secs(30);
/// How long the checks of a call may wait besides until it is their turn in the region.
const TURN_WITHIN: Duration = Duration::from_secs(600);
/// When a call may come again that found no room, or a region that is busy.
const BUSY_FOR: Duration = Duration::from_secs(5);

/// What is answered.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<String>,
    results: Vec<Value>,
}

pub(super) async fn execute(
    State(face): State<Face>,
    Extension(whose): Extension<Whose>,
    headers: HeaderMap,
    content: Body,
) -> Response {
    let inner = &*face.0;
    let envelope = match body::read(content, &headers, BYTES_MAX, &*inner.clock).await {
        Ok(envelope) => envelope,
        Err(refusal) => return refusal.into_response(),
    };
    let answered = async {
        let keyed = Keyed::of(&headers, &envelope.content.to_string())?;
        let begin = |asked| carried(face.clone(), whose, asked, keyed).boxed();
        match keyed {
            None => begin(request::read(inner, &envelope.content)?).await,
            Some(keyed) => {
                // What does not fit is no call, and is not remembered.
                let asked = request::read(inner, &envelope.content)?;
                inner.repeats.join(keyed, inner.clock.boot(), || begin(asked))?.await
            }
        }
    };
    match answered.await {
        Ok(answer) => told(&answer, envelope.wrapped),
        Err(refusal) => refusal.answer(envelope.wrapped),
    }
}

/// An answer; in an envelope, if the request was in one.
fn told(answer: &Bytes, wrapped: bool) -> Response {
    let body = if wrapped { [&b"{\"json\":"[..], answer, b"}"].concat().into() } else { answer.clone() };
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
}

/// Carries a call out, and remembers its answer under its key.
async fn carried(face: Face, whose: Whose, asked: Asked, keyed: Option<Keyed>) -> Result<Bytes, Refusal> {
    let Ok(place) = Arc::clone(&face.0.places).try_acquire_owned() else {
        let message =
            format!("{} calls are being carried out, which is the limit: come again", face.0.calls_max);
        return Err(busy(message, BUSY_FOR));
    };
    let answer = carry_out(&face, whose, asked, place).await?;
    let answer = Bytes::from(serde_json::to_vec(&answer).expect("invariant: an answer is plain data"));
    if let Some(keyed) = keyed {
        face.0.repeats.answered(keyed, face.0.clock.boot(), &answer);
    }
    Ok(answer)
}

async fn carry_out(
    face: &Face,
    whose: Whose,
    asked: Asked,
    place: OwnedSemaphorePermit,
) -> Result<Answer, Refusal> {
    let Asked { url, checks, check_timeout, run_id, region } = asked;
    let mut random = [0; 10];
    face.0.random.fill(&mut random);
    let job = JobId::new(face.0.clock.wall(), random);
    let cancelled = CancellationToken::new();
    let mut call = RegionCall::new(run_id.clone().unwrap_or_default(), job, url, checks.clone());
    call.region.clone_from(&region);
    call.tenant = whose.0;
    call.check_timeout = Some(check_timeout);
    let call = call.cancelled_by(cancelled.clone());
    let carried = spawned(face.clone(), call, cancelled.clone(), place);
    // A caller that hangs up drops this: then the checks are told to stop, and close what is open.
    let _told_to_stop = cancelled.drop_guard();
    let reply = carried.await.map_err(refusal)?;
    let results = checks.iter().enumerate().map(|(at, asked)| {
        let result = result(asked, reply.results.get(at));
        match &face.0.shelf {
            Some(shelf) => shelf.offer(whose, &result, face.0.clock.boot()),
            None => json!(result),
        }
    });
    Ok(Answer { region, run_id, results: results.collect() })
}

/// Has the region carry the call out, whatever becomes of who waits for it.
async fn spawned(
    face: Face,
    call: RegionCall,
    cancelled: CancellationToken,
    place: OwnedSemaphorePermit,
) -> Result<RegionReply, RegionError> {
    let calls = face.0.calls.clone();
    let carrying = calls.spawn(async move {
        // The place is free once nothing is open any more.
        let _place = place;
        let inner: &Inner = &face.0;
        let count = u32::try_from(call.checks.len()).unwrap_or(u32::MAX);
        let after = call.check_timeout.unwrap_or_default().saturating_add(AROUND_CHECK).saturating_mul(count);
        let after = after.saturating_add(TURN_WITHIN);
        let mut carried = inner.region.execute(call);
        let in_time = async {
            tokio::select! {
                ended = within(&*inner.clock, after, &mut carried) => ended,
                () = cancelled.cancelled() => None,
            }
        };
        if let Some(ended) = in_time.await {
            return ended;
        }
        cancelled.cancel();
        let ended = within(&*inner.clock, CANCEL_GRACE, carried).await;
        ended.unwrap_or(Err(RegionError::TimedOut { after }))
    });
    carrying.await.unwrap_or_else(|_| Err(RegionError::broken("what carries checks out panicked")))
}

/// One result. What is odd about it spoils none of its neighbours.
fn result(asked: &AskedCheck, answered: Option<&Value>) -> RegionResult {
    let Some(answered) = answered else {
        return RegionResult::errored(asked.name.as_str(), "the check was not carried out");
    };
    match RegionResult::deserialize(answered) {
        Ok(mut result) => {
            if result.name.is_empty() {
                result.name.clone_from(&asked.name);
            }
            result
        }
        Err(error) => RegionResult::errored(asked.name.as_str(), format!("the result is odd: {error}")),
    }
}

fn refusal(error: RegionError) -> Refusal {
    match error {
        RegionError::RetryLater { after, problem } => busy(problem, after.unwrap_or(BUSY_FOR)),
        error => {
            let message = error.to_string();
            let refusal = Refusal::new(500, "EXECUTION_FAILED", "The checks were not carried out", &*message);
            refusal.with(true, json!({ "details": message }))
        }
    }
}

fn busy(message: String, span: Duration) -> Refusal {
    Refusal::new(503, "SERVICE_UNAVAILABLE", "The server cannot answer now", message).retry_after(span)
}
