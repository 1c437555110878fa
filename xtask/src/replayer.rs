//! The reference replayer of the format, against which ours is tested: installed from the npm
//! registry where Node is there. Elsewhere the tests that miss it say that they were skipped.

use crate::{
    process::{self, Skipped, find},
    workspace::Workspace,
};
use anyhow::{Context, Result};
use std::{env, fs, path::PathBuf, process::Command};

/// Says where it is to the tests that look for it.
pub(crate) const VARIABLE: &str = "REPLAY_PACKAGE_DIRECTORY";
/// The replayer, and the library through which it speaks to a browser, which it leaves to its user.
const PACKAGES: &[&str] = &["@puppeteer/replay@3.1.3", "puppeteer@24.43.1"];
/// The first version of Node that both run on.
const NODE_MAJOR_MIN: u32 = 18;

/// Makes sure that it is there, or says what is missing.
pub(crate) fn ensure(workspace: &Workspace) -> Result<()> {
    directory(workspace).map(drop)
}

/// Where it is: where somebody says, or installed in a folder of ours. Says so before.
pub(crate) fn directory(workspace: &Workspace) -> Result<PathBuf> {
    if let Some(given) = env::var_os(VARIABLE) {
        return Ok(given.into());
    }
    npm(workspace, "replayer", PACKAGES)
}

/// Where packages of the npm registry are, installed in a folder of ours unless they are there. Says so
/// before.
pub(crate) fn npm(workspace: &Workspace, name: &str, packages: &[&str]) -> Result<PathBuf> {
    let folder = workspace.folder(name)?;
    let note = folder.join("installed");
    let wanted = packages.join(" ");
    if fs::read_to_string(&note).is_ok_and(|there| there == wanted) {
        return Ok(folder);
    }
    let (Some(node), Some(npm)) = (find(&["node"], &[]), find(&["npm"], &[])) else {
        return Err(skipped(&wanted, "node and npm not found"));
    };
    let said = Command::new(node).arg("--version").output().context("could not start node")?;
    let version = String::from_utf8_lossy(&said.stdout).trim().to_owned();
    if major(&version).is_none_or(|major| major < NODE_MAJOR_MIN) {
        return Err(skipped(&wanted, &format!("Node {version} is too old")));
    }
    println!("installing {wanted} into {}", folder.display());
    let mut install = Command::new(npm);
    // No script of a package is run, and no browser comes along: the one under test is used.
    install.args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--silent"]);
    install.arg("--prefix").arg(&folder).args(packages).env("PUPPETEER_SKIP_DOWNLOAD", "1");
    fs::write(folder.join("package.json"), "{ \"private\": true }\n")?;
    process::run(&mut install).map_err(|error| skipped(&wanted, &format!("{error:#}")))?;
    fs::write(note, wanted)?;
    Ok(folder)
}

fn skipped(wanted: &str, why: &str) -> anyhow::Error {
    let told = format!(
        "{why}: with Node {NODE_MAJOR_MIN} or newer, npm and a network, there are also tests against {wanted}"
    );
    Skipped(told).into()
}

/// The first number of a version such as `v20.11.1`.
fn major(version: &str) -> Option<u32> {
    version.trim_start_matches('v').split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_node_is_read() {
        assert_eq!(major("v20.11.1"), Some(20));
        assert_eq!(major("18.0.0-pre"), Some(18));
        assert_eq!(major(""), None);
    }
}
