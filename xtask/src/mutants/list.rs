//! The mutants: rules of which somebody would lose work if they were broken.
//!
//! To add one, name the rule that is broken, give text that stands in the file exactly once and
//! what it is replaced with, and the arguments of the `cargo test` that must go red. A text that
//! no longer stands there is an error, so the list cannot rot.
//!
//! There is a list for each part of the core, in the file of its name.

mod audit;
mod browser;
mod containers;
mod control_plane;
mod evidence;
mod flows;
mod live;
mod orchestration;
mod rules;
mod runner;
mod scheduling;

use anyhow::{Result, bail};

/// A rule, broken.
#[derive(Debug)]
pub(super) struct Mutant {
    pub(super) name: &'static str,
    /// From the root of the workspace.
    pub(super) file: &'static str,
    pub(super) search: &'static str,
    pub(super) replacement: &'static str,
    /// Arguments of `cargo test`.
    pub(super) test: &'static [&'static str],
}

impl Mutant {
    /// The source with the rule broken.
    pub(super) fn applied_to(&self, source: &str) -> Result<String> {
        match source.matches(self.search).count() {
            1 => Ok(source.replacen(self.search, self.replacement, 1)),
            count => bail!(
                "mutant `{}`: its search text stands {count} times in {}, and has to stand there once: {:?}",
                self.name,
                self.file,
                self.search
            ),
        }
    }
}

/// Every mutant.
pub(super) fn all() -> impl Iterator<Item = &'static Mutant> {
    rules::MUTANTS
        .iter()
        .chain(runner::MUTANTS)
        .chain(control_plane::MUTANTS)
        .chain(evidence::MUTANTS)
        .chain(orchestration::MUTANTS)
        .chain(flows::MUTANTS)
        .chain(browser::MUTANTS)
        .chain(live::MUTANTS)
        .chain(scheduling::MUTANTS)
        .chain(audit::MUTANTS)
        .chain(containers::MUTANTS)
}
