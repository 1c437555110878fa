//! `runners flow record`: a person drives a browser of this machine, or one of a runner, and what they do
//! becomes a flow.

mod elsewhere;
mod steering;

use crate::{args::FlowRecordArgs, exit::Exit, interrupts::Interrupts, terminal};
use anyhow::{Context as _, Result, bail};
use async_trait::async_trait;
use futures::stream;
use runners_exec_webdriver::{
    Driver, DriverOptions, Ended, Engine, FlowRecorder, RecordFlow, RecordObserver, RecordedFlow,
    RecordedStep,
};
use serde_json::json;
use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::Mutex,
};
use tokio_util::sync::CancellationToken;

/// The variables that name a display.
const DISPLAYS: [&str; 2] = ["DISPLAY", "WAYLAND_DISPLAY"];

pub(super) async fn execute(arguments: FlowRecordArgs) -> Result<Exit> {
    let output = &arguments.output;
    if output.exists() && !arguments.force {
        bail!("{} is there already: choose another --output, or replace it with --force", output.display());
    }
    if let Some(pool) = &arguments.pool {
        return elsewhere::record(&arguments, pool).await;
    }
    if !arguments.headless {
        check_display(arguments.headed)?;
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
    write(output, &format!("{flow:#}\n"))?;
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

/// A window needs a place to be.
fn check_display(is_asked: bool) -> Result<()> {
    let is_missing = cfg!(all(unix, not(target_os = "macos")))
        && DISPLAYS.iter().all(|name| env::var_os(name).is_none_or(|display| display.is_empty()));
    if is_missing {
        let asked = if is_asked { "--headed needs a display" } else { "a person needs to see the browser" };
        bail!(
            "{asked}, and there is none here (neither {} nor {} is set): record on a machine that has one, or on any runner, with --pool NAME or from the dashboard; --headless records what a program does in a browser without a window",
            DISPLAYS[0],
            DISPLAYS[1]
        );
    }
    Ok(())
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

/// Writes the flow beside its place, and puts it there in one go.
fn write(path: &Path, text: &str) -> Result<()> {
    let told = || format!("{} could not be written", path.display());
    let beside = path.with_extension("json.part");
    fs::write(&beside, text).with_context(told)?;
    fs::rename(&beside, path).with_context(told)
}
