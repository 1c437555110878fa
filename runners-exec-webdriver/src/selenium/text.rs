//! Texts of Selenium IDE: escapes, variables and names of keys.

use runners_core::Secret;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const OPEN: &str = "${params.";

/// What is known of variables while a test is read.
#[derive(Debug, Default)]
pub(super) struct Variables {
    known: BTreeMap<String, String>,
}

/// What `${env:NAME}` becomes in a text: what it is on a machine is not known before a flow is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Environment {
    /// The place of a secret, where the text is typed.
    Secret,
    /// The place of a parameter, where the text stands by itself.
    Parameter,
    /// Nothing, where the text is a part of an expression or a selector.
    Refused,
}

/// One key press of `sendKeys`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Press(pub(super) String);

impl Variables {
    /// Notes the value of a variable that never changes while the test is run.
    pub(super) fn set(&mut self, name: &str, value: String) {
        self.known.insert(name.trim().to_owned(), value);
    }

    /// Notes that the value of a variable is known to the page only.
    pub(super) fn forget(&mut self, name: &str) {
        self.known.remove(name.trim());
    }

    /// Fills variables in and undoes escapes; the error names what cannot be known.
    pub(super) fn fill(&self, text: &str, environment: Environment) -> Result<String, String> {
        let mut filled = String::new();
        let mut rest = text.trim();
        while let Some(at) = rest.find("${") {
            let inside = &rest[at + 2..];
            let Some((name, after)) = inside.split_once('}') else { break };
            filled.push_str(&unescaped(&rest[..at]));
            match name.strip_prefix("env:") {
                Some(name) => filled.push_str(&environment.place(name)?),
                None if name == "nbsp" => filled.push('\u{a0}'),
                None => match self.known.get(name) {
                    Some(value) => filled.push_str(value),
                    None => return Err(format!("the value of {name:?} is known while the test is run only")),
                },
            }
            rest = after;
        }
        filled.push_str(&unescaped(rest));
        Ok(filled)
    }

    /// The keys of a text in which `${KEY_…}` is a key without a character.
    pub(super) fn presses(&self, text: &str) -> Result<Vec<Press>, String> {
        let mut presses = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find("${KEY_") {
            presses.extend(characters(&self.between(&rest[..at])?));
            let inside = &rest[at + 2..];
            let Some((name, after)) = inside.split_once('}') else {
                return Err("a key without its end".to_owned());
            };
            presses.push(Press(key(name)?.to_owned()));
            rest = after;
        }
        presses.extend(characters(&self.between(rest)?));
        Ok(presses)
    }

    /// The text between two keys, whose white space counts.
    fn between(&self, text: &str) -> Result<String, String> {
        let before = &text[..text.len() - text.trim_start().len()];
        let after = if text.trim().is_empty() { "" } else { &text[text.trim_end().len()..] };
        Ok(format!("{before}{}{after}", self.fill(text, Environment::Refused)?))
    }
}

impl Environment {
    fn place(self, name: &str) -> Result<String, String> {
        match self {
            Self::Secret if Secret::is_name(name) => Ok(format!("${{secret:{name}}}")),
            Self::Parameter if is_parameter(name) => Ok(format!("{OPEN}{name}}}")),
            _ => Err(format!(
                "flows read the environment in addresses, texts and what is typed, not {name:?} here"
            )),
        }
    }
}

/// The parameters that the texts of a step name.
pub(super) fn parameters(step: &Value) -> BTreeSet<String> {
    match step {
        Value::String(text) => {
            let names = text.split(OPEN).skip(1).filter_map(|rest| rest.split_once('}'));
            names.map(|(name, _)| name.to_owned()).collect()
        }
        Value::Array(values) => values.iter().flat_map(parameters).collect(),
        Value::Object(members) => members.values().flat_map(parameters).collect(),
        _ => BTreeSet::new(),
    }
}

fn is_parameter(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=64).contains(&name.len()) && name.chars().all(is_plain)
}

fn characters(text: &str) -> impl Iterator<Item = Press> {
    text.chars().map(|letter| Press(if letter == '\n' { "Enter".to_owned() } else { letter.to_string() }))
}

fn unescaped(text: &str) -> String {
    let mut plain = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (letter, letter == '\\') {
            (_, true) => match letters.next() {
                Some('n') => plain.push('\n'),
                Some('r') => plain.push('\r'),
                Some('\\') | None => plain.push('\\'),
                Some(other) => plain.extend(['\\', other]),
            },
            (letter, false) => plain.push(letter),
        }
    }
    plain
}

/// What a flow calls a key.
fn key(name: &str) -> Result<&'static str, String> {
    let plain = name.trim_start_matches("KEY_");
    let found = KEYS.iter().find(|(theirs, _)| *theirs == plain);
    found.map(|(_, ours)| *ours).ok_or_else(|| format!("flows have no key {name:?}"))
}

const KEYS: &[(&str, &str)] = &[
    ("ENTER", "Enter"),
    ("TAB", "Tab"),
    ("ESC", "Escape"),
    ("ESCAPE", "Escape"),
    ("BACKSPACE", "Backspace"),
    ("BKSP", "Backspace"),
    ("DELETE", "Delete"),
    ("DEL", "Delete"),
    ("SPACE", "Space"),
    ("UP", "ArrowUp"),
    ("DOWN", "ArrowDown"),
    ("LEFT", "ArrowLeft"),
    ("RIGHT", "ArrowRight"),
    ("HOME", "Home"),
    ("END", "End"),
    ("PAGE_UP", "PageUp"),
    ("PGUP", "PageUp"),
    ("PAGE_DOWN", "PageDown"),
    ("PGDN", "PageDown"),
    ("INSERT", "Insert"),
    ("F1", "F1"),
    ("F2", "F2"),
    ("F3", "F3"),
    ("F4", "F4"),
    ("F5", "F5"),
    ("F6", "F6"),
    ("F7", "F7"),
    ("F8", "F8"),
    ("F9", "F9"),
    ("F10", "F10"),
    ("F11", "F11"),
    ("F12", "F12"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_filled_as_far_as_they_are_known() {
        let mut variables = Variables::default();
        variables.set("who", "Ada".to_owned());
        let refused = Environment::Refused;
        assert_eq!(variables.fill(" Hello ${who}\\n${nbsp}", refused).unwrap(), "Hello Ada\n\u{a0}");
        assert_eq!(variables.fill("${env:PASSWORD}", Environment::Secret).unwrap(), "${secret:PASSWORD}");
        assert_eq!(variables.fill("a${env:HOST}", Environment::Parameter).unwrap(), "a${params.HOST}");
        assert!(variables.fill("${env:HOST}", refused).unwrap_err().contains("environment"));
        variables.forget("who");
        assert!(variables.fill("${who}", refused).unwrap_err().contains("\"who\""));
    }

    #[test]
    fn keys_are_told_from_characters() {
        let key = |name: &str| Press(name.to_owned());
        let presses = Variables::default().presses("a ${KEY_ENTER}b").unwrap();
        assert_eq!(presses, [key("a"), key(" "), key("Enter"), key("b")]);
        assert!(Variables::default().presses("${KEY_META}").is_err());
    }
}
