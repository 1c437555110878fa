//! `cargo xtask ci`: everything that a change must pass, step by step, and a table at the end.

use crate::{
    axe, browser, contract, demo, engines, examples, extras, features, grid, images, kubernetes, mutants,
    process::{self, Skipped, cargo, find},
    replayer,
    stopwatch::{Elapsed, Stopwatch},
    tally::Counts,
    test,
    workspace::Workspace,
};
use anyhow::{Result, bail};
use std::process::Command;

/// How many seeds the long simulation plays.
const LONG_SIMULATION_SEEDS: &str = "1000";

/// What to run, and how far after something failed.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Also what takes longest: every mixture of features, each package built from its own files,
    /// images with a browser, cargo-deny, long simulation, mutants.
    #[arg(long)]
    long: bool,
    /// Stop at the first step that fails.
    #[arg(long)]
    fail_fast: bool,
}

/// How a step ended.
#[derive(Debug)]
enum Ending {
    Done,
    Failed(String),
    /// It could not be done here, and this is what to do about it.
    Skipped(String),
}

/// A line of the table.
#[derive(Debug)]
struct Row {
    name: &'static str,
    ending: Ending,
    elapsed: Elapsed,
}

/// The steps that were taken so far.
#[derive(Debug, Default)]
struct Progress {
    rows: Vec<Row>,
    counts: Option<Counts>,
    fail_fast: bool,
}

/// Runs the steps, prints what came of each, and fails if any of them failed.
pub(crate) fn command(workspace: &Workspace, options: &Options) -> Result<()> {
    let mut progress = Progress { fail_fast: options.fail_fast, ..Progress::default() };
    let stopped = quick(workspace, &mut progress)
        .and_then(|()| if options.long { long(workspace, &mut progress) } else { Ok(()) });
    progress.close(stopped.is_err())
}

/// What runs for every change.
fn quick(workspace: &Workspace, progress: &mut Progress) -> Result<(), Stopped> {
    let run = |arguments: &[&str]| process::run(cargo(&workspace.root).args(arguments));
    progress.step("lock file", || {
        let mut command = cargo(&workspace.root);
        command.args(["metadata", "--locked", "--format-version", "1"]).stdout(std::process::Stdio::null());
        process::run(&mut command)
    })?;
    progress.step("format", || run(&["fmt", "--all", "--", "--check"]))?;
    progress.step("clippy", || {
        run(&["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"])
    })?;
    progress.step("browser", browser::ensure)?;
    progress.step("engines", engines::ensure)?;
    progress.step("extras", extras::ensure)?;
    progress.step("reference", || replayer::ensure(workspace))?;
    progress.step("axe", || axe::ensure(workspace))?;
    progress.step("grid", || grid::ensure(workspace))?;
    let mut counts = None;
    let tested = progress.step("test", || {
        let (counted, done) = test::run(workspace);
        counts = Some(counted);
        done
    });
    progress.counts = counts;
    tested?;
    progress.step("demo", || demo::command(workspace))?;
    progress.step("images", || images::command(workspace, &images::Options::default()))?;
    progress.step("docs", || {
        let mut command = cargo(&workspace.root);
        command
            .args(["doc", "--no-deps", "--workspace", "--all-features"])
            .env("RUSTDOCFLAGS", "-D warnings");
        process::run(&mut command)
    })?;
    progress.step("examples", || examples::run(workspace))?;
    progress.step("contract", || contract::run(workspace))?;
    progress.step("kubernetes", || kubernetes::run(workspace))?;
    progress.step("features", || features::each_alone(workspace))?;
    progress.step("package", || package(workspace, &["--no-verify"]))
}

/// What takes long, and runs before a release.
fn long(workspace: &Workspace, progress: &mut Progress) -> Result<(), Stopped> {
    progress.step("feature mixtures", || features::powerset(workspace))?;
    progress.step("build packages", || package(workspace, &["--all-features"]))?;
    progress.step("all images", || images::command(workspace, &images::Options::all()))?;
    progress.step("deny", || deny(workspace))?;
    progress.step("advisories", || advisories(workspace))?;
    progress.step("long simulation", || simulation(workspace))?;
    progress.step("mutants", || mutants::command(workspace, &mutants::Options::default()))
}

/// Has cargo put together what would be published, and build each package from its own files alone
/// unless it is told not to.
fn package(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    let mut command = cargo(&workspace.root);
    command.args(["package", "--allow-dirty", "--quiet"]).args(arguments);
    for package in workspace.packages.iter().filter(|package| package.published) {
        command.args(["--package", &package.name]);
    }
    process::run(&mut command)
}

/// Licences, bans and where packages come from.
fn deny(workspace: &Workspace) -> Result<()> {
    process::run(cargo_deny(workspace)?.args(["check", "licenses", "bans", "sources"]))
}

