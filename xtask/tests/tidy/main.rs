//! The house rules that a machine can keep: shape of files, floors of the core, words of the
//! glossary, who depends on whom, and the tests that hold the invariants. Each check is shown to bite
//! on a bad piece beside it.

mod floors;
mod invariants;
mod manifests;
mod shape;
mod source;
mod words;

use serde_json::Value;
use source::Source;
use std::{
    env, fmt, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What a public server runs for every change.
const WORKFLOW: &str = ".github/workflows/ci.yml";

/// What must always hold, and the tests that hold it.
const INVARIANTS: &str = "ARCHITECTURE.md";

/// Where a rule is broken, and how.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Violation {
    path: String,
    line: usize,
    message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

impl Source {
    fn violation(&self, line: usize, message: impl Into<String>) -> Violation {
        Violation { path: self.path.clone(), line, message: message.into() }
    }
}

#[test]
fn the_tree_is_tidy() {
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in a folder of the workspace");
    let metadata = metadata(root);
    let mut found = manifests::siblings(&metadata);
    found.extend(manifests::licences(&metadata, root));
    let workflow = fs::read_to_string(root.join(WORKFLOW)).expect("there is a public workflow");
    found.extend(manifests::smallest_rust(&metadata, WORKFLOW, &workflow));
    let mut sources = 0;
    let mut places = invariants::Places::default();
    for folder in folders(&metadata) {
        let name = relative(root, &folder);
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).expect("cargo has read it too");
        found.extend(manifests::lints(&format!("{name}/Cargo.toml"), &manifest));
        for file in rust_files(&folder) {
            let text = fs::read_to_string(&file).expect("sources are UTF-8");
            let source = Source::new(&relative(root, &file), &text);
            sources += 1;
            places.add(&source);
            found.extend(shape::file(&source));
            found.extend(shape::functions(&source));
            found.extend(shape::forbidden(&source, is_library(&source)));
            found.extend(floors::check(&source));
            found.extend(words::check(&source));
        }
    }
    let page = fs::read_to_string(root.join(INVARIANTS)).expect("there is a page of the architecture");
    found.extend(invariants::check(INVARIANTS, &page, &places));
    assert!(sources > 50, "only {sources} sources were found: the search is broken");
    found.sort();
    let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert!(found.is_empty(), "{} violations:\n{}", lines.len(), lines.join("\n"));
}

#[test]
fn the_readme_names_the_two_commands_that_set_everything_up() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = fs::read_to_string(readme).expect("there is a README");
    for command in ["cargo xtask demo", "cargo xtask test"] {
        let is_shown = readme.lines().any(|line| line.starts_with(command));
        assert!(is_shown, "README.md does not show `{command}` on a line of its own");
    }
}

/// Whether it is shipped to be built upon: the `src` of a library crate.
fn is_library(source: &Source) -> bool {
    let package = source.package();
    package.starts_with("runners-")
        && package != "runners-cli"
        && source.path.split('/').nth(1) == Some("src")
}

fn metadata(root: &Path) -> Value {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root)
        .output()
        .expect("cargo runs this test, so it can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo writes JSON")
}

/// The folders of the packages.
fn folders(metadata: &Value) -> Vec<PathBuf> {
    let packages = metadata["packages"].as_array().expect("a workspace has packages");
    let manifests =
        packages.iter().map(|package| package["manifest_path"].as_str().expect("each has a manifest"));
    manifests.map(|manifest| Path::new(manifest).parent().expect("it lies in a folder").to_owned()).collect()
}

/// Every Rust file of a package, its tests and examples included; not those of packages and
/// workspaces inside it.
fn rust_files(package: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![package.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("folders of the workspace can be read") {
            let path = entry.expect("folders of the workspace can be read").path();
            if path.is_dir() {
                let is_ours = !path.join("Cargo.toml").exists() && !path.ends_with("target");
                folders.extend(is_ours.then_some(path));
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files
}

fn relative(root: &Path, path: &Path) -> String {
    let path = path.strip_prefix(root).expect("packages lie below the root");
    path.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/")
}
