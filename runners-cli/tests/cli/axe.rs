//! What finds faults of pages that keep people from using them, where it is there.

use crate::stage::has_browser;
use serde_json::{Value, json};
use std::{
    ffi::OsString,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Says where axe-core is, and what drives a browser.
const VARIABLE: &str = "AXE_PACKAGE_DIRECTORY";

/// axe, and the browser that it looks at pages with.
pub(crate) struct Axe {
    packages: OsString,
    browser: PathBuf,
}

impl Axe {
    /// Finds it, or says loudly what is missing.
    pub(crate) fn find() -> Option<Self> {
        let Some(packages) = std::env::var_os(VARIABLE) else {
            println!("skipped: axe-core is not there: cargo xtask test installs it");
            return None;
        };
        let browsers = ["chromium", "chromium-browser", "google-chrome"];
        let Some(browser) = browsers.into_iter().find_map(on_the_path).filter(|_| has_browser()) else {
            println!("skipped: there is no browser to look at the pages with");
            return None;
        };
        Some(Self { packages, browser })
    }

    /// What is serious or critical in the pages that are named, as `axe.cjs` says.
    pub(crate) fn look(&self, mut asked: Value) -> Vec<String> {
        asked["packages"] = json!(self.packages.to_str().unwrap());
        asked["browser"] = json!(self.browser);
        let mut node = Command::new("node")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/axe.cjs"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        node.stdin.take().unwrap().write_all(asked.to_string().as_bytes()).unwrap();
        let said = node.wait_with_output().unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        serde_json::from_slice(&said.stdout).unwrap()
    }
}

/// Where a program is, among those that are found by their name.
fn on_the_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|place| place.join(name)).find(|file| file.is_file())
}
