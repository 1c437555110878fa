//! What is asked of an endpoint, read with a place for everything that does not fit.

use super::{EndpointFace, Inner};
use crate::contract::error::{Refusal, issue};
use runners_core::{
    CheckRefusal, RunCheck,
    orchestration::{AskedCheck, IssueCode, PathPart, RequestIssue},
};
use serde_json::{Map, Value, json};
use std::{collections::BTreeSet, time::Duration};

/// What is asked for, once it fits.
#[derive(Debug)]
pub(super) struct Asked {
    /// The page of the request; empty if each check has its own.
    pub(super) url: String,
    pub(super) checks: Vec<AskedCheck>,
    pub(super) check_timeout: Duration,
    pub(super) run_id: Option<String>,
    pub(super) region: Option<String>,
}

/// Reads a request and finds its checks. Nothing is carried out of one that does not fit as a whole.
pub(super) fn read(inner: &Inner, content: &Value) -> Result<Asked, Refusal> {
    let mut reader = Reader { inner, issues: Vec::new() };
    let asked = reader.request(content);
    let asked = match asked {
        Some(asked) if reader.issues.is_empty() => asked,
        _ => return Err(Refusal::issues(&reader.issues)),
    };
    examine(inner, &asked.checks)?;
    Ok(asked)
}

/// Finds each check, and says whether its input fits.
fn examine(inner: &Inner, checks: &[AskedCheck]) -> Result<(), Refusal> {
    let mut missing = BTreeSet::new();
    let mut misfit = None;
    for asked in checks {
        let command = RunCheck::new(asked.name.as_str(), &asked.input).expect("invariant: it is an object");
        match inner.catalogue.examine(&command) {
            Ok(()) => {}
            Err(CheckRefusal::Unknown { name }) => drop(missing.insert(name)),
            Err(refused) => misfit = misfit.or(Some(refused)),
        }
    }
    if !missing.is_empty() {
        return Err(unknown(inner, &missing));
    }
    match misfit {
        None => Ok(()),
        Some(CheckRefusal::Input { name, place, problem }) => {
            let message = format!("Input validation failed for runner {name:?}: {place}: {problem}");
            let path: Vec<Value> =
                place.split('/').skip(1).filter(|part| !part.is_empty()).map(part).collect();
            let issues = json!([{ "path": path, "message": problem, "code": "invalid_input" }]);
            let refusal = Refusal::new(400, "INPUT_VALIDATION_FAILED", "The input does not fit", message);
            Err(refusal.with(true, json!({ "runnerName": name, "issues": issues })))
        }
        Some(other) => Err(Refusal::new(400, "BAD_REQUEST", "The request is malformed", other.to_string())),
    }
}

fn unknown(inner: &Inner, missing: &BTreeSet<String>) -> Refusal {
    let available: Vec<String> = inner.catalogue.list().into_iter().map(|listing| listing.name).collect();
    let quoted: Vec<&str> = missing.iter().map(String::as_str).collect();
    let there = if available.is_empty() { "none".to_owned() } else { available.join(", ") };
    let message = format!("Runners not found: {}. Available runners: {there}", quoted.join(", "));
    let data = json!({ "missingRunners": missing, "availableRunners": available });
    Refusal::new(404, "RUNNER_NOT_FOUND", "There is no such check", message).with(true, data)
}

/// One part of a JSON pointer.
fn part(part: &str) -> Value {
    part.parse::<u64>().map_or_else(|_| part.replace("~1", "/").replace("~0", "~").into(), Value::from)
}

struct Reader<'a> {
    inner: &'a Inner,
    issues: Vec<RequestIssue>,
}

