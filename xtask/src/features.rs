//! Features only add: each crate builds without any, with each one alone, and in every mixture.

use crate::{
    process::{self, cargo},
    stopwatch::Stopwatch,
    workspace::{Package, Workspace},
};
use anyhow::{Result, bail};
use std::{
    collections::VecDeque,
    process::Command,
    sync::{Mutex, PoisonError},
    thread,
};

/// Up to this many features of one crate are tried in every mixture; of more, every pair.
const MIXED_FEATURES_MAX: usize = 6;

/// How many crates are checked at once. Each lane but the first builds what all depend on once more.
const LANES_MAX: usize = 2;

/// Which mixtures of features are checked.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Options {
    /// Also check every mixture: of crates with many features, every pair.
    #[arg(long)]
    mixtures: bool,
    /// Only this crate. Can be given again.
    #[arg(long, value_name = "CRATE")]
    package: Vec<String>,
}

/// Checks what was asked for, and says how much that was.
pub(crate) fn command(workspace: &Workspace, options: &Options) -> Result<()> {
    if let Some(unknown) =
        options.package.iter().find(|name| published(workspace).all(|package| package.name != **name))
    {
        bail!("no crate {unknown} is published from here");
    }
    let wanted = |package: &&Package| options.package.is_empty() || options.package.contains(&package.name);
    let packages: Vec<&Package> = published(workspace).filter(wanted).collect();
    let of = if options.mixtures { mixtures } else { alone };
    let watch = Stopwatch::start();
    check(workspace, &packages, of)?;
    let count: usize = packages.iter().map(|package| of(&package.features).len()).sum();
    println!("features: {count} mixtures of {} crates in {}", packages.len(), watch.elapsed());
    Ok(())
}

/// Checks each library crate without features and with each one alone.
pub(crate) fn each_alone(workspace: &Workspace) -> Result<()> {
    check(workspace, &published(workspace).collect::<Vec<_>>(), alone)
}

/// Checks each library crate with every mixture of its features.
pub(crate) fn powerset(workspace: &Workspace) -> Result<()> {
    check(workspace, &published(workspace).collect::<Vec<_>>(), mixtures)
}

fn published(workspace: &Workspace) -> impl Iterator<Item = &Package> {
    workspace.packages.iter().filter(|package| package.published)
}

/// Checks in lanes side by side: a compiler that only checks one crate keeps one core busy.
fn check(workspace: &Workspace, packages: &[&Package], of: fn(&[String]) -> Vec<Vec<&str>>) -> Result<()> {
    let left = Mutex::new(packages.iter().collect::<VecDeque<_>>());
    let lanes = thread::available_parallelism().map_or(1, usize::from).min(LANES_MAX);
    let lane = &|number: usize| -> Result<()> {
        // From both ends: those that take longest are the first and the last.
        let next = || {
            let mut left = left.lock().unwrap_or_else(PoisonError::into_inner);
            if number == 0 { left.pop_front() } else { left.pop_back() }
        };
        while let Some(package) = next() {
            for mixture in of(&package.features) {
                process::run(&mut checking(workspace, number, &package.name, &mixture))?;
            }
        }
        Ok(())
    };
    thread::scope(|scope| {
        let lanes: Vec<_> = (0..lanes).map(|number| scope.spawn(move || lane(number))).collect();
        lanes.into_iter().try_for_each(|lane| lane.join().expect("a lane does not panic"))
    })
}

/// The command that checks one mixture. The first lane goes on from what was checked before; the others have
/// a place of their own, for cargo lets nobody else into its own.
fn checking(workspace: &Workspace, lane: usize, package: &str, mixture: &[&str]) -> Command {
    let mut command = cargo(&workspace.root);
    command.args(["clippy", "--quiet", "--package", package, "--no-default-features"]);
    if !mixture.is_empty() {
        command.args(["--features", &mixture.join(",")]);
    }
    if lane > 0 {
        command.arg("--target-dir").arg(workspace.target.join("xtask").join(format!("features-{lane}")));
    }
    command.args(["--", "-D", "warnings"]);
    command
}

fn alone(features: &[String]) -> Vec<Vec<&str>> {
    let alone = features.iter().map(|feature| vec![feature.as_str()]);
    [Vec::new()].into_iter().chain(alone).collect()
}

fn mixtures(features: &[String]) -> Vec<Vec<&str>> {
    let size_max = if features.len() <= MIXED_FEATURES_MAX { features.len() } else { 2 };
    let mut mixtures: Vec<Vec<&str>> = vec![Vec::new()];
    for feature in features {
        let with: Vec<Vec<&str>> = mixtures
            .iter()
            .filter(|mixture| mixture.len() < size_max)
            .map(|mixture| mixture.iter().copied().chain([feature.as_str()]).collect())
            .collect();
        mixtures.extend(with);
    }
    mixtures
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("f{number}")).collect()
    }

    #[test]
    fn a_few_features_are_tried_in_every_mixture() {
        let features = named(3);
        let mut found = mixtures(&features);
        found.sort();
        found.dedup();
        assert_eq!(found.len(), 8);
        assert!(found.contains(&vec!["f0", "f1", "f2"]));
    }

    #[test]
    fn many_features_are_tried_in_pairs() {
        assert_eq!(mixtures(&named(8)).len(), 1 + 8 + 28);
    }
}
