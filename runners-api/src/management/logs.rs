//! Logs: as text from an offset, or followed as they grow.

use super::{Face, caller::Caller, jobs::malformed};
use crate::wire::{
    path::{Path, Query},
    problem::Problem,
    sse, text,
};
use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use futures::stream;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use runners_core::{
    JobId,
    protocol::{LogPage, ReadLogRequest, Reply, Request},
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long one look waits for more. Then a line tells that the connection is alive.
const PARK_FOR: Duration = Duration::from_secs(15);
/// The longest that one answer goes on.
const STREAM_MAX: Duration = Duration::from_secs(3600);
/// Where to go on reading.
const NEXT: HeaderName = HeaderName::from_static("runners-log-next");
/// Whether nothing more will come.
const ENDED: HeaderName = HeaderName::from_static("runners-log-ended");
/// Which grant's log it is.
const GRANT: HeaderName = HeaderName::from_static("runners-log-grant");

/// Which part of which log.
#[derive(Clone, Copy, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LogQuery {
    /// The grant of the attempt. The newest unless given.
    grant: Option<u64>,
    /// The offset to begin at, in bytes: 0 unless given.
    #[serde(default)]
    from: u64,
}

/// A piece of a log, or what is missing of it.
#[derive(Debug, Serialize)]
struct Piece<'a> {
    offset: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<std::borrow::Cow<'a, str>>,
    #[serde(rename = "bytesMissing", skip_serializing_if = "Option::is_none")]
    missing: Option<u64>,
}

/// Reads a piece of a log as text.
///
/// The header `Runners-Log-Next` is the offset to go on from, and `Runners-Log-Ended` tells whether
/// nothing more will come. What was lost is told in brackets.
#[utoipa::path(get, path = "/jobs/{id}/log", tag = "Jobs",
    params(("id" = inline(text::Job), Path, description = "The job."), LogQuery),
    responses((status = 200, description = "A piece of the log.", body = String, content_type = "text/plain; charset=utf-8")))]
pub(super) async fn read_log(
    caller: Caller,
    Path(job): Path<JobId>,
    Query(query): Query<LogQuery>,
) -> Result<Response, Problem> {
    let page = page(&caller, job, query, Duration::ZERO).await?;
    let mut text = String::new();
    for piece in pieces(&page) {
        match (piece.text, piece.missing) {
            (Some(piece), _) => text.push_str(&piece),
            (None, missing) => {
                text.push_str(&format!("[{} bytes are missing]\n", missing.unwrap_or_default()));
            }
        }
    }
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")),
        (NEXT, HeaderValue::from(page.next)),
        (GRANT, HeaderValue::from(page.grant)),
        (ENDED, HeaderValue::from_static(if page.ended { "true" } else { "false" })),
    ];
    Ok((headers, text).into_response())
}

/// Follows a log, until it has ended.
///
/// Server-sent events: `log` has a piece of text and its offset, or how many bytes are missing
/// there, and `end` is the last one. `Last-Event-ID` goes on where the connection was cut.
#[utoipa::path(get, path = "/jobs/{id}/log/stream", tag = "Jobs",
    params(("id" = inline(text::Job), Path, description = "The job."), LogQuery),
    responses((status = 200, description = "Pieces as they come.", body = String, content_type = "text/event-stream")))]
pub(super) async fn follow_log(
    State(face): State<Face>,
    caller: Caller,
    Path(job): Path<JobId>,
    Query(query): Query<LogQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let query = match sse::last_event_id(&headers) {
        Some(id) => resumed(id).ok_or_else(|| malformed("Last-Event-ID", "is no id of this stream"))?,
        None => query,
    };
    page(&caller, job, query, Duration::ZERO).await?;
    let until = face.clock().boot() + STREAM_MAX;
    let events = stream::unfold(Some(query), move |query| {
        let (face, caller) = (face.clone(), caller.clone());
        async move {
            let query = query?;
            if face.clock().boot() >= until || face.control().is_stopping() {
                return None;
            }
            let page = page(&caller, job, query, PARK_FOR).await.ok()?;
            let mut told: String =
                pieces(&page).map(|piece| sse::event(&place(&page, &piece), "log", &piece)).collect();
            if page.ended {
                let id = format!("{}-{}", page.grant, page.next);
                told.push_str(&sse::event(
                    &id,
                    "end",
                    &Piece { offset: page.next, text: None, missing: None },
                ));
                return Some((told, None));
            }
            if told.is_empty() {
                told.push_str(sse::ALIVE);
            }
            // A grant that nothing was logged for may be followed by another one.
            let grant = query.grant.or((page.next > 0).then_some(page.grant));
            Some((told, Some(LogQuery { grant, from: page.next })))
        }
    });
    Ok(sse::answer(events))
}

async fn page(
    caller: &Caller,
    job: JobId,
    LogQuery { grant, from }: LogQuery,
    park_for: Duration,
) -> Result<LogPage, Problem> {
    match caller.call(Request::ReadLog(ReadLogRequest { job, grant, from, park_for })).await? {
        Reply::Log(page) => Ok(page),
        _ => Err(Problem::unexpected()),
    }
}

/// Chunks and gaps in the order of their offsets.
fn pieces(page: &LogPage) -> impl Iterator<Item = Piece<'_>> {
    let chunks = page.chunks.iter().map(|chunk| {
        let text = String::from_utf8_lossy(chunk.bytes.as_bytes());
        (chunk.bytes.len() as u64, Piece { offset: chunk.offset, text: Some(text), missing: None })
    });
    let gaps = page.gaps.iter();
    let gaps =
        gaps.map(|gap| (gap.bytes, Piece { offset: gap.offset, text: None, missing: Some(gap.bytes) }));
    let mut all: Vec<(u64, Piece<'_>)> = chunks.chain(gaps).collect();
    all.sort_by_key(|(_, piece)| piece.offset);
    all.into_iter().map(|(_, piece)| piece)
}

/// Where to go on after a piece.
fn place(page: &LogPage, piece: &Piece<'_>) -> String {
    let chunk = page.chunks.iter().find(|chunk| chunk.offset == piece.offset);
    let length = piece.missing.or(chunk.map(|chunk| chunk.bytes.len() as u64)).unwrap_or_default();
    format!("{}-{}", page.grant, piece.offset + length)
}

fn resumed(id: &str) -> Option<LogQuery> {
    let (grant, from) = id.split_once('-')?;
    Some(LogQuery { grant: Some(grant.parse().ok()?), from: from.parse().ok()? })
}
