//! The workspace's own commands, as `cargo xtask`: they say what they do, do it, and say what
//! came of it. What each one does is in the file of its name.

mod axe;
mod browser;
mod ci;
mod contract;
mod demo;
mod engines;
mod examples;
mod extras;
mod features;
mod grid;
mod image_tags;
mod images;
mod kubernetes;
mod mutants;
mod packages;
mod process;
mod python;
mod replayer;
mod stopwatch;
mod tally;
mod test;
mod tour;
mod workspace;

use clap::{Parser, Subcommand};
use process::CannotRun;
use std::process::ExitCode;
use workspace::Workspace;

const EXAMPLES: &str = "Examples:
  cargo xtask test                   all tests, on a machine that has only Rust
  cargo xtask demo                   three recorded flows, shown on their way
  cargo xtask ci --fail-fast         what a change must pass, up to the first failure
  cargo xtask ci --long              also what takes longest
  cargo xtask mutants --only finish  the mutants with `finish` in their names";

/// The workspace's own commands. Exit codes: 0 done, 1 something failed, 2 could not run.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Install what is missing, then run every test and count them.
    ///
    /// Example: cargo xtask test
    Test,
    /// Run everything that a change must pass; --long adds what takes longest.
    ///
    /// Example: cargo xtask ci --fail-fast
    Ci(ci::Options),
    /// Break the code on purpose, one rule at a time, and show that a test notices.
    ///
    /// Example: cargo xtask mutants --only finish
    Mutants(mutants::Options),
    /// Check each published crate without features and with each one alone; --mixtures adds the rest.
    ///
    /// Example: cargo xtask features --mixtures --package runners-report
    Features(features::Options),
    /// Send a running server requests that are drawn from what it says of itself.
    ///
    /// Example: cargo xtask contract
    Contract,
    /// Check the manifests for Kubernetes against its schemas.
    ///
    /// Example: cargo xtask kubernetes
    Kubernetes,
    /// Build the images of ops/images on a container engine of our own, and use them.
    ///
    /// Example: cargo xtask images --all
    Images(images::Options),
    /// Say under which tags an image is published; builds and publishes nothing.
    ///
    /// Example: cargo xtask image-tags --repository example/runner --commit 0123abc --image-tag 1.4.0
    ImageTags(image_tags::Options),
    /// Show the whole way: recorded flows through queue, runner and browser to a report.
    ///
    /// Example: cargo xtask demo
    Demo,
    /// Take the pictures of docs/tour.md anew.
    ///
    /// Example: cargo xtask tour
    Tour,
}

fn main() -> ExitCode {
    let verb = Arguments::parse().verb;
    let done = Workspace::load().and_then(|workspace| match verb {
        Verb::Test => test::command(&workspace),
        Verb::Ci(options) => ci::command(&workspace, &options),
        Verb::Mutants(options) => mutants::command(&workspace, &options),
        Verb::Features(options) => features::command(&workspace, &options),
        Verb::Contract => contract::run(&workspace),
        Verb::Kubernetes => kubernetes::run(&workspace),
        Verb::Images(options) => images::command(&workspace, &options),
        Verb::ImageTags(options) => image_tags::command(&options),
        Verb::Demo => demo::command(&workspace),
        Verb::Tour => tour::command(&workspace),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(if error.is::<CannotRun>() { 2 } else { 1 })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn every_command_has_an_example_in_its_help() {
        let arguments = Arguments::command();
        arguments.clone().debug_assert();
        for verb in arguments.get_subcommands() {
            let help = verb.get_long_about().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains(&format!("Example: cargo xtask {}", verb.get_name())), "{help}");
        }
    }
}
