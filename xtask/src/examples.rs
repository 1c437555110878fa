//! Runs every example to its end: an example that hangs or fails is a broken promise.

use crate::{
    process::{self, cargo, run_bounded},
    stopwatch::Stopwatch,
    workspace::{Program, Workspace},
};
use anyhow::{Context, Result, bail};
use std::{fs, process::Command, time::Duration};

const PACKAGE: &str = "runners-examples";
/// The longest time that one example may take.
const EXAMPLE_TIME_MAX: Duration = Duration::from_secs(120);

/// Builds the examples and runs each one, with its output in `target/xtask/examples`.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let package = workspace.packages.iter().find(|package| package.name == PACKAGE);
    let programs = &package.with_context(|| format!("there is no package {PACKAGE}"))?.programs;
    if programs.is_empty() {
        eprintln!("skipped: there are no examples in {PACKAGE} yet");
        return Ok(());
    }
    process::run(cargo(&workspace.root).args(["build", "--package", PACKAGE, "--bins", "--examples"]))?;
    let failed: Vec<&str> = programs
        .iter()
        .filter_map(|program| run_one(workspace, program).err().map(|error| (program, error)))
        .map(|(program, error)| {
            eprintln!("example {} failed: {error:#}", program.name);
            program.name.as_str()
        })
        .collect();
    if !failed.is_empty() {
        bail!("{} of {} examples failed: {}", failed.len(), programs.len(), failed.join(", "));
    }
    Ok(())
}

fn run_one(workspace: &Workspace, program: &Program) -> Result<()> {
    let folder = workspace.target.join(if program.is_example { "debug/examples" } else { "debug" });
    let file = folder.join(format!("{}{}", program.name, std::env::consts::EXE_SUFFIX));
    let log = workspace.folder("examples")?.join(format!("{}.log", program.name));
    let watch = Stopwatch::start();
    let ended = run_bounded(Command::new(file).current_dir(&workspace.root), &log, EXAMPLE_TIME_MAX)?;
    let told = || fs::read_to_string(&log).unwrap_or_default();
    match ended {
        Some(ended) if ended.success() => {
            println!("example {:<24} ended well after {}", program.name, watch.elapsed());
            Ok(())
        }
        Some(ended) => bail!("{ended}; it said:\n{}", told()),
        None => bail!("it did not end within {} s; it said:\n{}", EXAMPLE_TIME_MAX.as_secs(), told()),
    }
}
