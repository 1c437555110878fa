//! `cargo xtask mutants`: breaks one rule at a time and shows that a test notices.
//!
//! The breaks are listed by hand in `mutants/list.rs`, because each stands for a mistake that
//! would cost somebody a result. They are made in a copy of the tree, never in the tree itself, and
//! most of them in one build: a switch says which of them is carried out.

mod list;
mod scratch;
mod switch;

use crate::{
    process::{cargo, run_bounded},
    stopwatch::{Elapsed, Stopwatch},
    tally::Tally,
    workspace::Workspace,
};
use anyhow::{Context, Result, bail};
use list::Mutant;
use scratch::Scratch;
use std::{collections::BTreeSet, fs, path::PathBuf, time::Duration};

/// The longest time that the tests of one mutant may take. A mutant that makes them go on for
/// ever is caught by it.
const TEST_TIME_MAX: Duration = Duration::from_secs(300);
/// The longest time that a build may take.
const BUILD_TIME_MAX: Duration = Duration::from_secs(1200);

/// Which mutants, and what to do with them.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Options {
    /// Only mutants whose name or file contains this. Can be given again.
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,
    /// Name the mutants and end.
    #[arg(long)]
    list: bool,
}

/// What came of a mutant.
#[derive(Debug)]
enum Fate {
    /// This test failed, and so many others.
    Caught { by: String, others: usize },
    /// The tests did not end.
    Hung,
    /// Every test passed: nothing holds the rule.
    Survived,
}

/// What came of a test command.
#[derive(Debug)]
enum Ran {
    Green { passed: u64 },
    Red { failures: Vec<String> },
    Hung,
}

/// Makes each mutant and runs its tests. Fails if one survives, or no longer applies.
pub(crate) fn command(workspace: &Workspace, options: &Options) -> Result<()> {
    let named = |only: &String, mutant: &Mutant| mutant.name.contains(only) || mutant.file.contains(only);
    let wanted =
        |mutant: &&Mutant| options.only.is_empty() || options.only.iter().any(|only| named(only, mutant));
    let mutants: Vec<&Mutant> = list::all().filter(wanted).collect();
    if options.list {
        mutants.iter().for_each(|mutant| println!("{:<56} {}", mutant.name, mutant.file));
        return Ok(());
    }
    if mutants.is_empty() {
        bail!("no mutant has such a name or file: `cargo xtask mutants --list` names them");
    }
    let scratch = Scratch::prepare(workspace)?;
    for mutant in &mutants {
        scratch.mutated(mutant)?;
    }
    let switched = scratch.switch(&mutants)?;
    let is_switched = |mutant: &&Mutant| switched.contains(mutant.name);
    let (together, alone): (Vec<_>, Vec<_>) = mutants.iter().copied().partition(is_switched);
    let bench =
        Bench { target: workspace.folder("mutants-target")?, log: workspace.folder("mutants-log")?, scratch };
    bench.baseline(&mutants)?;
    let mut survivors = 0;
    let mut table = Vec::new();
    for (at, mutant) in together.iter().chain(&alone).enumerate() {
        if at == together.len() {
            Scratch::prepare(workspace)?;
        }
        let watch = Stopwatch::start();
        let fate = if at < together.len() { bench.try_switched(mutant)? } else { bench.try_one(mutant)? };
        survivors += usize::from(matches!(fate, Fate::Survived));
        let row = row(mutant, &fate, watch.elapsed());
        eprintln!("{row}");
        table.push(row);
    }
    println!("\n{}\n", table.join("\n"));
    println!("mutants: {} caught, {survivors} survived", table.len() - survivors);
    if survivors > 0 {
        bail!("{survivors} mutants survived: write the test that catches each");
    }
    Ok(())
}

fn row(mutant: &Mutant, fate: &Fate, elapsed: Elapsed) -> String {
    let fate = match fate {
        Fate::Caught { by, others: 0 } => format!("caught    {by}"),
        Fate::Caught { by, others } => format!("caught    {by} and {others} more"),
        Fate::Hung => "caught    the tests did not end in time".to_owned(),
        Fate::Survived => "SURVIVED".to_owned(),
    };
    format!("{:<56} {elapsed:>8}  {fate}", mutant.name)
}

/// Where mutants are tried: a copy of the tree, a target folder that stays warm, and logs.
#[derive(Debug)]
struct Bench {
    scratch: Scratch,
    target: PathBuf,
    log: PathBuf,
}

impl Fate {
    fn of(ran: Ran) -> Self {
        match ran {
            Ran::Green { .. } => Self::Survived,
            Ran::Hung => Self::Hung,
            Ran::Red { failures } => match failures.split_first() {
                Some((by, others)) => Self::Caught { by: by.clone(), others: others.len() },
                None => Self::Caught { by: "a test program that was killed".to_owned(), others: 0 },
            },
        }
    }
}

