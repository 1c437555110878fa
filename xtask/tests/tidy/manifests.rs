//! The manifests: who depends on whom, that everybody inherits the workspace's lints, that the
//! smallest Rust that a library promises is checked, and that licences go with what is published.

use crate::Violation;
use serde_json::Value;
use std::{collections::BTreeSet, fs, path::Path};

const CORE: &str = "runners-core";
/// The line that begins the job of the public workflow that checks with the smallest Rust.
const SMALLEST_RUST: &str = "  msrv:";
/// The texts of the licences.
const LICENCES: &[&str] = &["LICENSE-APACHE", "LICENSE-MIT"];
/// Those that join the libraries.
const JOINERS: &[&str] = &["runners-cli", "runners-examples", "runners-benches", "xtask"];

/// A library depends on the core and on no sibling, not even in its tests.
pub(crate) fn siblings(metadata: &Value) -> Vec<Violation> {
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let names: Vec<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let mut found = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        if JOINERS.contains(&name) {
            continue;
        }
        let needed = package["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
        for needed in needed.iter().filter_map(|needed| needed["name"].as_str()) {
            if needed != CORE && names.contains(&needed) {
                let message = format!("depends on its sibling {needed}: what they share belongs in {CORE}");
                found.push(Violation { path: format!("{name}/Cargo.toml"), line: 1, message });
            }
        }
    }
    found
}

/// A manifest takes the lints of the workspace.
pub(crate) fn lints(path: &str, manifest: &str) -> Vec<Violation> {
    let mut lines = manifest.lines().map(str::trim).skip_while(|line| *line != "[lints]").skip(1);
    let inherits =
        lines.by_ref().take_while(|line| !line.starts_with('[')).any(|line| line == "workspace = true");
    if inherits {
        return Vec::new();
    }
    let message = "does not take the workspace's lints: `[lints]` with `workspace = true`".to_owned();
    vec![Violation { path: path.to_owned(), line: 1, message }]
}

/// The public workflow checks with the smallest Rust just those libraries that promise one.
pub(crate) fn smallest_rust(metadata: &Value, path: &str, workflow: &str) -> Vec<Violation> {
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let promised: BTreeSet<&str> = packages
        .iter()
        .filter(|package| package["rust_version"].is_string() && is_library(package))
        .filter_map(|package| package["name"].as_str())
        .collect();
    let checked = checked_with_the_smallest_rust(workflow);
    let unchecked = promised.difference(&checked).map(|name| {
        format!("does not check {name} with the smallest Rust, although its manifest says a rust-version")
    });
    let unpromised = checked.difference(&promised).map(|name| {
        format!("checks {name} with the smallest Rust, and that is no library with a rust-version")
    });
    let line = 1 + workflow.lines().position(|line| line == SMALLEST_RUST).unwrap_or_default();
    let found = unchecked.chain(unpromised);
    found.map(|message| Violation { path: path.to_owned(), line, message }).collect()
}

fn is_library(package: &Value) -> bool {
    let targets = package["targets"].as_array().map(Vec::as_slice).unwrap_or_default();
    targets.iter().any(|target| target["kind"].as_array().is_some_and(|kinds| kinds.contains(&"lib".into())))
}

/// The packages that the job names, up to the next job.
fn checked_with_the_smallest_rust(workflow: &str) -> BTreeSet<&str> {
    let job = workflow.lines().skip_while(|line| *line != SMALLEST_RUST).skip(1);
    let job = job.take_while(|line| line.is_empty() || line.starts_with("   "));
    let words: Vec<&str> =
        job.filter(|line| !line.trim().starts_with('#')).flat_map(str::split_whitespace).collect();
    words.windows(2).filter(|pair| pair[0] == "--package").map(|pair| pair[1]).collect()
}

