//! Parameters of a flow: declared under `runners.params` with a type and a default, written as
//! `${params.NAME}` in the texts of its steps.

use super::{
    BrowserFlow, Flow,
    problem::{Problem, Problems},
    reader::{Reader, how_to_write},
    secret::{is_place, places},
};
use runners_core::Fault;
use serde_json::{Map, Value, value::RawValue};
use std::{borrow::Cow, collections::BTreeMap};

/// How the place of a parameter begins.
pub(crate) const OPEN: &str = "${params.";
const CLOSE: char = '}';
pub(super) const KINDS: &[&str] = &["string", "number", "boolean"];

/// A parameter that a flow declares.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Parameter {
    /// Its name: letters, digits, hyphens, underscores and dots.
    pub name: String,
    /// What it may be.
    pub kind: ParameterKind,
    /// What it is unless it is given.
    pub default: Option<String>,
    /// Whether its value is a secret of that name, which the job names and the document never has.
    pub secret: bool,
}

/// What a parameter may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "what JSON has as one word")]
pub enum ParameterKind {
    /// Any text, the default.
    #[default]
    String,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
}

impl ParameterKind {
    fn read(self, text: &str) -> Option<Value> {
        match self {
            Self::String => Some(Value::from(text)),
            Self::Number => serde_json::from_str(text).ok().filter(Value::is_number),
            Self::Boolean => text.parse().ok().map(Value::Bool),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::String => "a string",
            Self::Number => "a number",
            Self::Boolean => "true or false",
        }
    }
}

impl Flow {
    /// The most parameters of a flow.
    pub const PARAMETERS_MAX: usize = 200;
}

impl BrowserFlow {
    /// The flow with other values for its parameters. They become the defaults in its document, so that
    /// they travel with it; call this before [`with_secrets`](Self::with_secrets).
    ///
    /// # Errors
    /// A problem for each value that is of no parameter, not of its type, or that is to be a secret.
    pub fn with_parameters(self, values: &BTreeMap<String, String>) -> Result<Self, Problems> {
        if values.is_empty() {
            return Ok(self);
        }
        let mut problems = Vec::new();
        let mut document: Value =
            serde_json::from_str(self.document()).expect("invariant: it was read before");
        for (name, text) in values {
            match self.flow.given(name, text) {
                Ok(value) => document["runners"]["params"][name]["default"] = value,
                Err((message, hint)) => {
                    problems.push(Problem::new(format!("/runners/params/{name}"), message, hint));
                }
            }
        }
        if !problems.is_empty() {
            return Err(Problems::new(problems));
        }
        let raw = RawValue::from_string(document.to_string()).expect("invariant: it was just written");
        Ok(Self::validate(raw)?.with_mode(self.flow.mode))
    }

    /// Refuses a flow of which a parameter has no value: its name would be typed.
    pub(crate) fn check_parameters(&self) -> Result<(), Fault> {
        let is_open = |parameter: &&Parameter| parameter.default.is_none() && !parameter.secret;
        self.flow.parameters.iter().find(is_open).map_or(Ok(()), |Parameter { name, .. }| {
            Err(Fault::permanent("parameter", format!("the parameter {name:?} of the flow has no value")))
        })
    }
}

impl Flow {
    fn given(&self, name: &str, text: &str) -> Result<Value, (String, String)> {
        let Some(parameter) = self.parameters.iter().find(|parameter| parameter.name == name) else {
            let names: Vec<_> = self.parameters.iter().map(|parameter| &*parameter.name).collect();
            let hint = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            return Err((format!("the flow has no parameter {name:?}"), format!("it has {hint}")));
        };
        if parameter.secret {
            let hint = "give it as a secret of that name".to_owned();
            return Err((format!("the parameter {name:?} is a secret"), hint));
        }
        let kind = parameter.kind.name();
        let wrong = || (format!("the parameter {name:?} must be {kind}"), how_to_write(kind).to_owned());
        parameter.kind.read(text).ok_or_else(wrong)
    }
}

/// Reads what is declared.
pub(super) fn declared(runners: &Reader<'_>, problems: &mut Vec<Problem>) -> Vec<Parameter> {
    let Some(value) = runners.get("params") else { return Vec::new() };
    let Some(members) = value.as_object() else {
        runners.wrong("params", "an object", problems);
        return Vec::new();
    };
    if members.len() > Flow::PARAMETERS_MAX {
        let message = format!("{} are more than the limit of {}", members.len(), Flow::PARAMETERS_MAX);
        problems.push(Problem::new(runners.at("params"), message, "fill some in"));
        return Vec::new();
    }
    let all = Reader::new(members, runners.at("params"));
    members.keys().filter_map(|name| parameter(name, &all, problems)).collect()
}

