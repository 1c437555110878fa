//! What a run has left: which artifacts there are, and their bytes.

use super::{access::Caller, runs};
use crate::{
    contract::error::Refusal,
    wire::bytes::{self, Plan},
};
use axum::{Json, extract::Path, response::Response};
use http::HeaderMap;
use runners_core::{Digest, Scope, orchestration::RunArtifact};
use serde_json::{Value, json};

/// Which artifacts there are so far, each with where it is beside this list.
pub(super) async fn list(caller: Caller, Path(run): Path<String>) -> Result<Json<Value>, Refusal> {
    caller.may(Scope::Read)?;
    let summary = runs::summary(&caller, &run, Some("partial=1")).await?;
    let line = |left: RunArtifact| {
        let path = format!("artifacts/{}", left.artifact.digest);
        let mut line = json!(left);
        line["path"] = path.into();
        line
    };
    let items: Vec<Value> = summary.artifacts().map(line).collect();
    Ok(Json(json!({ "runId": run, "state": summary.state, "items": items })))
}

/// The bytes of one, or a part of them.
pub(super) async fn read(
    caller: Caller,
    Path((run, digest)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    caller.may(Scope::Read)?;
    let none =
        |_| Refusal::not_found(format!("{digest:?} is no digest: the artifacts of a run have their paths"));
    let digest: Digest = digest.parse().map_err(none)?;
    let found = caller.client.read_artifact(&run, digest, None).await?;
    match bytes::plan(digest, found.length, &headers)? {
        Plan::Known(response) => Ok(response),
        Plan::Send(None) => Ok(bytes::answer(digest, found.length, None, found.bytes)),
        Plan::Send(Some(part)) => {
            let found = caller.client.read_artifact(&run, digest, Some(part.clone())).await?;
            Ok(bytes::answer(digest, found.length, Some(&part), found.bytes))
        }
    }
}