impl Bench {
    /// Shows that the tests pass while nothing is broken.
    fn baseline(&self, mutants: &[&Mutant]) -> Result<()> {
        let commands: BTreeSet<&[&str]> = mutants.iter().map(|mutant| mutant.test).collect();
        for test in commands {
            eprintln!("unbroken: cargo test {}", test.join(" "));
            self.build(test).context("the tree does not build with every rule behind its switch")?;
            match self.test(test, None)? {
                Ran::Green { passed: 0 } => bail!("`cargo test {}` runs no test", test.join(" ")),
                Ran::Green { .. } => {}
                Ran::Red { failures } => bail!("red before anything is broken: {}", failures.join(", ")),
                Ran::Hung => bail!("the tests do not end before anything is broken"),
            }
        }
        Ok(())
    }

    /// Tries a mutant that stands in the tree, behind its switch.
    fn try_switched(&self, mutant: &Mutant) -> Result<Fate> {
        eprintln!("mutant: {}", mutant.name);
        self.test(mutant.test, Some(mutant.name)).map(Fate::of)
    }

    /// Tries a mutant that has to be built by itself.
    fn try_one(&self, mutant: &Mutant) -> Result<Fate> {
        eprintln!("mutant, built by itself: {}", mutant.name);
        let broken = self.scratch.break_rule(mutant)?;
        self.build(mutant.test).with_context(|| format!("the mutant `{}` does not build", mutant.name))?;
        let ran = self.test(mutant.test, None)?;
        broken.restore()?;
        Ok(Fate::of(ran))
    }

    fn build(&self, test: &[&str]) -> Result<()> {
        let (of_cargo, _) = split(test);
        let arguments = [&["test", "--quiet", "--no-run"], of_cargo].concat();
        let (ended, told) = self.run(&arguments, None, BUILD_TIME_MAX)?;
        match ended {
            Some(true) => Ok(()),
            Some(false) => bail!("`cargo {}` failed:\n{told}", arguments.join(" ")),
            None => bail!("`cargo {}` took over {} s", arguments.join(" "), BUILD_TIME_MAX.as_secs()),
        }
    }

    /// Runs tests, with a mutant switched on.
    fn test(&self, test: &[&str], broken: Option<&str>) -> Result<Ran> {
        let (of_cargo, of_tests) = split(test);
        let arguments = [&["test", "--no-fail-fast"], of_cargo, &["--"], of_tests].concat();
        let (ended, told) = self.run(&arguments, broken, TEST_TIME_MAX)?;
        let mut tally = Tally::default();
        for line in told.lines() {
            tally.read(line);
        }
        Ok(match ended {
            Some(true) => Ran::Green { passed: tally.counts().passed },
            Some(false) => Ran::Red { failures: tally.failures().to_vec() },
            None => Ran::Hung,
        })
    }

    /// Runs cargo in the copy. Whether it succeeded, unless it took too long, and what it said.
    fn run(
        &self,
        arguments: &[&str],
        broken: Option<&str>,
        bound: Duration,
    ) -> Result<(Option<bool>, String)> {
        let mut command = cargo(self.scratch.root());
        command.args(arguments).env("CARGO_TARGET_DIR", &self.target);
        command.envs(broken.map(|name| (switch::VARIABLE, name)));
        let log = self.log.join("newest.log");
        let ended = run_bounded(&mut command, &log, bound)?;
        let told = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
        Ok((ended.map(|ended| ended.success()), told))
    }
}

/// What is for cargo, and what is for the test programs: they are parted by `--`.
fn split<'a>(test: &'a [&'a str]) -> (&'a [&'a str], &'a [&'a str]) {
    let at = test.iter().position(|argument| *argument == "--").unwrap_or(test.len());
    (&test[..at], test.get(at + 1..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn every_mutant_still_applies() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut problems = Vec::new();
        for mutant in list::all() {
            let source = fs::read_to_string(root.join(mutant.file)).unwrap_or_default();
            problems.extend(mutant.applied_to(&source).err().map(|error| error.to_string()));
        }
        assert!(problems.is_empty(), "{}", problems.join("\n"));
    }

    #[test]
    fn every_mutant_has_a_name_of_its_own() {
        let names: BTreeSet<_> = list::all().map(|mutant| mutant.name).collect();
        assert_eq!(names.len(), list::all().count());
    }

    #[test]
    fn arguments_of_cargo_are_told_from_those_of_the_tests() {
        assert_eq!(split(&["--lib", "--", "rules::"]), (&["--lib"][..], &["rules::"][..]));
        assert_eq!(split(&["--lib"]), (&["--lib"][..], &[][..]));
    }
}
