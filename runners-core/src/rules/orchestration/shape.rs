//! The shape of a request: members and their types, read from JSON with a place for everything that
//! is wrong. What the values may be is checked after.

use crate::values::orchestration::{
    AskedCheck, InvalidRequest, IssueCode, OrchestrationMode, OrchestrationOptions, OrchestrationRequest,
    PathPart, RegionPolicy, RequestIssue,
};
use serde_json::{Map, Value};
use std::{collections::BTreeSet, time::Duration};

/// Finds what is wrong, and where.
#[derive(Debug, Default)]
pub(super) struct Reader {
    path: Vec<PathPart>,
    issues: Vec<RequestIssue>,
}

impl Reader {
    /// Nothing, if nothing was wrong.
    pub(super) fn finish(self) -> Result<(), InvalidRequest> {
        if self.issues.is_empty() { Ok(()) } else { Err(InvalidRequest { issues: self.issues }) }
    }

    /// Whether something is wrong already.
    pub(super) const fn has_issues(&self) -> bool {
        !self.issues.is_empty()
    }

    /// Does something one step further in.
    pub(super) fn at<T>(&mut self, part: impl Into<PathPart>, read: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(part.into());
        let read = read(self);
        self.path.pop();
        read
    }

    /// Something is wrong here.
    pub(super) fn wrong(&mut self, code: IssueCode, message: impl Into<String>) -> Option<&mut RequestIssue> {
        if self.issues.len() >= InvalidRequest::ISSUES_MAX {
            return None;
        }
        self.issues.push(RequestIssue::new(code, self.path.clone(), message));
        self.issues.last_mut()
    }

    pub(super) fn too_small(&mut self, minimum: u64, message: impl Into<String>) {
        if let Some(issue) = self.wrong(IssueCode::TooSmall, message) {
            issue.minimum = Some(minimum);
        }
    }

    pub(super) fn too_big(&mut self, maximum: u64, message: impl Into<String>) {
        if let Some(issue) = self.wrong(IssueCode::TooBig, message) {
            issue.maximum = Some(maximum);
        }
    }

    fn of_type(&mut self, expected: &'static str, found: Option<&Value>) {
        let found = found.map_or("is missing", |value| match value {
            Value::Null => "is null: leave it out instead",
            Value::Bool(_) => "is a boolean",
            Value::Number(_) => "is a number",
            Value::String(_) => "is a string",
            Value::Array(_) => "is an array",
            Value::Object(_) => "is an object",
        });
        if let Some(issue) = self.wrong(IssueCode::InvalidType, format!("must be {expected}, and {found}")) {
            issue.expected = expected.split(' ').next_back().map(Into::into);
        }
    }

    fn one_of(&mut self, values: &[&'static str], message: &str) {
        if let Some(issue) = self.wrong(IssueCode::InvalidValue, message) {
            issue.values = values.iter().map(|value| (*value).into()).collect();
        }
    }

    fn object<'v>(&mut self, value: Option<&'v Value>) -> Option<&'v Map<String, Value>> {
        match value {
            Some(Value::Object(members)) => Some(members),
            other => {
                self.of_type("an object", other);
                None
            }
        }
    }

    fn text(&mut self, value: Option<&Value>) -> Option<String> {
        match value {
            Some(Value::String(text)) => Some(text.clone()),
            other => {
                self.of_type("a string", other);
                None
            }
        }
    }

    /// An integer above 0 that every reader of JSON can hold.
    fn positive(&mut self, value: &Value) -> Option<u64> {
        let max = OrchestrationRequest::NUMBER_MAX;
        let whole = |number: f64| number.fract() == 0.0 && number.is_finite();
        match value {
            Value::Number(number) => match number.as_u64() {
                Some(0) => self.too_small(1, "is 0, and must be at least 1"),
                Some(number) if number <= max => return Some(number),
                _ if number.as_f64().is_some_and(|number| !whole(number)) => {
                    self.of_type("an integer", Some(value));
                }
                _ if number.as_f64().is_some_and(|number| number < 0.0) => {
                    self.too_small(1, format!("is {number}, and must be at least 1"));
                }
                _ => self.too_big(max, format!("is {number}, and must be at most {max}")),
            },
            other => self.of_type("a number", Some(other)),
        }
        None
    }

    fn texts(&mut self, value: &Value) -> Vec<String> {
        let Value::Array(elements) = value else {
            self.of_type("an array", Some(value));
            return Vec::new();
        };
        let each = |(at, element)| self.at(at, |reader| reader.text(Some(element)));
        elements.iter().enumerate().filter_map(each).collect()
    }
}

