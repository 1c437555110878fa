//! Steps that another list of steps uses: `runners.use` stands for a flow under `runners.flows` of the
//! same document. What a step says is read in `parse`.

use super::{
    Flow,
    members::of_step,
    parameters::{Parameter, filled},
    parse::step,
    problem::Problem,
    reader::Reader,
    step::Step,
};
use serde_json::Value;

/// How often flows may be used in one document, however many steps that makes.
const USES_MAX: usize = 1_000;
/// How deep flows may use each other.
const DEPTH_MAX: usize = 10;
pub(super) const USE: &str = "runners.use";
/// Members that are written on the steps of a flow that is used, not on the one that uses it.
pub(super) const OF_USED: &[&str] =
    &["id", "optional", "retries", "screenshot", "timeout", "target", "frame", "assertedEvents"];

/// Reads the steps of a document, those that are used in their place.
#[derive(Debug)]
pub(super) struct Steps<'v> {
    parameters: &'v [Parameter],
    runners: Option<&'v Reader<'v>>,
    read: Vec<Step>,
    uses: usize,
}

impl<'v> Steps<'v> {
    pub(super) const fn new(parameters: &'v [Parameter], runners: Option<&'v Reader<'v>>) -> Self {
        Self { parameters, runners, read: Vec::new(), uses: 0 }
    }

    /// All steps of a list.
    pub(super) fn of(mut self, list: &[Value], problems: &mut Vec<Problem>) -> Vec<Step> {
        self.list(list, "/steps", 0, problems);
        self.read
    }

    fn list(&mut self, list: &[Value], pointer: &str, depth: usize, problems: &mut Vec<Problem>) {
        for (index, value) in list.iter().enumerate() {
            let at = format!("{pointer}/{index}");
            if self.read.len() >= Flow::STEPS_MAX {
                let message = format!("with the flows in use, there are more than {} steps", Flow::STEPS_MAX);
                if problems.last().is_none_or(|problem| problem.message != message) {
                    problems.push(Problem::new(at, message, "split the flow"));
                }
                return;
            }
            if value["type"] == "customStep" && value["name"] == USE {
                self.used(value, &at, depth, problems);
                continue;
            }
            let value = filled(value, self.parameters, &at, problems);
            self.read.extend(step(&value, at, problems));
        }
    }

    fn used(&mut self, value: &Value, at: &str, depth: usize, problems: &mut Vec<Problem>) {
        let pointer = format!("{at}/parameters/flow");
        if let Some(members) = value.as_object() {
            of_step(&Reader::new(members, at), problems);
        }
        self.uses += 1;
        if self.uses > USES_MAX {
            if self.uses == USES_MAX + 1 {
                let message = format!("flows are used more often than {USES_MAX} times");
                problems.push(Problem::new(pointer, message, "split the flow"));
            }
            return;
        }
        let Some(name) = value["parameters"]["flow"].as_str() else {
            let hint = "write the name of one under /runners/flows";
            problems.push(Problem::new(pointer, "`flow` is missing", hint));
            return;
        };
        if depth >= DEPTH_MAX {
            let message = format!("flows use each other more than {DEPTH_MAX} deep");
            problems.push(Problem::new(pointer, message, "does one use itself?"));
            return;
        }
        let flow = self.runners.and_then(|runners| runners.get("flows")).and_then(|flows| flows.get(name));
        let Some(list) = flow.and_then(|flow| flow.get("steps")).and_then(Value::as_array) else {
            let message = format!("there is no flow {name:?} with an array of steps");
            problems.push(Problem::new(pointer, message, "write it under /runners/flows"));
            return;
        };
        for member in OF_USED.iter().filter(|member| value.get(**member).is_some()) {
            let message = format!("a step that uses a flow has no `{member}`");
            let hint = format!("write it on the steps of the flow {name:?} instead");
            problems.push(Problem::new(format!("{at}/{member}"), message, hint));
        }
        let inside = format!("/runners/flows/{}/steps", name.replace('~', "~0").replace('/', "~1"));
        self.list(list, &inside, depth + 1, problems);
    }
}
