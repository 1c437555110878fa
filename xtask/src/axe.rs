//! What finds faults of pages that keep people from using them: axe-core, with a library that drives a
//! browser, installed from the npm registry where Node is there. Elsewhere the test that misses it says
//! that it was skipped.

use crate::{replayer::npm, workspace::Workspace};
use anyhow::Result;
use std::{env, path::PathBuf};

/// Says where it is to the test that looks for it.
pub(crate) const VARIABLE: &str = "AXE_PACKAGE_DIRECTORY";
const PACKAGES: &[&str] = &["axe-core@4.14.1", "puppeteer@24.43.1"];

/// Makes sure that it is there, or says what is missing.
pub(crate) fn ensure(workspace: &Workspace) -> Result<()> {
    directory(workspace).map(drop)
}

/// Where it is: where somebody says, or installed in a folder of ours.
pub(crate) fn directory(workspace: &Workspace) -> Result<PathBuf> {
    match env::var_os(VARIABLE) {
        Some(given) => Ok(given.into()),
        None => npm(workspace, "axe", PACKAGES),
    }
}
