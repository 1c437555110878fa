//! `cargo xtask test`: every test of the workspace, and one line that says how many there were.

use crate::{
    browser,
    process::{self, cargo},
    replayer,
    tally::{Counts, Tally},
    workspace::Workspace,
};
use anyhow::{Context, Result, bail};
use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

/// Installs what is missing, runs all tests and ends with the line that counts them.
pub(crate) fn command(workspace: &Workspace) -> Result<()> {
    browser::ensure()?;
    let (counts, done) = run(workspace);
    println!("{counts}");
    done
}

/// Runs all tests, unit, integration and documentation, and says what was skipped. The counts are
/// what was run even if it failed.
pub(crate) fn run(workspace: &Workspace) -> (Counts, Result<()>) {
    let mut tally = Tally::default();
    let done = read_all(workspace, &mut tally);
    for failure in tally.failures() {
        println!("failed: {failure}");
    }
    for skip in tally.skips() {
        println!("{skip}");
    }
    (tally.counts(), done)
}

fn read_all(workspace: &Workspace, tally: &mut Tally) -> Result<()> {
    let mut command = cargo(&workspace.root);
    command.args(["test", "--workspace", "--all-features", "--no-fail-fast", "--", "--show-output"]);
    match replayer::directory(workspace) {
        Ok(folder) => drop(command.env(replayer::VARIABLE, folder)),
        // The tests that miss it say so, each on its own.
        Err(why) => eprintln!("{why:#}"),
    }
    let line = process::line_of(&command);
    eprintln!("$ {line}");
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("could not start `{line}`"))?;
    let output = child.stdout.take().expect("it was asked to be piped");
    for line in BufReader::new(output).split(b'\n') {
        let line = line.context("could not read what the tests print")?;
        let line = String::from_utf8_lossy(&line);
        if tally.read(line.trim_end_matches('\r')) {
            println!("{line}");
        }
    }
    let ended = child.wait()?;
    let counts = tally.counts();
    if counts.failed > 0 {
        bail!("{} of {} tests failed", counts.failed, counts.passed + counts.failed);
    }
    if !ended.success() {
        bail!("`{line}` failed ({ended}) and named no test: something did not build, or was killed");
    }
    if counts.passed == 0 {
        bail!("no test was run");
    }
    Ok(())
}
