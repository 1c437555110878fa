//! Features only add: each crate builds without any, with each one alone, and in every mixture.

use crate::{
    process::{self, cargo},
    workspace::{Package, Workspace},
};
use anyhow::Result;

/// Up to this many features of one crate are tried in every mixture; of more, every pair.
const MIXED_FEATURES_MAX: usize = 6;

/// Checks each library crate without features and with each one alone.
pub(crate) fn each_alone(workspace: &Workspace) -> Result<()> {
    check(workspace, |package| {
        let alone = package.features.iter().map(|feature| vec![feature.as_str()]);
        [Vec::new()].into_iter().chain(alone).collect()
    })
}

/// Checks each library crate with every mixture of its features.
pub(crate) fn powerset(workspace: &Workspace) -> Result<()> {
    check(workspace, |package| mixtures(&package.features))
}

fn check(workspace: &Workspace, mixtures: impl Fn(&Package) -> Vec<Vec<&str>>) -> Result<()> {
    for package in workspace.packages.iter().filter(|package| package.published) {
        for mixture in mixtures(package) {
            let mut command = cargo(&workspace.root);
            command.args(["clippy", "--quiet", "--package", &package.name, "--no-default-features"]);
            if !mixture.is_empty() {
                command.args(["--features", &mixture.join(",")]);
            }
            process::run(command.args(["--", "-D", "warnings"]))?;
        }
    }
    Ok(())
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
