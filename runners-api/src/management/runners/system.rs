//! What a runner says of itself: its system, its browsers, its versions.

use crate::{
    management::caller::Caller,
    wire::{json::Json, path::Path, problem::Problem, text},
};
use runners_core::{Facts, RunnerId};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What a runner last said of itself, also before a restart of the control plane.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct System {
    /// Whether it ever spoke. Until then everything else is empty.
    is_known: bool,
    /// The operating system, such as `linux`.
    os: Option<String>,
    /// The version of its kernel.
    kernel: Option<String>,
    /// The architecture, such as `x86_64`.
    arch: Option<String>,
    /// How many CPUs it may use.
    cpus: Option<u32>,
    /// The memory of the machine.
    memory_bytes: Option<u64>,
    /// The browsers it can drive, with their versions.
    browsers: BTreeMap<String, String>,
    /// What draws WebGL in those that can draw it, as they say themselves.
    renderers: BTreeMap<String, String>,
    /// How many milliseconds its clock was ahead of the control plane's when it started, to the second;
    /// below zero if it was behind.
    clock_drift_ms: Option<i64>,
    /// Name and version of the program.
    program: Option<String>,
    /// The newest version of the protocol that it speaks.
    protocol: Option<u32>,
    /// The kinds of command it can execute.
    kinds: BTreeSet<String>,
    /// Its labels, which jobs may want or refuse.
    labels: BTreeSet<String>,
    /// How many jobs it executes at once by its own limit.
    own_slots: Option<u32>,
}

/// Shows the system of a runner, its browsers and its versions.
#[utoipa::path(get, path = "/self-hosted/runners/{id}/system", tag = "Runners",
    params(("id" = inline(text::Runner), Path, description = "The runner.")),
    responses((status = 200, description = "What it says of itself.", body = System)))]
pub(crate) async fn get_runner_system(
    caller: Caller,
    Path(runner): Path<RunnerId>,
) -> Result<Json<System>, Problem> {
    let facts = caller.management.runner(runner).await?.facts;
    Ok(Json(System::new(facts.is_some(), facts.unwrap_or_default())))
}

impl System {
    fn new(is_known: bool, facts: Facts) -> Self {
        let text = |text: String| Some(text).filter(|text| !text.is_empty());
        Self {
            is_known,
            os: text(facts.os),
            kernel: text(facts.kernel),
            arch: text(facts.arch),
            cpus: Some(facts.cpus).filter(|cpus| *cpus > 0),
            memory_bytes: Some(facts.memory_bytes).filter(|bytes| *bytes > 0),
            browsers: facts.browsers,
            renderers: facts.renderers,
            clock_drift_ms: facts.clock_drift_ms,
            program: text(facts.program),
            protocol: Some(facts.protocol).filter(|version| *version > 0),
            kinds: facts.kinds,
            labels: facts.labels,
            own_slots: is_known.then_some(facts.slots),
        }
    }
}
