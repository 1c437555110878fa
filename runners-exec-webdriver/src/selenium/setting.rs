//! What a project of Selenium IDE says of all its tests, and what becomes of it. It is read as it comes:
//! a setting that is written otherwise keeps no test from being imported.

use super::{LeftOut, Lines, Project};
use crate::flow::one_line;
use serde_json::Value;

/// The time limit of steps unless the project has one, as long as that of Selenium IDE.
const TIMEOUT_MILLIS: u64 = 15_000;
/// The longest time limit of a step.
pub(super) const TIMEOUT_MILLIS_MAX: u64 = 30_000;
const OF_SUITE: &str = "flows have no suites: each test is a flow of its own, which shares no session with others and \
                        has no limit but those of its steps";

impl Project {
    /// The time limit of the steps of its flows.
    pub(super) fn step_millis(&self) -> u64 {
        let wanted = self.timeout.as_u64().filter(|millis| *millis > 0);
        wanted.unwrap_or(TIMEOUT_MILLIS).min(TIMEOUT_MILLIS_MAX)
    }

    /// What no flow says, each with its line where it can be told.
    pub(super) fn left_out(&self, lines: &Lines<'_>) -> Vec<LeftOut> {
        let told = |of: &Value, setting: String, reason: &str, carried| LeftOut {
            line: lines.line(of["id"].as_str().unwrap_or_default()),
            number: 0,
            command: one_line(&setting, 200),
            reason: reason.to_owned(),
            carried,
        };
        let mut left_out = Vec::new();
        let (timeout, delay) = (&self.timeout, &self.delay);
        if !matches!(timeout, Value::Null) && timeout.as_u64() != Some(self.step_millis()) {
            let reason =
                format!("a step takes 1 to {TIMEOUT_MILLIS_MAX} ms: these take {}", self.step_millis());
            left_out.push(told(timeout, format!("timeout | {timeout}"), &reason, true));
        }
        if !matches!(delay, Value::Null) && *delay != 0 {
            let reason = "flows do not pause between steps, which wait for what they need";
            left_out.push(told(delay, format!("delay | {delay}"), reason, false));
        }
        for plugin in self.plugins.as_array().into_iter().flatten() {
            let setting = format!("plugin | {}", name_of(plugin));
            left_out.push(told(plugin, setting, "flows have no plugins", false));
        }
        for suite in self.suites.as_array().into_iter().flatten() {
            let mut setting = format!("suite | {}", name_of(suite));
            for member in ["persistSession", "parallel", "timeout"] {
                if !matches!(suite[member], Value::Null | Value::Bool(false)) {
                    setting.push_str(&format!(" | {member}: {}", suite[member]));
                }
            }
            left_out.push(told(suite, setting, OF_SUITE, false));
        }
        left_out
    }
}

fn name_of(one: &Value) -> String {
    one["name"].as_str().or_else(|| one.as_str()).map_or_else(|| one.to_string(), str::to_owned)
}
