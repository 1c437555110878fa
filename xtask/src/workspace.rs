//! What cargo knows of the workspace: its folders, its packages, their features and programs.

use crate::process::cargo;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::{
    env,
    path::{Path, PathBuf},
};

/// The workspace as cargo describes it.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
    pub(crate) packages: Vec<Package>,
}

/// A package of the workspace.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// Whether it is made to be published.
    pub(crate) published: bool,
    /// Its features, without `default`.
    pub(crate) features: Vec<String>,
    /// Its programs and examples.
    pub(crate) programs: Vec<Program>,
}

/// Something that a package builds and that can be run.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) name: String,
    pub(crate) is_example: bool,
}

impl Workspace {
    pub(crate) fn load() -> Result<Self> {
        let manifest = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&manifest).parent().context("xtask lies in a folder of the workspace")?;
        let output = cargo(root).args(["metadata", "--no-deps", "--format-version", "1"]).output()?;
        if !output.status.success() {
            bail!("`cargo metadata` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Self::from_metadata(&serde_json::from_slice(&output.stdout)?)
    }

    fn from_metadata(metadata: &Value) -> Result<Self> {
        let packages = metadata["packages"].as_array().context("no packages in the metadata")?;
        Ok(Self {
            root: text(&metadata["workspace_root"])?.into(),
            target: text(&metadata["target_directory"])?.into(),
            packages: packages.iter().map(Package::from_metadata).collect::<Result<_>>()?,
        })
    }

    /// A folder of ours below the target folder.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.target.join("xtask").join(name);
        std::fs::create_dir_all(&folder).with_context(|| format!("could not make {}", folder.display()))?;
        Ok(folder)
    }
}

impl Package {
    fn from_metadata(package: &Value) -> Result<Self> {
        let features = package["features"].as_object().context("no features in the metadata")?;
        let targets = package["targets"].as_array().context("no targets in the metadata")?;
        let has_kind = |target: &Value, kind: &str| {
            target["kind"].as_array().is_some_and(|kinds| kinds.iter().any(|found| found == kind))
        };
        let programs = targets
            .iter()
            .filter(|target| has_kind(target, "bin") || has_kind(target, "example"))
            .map(|target| {
                Ok(Program { name: text(&target["name"])?, is_example: has_kind(target, "example") })
            });
        Ok(Self {
            name: text(&package["name"])?,
            published: package["publish"].is_null(),
            features: features.keys().filter(|name| *name != "default").cloned().collect(),
            programs: programs.collect::<Result<_>>()?,
        })
    }
}

fn text(value: &Value) -> Result<String> {
    value.as_str().map(str::to_owned).with_context(|| format!("not a text in the metadata: {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn packages_are_read_with_their_features_and_programs() {
        let metadata = json!({
            "workspace_root": "/w", "target_directory": "/w/target",
            "packages": [
                { "name": "a", "publish": null, "features": { "default": ["x"], "x": [] },
                  "targets": [{ "name": "a", "kind": ["lib"] }] },
                { "name": "b", "publish": [], "features": {},
                  "targets": [{ "name": "one", "kind": ["bin"] }, { "name": "two", "kind": ["example"] }] },
            ],
        });
        let workspace = Workspace::from_metadata(&metadata).unwrap();
        let [a, b] = &workspace.packages[..] else { panic!("two packages") };
        assert_eq!((a.published, b.published), (true, false));
        assert_eq!(a.features, ["x"]);
        assert!(a.programs.is_empty());
        let programs: Vec<_> =
            b.programs.iter().map(|found| (found.name.as_str(), found.is_example)).collect();
        assert_eq!(programs, [("one", false), ("two", true)]);
    }
}