fn parameter(name: &str, all: &Reader<'_>, problems: &mut Vec<Problem>) -> Option<Parameter> {
    let pointer = all.at(name);
    if !is_name(name) {
        let message = format!("{name:?} is no name of a parameter");
        problems.push(Problem::new(pointer, message, "letters, digits, hyphens, underscores and dots"));
        return None;
    }
    let Some(members) = all.get(name).and_then(Value::as_object) else {
        all.wrong(name, "an object such as {\"default\": \"…\"}", problems);
        return None;
    };
    let given = Reader::new(members, pointer);
    let kind = given.choice("type", KINDS, problems).unwrap_or(0);
    let kind = [ParameterKind::String, ParameterKind::Number, ParameterKind::Boolean][kind];
    let secret = given.bool("secret", problems).unwrap_or(false);
    let default = given.get("default").filter(|value| !value.is_null());
    if secret && default.is_some() {
        let message = "a secret has no default: it would be in the document";
        problems.push(Problem::new(given.at("default"), message, "leave it out"));
    }
    let is_of_kind = |value: &Value| match kind {
        ParameterKind::String => value.is_string(),
        ParameterKind::Number => value.is_number(),
        ParameterKind::Boolean => value.is_boolean(),
    };
    if default.is_some_and(|value| !is_of_kind(value)) {
        given.wrong("default", kind.name(), problems);
    }
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Some(Parameter { name: name.to_owned(), kind, default: default.map(text), secret })
}

/// A step with its parameters filled in. A flow that declares none has its texts as they are.
pub(super) fn filled<'v>(
    step: &'v Value,
    parameters: &[Parameter],
    pointer: &str,
    problems: &mut Vec<Problem>,
) -> Cow<'v, Value> {
    if parameters.is_empty() {
        return Cow::Borrowed(step);
    }
    let mut filling = Filling { step, parameters, pointer, problems };
    Cow::Owned(filling.value(step, pointer))
}

/// A step that is being filled in.
struct Filling<'a> {
    step: &'a Value,
    parameters: &'a [Parameter],
    /// Where the step is.
    pointer: &'a str,
    problems: &'a mut Vec<Problem>,
}

impl Filling<'_> {
    fn value(&mut self, value: &Value, pointer: &str) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text, pointer)),
            Value::Array(values) => {
                let one = |(index, value)| self.value(value, &format!("{pointer}/{index}"));
                Value::Array(values.iter().enumerate().map(one).collect())
            }
            Value::Object(members) => {
                let all = Reader::new(members, pointer);
                let one = |(name, value): (&String, &Value)| (name.clone(), self.value(value, &all.at(name)));
                Value::Object(members.iter().map(one).collect::<Map<_, _>>())
            }
            other => other.clone(),
        }
    }

    /// Whether the text there is typed or stored, and never told: that is where a secret may stand.
    fn takes_secret(&self, pointer: &str) -> bool {
        let path = pointer.strip_prefix(self.pointer).unwrap_or_default();
        let path: Vec<_> = path.split('/').skip(1).collect();
        match (self.step["type"].as_str(), self.step["name"].as_str(), &*path) {
            (Some("change"), _, ["value"]) => true,
            (Some("customStep"), Some(name), ["parameters", rest @ ..]) => is_place(name, rest),
            _ => false,
        }
    }

    /// A text with its parameters filled in. What they are stays text: whoever gives them names no secret.
    fn text(&mut self, text: &str, pointer: &str) -> String {
        let mut filled = Filled::default();
        let mut rest = text;
        while let Some((before, inside)) = rest.split_once(OPEN) {
            filled.written(before);
            let Some((name, after)) = inside.split_once(CLOSE).filter(|(name, _)| is_name(name)) else {
                filled.written(OPEN);
                rest = inside;
                continue;
            };
            rest = after;
            match self.parameters.iter().find(|parameter| parameter.name == name) {
                Some(Parameter { secret: true, .. }) if self.takes_secret(pointer) => {
                    filled.written(&format!("${{secret:{name}}}"));
                }
                Some(Parameter { secret: true, .. }) => {
                    let message = format!("the parameter {name:?} is a secret, and this would tell it");
                    let hint = "secrets may stand in a `value` that is typed or stored only";
                    self.problems.push(Problem::new(pointer, message, hint));
                }
                // One without a value is refused before the first step.
                Some(parameter) => filled.given(parameter.default.as_deref().unwrap_or_default()),
                None => {
                    let message = format!("the flow declares no parameter {name:?}");
                    self.problems.push(Problem::new(pointer, message, "declare it under /runners/params"));
                }
            }
        }
        filled.written(rest);
        if filled.asks_for_more() {
            let message = "with its parameters filled in, this text asks for another secret";
            let hint = "the value of a parameter is text: let the step itself ask for the secret";
            self.problems.push(Problem::new(pointer, message, hint));
        }
        filled.text
    }
}

/// A text that is being filled in.
#[derive(Default)]
struct Filled {
    text: String,
    /// The same, with what is in no name of a secret in place of each value.
    without_values: String,
}

impl Filled {
    /// Adds what stands in the step.
    fn written(&mut self, text: &str) {
        self.text.push_str(text);
        self.without_values.push_str(text);
    }

    /// Adds the value of a parameter.
    fn given(&mut self, value: &str) {
        self.text.push_str(value);
        self.without_values.push('\0');
    }

    /// Whether it has places of secrets that nobody wrote. None that was written is lost: no name of a
    /// secret goes on over the beginning of another place.
    fn asks_for_more(&self) -> bool {
        places(&self.text).ne(places(&self.without_values))
    }
}

fn is_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=64).contains(&name.len()) && name.chars().all(is_plain)
}
