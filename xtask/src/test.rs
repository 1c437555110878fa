//! `cargo xtask test`: every test of the workspace, and one line that says how many there were.

use crate::{
    axe, browser, grid,
    process::{self, cargo},
    replayer,
    tally::{Counts, Tally},
    workspace::Workspace,
};
use anyhow::{Context, Result, bail};
use std::{
    io::{BufRead, BufReader},
    process::{ExitStatus, Stdio},
    thread,
};

/// How many tests that failed are run again. More than these are no accident.
const AGAIN_MAX: usize = 5;

/// At least this many tests run at once, also where there are fewer cores: those with browsers, containers and
/// processes wait most of the time.
const THREADS_MIN: usize = 4;
/// How the tests of a program are told how many of them run at once.
const THREADS: &str = "RUST_TEST_THREADS";

/// Tests that draw something else each time: when they are run again they do not try what failed.
const DRAWN: &[&str] = &[
    "seeds::fresh_seeds_keep_every_rule",
    "nothing_is_lost_and_nothing_runs_twice_while_processes_are_killed_at_random",
    "nothing_is_lost_and_nothing_runs_twice_while_servers_that_share_a_database_are_killed_at_random",
];

/// Installs what is missing, runs all tests and ends with the line that counts them.
pub(crate) fn command(workspace: &Workspace) -> Result<()> {
    browser::ensure()?;
    let (counts, done) = run(workspace);
    println!("{counts}");
    done
}

/// Runs all tests, unit, integration and documentation, and says what was skipped. The counts are
/// what was run even if it failed.
///
/// A few tests that fail are run again, alone: real browsers and processes share the machine with
/// whatever else it does. What passes then is told as flaky, which is for somebody to look into.
pub(crate) fn run(workspace: &Workspace) -> (Counts, Result<()>) {
    let mut tally = Tally::default();
    let mut done = run_all(workspace, &mut tally);
    for failure in tally.failures() {
        println!("failed: {failure}");
    }
    if done.is_err() && may_be_flaky(&tally) && pass_alone(workspace, tally.failures()) {
        for flaky in tally.forgive() {
            println!("flaky: {flaky} failed, and passed when it was run alone");
        }
        done = Ok(());
    }
    for skip in tally.skips() {
        println!("{skip}");
    }
    (tally.counts(), done)
}

fn run_all(workspace: &Workspace, tally: &mut Tally) -> Result<()> {
    let (line, ended) = read_tests(workspace, &[], tally)?;
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

/// Not if a program was killed, if so many failed that something must be broken, nor if what failed
/// would not be tried again.
fn may_be_flaky(tally: &Tally) -> bool {
    let failures = tally.failures();
    let is_drawn = failures.iter().any(|name| DRAWN.contains(&name.as_str()));
    let are_few = (1..=AGAIN_MAX).contains(&failures.len());
    tally.is_whole() && are_few && !is_drawn && tally.counts().failed == failures.len() as u64
}

/// Whether every one of these tests passes when nothing else is run.
fn pass_alone(workspace: &Workspace, names: &[String]) -> bool {
    let mut arguments = vec!["--exact", "--test-threads=1"];
    arguments.extend(names.iter().map(String::as_str));
    let mut again = Tally::default();
    let ended = read_tests(workspace, &arguments, &mut again);
    ended.is_ok_and(|(_, ended)| ended.success()) && again.counts().passed >= names.len() as u64
}

/// Runs `cargo test` and reads what it prints. Answers with what was run, and how it ended.
fn read_tests(workspace: &Workspace, arguments: &[&str], tally: &mut Tally) -> Result<(String, ExitStatus)> {
    let mut command = cargo(&workspace.root);
    command.args(["test", "--workspace", "--all-features", "--no-fail-fast", "--", "--show-output"]);
    command.args(arguments);
    if std::env::var_os(THREADS).is_none() {
        // What says `--test-threads` has the last word.
        let cores = thread::available_parallelism().map_or(1, usize::from);
        command.env(THREADS, cores.max(THREADS_MIN).to_string());
    }
    let needed = [
        (replayer::VARIABLE, replayer::directory(workspace)),
        (grid::VARIABLE, grid::program(workspace)),
        (axe::VARIABLE, axe::directory(workspace)),
    ];
    for (variable, found) in needed {
        match found {
            Ok(place) => drop(command.env(variable, place)),
            // The tests that miss it say so, each on its own.
            Err(why) => eprintln!("{why:#}"),
        }
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
    Ok((line, child.wait()?))
}