/// What is known against the packages, once that could be fetched.
fn advisories(workspace: &Workspace) -> Result<()> {
    let mut fetch = cargo_deny(workspace)?;
    if process::run(fetch.args(["fetch", "db"])).is_err() {
        let missing = "the list of advisories could not be fetched: `cargo deny fetch db` says why";
        return Err(Skipped(missing.to_owned()).into());
    }
    process::run(cargo_deny(workspace)?.args(["check", "--disable-fetch", "advisories"]))
}

fn cargo_deny(workspace: &Workspace) -> Result<Command> {
    if find(&["cargo-deny"], &[]).is_none() {
        let missing = "cargo-deny is not installed: cargo install --locked cargo-deny";
        return Err(Skipped(missing.to_owned()).into());
    }
    let mut command = cargo(&workspace.root);
    command.args(["deny", "--all-features"]);
    Ok(command)
}

/// Plays the simulations of the core with many seeds.
fn simulation(workspace: &Workspace) -> Result<()> {
    let mut command: Command = cargo(&workspace.root);
    command.args([
        "test",
        "--release",
        "--package",
        "runners-core",
        "--all-features",
        "--test",
        "simulation",
    ]);
    process::run(command.env("RUNNERS_SIMULATION_SEEDS", LONG_SIMULATION_SEEDS))
}

/// A step failed, and no more are to be taken.
#[derive(Debug)]
struct Stopped;

impl Progress {
    /// Takes a step and notes what came of it.
    fn step(&mut self, name: &'static str, step: impl FnOnce() -> Result<()>) -> Result<(), Stopped> {
        eprintln!("== {name}");
        let watch = Stopwatch::start();
        let ending = match step() {
            Ok(()) => Ending::Done,
            Err(error) if error.is::<Skipped>() => Ending::Skipped(format!("{error:#}")),
            Err(error) => Ending::Failed(format!("{error:#}")),
        };
        let elapsed = watch.elapsed();
        match &ending {
            Ending::Done => eprintln!("== {name}: done after {elapsed}"),
            Ending::Failed(why) => eprintln!("== {name}: FAILED after {elapsed}: {why}"),
            Ending::Skipped(why) => eprintln!("== {name}: skipped: {why}"),
        }
        let failed = matches!(ending, Ending::Failed(_));
        self.rows.push(Row { name, ending, elapsed });
        if failed && self.fail_fast { Err(Stopped) } else { Ok(()) }
    }

    /// How long all steps took.
    fn elapsed(&self) -> Elapsed {
        self.rows.iter().map(|row| row.elapsed).sum()
    }

    /// Prints the table and the closing line.
    fn close(self, stopped: bool) -> Result<()> {
        println!();
        for row in &self.rows {
            let (ending, why) = match &row.ending {
                Ending::Done => ("done", ""),
                Ending::Failed(why) => ("FAILED", why.lines().next().unwrap_or_default()),
                Ending::Skipped(why) => ("skipped", why.as_str()),
            };
            println!("{}", line(row.name, ending, row.elapsed, why));
        }
        println!("{}", line("total", "", self.elapsed(), ""));
        if stopped {
            println!("stopped there, as --fail-fast says");
        }
        for row in &self.rows {
            if let Ending::Skipped(why) = &row.ending {
                println!("skipped: {}: {why}", row.name);
            }
        }
        println!();
        if let Some(counts) = self.counts {
            println!("{counts}");
        }
        let failed = self.rows.iter().filter(|row| matches!(row.ending, Ending::Failed(_))).count();
        if failed > 0 {
            bail!("{failed} of {} steps failed", self.rows.len());
        }
        Ok(())
    }
}

/// A line of the table, as it is printed.
fn line(name: &str, ending: &str, elapsed: Elapsed, why: &str) -> String {
    format!("{name:<18} {ending:<8} {elapsed:>12}  {why}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing() -> Result<()> {
        bail!("on purpose")
    }

    #[test]
    fn a_failed_step_fails_the_whole_but_lets_the_next_one_run() {
        let mut progress = Progress::default();
        assert!(progress.step("one", failing).is_ok());
        assert!(progress.step("two", || Ok(())).is_ok());
        assert_eq!(progress.rows.len(), 2);
        assert!(progress.close(false).is_err());
    }

    #[test]
    fn fail_fast_stops_at_the_first_failure() {
        let mut progress = Progress { fail_fast: true, ..Progress::default() };
        assert!(progress.step("one", failing).is_err());
    }

    #[test]
    fn only_what_says_that_it_may_be_missing_is_skipped() {
        let mut progress = Progress::default();
        progress.step("one", || Err(Skipped("not here".to_owned()).into())).unwrap();
        assert!(matches!(progress.rows[0].ending, Ending::Skipped(_)));
        progress.step("two", || Err(process::CannotRun("not here".to_owned()).into())).unwrap();
        assert!(matches!(progress.rows[1].ending, Ending::Failed(_)));
    }
}
