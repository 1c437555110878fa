//! The manifests: who depends on whom, and that everybody inherits the workspace's lints.

use crate::Violation;
use serde_json::Value;

const CORE: &str = "runners-core";
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
}
