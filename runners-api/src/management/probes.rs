//! What a supervisor asks without a credential: whether the process lives, and whether it can serve.

use super::Face;
use crate::wire::{body::within, json::Json, problem::Problem};
use axum::{Router, extract::State, routing::get};
use serde::Serialize;
use std::time::Duration;

/// How long the store may take to answer a probe.
const READY_WITHIN: Duration = Duration::from_secs(2);

#[derive(Debug, Serialize)]
struct Alive {
    status: &'static str,
}

pub(super) fn routes() -> Router<Face> {
    Router::new()
        .route("/healthz", get(async || Json(Alive { status: "alive" })))
        .route("/readyz", get(ready))
}

/// Whether the store answers and the control plane serves.
async fn ready(State(face): State<Face>) -> Result<Json<Alive>, Problem> {
    match within(face.clock(), READY_WITHIN, face.control().check_ready()).await {
        Some(Ok(())) => Ok(Json(Alive { status: "ready" })),
        Some(Err(error)) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "not ready");
            Err(Problem::unavailable(format!("not ready: {error}")))
        }
        None => {
            let seconds = READY_WITHIN.as_secs();
            Err(Problem::unavailable(format!("not ready: the store has not answered for {seconds} s")))
        }
    }
}
