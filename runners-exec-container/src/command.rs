//! What is asked of a container, as plain data. Whether it can be is left to `check`, whether it may be
//! to the operator's policy.

use crate::{
    browser::{WantedBrowser, wanted},
    result::ContainerResult,
};
use runners_core::Command;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Runs one container to its end. What is left out is the operator's default.
///
/// Its root is read-only and it has no capabilities; it can write to `/tmp`, to what
/// [`writable`](Self::writable) names, and to its output folder. Exit code 0 has passed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "users write `ContainerJob { image, ..Default::default() }`")]
pub struct ContainerJob {
    /// The image, such as `python:3.13-slim` or one pinned by its digest. The pool's unless given, and
    /// that of the control plane if the pool has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The program with its first arguments; the image's entry point unless given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// The arguments; the image's own unless given, and none if there is a [`command`](Self::command).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Variables. Names that begin with `RUNNERS_` are the runner's own.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// Secrets by their names, and how each is given. The job has to name them in its
    /// [options](runners_core::JobOptions::secrets) too; see [`secret_names`](Self::secret_names).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, SecretAs>,
    /// Texts by relative path, put into the folder that `RUNNERS_INPUT` names before it starts.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub input: BTreeMap<String, String>,
    /// What the work is to know: given as a JSON object of texts in `RUNNERS_PARAMETERS`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    /// Folders of the runner's machine, of those that its operator allows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<Mount>,
    /// Further folders that are empty and writable, and gone afterwards.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub writable: BTreeSet<String>,
    /// What it may use.
    #[serde(skip_serializing_if = "Limits::is_default")]
    pub limits: Limits,
    /// The name of a network that the operator offers; no network at all unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// The browser that it is to have beside it, of those that the operator offers; its address is in
    /// `RUNNERS_WEBDRIVER_URL`. It is then in the network of that browser. One that is started for it is in
    /// its [`network`](Self::network) too, and reaches its container as `job`.
    #[serde(deserialize_with = "wanted", skip_serializing_if = "Option::is_none")]
    pub browser: Option<WantedBrowser>,
    /// The numbers of user and group, such as `1000:1000`; `1000` alone is the same. Nobody (65534) unless
    /// said otherwise, whatever the image says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Where it starts; the image's own unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_directory: Option<String>,
    /// The folder whose files become artifacts, `/runners/output` unless given; `RUNNERS_OUTPUT` names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// A JUnit file, by its path in the output folder: it is read into the result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub junit: Option<String>,
}

impl Command for ContainerJob {
    const KIND: &'static str = "run_container";
    type Result = ContainerResult;
}

impl ContainerJob {
    /// A container of this image, and nothing special.
    #[must_use]
    pub fn of(image: impl Into<String>) -> Self {
        Self { image: Some(image.into()), ..Self::default() }
    }

    /// The names of its secrets, as the options of its job have to name them.
    #[must_use]
    pub fn secret_names(&self) -> BTreeSet<String> {
        self.secrets.keys().cloned().collect()
    }
}

/// How a container is given a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SecretAs {
    /// As the variable of this name. Whoever may ask the engine about containers can read it.
    Environment(String),
    /// As the file of this name, in the folder that `RUNNERS_SECRETS` names.
    File(String),
}

/// A folder, or a file, of the runner's machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "users build it")]
pub struct Mount {
    /// Its path on the machine.
    pub source: String,
    /// Its path in the container.
    pub target: String,
    /// Whether the container may write to it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub writable: bool,
}

/// What a container may use at most. What is left out is the operator's default, and what is over the
/// operator's maximum is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "users write `Limits { memory_bytes, ..Default::default() }`")]
pub struct Limits {
    /// Memory, with what is in its writable folders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// CPU time, in thousandths of one CPU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_millis: Option<u64>,
    /// Processes and threads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processes: Option<u64>,
    /// How long it may run, in milliseconds, beside the time that its job has for an attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_ms: Option<u64>,
    /// The size of each writable folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub writable_bytes: Option<u64>,
    /// The size of `/dev/shm`, which browsers need.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared_memory_bytes: Option<u64>,
}

impl Limits {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
