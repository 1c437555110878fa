//! What the demo proves: the report says what was expected, and what it lists is there.

use anyhow::{Context, Result};
use serde_json::Value;
use std::{fs, path::Path};

/// What each flow must come to, and the place of the step that fails, from 0.
const EXPECTED: &[(&str, &str, Option<u64>)] =
    &[("search", "passed", None), ("checkout", "passed", None), ("coupon", "failed", Some(10))];

/// What the shop asks for, where 54.00 would be right: its fault.
const WRONG_TOTAL: &str = "€48.60";

/// Statements, and whether each holds.
#[derive(Debug, Default)]
pub(super) struct Proof(Vec<(bool, String)>);

impl Proof {
    pub(super) fn hold(&mut self, is_true: bool, statement: impl Into<String>) {
        self.0.push((is_true, statement.into()));
    }

    /// Prints the statements. Answers whether all hold.
    pub(super) fn tell(&self) -> bool {
        for (is_true, statement) in &self.0 {
            println!("  {} {statement}", if *is_true { "✓" } else { "✗ NOT:" });
        }
        self.0.iter().all(|(is_true, _)| *is_true)
    }
}

/// Looks at what was left in the output and the data directory.
pub(super) fn of(output: &Path, data: &Path) -> Result<Proof> {
    let path = output.join("report.json");
    let text = fs::read(&path).with_context(|| format!("there is no report at {}", path.display()))?;
    let report: Value = serde_json::from_slice(&text).context("the report is not JSON")?;
    let mut proof = Proof::default();
    let database = fs::read(data.join("runners.db")).unwrap_or_default();
    proof.hold(
        database.starts_with(b"SQLite format 3\0"),
        "three recorded flows went: submit → queue in SQLite → HTTP → runner → headless browser → report",
    );
    verdicts(&report, &mut proof);
    let (files, whole) = artifacts(&report, output);
    proof.hold(
        files >= EXPECTED.len() && whole,
        format!("{files} artifacts came back whole, each named by its SHA-256"),
    );
    let page = fs::read_to_string(output.join("coupon/steps/11-failed.html")).unwrap_or_default();
    proof.hold(
        page.contains(WRONG_TOTAL),
        format!("the page source shows why: {WRONG_TOTAL} is asked for, ten percent off would be €54.00"),
    );
    Ok(proof)
}

fn verdicts(report: &Value, proof: &mut Proof) {
    for (name, conclusion, place) in EXPECTED {
        let flows = report["flows"].as_array().into_iter().flatten();
        let flow = flows.clone().find(|flow| flow["name"] == *name).unwrap_or(&Value::Null);
        let steps = flow["steps"].as_array().into_iter().flatten();
        let failed = steps.clone().find(|step| step["state"] == "failed");
        let is_expected =
            flow["conclusion"] == *conclusion && failed.and_then(|step| step["index"].as_u64()) == *place;
        let at =
            place.map(|place| format!(" at step {}, for a fault of the shop", place + 1)).unwrap_or_default();
        proof.hold(is_expected, format!("{name:?} {conclusion}{at}"));
    }
}

/// How many artifacts the report lists, and whether each is there at its full length.
fn artifacts(report: &Value, output: &Path) -> (usize, bool) {
    let flows = report["flows"].as_array().into_iter().flatten();
    let listed: Vec<_> = flows.flat_map(|flow| flow["artifacts"].as_array().into_iter().flatten()).collect();
    let is_whole = |artifact: &Value| {
        let path = artifact["path"].as_str().unwrap_or_default();
        fs::metadata(output.join(path)).is_ok_and(|found| Some(found.len()) == artifact["bytes"].as_u64())
    };
    (listed.len(), listed.into_iter().all(is_whole))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn proves(conclusions: [&str; 3], failed_at: u64) -> bool {
        let flow = |(name, conclusion): (&str, &str)| {
            let steps = if conclusion == "failed" {
                json!([{ "index": failed_at, "state": "failed" }])
            } else {
                json!([])
            };
            json!({ "name": name, "conclusion": conclusion, "steps": steps })
        };
        let names = ["search", "checkout", "coupon"];
        let flows: Vec<_> = names.into_iter().zip(conclusions).map(flow).collect();
        let mut proof = Proof::default();
        verdicts(&json!({ "flows": flows }), &mut proof);
        proof.tell()
    }

    #[test]
    fn only_the_expected_verdicts_prove_anything() {
        assert!(proves(["passed", "passed", "failed"], 10));
        assert!(!proves(["passed", "passed", "failed"], 9), "for another reason");
        assert!(!proves(["passed", "passed", "passed"], 0), "the shop was mended");
        assert!(!proves(["passed", "failed", "failed"], 10));
        assert!(!proves(["passed", "errored", "failed"], 10));
    }

    #[test]
    fn an_artifact_that_is_not_there_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.png"), "1234").unwrap();
        let report =
            |bytes: u64| json!({ "flows": [{ "artifacts": [{ "path": "a.png", "bytes": bytes }] }] });
        assert_eq!(artifacts(&report(4), folder.path()), (1, true));
        assert_eq!(artifacts(&report(5), folder.path()), (1, false));
    }
}
