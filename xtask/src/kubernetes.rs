//! The manifests of `ops/kubernetes`: put together as kubectl does it, and checked against the schemas of
//! Kubernetes, with nothing in them that those do not know. A cluster is not needed.

use crate::{
    process::{self, Skipped, find},
    python,
    workspace::Workspace,
};
use anyhow::{Context as _, Result, bail};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What checks, with the schemas of Kubernetes in it, and those of which version.
const VALIDATE: &str = "kubernetes-validate==1.37.0";
const VERSION: &str = "1.33";
/// The kustomizations. Kinds of others, such as the autoscaler's, have no schema there; a test of the program
/// looks at what they ask the server.
const FOLDERS: &[&str] = &["base", "autoscaled"];

/// Checks each kustomization. Without kubectl its files are checked one by one, and that is said.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let validate = python::installed(workspace, "kubernetes-validate", VALIDATE)?;
    let kubectl = find(&["kubectl"], &[]);
    for folder in FOLDERS {
        let source = workspace.root.join("ops/kubernetes").join(folder);
        let files = match &kubectl {
            Some(kubectl) => vec![put_together(workspace, kubectl, &source, folder)?],
            None => files(&source)?,
        };
        let mut command = Command::new(&validate);
        command.args(["--strict", "--quiet", "--no-warn", "--kubernetes-version", VERSION]).args(files);
        process::run(&mut command)?;
        println!("{folder}: as Kubernetes {VERSION} has it");
    }
    match kubectl {
        Some(_) => Ok(()),
        None => {
            let missing = "kubectl not found: the files were checked, and not how they are put together";
            Err(Skipped(missing.to_owned()).into())
        }
    }
}

fn put_together(workspace: &Workspace, kubectl: &Path, source: &Path, name: &str) -> Result<PathBuf> {
    let mut command = Command::new(kubectl);
    let output = command.arg("kustomize").arg(source).output().context("kubectl cannot be run")?;
    if !output.status.success() {
        bail!("{}: {}", source.display(), String::from_utf8_lossy(&output.stderr).trim());
    }
    let whole = workspace.folder("kubernetes")?.join(format!("{name}.yaml"));
    fs::write(&whole, output.stdout)?;
    Ok(whole)
}

fn files(source: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(source)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name != "kustomization.yaml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