/// What is published has the texts of its licences in its own folder, the same as the workspace.
pub(crate) fn licences(metadata: &Value, root: &Path) -> Vec<Violation> {
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut found = Vec::new();
    for package in packages.iter().filter(|package| package["publish"].is_null()) {
        let name = package["name"].as_str().unwrap_or_default();
        let folder = package["manifest_path"].as_str().and_then(|manifest| Path::new(manifest).parent());
        for licence in LICENCES {
            let ours = fs::read(root.join(licence)).ok();
            let packaged = folder.and_then(|folder| fs::read(folder.join(licence)).ok());
            if ours.is_none() || packaged != ours {
                let message =
                    format!("the package lacks the workspace's {licence}: ln -s ../{licence} {name}/");
                found.push(Violation { path: format!("{name}/Cargo.toml"), line: 1, message });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn package(name: &str, needed: &str) -> Value {
        json!({ "name": name, "dependencies": [{ "name": needed, "kind": "dev" }, { "name": "tokio" }] })
    }

    #[test]
    fn a_library_that_depends_on_its_sibling_is_found() {
        let metadata = json!({ "packages": [
            package("runners-store-sqlite", "runners-transport-http"),
            package("runners-transport-http", "runners-core"),
            package("runners-cli", "runners-store-sqlite"),
            package("runners-core", "serde"),
        ] });
        let found = siblings(&metadata);
        assert_eq!(found.len(), 1);
        assert!(found[0].to_string().contains("sibling runners-transport-http"), "{}", found[0]);
    }

    #[test]
    fn the_core_depends_on_nobody() {
        let metadata =
            json!({ "packages": [package("runners-core", "runners-cli"), package("runners-cli", "x")] });
        assert_eq!(siblings(&metadata).len(), 1);
    }

    #[test]
    fn lints_are_inherited() {
        assert!(lints("a/Cargo.toml", "[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n").is_empty());
        assert_eq!(
            lints("a/Cargo.toml", "[package]\nedition.workspace = true\n[lints]\n[dependencies]\n").len(),
            1
        );
    }

    #[test]
    fn a_library_that_is_not_checked_with_the_smallest_rust_is_found() {
        let package = |name: &str, rust: Option<&str>, kind: &str| json!({ "name": name, "rust_version": rust, "targets": [{ "kind": [kind] }] });
        let metadata = json!({ "packages": [
            package("checked", Some("1.89"), "lib"),
            package("forgotten", Some("1.89"), "lib"),
            package("program", Some("1.89"), "bin"),
            package("newest", None, "lib"),
        ] });
        let workflow = |packages: &str| {
            let check = format!("    steps:\n      - run: cargo check\n          {packages}\n");
            format!(
                "jobs:\n  msrv:\n{check}\n  # --package gone\n  next:\n    - run: x --package forgotten\n"
            )
        };
        let found = smallest_rust(&metadata, "ci.yml", &workflow("--package checked"));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].to_string().starts_with("ci.yml:2: does not check forgotten "), "{}", found[0]);
        let all = "--package checked --package forgotten";
        assert!(smallest_rust(&metadata, "ci.yml", &workflow(all)).is_empty());
        for extra in ["program", "newest", "gone"] {
            let found = smallest_rust(&metadata, "ci.yml", &workflow(&format!("{all} --package {extra}")));
            assert!(found[0].to_string().contains(&format!("checks {extra} ")), "{found:?}");
        }
    }

    #[test]
    fn a_published_package_without_a_licence_is_found() {
        let root = tempfile::tempdir().unwrap();
        let write = |place: &str, text: &str| {
            let place = root.path().join(place);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, text).unwrap();
        };
        for licence in LICENCES {
            write(licence, licence);
            write(&format!("whole/{licence}"), licence);
        }
        write("lacking/LICENSE-MIT", "LICENSE-MIT");
        write("other/LICENSE-MIT", "of somebody else");
        write("other/LICENSE-APACHE", "LICENSE-APACHE");
        let package = |name: &str, publish: Value| {
            let manifest = root.path().join(name).join("Cargo.toml");
            json!({ "name": name, "publish": publish, "manifest_path": manifest })
        };
        let metadata = json!({ "packages": [
            package("whole", Value::Null),
            package("lacking", Value::Null),
            package("other", Value::Null),
            package("kept", json!([])),
        ] });
        let found: Vec<String> = licences(&metadata, root.path()).iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("lacking/") && found[0].contains("LICENSE-APACHE"), "{found:?}");
        assert!(found[1].contains("other/") && found[1].contains("LICENSE-MIT"), "{found:?}");
    }
}
