//! Reads members of a JSON object and notes every problem instead of stopping at the first.
//! Which members there are is decided in `parse`.

use super::problem::Problem;
use serde_json::{Map, Value};

/// One JSON object, and where in the document it is.
#[derive(Clone, Debug)]
pub(super) struct Reader<'v> {
    members: &'v Map<String, Value>,
    pointer: String,
}

impl<'v> Reader<'v> {
    pub(super) fn new(members: &'v Map<String, Value>, pointer: impl Into<String>) -> Self {
        Self { members, pointer: pointer.into() }
    }

    pub(super) fn get(&self, name: &str) -> Option<&'v Value> {
        self.members.get(name)
    }

    pub(super) const fn members(&self) -> &'v Map<String, Value> {
        self.members
    }

    pub(super) fn pointer(&self) -> &str {
        &self.pointer
    }

    pub(super) fn at(&self, name: &str) -> String {
        format!("{}/{}", self.pointer, escaped(name))
    }

    pub(super) fn missing(&self, name: &str, hint: &str, problems: &mut Vec<Problem>) {
        problems.push(Problem::new(self.at(name), format!("`{name}` is missing"), hint));
    }

    pub(super) fn wrong(&self, name: &str, wanted: &str, problems: &mut Vec<Problem>) {
        let got = self.get(name).map_or("nothing", kind);
        let message = format!("`{name}` must be {wanted}, and is {got}");
        problems.push(Problem::new(self.at(name), message, how_to_write(wanted)));
    }

    pub(super) fn required_string(&self, name: &str, problems: &mut Vec<Problem>) -> Option<String> {
        if self.get(name).is_none() {
            self.missing(name, "write a string", problems);
            return None;
        }
        self.string(name, problems)
    }

    pub(super) fn string(&self, name: &str, problems: &mut Vec<Problem>) -> Option<String> {
        self.read(name, "a string", |value| value.as_str().map(str::to_owned), problems)
    }

    pub(super) fn required_number(&self, name: &str, problems: &mut Vec<Problem>) -> Option<f64> {
        if self.get(name).is_none() {
            self.missing(name, "write a number", problems);
            return None;
        }
        self.number(name, problems)
    }

    pub(super) fn number(&self, name: &str, problems: &mut Vec<Problem>) -> Option<f64> {
        self.read(name, "a number", Value::as_f64, problems)
    }

    pub(super) fn required_bool(&self, name: &str, problems: &mut Vec<Problem>) -> Option<bool> {
        if self.get(name).is_none() {
            self.missing(name, "write true or false", problems);
            return None;
        }
        self.bool(name, problems)
    }

    pub(super) fn bool(&self, name: &str, problems: &mut Vec<Problem>) -> Option<bool> {
        self.read(name, "true or false", Value::as_bool, problems)
    }

    /// A string out of a closed list; answers its place in the list.
    pub(super) fn choice(&self, name: &str, choices: &[&str], problems: &mut Vec<Problem>) -> Option<usize> {
        let text = self.string(name, problems).filter(|text| !text.is_empty())?;
        let found = choices.iter().position(|choice| *choice == text);
        if found.is_none() {
            let hint = format!("one of {}", choices.join(", "));
            problems.push(Problem::new(self.at(name), format!("`{name}` has no value {text:?}"), hint));
        }
        found
    }

    fn read<T>(
        &self,
        name: &str,
        wanted: &str,
        take: impl Fn(&'v Value) -> Option<T>,
        problems: &mut Vec<Problem>,
    ) -> Option<T> {
        let taken = take(self.get(name)?);
        if taken.is_none() {
            self.wrong(name, wanted, problems);
        }
        taken
    }
}

/// What a value is, in words.
pub(super) const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// How to write what is wanted.
pub(super) fn how_to_write(wanted: &str) -> &'static str {
    let ways = [
        ("a string", "write a text in double quotes"),
        ("a number", "write digits, without quotes"),
        ("true or false", "write one of these words, without quotes"),
        ("an array", "write the values one after the other, in brackets: [ ]"),
    ];
    let way = ways.iter().find(|(what, _)| wanted.starts_with(what));
    way.map_or("write members with their names, in braces: { }", |(_, way)| way)
}

pub(super) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
