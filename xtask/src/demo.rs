//! The demo: the shop page, its recorded flows, a control plane and a runner, and what they prove.

use crate::{
    browser, process,
    process::{CannotRun, cargo},
    workspace::Workspace,
};
use anyhow::Result;

/// Installs the browser, builds the `runners` program as users have it, and runs the demo.
pub(crate) fn command(workspace: &Workspace) -> Result<()> {
    browser::ensure()?;
    process::run(cargo(&workspace.root).args(["build", "--release", "--package", "runners-cli"]))?;
    run(workspace)
}

/// Runs the demo with the program that was built.
pub(crate) fn run(_workspace: &Workspace) -> Result<()> {
    let missing = "the demo is not part of this version yet; \
                   `cargo xtask test` shows that the parts it is made of work";
    Err(CannotRun(missing.to_owned()).into())
}
