//! `runners flow run`: replays flows here, without any server.

use super::conclude;
use crate::{
    args::{FlowMode, FlowRunArgs},
    documents::{self, Choices, Document},
    exit::Exit,
    interrupts::Interrupts,
    keys::SECRETS_PREFIX,
    local::LocalBrowser,
    output::OutputDirectory,
    progress::{Line, Progress},
    report::{ArtifactReport, FlowReport, Report, millis},
};
use anyhow::Result;
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use runners_core::{Clock as _, Conclusion, Fault, JobResult as _, Secret, SystemClock, Verdict};
use runners_exec_webdriver::{CutShort, Evidence, FlowObserver, Mode, Step};
use std::sync::{Mutex, PoisonError};
use tokio_util::sync::CancellationToken;

pub(super) async fn execute(arguments: FlowRunArgs) -> Result<Exit> {
    let choices = Choices {
        mode: arguments.mode.map(mode),
        parameters: arguments.parameters.by_name(),
        engine: arguments.browser.webdriver.is_none().then_some(arguments.browser.engine),
    };
    let Some(documents) = documents::read_all(&arguments.flows, &choices) else {
        return Ok(Exit::CouldNotRun);
    };
    let mut interrupts = Interrupts::listen()?;
    let browser = LocalBrowser::for_own_flows(&arguments.browser)?;
    let output = OutputDirectory::open(&arguments.output.output)?;
    let clock = SystemClock::default();
    let (started_at, cancelled) = (clock.wall(), CancellationToken::new());
    let progress = Progress::new(documents.iter().map(|document| &*document.name), arguments.output.json);
    let lines = documents.into_iter().map(|document| (progress.line(&document.name), document));
    let lines: Vec<_> = lines.collect();
    let replays = stream::iter(lines).map(|(line, document)| {
        Replaying { line, output: output.clone(), left: Mutex::default() }
            .replay(document, &browser, &cancelled)
    });
    let mut replays =
        std::pin::pin!(replays.buffered(arguments.slots as usize).map(Ok::<_, anyhow::Error>).try_collect());
    let flows: Vec<FlowReport> = tokio::select! {
        flows = &mut replays => flows?,
        () = interrupts.next() => {
            progress.note("cancelling; once more stops now");
            cancelled.cancel();
            tokio::select! {
                flows = &mut replays => flows?,
                () = interrupts.next() => return Ok(Exit::CouldNotRun),
            }
        }
    };
    browser.stop().await;
    progress.finish();
    conclude(&Report::new(started_at, clock.wall(), flows), &output, &arguments.output)
}

/// Watches one replay: shows its steps and keeps what it leaves.
struct Replaying {
    line: Line,
    output: OutputDirectory,
    left: Mutex<Left>,
}

#[derive(Debug, Default)]
struct Left {
    artifacts: Vec<ArtifactReport>,
    missing: Vec<String>,
    /// How far the flow got, if it was cut short.
    cut_short: Option<Bytes>,
}

impl Replaying {
    async fn replay(
        self,
        document: Document,
        browser: &LocalBrowser,
        cancelled: &CancellationToken,
    ) -> FlowReport {
        let clock = SystemClock::default();
        let started_at = clock.wall();
        let mut report = FlowReport {
            name: document.name,
            file: document.path,
            title: document.flow.flow().title.clone(),
            conclusion: Conclusion::Errored,
            duration_ms: 0,
            job: None,
            attempts: None,
            tries: Vec::new(),
            failure: None,
            steps: Vec::new(),
            page_errors: Vec::new(),
            artifacts: Vec::new(),
            missing: Vec::new(),
        };
        self.line.say("starting the browser");
        let replayed = if cancelled.is_cancelled() {
            Err(Fault::permanent("cancelled", "cancelled before it started"))
        } else {
            match document.flow.with_secrets(secret_variable) {
                Ok(flow) => {
                    let watcher = self.watcher(&report.name);
                    browser.executor.replay(flow, &watcher, cancelled.cancelled()).await
                }
                Err(fault) => Err(fault),
            }
        };
        match replayed {
            Ok(result) => {
                report.conclusion = match result.verdict() {
                    Verdict::Passed => Conclusion::Passed,
                    Verdict::Failed => Conclusion::Failed,
                };
                report.take(result);
            }
            Err(fault) => {
                let is_cancel = fault.code == "cancelled";
                report.conclusion = if is_cancel { Conclusion::Cancelled } else { Conclusion::Errored };
                report.duration_ms = millis(clock.wall().since(started_at));
                report.failure = Some(fault.message);
            }
        }
        let left = self.left.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = &left.cut_short {
            report.take_cut_short(bytes);
        }
        self.line.end(report.conclusion, report.duration());
        FlowReport { artifacts: left.artifacts, missing: left.missing, ..report }
    }

    const fn watcher<'w>(&'w self, flow: &'w str) -> Watcher<'w> {
        Watcher { replaying: self, flow }
    }
}

const fn mode(given: FlowMode) -> Mode {
    match given {
        FlowMode::Compat => Mode::Compat,
        FlowMode::Strict => Mode::Strict,
    }
}

/// The secret of a flow that is replayed here.
fn secret_variable(name: &str) -> Option<Secret> {
    std::env::var(format!("{SECRETS_PREFIX}{name}")).ok().map(Secret::from_text)
}

struct Watcher<'w> {
    replaying: &'w Replaying,
    flow: &'w str,
}

#[async_trait]
impl FlowObserver for Watcher<'_> {
    fn step_started(&self, index: usize, total: usize, step: &Step) {
        self.replaying.line.say(format!("step {}/{total}: {}", index + 1, step.description()));
    }

    async fn evidence(&self, evidence: Evidence) {
        let output = &self.replaying.output;
        let written =
            output.write_all(self.flow, &evidence.name, evidence.media_type, evidence.bytes.clone()).await;
        let mut left = self.replaying.left.lock().unwrap_or_else(PoisonError::into_inner);
        if evidence.name == CutShort::ARTIFACT {
            left.cut_short = Some(evidence.bytes);
        }
        match written {
            Ok(artifact) => left.artifacts.push(artifact),
            Err(error) => left.missing.push(format!("{}: {}", evidence.name, crate::terminal::chain(&error))),
        }
    }
}
