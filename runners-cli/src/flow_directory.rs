//! A directory of flows, each a check under the name of its file, so that a person serves checks
//! without writing Rust.

use crate::documents::{self, Choices};
use anyhow::{Context as _, Result, bail};
use runners_core::Checks;
use runners_exec_webdriver::FlowChecks;
use std::{fs, path::Path};

/// Reads every `.json` of a directory; what is wrong with one is told, and none is served then.
pub(crate) fn read(directory: &Path) -> Result<FlowChecks> {
    let told = || format!("could not read --flows {}", directory.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).with_context(told)? {
        let path = entry.with_context(told)?.path();
        if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json")) && path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    let Some(documents) = documents::read_all(&paths, &Choices::default()) else {
        bail!("--flows {}: mend these flows, or move them elsewhere", directory.display());
    };
    let longest = Checks::<()>::NAME_BYTES_MAX;
    if let Some(document) = documents.iter().find(|document| document.name.len() > longest) {
        bail!("{}: a check is named by {longest} bytes at most: rename the file", document.path.display());
    }
    Ok(FlowChecks::new(documents.into_iter().map(|document| (document.name, document.flow))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_is_a_check_of_its_name_and_a_bad_one_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
        write("opens.json", r#"{"title": "Opens", "steps": []}"#);
        write("check out.JSON", r#"{"title": "Check out", "steps": []}"#);
        write("README.md", "not a flow");
        let checks = read(directory.path()).unwrap();
        assert_eq!(checks.names().collect::<Vec<_>>(), ["check-out", "opens"]);
        write("bad.json", "{}");
        assert!(read(directory.path()).unwrap_err().to_string().contains("mend these flows"));
        assert!(read(&directory.path().join("nowhere")).is_err());
    }
}