impl Reader<'_> {
    fn wrong(
        &mut self,
        code: IssueCode,
        path: impl IntoIterator<Item = PathPart>,
        message: impl Into<String>,
    ) {
        self.issues.push(issue(code, path, message));
    }

    fn of_type(&mut self, expected: &'static str, path: impl IntoIterator<Item = PathPart>) {
        let mut found = issue(IssueCode::InvalidType, path, format!("must be {expected}"));
        found.expected = expected.rsplit(' ').next().map(Into::into);
        self.issues.push(found);
    }

    fn request(&mut self, content: &Value) -> Option<Asked> {
        let Some(members) = content.as_object() else {
            self.of_type("an object", []);
            return None;
        };
        let url = self.text(members, "url");
        if let Some(url) = &url {
            self.page(url, ["url".into()]);
        }
        let run_id = self.text(members, "runId");
        let region = self.text(members, "region");
        let shared = self.object(members.get("input"), &["input".into()]);
        let check_timeout = self.timeout(members.get("checkTimeout"));
        let Some(runners) = members.get("runners").and_then(Value::as_array) else {
            self.of_type("an array", ["runners".into()]);
            return None;
        };
        let max = EndpointFace::RUNNERS_MAX;
        if runners.is_empty() {
            self.wrong(IssueCode::TooSmall, ["runners".into()], "must name at least 1 check");
        } else if runners.len() > max {
            let message =
                format!("has {} elements, and at most {max} are allowed: call twice", runners.len());
            self.wrong(IssueCode::TooBig, ["runners".into()], message);
            return None;
        }
        let mut checks = Vec::with_capacity(runners.len());
        for (at, runner) in runners.iter().enumerate() {
            let Some((name, own)) = self.runner(at, runner) else { continue };
            // The page of the request goes before that of a check, and both before what is for all.
            let mut input = shared.clone().unwrap_or_default();
            input.extend(own);
            if let Some(url) = &url {
                input.insert("url".to_owned(), url.as_str().into());
            } else if let Some(page) = input.get("url").and_then(Value::as_str).map(str::to_owned) {
                self.page(&page, ["runners".into(), at.into(), "input".into(), "url".into()]);
            }
            let mut asked = AskedCheck::new(name, "");
            asked.input = input;
            checks.push(asked);
        }
        let region = self.inner.name.clone().or(region);
        let url = url.unwrap_or_default();
        Some(Asked { url, checks, check_timeout, run_id, region })
    }

    /// A check: its name alone, or with an input.
    fn runner(&mut self, at: usize, runner: &Value) -> Option<(String, Map<String, Value>)> {
        let here = || ["runners".into(), PathPart::from(at)];
        let name = match runner {
            Value::String(name) => return Some((name.clone(), Map::new())),
            Value::Object(members) => match members.get("name") {
                Some(Value::String(name)) => name.clone(),
                _ => {
                    self.of_type("a string", here().into_iter().chain(["name".into()]));
                    return None;
                }
            },
            _ => {
                self.wrong(IssueCode::InvalidType, here(), "must be a name, or an object with a name");
                return None;
            }
        };
        let path: Vec<PathPart> = here().into_iter().chain(["input".into()]).collect();
        let input = self.object(runner.get("input"), &path)?;
        Some((name, input))
    }

    /// An object that may be missing.
    fn object(&mut self, value: Option<&Value>, path: &[PathPart]) -> Option<Map<String, Value>> {
        match value {
            None => Some(Map::new()),
            Some(Value::Object(members)) => Some(members.clone()),
            Some(_) => {
                self.of_type("an object", path.iter().cloned());
                None
            }
        }
    }

    /// A text that may be missing.
    fn text(&mut self, members: &Map<String, Value>, name: &'static str) -> Option<String> {
        match members.get(name) {
            None => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(_) => {
                self.of_type("a string", [name.into()]);
                None
            }
        }
    }

    /// A page that is to be looked at.
    fn page(&mut self, url: &str, path: impl IntoIterator<Item = PathPart>) {
        match self.inner.egress.check(url) {
            Ok(()) => {}
            Err(error @ runners_core::EgressError::Malformed(_)) => {
                self.wrong(IssueCode::InvalidFormat, path, error.to_string());
            }
            Err(error) => self.wrong(IssueCode::InvalidValue, path, error.to_string()),
        }
    }

    /// How long each check may take.
    fn timeout(&mut self, value: Option<&Value>) -> Duration {
        let max = EndpointFace::CHECK_TIMEOUT_MAX.as_millis();
        match value.map(Value::as_u64) {
            None => self.inner.check_timeout,
            Some(Some(millis)) if millis > 0 && u128::from(millis) <= max => Duration::from_millis(millis),
            Some(_) => {
                let message = format!("must be an integer from 1 to {max}, in milliseconds");
                self.wrong(IssueCode::InvalidType, ["checkTimeout".into()], message);
                self.inner.check_timeout
            }
        }
    }
}
