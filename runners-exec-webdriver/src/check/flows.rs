//! Recorded flows as checks: found by their names, begun at the page that is asked for, and carried out
//! where a browser is, or sent there as documents.

use crate::{
    executor::FlowExecutor,
    flow::{BrowserFlow, ParameterKind},
    result::FlowResult,
};
use bytes::Bytes;
use futures::future::{Either, select};
use runners_core::{
    Attempt, CheckCatalogue, CheckCommand, CheckCommands, CheckListing, CheckRefusal, CheckResult,
    CheckState, Checks, Clock, Command as _, Executor, Fault, JobResult as _, RunCheck, SystemClock, Verdict,
    sleep,
};
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeMap,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// The member of an input that says which page a check looks at.
const URL: &str = "url";

/// Flows that are asked for as checks. Clones are the same ones.
///
/// The input of such a check has the page as its member `url`: the value of the flow's parameter of that
/// name, or else where its first step `navigate` leads. Every other member is the value of a parameter.
#[derive(Clone, Debug, Default)]
pub struct FlowChecks {
    by_name: Arc<BTreeMap<String, BrowserFlow>>,
}

impl FlowChecks {
    /// Takes flows by their names. Of two with the same name the later one counts.
    ///
    /// # Panics
    /// When a name is empty or longer than [`Checks::NAME_BYTES_MAX`].
    #[must_use]
    pub fn new(flows: impl IntoIterator<Item = (String, BrowserFlow)>) -> Self {
        let by_name: BTreeMap<_, _> = flows.into_iter().collect();
        let max = Checks::<()>::NAME_BYTES_MAX;
        for name in by_name.keys() {
            assert!(
                !name.is_empty() && name.len() <= max,
                "a check is named by 1 to {max} bytes, not {name:?}"
            );
        }
        Self { by_name: Arc::new(by_name) }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// The flow of a check, with its input filled in.
    ///
    /// # Errors
    /// [`CheckRefusal`], which says what to mend.
    pub fn flow(&self, check: &RunCheck) -> Result<BrowserFlow, CheckRefusal> {
        let unknown = || CheckRefusal::Unknown { name: check.check.clone() };
        let flow = self.by_name.get(&check.check).ok_or_else(unknown)?.clone();
        let refuse = |place: String, problem: String| CheckRefusal::Input {
            name: check.check.clone(),
            place,
            problem,
        };
        let mut values = BTreeMap::new();
        let mut url = None;
        let is_parameter = |name: &str| flow.flow().parameters.iter().any(|one| one.name == name);
        for (name, value) in &check.input {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Number(_) | Value::Bool(_) => value.to_string(),
                _ => return Err(refuse(place(name), "must be a text, a number, true or false".to_owned())),
            };
            if name == URL && !is_parameter(URL) {
                url = Some(text);
            } else {
                values.insert(name.clone(), text);
            }
        }
        let told = |problems: crate::Problems, at: Option<&str>| {
            let problem = problems.into_vec().swap_remove(0);
            // What the values do together is no member's fault.
            let of_value = problem.pointer.strip_prefix("/runners/params/");
            let at = at.or(of_value).map_or_else(|| "/".to_owned(), place);
            let hint = if problem.hint.is_empty() { String::new() } else { format!(": {}", problem.hint) };
            refuse(at, format!("{}{hint}", problem.message))
        };
        let flow = flow.with_parameters(&values).map_err(|problems| told(problems, None))?;
        let open = |one: &&crate::Parameter| one.default.is_none() && !one.secret;
        if let Some(missing) = flow.flow().parameters.iter().find(open) {
            let problem = format!("missing field `{}`: the flow needs its value", missing.name);
            return Err(refuse("/".to_owned(), problem));
        }
        match url {
            Some(url) => flow.starting_at(&url).map_err(|problems| told(problems, Some(URL))),
            None => Ok(flow),
        }
    }
}

impl CheckCatalogue for FlowChecks {
    fn list(&self) -> Vec<CheckListing> {
        self.by_name.iter().map(|(name, flow)| CheckListing::new(name.as_str(), schema(flow))).collect()
    }

    fn examine(&self, check: &RunCheck) -> Result<(), CheckRefusal> {
        self.flow(check).map(drop)
    }
}

/// Runners that know no checks are sent the documents.
impl CheckCommands for FlowChecks {
    fn command(&self, check: &RunCheck) -> Result<Option<CheckCommand>, String> {
        match self.flow(check) {
            Ok(flow) => {
                let mut command =
                    CheckCommand::new(BrowserFlow::KIND, Bytes::copy_from_slice(flow.document().as_bytes()));
                command.secrets = flow.secrets();
                command.timeout = Some(check.timeout.unwrap_or(RunCheck::TIMEOUT));
                Ok(Some(command))
            }
            Err(CheckRefusal::Input { place, problem, .. }) => Err(format!("{place}: {problem}")),
            Err(_) => Ok(None),
        }
    }

