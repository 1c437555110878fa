//! The baselines of flows that are compared elsewhere: they go with the flows, and what is new comes back as
//! artifacts.

use crate::{
    args::QueueArgs,
    documents::Document,
    output::OutputDirectory,
    report::{FlowReport, Report},
    terminal,
};
use anyhow::{Context as _, Result, bail};
use runners_exec_webdriver::{BaselineMode, DirectoryBaselines, StepResult};
use std::path::Path;

/// Where comparisons leave pictures, and how the one of three is called that was seen.
const PICTURES: &str = "screenshots/";
const NOW: &str = "-now.png";

/// Gives each flow its baselines, if a directory of them is named.
pub(super) fn give(arguments: &QueueArgs, documents: Vec<Document>) -> Result<Vec<Document>> {
    let Some(directory) = &arguments.baselines else { return Ok(documents) };
    let there = DirectoryBaselines::new(directory);
    let mode = if arguments.update_baselines { BaselineMode::Update } else { BaselineMode::Compare };
    let given = documents.into_iter().map(|document| {
        let pictures = there
            .of_flow(&document.flow.flow().title)
            .with_context(|| format!("the baselines in {} cannot be read", directory.display()))?;
        if pictures.is_empty() && mode == BaselineMode::Compare {
            return Ok(document);
        }
        let told = || format!("{} cannot take its baselines along", document.path.display());
        let flow = document.flow.clone().with_baselines(&pictures, mode).with_context(told)?;
        Ok(Document { flow, ..document })
    });
    given.collect()
}

/// Keeps what the comparisons of flows have seen, if that was asked for.
pub(super) fn keep(arguments: &QueueArgs, report: &Report, output: &OutputDirectory) -> Result<()> {
    let Some(directory) = arguments.baselines.as_deref().filter(|_| arguments.update_baselines) else {
        return Ok(());
    };
    for flow in &report.flows {
        for step in &flow.steps {
            if let Some(baseline) = &step.baseline {
                let told = || format!("{}: the baseline {baseline} was not kept", flow.file.display());
                keep_one(directory, flow, step, baseline, output).with_context(told)?;
            }
        }
    }
    Ok(())
}

fn keep_one(
    directory: &Path,
    flow: &FlowReport,
    step: &StepResult,
    baseline: &str,
    output: &OutputDirectory,
) -> Result<()> {
    let pictures = || step.artifacts.iter().filter(|name| name.starts_with(PICTURES));
    let Some(name) = pictures().find(|name| name.ends_with(NOW)).or(pictures().next()) else {
        bail!("the runner has left no picture");
    };
    let picture = output.read(&flow.name, name).context("its picture is not here")?;
    DirectoryBaselines::new(directory).keep(&flow.title, baseline, &picture)?;
    terminal::note(format!("kept {}", directory.join(baseline).display()));
    Ok(())
}
