//! A copy of the tree in which a rule is broken and put right again.

use super::{list::Mutant, switch};
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A copy of what git knows or would add, uncommitted changes included.
#[derive(Debug)]
pub(super) struct Scratch {
    root: PathBuf,
}

/// A file of the copy that is not as it should be.
#[derive(Debug)]
#[must_use = "the rule stays broken until it is restored"]
pub(super) struct Broken {
    file: PathBuf,
    source: String,
}

impl Scratch {
    /// Brings the copy up to date. Files that are the same are left alone, so that cargo builds
    /// only what has changed since the last time.
    pub(super) fn prepare(workspace: &Workspace) -> Result<Self> {
        let root = workspace.folder("mutants-tree")?;
        let listed = tracked(&workspace.root)?;
        for file in tracked_before(&root)?.difference(&listed) {
            fs::remove_file(root.join(file))
                .with_context(|| format!("could not remove the copy of {file}"))?;
        }
        for file in &listed {
            let bytes =
                fs::read(workspace.root.join(file)).with_context(|| format!("could not read {file}"))?;
            let copy = root.join(file);
            if fs::read(&copy).is_ok_and(|copied| copied == bytes) {
                continue;
            }
            fs::create_dir_all(copy.parent().expect("the copy lies in a folder"))?;
            fs::write(&copy, bytes).with_context(|| format!("could not write the copy of {file}"))?;
        }
        Ok(Self { root })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The source of the mutant's file as it is, and as the mutant has it.
    pub(super) fn mutated(&self, mutant: &Mutant) -> Result<(String, String)> {
        let source = fs::read_to_string(self.root.join(mutant.file))
            .with_context(|| format!("the mutant `{}` is of {}", mutant.name, mutant.file))?;
        let mutated = mutant.applied_to(&source)?;
        Ok((source, mutated))
    }

    /// Puts mutants behind switches in the copy. The names of those that can be.
    pub(super) fn switch(&self, mutants: &[&Mutant]) -> Result<BTreeSet<&'static str>> {
        let mut by_file: BTreeMap<String, Vec<&Mutant>> = BTreeMap::new();
        let mut roots = BTreeSet::new();
        for mutant in mutants {
            let Some(root) = switch::root_of(mutant.file) else { continue };
            by_file.entry(root.clone()).or_default();
            by_file.entry(mutant.file.to_owned()).or_default().push(mutant);
            roots.insert(root);
        }
        let mut names = BTreeSet::new();
        for (file, mutants) in by_file {
            let path = self.root.join(&file);
            let source = fs::read_to_string(&path).with_context(|| format!("could not read {file}"))?;
            let mut switched =
                switch::switched(&source, &mutants).with_context(|| format!("could not switch {file}"))?;
            if roots.contains(&file) {
                switched.source += switch::SWITCH;
            }
            names.extend(switched.mutants.iter().map(|mutant| mutant.name));
            fs::write(&path, switched.source).with_context(|| format!("could not write {file}"))?;
        }
        Ok(names)
    }

    /// Breaks a rule in the copy.
    pub(super) fn break_rule(&self, mutant: &Mutant) -> Result<Broken> {
        let (source, mutated) = self.mutated(mutant)?;
        let file = self.root.join(mutant.file);
        let broken = Broken { file, source };
        fs::write(&broken.file, mutated)?;
        Ok(broken)
    }
}

impl Broken {
    /// Puts the rule right again. A copy that is left broken is put right by the next
    /// [`Scratch::prepare`].
    pub(super) fn restore(self) -> Result<()> {
        fs::write(&self.file, &self.source)
            .with_context(|| format!("could not restore {}", self.file.display()))
    }
}

/// The files that belong to the tree, by their path from its root.
fn tracked(root: &Path) -> Result<BTreeSet<String>> {
    let mut command = Command::new("git");
    command.current_dir(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let output = command.output().context("could not start git, which tells what belongs to the tree")?;
    if !output.status.success() {
        bail!("`git ls-files` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let listed = String::from_utf8(output.stdout).context("a file has a name that is not UTF-8")?;
    let present = listed.split('\0').filter(|file| !file.is_empty() && root.join(file).is_file());
    Ok(present.map(str::to_owned).collect())
}

/// The files of the copy, `Cargo.lock` and all.
fn tracked_before(root: &Path) -> Result<BTreeSet<String>> {
    let mut files = BTreeSet::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let file = path.strip_prefix(root).expect("it lies below the root");
                files.insert(file.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/"));
            }
        }
    }
    Ok(files)
}
