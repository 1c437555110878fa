//! Runs every example to its end: an example that hangs or fails is a broken promise.

use crate::{
    process::{self, Skipped, cargo, run_bounded},
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
        return Err(Skipped(format!("there are no examples in {PACKAGE}")).into());
    }
    process::run(cargo(&workspace.root).args(["build", "--package", PACKAGE, "--bins", "--examples"]))?;
    let mut failed = Vec::new();
    for program in programs {
        if let Err(error) = run_one(workspace, program) {
            eprintln!("example {} failed: {error:#}", program.name);
            failed.push(program.name.as_str());
        }
    }
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

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::{env, os::unix::fs::symlink};

    /// A workspace whose only example is this program of the system, run without arguments.
    fn with_program(name: &str) -> (Workspace, Program) {
        let root = env::temp_dir().join(format!("xtask-examples-{name}-{}", std::process::id()));
        fs::create_dir_all(root.join("debug")).unwrap();
        symlink(process::find(&[name], &[]).unwrap(), root.join("debug").join(name)).unwrap();
        let workspace = Workspace { target: root.clone(), root, packages: Vec::new() };
        (workspace, Program { name: name.to_owned(), is_example: false })
    }

    #[test]
    fn an_example_that_fails_is_told_with_what_it_said() {
        let (workspace, program) = with_program("expr");
        let error = run_one(&workspace, &program).unwrap_err().to_string();
        fs::remove_dir_all(&workspace.root).unwrap();
        let (ended, said) = error.split_once("; it said:").unwrap();
        assert!(ended.contains("exit status: 2") && said.contains("expr"), "{error}");
    }

    #[test]
    fn an_example_that_ends_well_is_enough() {
        let (workspace, program) = with_program("true");
        let done = run_one(&workspace, &program);
        fs::remove_dir_all(&workspace.root).unwrap();
        done.unwrap();
    }
}