    fn result(&self, check: &str, result: &[u8]) -> Result<CheckResult, String> {
        let result: FlowResult = serde_json::from_slice(result).map_err(|error| error.to_string())?;
        Ok(told(check, &result))
    }

    fn names(&self) -> Vec<String> {
        Self::names(self).map(str::to_owned).collect()
    }
}

/// Carries flows out as checks, in a session each. A flow that takes longer than its check may is
/// stopped, and its browser closed.
#[derive(Clone, Debug)]
pub struct FlowCheckExecutor {
    executor: FlowExecutor,
    checks: FlowChecks,
    clock: Arc<dyn Clock>,
}

impl FlowCheckExecutor {
    /// Takes who replays, and the flows.
    #[must_use]
    pub fn new(executor: FlowExecutor, checks: FlowChecks) -> Self {
        Self { executor, checks, clock: Arc::new(SystemClock::default()) }
    }

    /// Takes the time from another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }
}

impl Executor<RunCheck> for FlowCheckExecutor {
    async fn execute(&self, check: RunCheck, attempt: Attempt) -> Result<CheckResult, Fault> {
        let flow = self.checks.flow(&check).map_err(|refusal| fault(&self.checks, &refusal))?;
        let limit = check.timeout.unwrap_or(RunCheck::TIMEOUT);
        let is_late = AtomicBool::new(false);
        let ended = async {
            let late = pin!(sleep(&*self.clock, limit));
            if let Either::Right(_) = select(pin!(attempt.cancelled()), late).await {
                is_late.store(true, Ordering::Relaxed);
            }
        };
        match self.executor.replay_for(&attempt, flow, ended).await {
            Ok(result) => Ok(told(&check.check, &result)),
            Err(_) if is_late.load(Ordering::Relaxed) => {
                let mut result = CheckResult::new(check.check, CheckState::TimedOut, limit);
                result.message = Some(format!("it took longer than {} ms", limit.as_millis()));
                Ok(result)
            }
            Err(fault) => Err(fault),
        }
    }
}

fn fault(checks: &FlowChecks, refusal: &CheckRefusal) -> Fault {
    match refusal {
        CheckRefusal::Unknown { name } => {
            let names: Vec<&str> = checks.names().collect();
            let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            Fault::permanent("unknown_check", format!("there is no check {name:?}; there is {there}"))
        }
        other => Fault::permanent("invalid_input", other.to_string()),
    }
}

fn told(check: &str, flow: &FlowResult) -> CheckResult {
    let state = match flow.verdict() {
        Verdict::Passed => CheckState::Passed,
        Verdict::Failed => CheckState::Failed,
    };
    let mut result = CheckResult::new(check, state, Duration::from_millis(flow.duration_ms));
    let mut details = Map::from_iter([
        ("title".to_owned(), flow.title.clone().into()),
        ("steps".to_owned(), flow.steps.len().into()),
    ]);
    if let Some(failed) = flow.failure() {
        let step = failed.index + 1;
        details.insert("failedStep".to_owned(), step.into());
        let place = || format!("step {step} ({})", failed.description);
        result.message = Some(failed.reason.clone().unwrap_or_else(place));
        if let Some(url) = &failed.page_url {
            details.insert("pageUrl".to_owned(), url.clone().into());
        }
    }
    if !flow.page_errors.is_empty() {
        details.insert("pageErrors".to_owned(), flow.page_errors.clone().into());
    }
    result.details = Some(details);
    result.engine.clone_from(&flow.engine);
    let steps = flow.steps.iter().flat_map(|step| &step.artifacts);
    result.artifacts = steps.chain(&flow.artifacts).cloned().collect();
    result
}

/// What the input of a flow is: its page, and its parameters but for those that are secrets.
fn schema(flow: &BrowserFlow) -> Value {
    let page = json!({ "type": "string", "description": "The page that it begins at." });
    let mut properties = Map::from_iter([(URL.to_owned(), page)]);
    let mut required = vec![Value::from(URL)];
    for parameter in flow.flow().parameters.iter().filter(|parameter| !parameter.secret) {
        let kind = match parameter.kind {
            ParameterKind::String => "string",
            ParameterKind::Number => "number",
            ParameterKind::Boolean => "boolean",
        };
        let mut property = json!({ "type": kind });
        match &parameter.default {
            Some(default) if kind == "string" => property["default"] = default.as_str().into(),
            Some(default) => {
                property["default"] =
                    serde_json::from_str(default).unwrap_or_else(|_| default.as_str().into());
            }
            None if parameter.name != URL => required.push(parameter.name.as_str().into()),
            None => {}
        }
        properties.insert(parameter.name.clone(), property);
    }
    json!({
        "title": flow.flow().title, "type": "object", "properties": properties, "required": required,
        "additionalProperties": false,
    })
}

/// A member of the input as a JSON pointer.
fn place(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests;
