//! Live views: grants to look at what an attempt does, and the WebSocket that shows it to whoever has one.

use super::{Face, caller::Caller, write::Write};
use crate::wire::{
    json::{Asked, Json},
    path::Path,
    problem::{Code, Problem},
    text, time,
};
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
    routing::get,
};
use http::{HeaderMap, HeaderName, StatusCode, Uri, header};
use runners_core::{
    JobId, Timestamp,
    live::{LiveAccess, StreamId, StreamView},
    websocket,
};
use serde::{Deserialize, Serialize};

/// Where the WebSocket is, below the prefix of this API.
const LIVE: &str = "/live";
/// What a proxy in front was asked for.
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// What a grant is to allow.
#[derive(Clone, Copy, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewView {
    /// To look, unless given.
    access: Option<Access>,
}

impl Asked for NewView {
    const OPTIONAL: bool = true;
}

/// What somebody may do who looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = LiveAccess)]
pub(crate) enum Access {
    /// Look.
    View,
    /// Look, and take control.
    Control,
}

/// The right to look at one attempt, for a while.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct View {
    /// What the WebSocket at `live`, below this API, is sent first: `{"type":"grant","grant":"…"}`. Whoever has it
    /// has the right.
    grant: String,
    access: Access,
    #[schema(value_type = text::Job)]
    job_id: JobId,
    /// Which attempt of the job, from 1.
    attempt: u32,
    #[serde(rename = "expiresAtUtc", with = "time")]
    #[schema(value_type = text::Time)]
    expires_at: Timestamp,
}

/// The live view of an attempt that somebody looks at.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stream {
    /// Names it in the logs of both sides.
    #[schema(value_type = String)]
    id: StreamId,
    /// How it travels: `relay`.
    transport: &'static str,
    /// `connecting`, `live`, `reconnecting` or `over`.
    state: &'static str,
    /// How many look.
    viewers: usize,
    /// What went wrong last, if anything has.
    last_error: Option<String>,
}

/// Grants a look at the attempt of a job that runs.
///
/// To look takes the scope `read`, to control `submit` or `admin` besides. The grant is shown to the WebSocket at
/// `live`, below this API, as its first message; pictures and states follow. Whether the attempt shows anything is
/// known then. `{"type":"wish","per_second_max":5,"width_max":640,"quality":60}` chooses how many pictures a second
/// follow at the most, how wide in pixels and how good, within the limits of the server, which each state tells.
#[utoipa::path(post, path = "/jobs/{id}/views", tag = "Jobs", request_body = Option<NewView>,
    params(("id" = inline(text::Job), Path, description = "The job.")),
    responses(
        (status = 201, description = "The grant.", body = View),
        (status = 409, description = "No attempt of it runs.", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn create_view(
    Path(job): Path<JobId>,
    write: Write<NewView>,
) -> Result<(StatusCode, Json<View>), Problem> {
    let (caller, asked, _) = write.into_parts();
    let access = asked.access.unwrap_or(Access::View);
    let wanted = match access {
        Access::View => LiveAccess::View,
        Access::Control => LiveAccess::Control,
    };
    let grant = caller.management.view(job, wanted).await?;
    let view = View {
        grant: grant.text,
        access,
        job_id: grant.job,
        attempt: grant.attempt,
        expires_at: grant.expires_at,
    };
    Ok((StatusCode::CREATED, Json(view)))
}

/// The WebSocket, which takes a grant and no credential.
pub(super) fn routes() -> Router<Face> {
    Router::new().route(LIVE, get(watch))
}

async fn watch(State(face): State<Face>, request: Request) -> Result<Response, Problem> {
    let (mut head, _) = request.into_parts();
    if !is_allowed(&face, &head.headers) {
        let detail = "pages of this origin may not look: open the page from the server's own address, or have its \
                      operator allow the origin";
        return Err(Problem::new(Code::Forbidden, detail));
    }
    let upgraded = websocket::accept(&head.headers, &mut head.extensions);
    let (response, socket) = upgraded.map_err(|error| Problem::new(Code::Invalid, error.to_string()))?;
    face.control().live().serve(socket);
    Ok(response.map(|()| Body::empty()))
}

/// Whether a page that asks may look. Programs say no origin, and show a grant as pages do.
fn is_allowed(face: &Face, headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    if face.live_origins().any(|allowed| allowed == origin) {
        return true;
    }
    let Ok(uri) = origin.parse::<Uri>() else { return false };
    let Some(authority) = uri.authority() else { return false };
    let asked = [header::HOST, X_FORWARDED_HOST].into_iter().filter_map(|name| headers.get(name));
    asked.into_iter().any(|host| host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes()))
}

impl From<StreamView> for Stream {
    fn from(view: StreamView) -> Self {
        Self {
            id: view.stream,
            transport: "relay",
            state: view.phase.as_str(),
            viewers: view.viewers,
            last_error: view.last_error,
        }
    }
}

/// The live view of a job, as its own page shows it.
pub(super) async fn stream_of(caller: &Caller, job: JobId) -> Result<Option<Stream>, Problem> {
    Ok(caller.management.stream(job).await?.map(Stream::from))
}
