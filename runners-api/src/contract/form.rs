//! Forms with brackets in their names, as the JSON that they stand for:
//! `runners[0][name]=a&runners[0][input][url]=b`. Texts stay texts, but for the numbers and truth
//! values of the wire, which a form can only write as texts.

use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The largest number of names in a form, and of brackets after one of them.
const FIELDS_MAX: usize = 100_000;
const DEPTH_MAX: usize = 16;

/// Members of the wire that are numbers or truth values, by where they are.
const TYPED: &[&[&str]] = &[
    &["concurrency"],
    &["timeout"],
    &["checkTimeout"],
    &["options", "retries"],
    &["options", "checkTimeout"],
    &["options", "secondTry"],
    &["options", "policy", "atLeast"],
];

#[derive(Debug, Default)]
struct Node {
    text: Option<String>,
    members: BTreeMap<Part, Node>,
}

/// One part of a name. Numbers are in the order of numbers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Element(usize),
    Member(String),
}

/// Reads a form.
pub(crate) fn read(bytes: &[u8]) -> Result<Value, String> {
    let mut root = Node::default();
    for (count, (name, value)) in form_urlencoded::parse(bytes).enumerate() {
        if count >= FIELDS_MAX {
            return Err(format!("The form has more than {FIELDS_MAX} fields: send JSON"));
        }
        let mut node = &mut root;
        for part in parts(&name)? {
            let part = part.unwrap_or_else(|| next(node));
            node = node.members.entry(part).or_default();
        }
        let is_taken = node.text.is_some() || !node.members.is_empty();
        if is_taken {
            return Err(format!("The form says {name:?} twice"));
        }
        node.text = Some(value.into_owned());
    }
    root.into_value(&mut Vec::new())
}

/// The parts of a name; none for a pair of brackets that holds nothing, which is the next element.
fn parts(name: &str) -> Result<Vec<Option<Part>>, String> {
    let malformed = || format!("The form has a malformed name: {name:?}");
    let (first, mut rest) = name.split_at(name.find('[').unwrap_or(name.len()));
    let mut parts = vec![Some(Part::Member(first.to_owned()))];
    while !rest.is_empty() {
        let (part, behind) =
            rest.strip_prefix('[').and_then(|rest| rest.split_once(']')).ok_or_else(malformed)?;
        rest = behind;
        let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        parts.push(match part.parse() {
            Ok(number) if is_number => Some(Part::Element(number)),
            _ if part.is_empty() => None,
            _ => Some(Part::Member(part.to_owned())),
        });
        if parts.len() > DEPTH_MAX {
            return Err(format!("The form has a name with more than {DEPTH_MAX} parts: send JSON"));
        }
    }
    Ok(parts)
}

fn next(node: &Node) -> Part {
    let last = node.members.keys().rev().find_map(|part| match part {
        Part::Element(number) => Some(*number),
        Part::Member(_) => None,
    });
    Part::Element(last.map_or(0, |last| last.saturating_add(1)))
}

impl Node {
    fn into_value(self, path: &mut Vec<String>) -> Result<Value, String> {
        if let Some(text) = self.text {
            return match self.members.is_empty() {
                true => Ok(typed(text, path)),
                false => Err(format!("The form says {:?} as a text, and as more", path.join("."))),
            };
        }
        let elements = self.members.keys().enumerate().all(|(at, part)| *part == Part::Element(at));
        let is_list = elements && !path.is_empty();
        let mut list = Vec::new();
        let mut members = Map::new();
        for (part, node) in self.members {
            let name = match part {
                Part::Element(number) => number.to_string(),
                Part::Member(name) => name,
            };
            path.push(name);
            let value = node.into_value(path)?;
            let name = path.pop().unwrap_or_default();
            if is_list {
                list.push(value);
            } else {
                members.insert(name, value);
            }
        }
        Ok(if is_list { Value::Array(list) } else { Value::Object(members) })
    }
}

fn typed(text: String, path: &[String]) -> Value {
    let is_typed = TYPED.iter().any(|typed| typed.iter().eq(path.iter()));
    let value =
        || serde_json::from_str(&text).ok().filter(|value: &Value| value.is_number() || value.is_boolean());
    is_typed.then(value).flatten().unwrap_or(Value::String(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_form_stands_for_the_same_json() {
        let form = "mode=remote&concurrency=2&timeout=x&options[secondTry]=false&tags[]=a&tags[]=b\
                    &runners[1][name]=d&runners[0][name]=c&runners[0][input][url]=https%3A%2F%2Fa%2F&runners[0][input][n]=5";
        let expected = json!({
            "mode": "remote", "concurrency": 2, "timeout": "x", "options": { "secondTry": false }, "tags": ["a", "b"],
            "runners": [{ "name": "c", "input": { "url": "https://a/", "n": "5" } }, { "name": "d" }],
        });
        assert_eq!(read(form.as_bytes()), Ok(expected));
        assert_eq!(read(b""), Ok(json!({})));
        assert_eq!(read(b"a[0]=x&a[2]=y"), Ok(json!({ "a": { "0": "x", "2": "y" } })));
    }

    #[test]
    fn what_is_malformed_or_said_twice_is_told() {
        for (form, part) in [
            ("a[0=x", "malformed name: \"a[0\""),
            ("a]b[=x", "malformed name"),
            ("a=x&a=y", "says \"a\" twice"),
            ("a[b]=x&a=y", "says \"a\" twice"),
            ("a=x&a[b]=y", "says \"a\" as a text, and as more"),
            ("a[1][2][3][4][5][6][7][8][9][10][11][12][13][14][15][16]=x", "more than 16 parts"),
        ] {
            let error = read(form.as_bytes()).unwrap_err();
            assert!(error.contains(part), "{form}: {error}");
        }
    }
}
