//! Programs from the Python package index: each is installed in an environment of its own, in a folder of
//! ours, where Python is there.

use crate::{
    process::{self, Skipped, find},
    workspace::Workspace,
};
use anyhow::Result;
use std::{env, fs, path::PathBuf, process::Command};

const PYTHONS: &[&str] = &["python3", "python"];

/// Where a program of `requirement`, such as `schemathesis==4.32.5`, is: installed unless it is there
/// already.
pub(crate) fn installed(workspace: &Workspace, program: &str, requirement: &str) -> Result<PathBuf> {
    let folder = workspace.folder(program)?;
    let version = folder.join("version");
    let programs = folder.join(if cfg!(windows) { "Scripts" } else { "bin" });
    let there = programs.join(format!("{program}{}", env::consts::EXE_SUFFIX));
    if there.is_file() && fs::read_to_string(&version).is_ok_and(|there| there == requirement) {
        return Ok(there);
    }
    let Some(python) = find(PYTHONS, &[]) else {
        return Err(Skipped("python3 not found: install Python 3.10 or newer".to_owned()).into());
    };
    println!("{requirement} not found: installing into {}", folder.display());
    let skipped =
        |error: anyhow::Error| Skipped(format!("{error:#}: Python 3.10 with venv and a network do"));
    process::run(Command::new(python).args(["-m", "venv", "--clear"]).arg(&folder)).map_err(skipped)?;
    let pip = programs.join(format!("pip{}", env::consts::EXE_SUFFIX));
    let mut install = Command::new(pip);
    install.args(["install", "--quiet", "--disable-pip-version-check", requirement]);
    process::run(&mut install).map_err(skipped)?;
    fs::write(version, requirement)?;
    Ok(there)
}