/// Reads a request. What it answers means nothing if the reader found issues.
pub(super) fn request(reader: &mut Reader, value: &Value) -> Option<OrchestrationRequest> {
    let members = reader.object(Some(value))?;
    let runners = reader.at("runners", |reader| runners(reader, members.get("runners")));
    let mode = reader.at("mode", |reader| mode(reader, members.get("mode")));
    let positive = |reader: &mut Reader, name: &'static str| {
        members.get(name).and_then(|value| reader.at(name, |reader| reader.positive(value)))
    };
    let concurrency = positive(reader, "concurrency");
    let timeout = positive(reader, "timeout").map(Duration::from_millis);
    let tags = members.get("tags").map(|tags| reader.at("tags", |reader| reader.texts(tags)));
    let run_id = members.get("runId").and_then(|id| reader.at("runId", |reader| reader.text(Some(id))));
    let options = members.get("options");
    let options = options.and_then(|options| reader.at("options", |reader| strict_options(reader, options)));
    Some(OrchestrationRequest {
        runners: runners?,
        mode: mode?,
        concurrency,
        timeout,
        tags: tags.unwrap_or_default(),
        // An empty name is none.
        run_id: run_id.filter(|id| !id.is_empty()),
        options: options.unwrap_or_default(),
    })
}

fn mode(reader: &mut Reader, value: Option<&Value>) -> Option<OrchestrationMode> {
    match value.and_then(Value::as_str) {
        Some("local") => Some(OrchestrationMode::Local),
        Some("remote") => Some(OrchestrationMode::Remote),
        _ => {
            reader.one_of(&["local", "remote"], "must be \"local\" or \"remote\"");
            None
        }
    }
}

fn runners(reader: &mut Reader, value: Option<&Value>) -> Option<Vec<AskedCheck>> {
    let Some(Value::Array(elements)) = value else {
        reader.of_type("an array", value);
        return None;
    };
    let max = OrchestrationRequest::RUNNERS_MAX;
    if elements.len() > max {
        let count = elements.len();
        reader.too_big(max as u64, format!("has {count} elements, and at most {max} are allowed: split it"));
        return None;
    }
    let each = |(at, element)| reader.at(at, |reader| runner(reader, element));
    Some(elements.iter().enumerate().filter_map(each).collect())
}

fn runner(reader: &mut Reader, value: &Value) -> Option<AskedCheck> {
    let members = reader.object(Some(value))?;
    let name = reader.at("name", |reader| reader.text(members.get("name")));
    let region = members.get("region");
    let region = region.and_then(|region| reader.at("region", |reader| reader.text(Some(region))));
    let input = members.get("input").map(|input| {
        let read = |reader: &mut Reader| reader.object(Some(input)).cloned();
        reader.at("input", read)
    });
    Some(AskedCheck { name: name?, region, input: input.flatten().unwrap_or_default() })
}

const OPTIONS: [&str; 5] = ["policy", "expectedToFail", "secondTry", "retries", "checkTimeout"];

/// The one object in which unknown members are refused.
fn strict_options(reader: &mut Reader, value: &Value) -> Option<OrchestrationOptions> {
    let members = reader.object(Some(value))?;
    let unknown: Vec<&String> = members.keys().filter(|name| !OPTIONS.contains(&name.as_str())).collect();
    if !unknown.is_empty() {
        let known = OPTIONS.join(", ");
        let named: Vec<String> = unknown.iter().map(|name| format!("{name:?}")).collect();
        let message = format!("knows no {}; there is {known}", named.join(", "));
        let keys = unknown.into_iter().cloned().collect();
        if let Some(issue) = reader.wrong(IssueCode::UnrecognizedKeys, message) {
            issue.keys = keys;
        }
    }
    let mut options = OrchestrationOptions::default();
    if let Some(value) = members.get("policy") {
        options.policy = reader.at("policy", |reader| policy(reader, value))?;
    }
    if let Some(value) = members.get("expectedToFail") {
        options.expected_to_fail =
            BTreeSet::from_iter(reader.at("expectedToFail", |reader| reader.texts(value)));
    }
    match members.get("secondTry") {
        None => {}
        Some(Value::Bool(wanted)) => options.second_try = *wanted,
        other => reader.at("secondTry", |reader| reader.of_type("a boolean", other)),
    }
    match members.get("retries") {
        None => {}
        Some(value) if value.as_u64() == Some(0) => options.retries = 0,
        Some(value) => {
            let retries = reader.at("retries", |reader| reader.positive(value));
            options.retries = u32::try_from(retries?).unwrap_or(u32::MAX);
        }
    }
    if let Some(value) = members.get("checkTimeout") {
        let span = reader.at("checkTimeout", |reader| reader.positive(value));
        options.check_timeout = span.map(Duration::from_millis);
    }
    Some(options)
}

fn policy(reader: &mut Reader, value: &Value) -> Option<RegionPolicy> {
    match value {
        Value::String(word) if word == "all" => return Some(RegionPolicy::All),
        Value::String(word) if word == "any" => return Some(RegionPolicy::Any),
        Value::Object(members) if members.len() == 1 && members.contains_key("atLeast") => {
            let count = reader.at("atLeast", |reader| reader.positive(&members["atLeast"]))?;
            return Some(RegionPolicy::AtLeast(u32::try_from(count).unwrap_or(u32::MAX)));
        }
        _ => {}
    }
    let message = "must be \"all\", \"any\", or {\"atLeast\": how many regions}";
    reader.one_of(&["all", "any", "atLeast"], message);
    None
}
