//! `runners flow record`: a person drives a browser of this machine, or one of a runner, and what they do
//! becomes a flow.

mod elsewhere;
mod steering;

use crate::{args::FlowRecordArgs, display, exit::Exit, interrupts::Interrupts, terminal, tokens};
use anyhow::{Context as _, Result, bail};
use async_trait::async_trait;
use futures::stream;
use runners_exec_webdriver::{
    Driver, DriverOptions, Ended, Engine, FlowRecorder, RecordFlow, RecordObserver, RecordedFlow,
    RecordedStep,
};
use serde_json::json;
use std::{
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
};
use tokio_util::sync::CancellationToken;

/// What else there is where no window can be.
const OTHERWISE: &str = "record on a machine that has one, or on any runner, with --pool NAME or from the dashboard; --headless records what a program does in a browser without a window";

pub(super) async fn execute(arguments: FlowRecordArgs) -> Result<Exit> {
    let output = &arguments.output;
    if output.exists() && !arguments.force {
        bail!("{} is there already: choose another --output, or replace it with --force", output.display());
    }
    try_out(output)?;
    if let Some(pool) = &arguments.pool {
        return elsewhere::record(&arguments, pool).await;
    }
    if !arguments.headless {
        display::check(arguments.headed, OTHERWISE)?;
    }
    let engine = arguments.engine.unwrap_or(Engine::Chromium);
    let mut options = DriverOptions::of(engine);
    options.headless = arguments.headless;
    options.check().context("this machine cannot record flows")?;
    let driver = Driver::new(options).with_egress(None);
    if let Some(reason) = FlowRecorder::unsupported(&driver) {
        bail!("flows cannot be recorded in {engine}: {reason}");
    }
    let mut interrupts = Interrupts::listen()?;
    let watcher = Watcher { output: output.clone(), is_json: arguments.json, trouble: Mutex::default() };
    let command = RecordFlow {
        name: arguments.name.clone().unwrap_or_default(),
        viewport: arguments.viewport,
        time_limit_ms: u64::try_from(arguments.time_limit.as_millis()).ok(),
        ..RecordFlow::at(&arguments.url)
    };
    if !arguments.json {
        let how = "do what the flow is to do; Ctrl-C, or closing the browser, ends it and keeps the flow";
        terminal::note(format!("recording in {engine}: {how}"));
    }
    let (recorder, cancelled) = (FlowRecorder::new(driver.clone()), CancellationToken::new());
    let recorded = {
        let recording =
            recorder.record(command, &watcher, stream::pending(), cancelled.clone().cancelled_owned());
        let mut recording = std::pin::pin!(recording);
        tokio::select! {
            recorded = &mut recording => recorded,
            () = interrupts.next() => {
                cancelled.cancel();
                tokio::select! {
                    recorded = &mut recording => recorded,
                    // What there was is kept already, but for the last second.
                    () = interrupts.next() => return Ok(Exit::CouldNotRun),
                }
            }
        }
    };
    driver.stop().await;
    let recorded = recorded.map_err(|fault| anyhow::anyhow!(fault.message))?;
    finish(&arguments, &recorded)
}

fn finish(arguments: &FlowRecordArgs, recorded: &RecordedFlow) -> Result<Exit> {
    let output = &arguments.output;
    let flow: serde_json::Value = serde_json::from_str(recorded.flow.document())?;
    let output = &keep(output, &format!("{flow:#}\n"))?;
    if arguments.json {
        terminal::print_json(&json!({
            "event": "recorded", "file": output, "steps": recorded.recorded.len(), "secrets": recorded.secrets,
            "notes": recorded.notes, "ended": recorded.ended,
        }));
        return Ok(Exit::Passed);
    }
    for note in &recorded.notes {
        terminal::note(note);
    }
    let why = match recorded.ended {
        Ended::TimeLimit => ", its time is over",
        Ended::Closed => ", the browser was closed",
        Ended::Full => ", it has as many steps as a flow may have",
        _ => "",
    };
    terminal::print(format!(
        "{}: {}{why}",
        output.display(),
        terminal::count(recorded.recorded.len(), "step")
    ));
    for secret in &recorded.secrets {
        let variable = format!("{}{secret}", crate::keys::SECRETS_PREFIX);
        terminal::print(format!("what was typed into {secret:?} is not in it: give it in {variable}"));
    }
    terminal::print(format!("replay now? runners flow run {}", output.display()));
    Ok(Exit::Passed)
}

/// Shows the steps as they are made, and keeps them.
#[derive(Debug)]
struct Watcher {
    output: PathBuf,
    is_json: bool,
    /// What was told of the file last, so that it is told once.
    trouble: Mutex<Option<String>>,
}

#[async_trait]
impl RecordObserver for Watcher {
    fn recorded(&self, step: &RecordedStep) {
        let (number, description) = (step.index + 1, &step.description);
        if self.is_json {
            terminal::print_json(&json!({ "event": "step", "number": number, "step": description }));
        } else {
            terminal::print(format!("{number:>3}  {description}"));
        }
    }

    fn noted(&self, text: &str) {
        if self.is_json {
            terminal::print_json(&json!({ "event": "note", "text": text }));
        } else {
            terminal::note(text);
        }
    }

    async fn keep(&self, document: &str) {
        let Err(error) = write(&self.output, document) else { return };
        let told = terminal::chain(&error);
        let mut trouble = self.trouble.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if trouble.as_ref() != Some(&told) {
            terminal::note(&told);
            *trouble = Some(told);
        }
    }
}

/// Makes sure that the flow can be written before anything is recorded.
fn try_out(path: &Path) -> Result<()> {
    let beside = beside(path);
    let told = || format!("the flow could not be written to {}: choose another --output", path.display());
    if path.is_dir() {
        bail!("{} is a directory: name a file in it with --output", path.display());
    }
    fs::write(&beside, "").and_then(|()| fs::remove_file(&beside)).with_context(told)
}

/// Writes what was recorded; where else it is, if its place cannot be written any more. Nothing is lost.
fn keep(path: &Path, text: &str) -> Result<PathBuf> {
    let Err(error) = write(path, text) else { return Ok(path.to_owned()) };
    terminal::note(terminal::chain(&error));
    let name = path.file_name().unwrap_or(OsStr::new("flow.json")).to_string_lossy();
    let elsewhere = env::temp_dir().join(format!("runners-recording-{}-{name}", std::process::id()));
    match tokens::write_private(&elsewhere, text) {
        Ok(()) => {
            terminal::note(format!("the flow is kept in {}", elsewhere.display()));
            Ok(elsewhere)
        }
        Err(other) => {
            terminal::print(text);
            Err(other).context("the flow could be kept in no file: it is on standard output")
        }
    }
}

/// Writes the flow beside its place, and puts it there in one go.
fn write(path: &Path, text: &str) -> Result<()> {
    let told = || format!("{} could not be written", path.display());
    let beside = beside(path);
    fs::write(&beside, text).with_context(told)?;
    fs::rename(&beside, path).with_context(told)
}

fn beside(path: &Path) -> PathBuf {
    path.with_extension("json.part")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_whose_place_is_gone_is_kept_elsewhere() {
        let directory = tempfile::tempdir().unwrap();
        let there = directory.path().join("flow.json");
        assert_eq!(keep(&there, "{}").unwrap(), there);
        let gone = directory.path().join("gone/flow.json");
        let kept = keep(&gone, "{}").unwrap();
        assert_eq!(fs::read_to_string(&kept).unwrap(), "{}\n");
        fs::remove_file(kept).unwrap();
    }
}
