//! Members that a document should not have, and texts that probably do not say what is meant: a member that is
//! misspelt is one that nobody reads. Which members there are is in the schema.

use super::{
    Flow,
    problem::Problem,
    reader::{Reader, escaped},
};
use serde_json::{Map, Value};
use std::sync::LazyLock;

static SCHEMA: LazyLock<Value> = LazyLock::new(Flow::schema);

/// What browsers write into a state as well, now or in a version to come. Only what is misspelt is refused there.
const WRITTEN_BY_BROWSERS: &[&str] = &["#/$defs/cookie", "#/$defs/origin"];

/// Members of the document that are like one that it may have. Recorders write others, too.
pub(super) fn of_document(members: &Map<String, Value>) -> Vec<Problem> {
    near_misses(members, "", &names(&SCHEMA["properties"]))
}

/// Refuses members of `runners` that nobody reads. The flows there are those of a recorder.
pub(super) fn of_runners(runners: &Reader<'_>, problems: &mut Vec<Problem>) {
    let schema = &SCHEMA["properties"]["runners"]["properties"];
    for (name, value) in runners.members() {
        match schema.get(name) {
            None => problems.push(unknown(name, runners.pointer(), &names(schema))),
            Some(_) if name == "flows" => {}
            Some(schema) => closed(value, schema, &runners.at(name), false, problems),
        }
    }
}

/// Refuses members of a step of ours, and of what it carries, that nobody reads. Answers what is probably not
/// meant as it stands.
pub(super) fn of_step(step: &Reader<'_>, problems: &mut Vec<Problem>) -> Vec<Problem> {
    let kind = step.get("type").and_then(Value::as_str).unwrap_or_default();
    let name = step.get("name").and_then(Value::as_str).unwrap_or_default();
    let definitions = &SCHEMA["$defs"];
    let kinds = definitions["step"]["oneOf"].as_array().map(Vec::as_slice).unwrap_or_default();
    let Some(own) = kinds.iter().find(|one| one["properties"]["type"]["const"] == kind) else {
        return Vec::new();
    };
    let shared = [&definitions["step"]["properties"], &definitions["additions"]["properties"]];
    let known: Vec<&str> = [&own["properties"], shared[0], shared[1]].into_iter().flat_map(names).collect();
    let rules = own["allOf"].as_array().map(Vec::as_slice).unwrap_or_default();
    let Some(rule) = rules.iter().find(|rule| rule["if"]["properties"]["name"]["const"] == name) else {
        return near_misses(step.members(), step.pointer(), &known);
    };
    for member in step.members().keys().filter(|member| !known.contains(&member.as_str())) {
        problems.push(unknown(member, step.pointer(), &known));
    }
    if let Some(parameters) = step.get("parameters") {
        let schema = &rule["then"]["properties"]["parameters"];
        closed(parameters, schema, &step.at("parameters"), false, problems);
    }
    Vec::new()
}

/// Refuses members that a schema does not have, at any depth.
fn closed(value: &Value, schema: &Value, pointer: &str, is_open: bool, problems: &mut Vec<Problem>) {
    let reference = schema["$ref"].as_str();
    let is_open = is_open || reference.is_some_and(|reference| WRITTEN_BY_BROWSERS.contains(&reference));
    let schema = reference.and_then(|reference| SCHEMA.pointer(&reference[1..])).unwrap_or(schema);
    match value {
        Value::Object(members) => {
            let each = schema.get("additionalProperties").filter(|each| each.is_object());
            let properties = schema.get("properties");
            for (name, value) in members {
                let at = format!("{pointer}/{}", escaped(name));
                match (properties.and_then(|all| all.get(name)).or(each), properties) {
                    (Some(schema), _) => closed(value, schema, &at, is_open, problems),
                    (None, Some(all)) if !is_open || nearest(name, &names(all)).is_some() => {
                        problems.push(unknown(name, pointer, &names(all)));
                    }
                    _ => {}
                }
            }
        }
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                closed(value, &schema["items"], &format!("{pointer}/{index}"), is_open, problems);
            }
        }
        _ => {}
    }
}

fn names(properties: &Value) -> Vec<&str> {
    properties.as_object().into_iter().flat_map(Map::keys).map(String::as_str).collect()
}

fn unknown(name: &str, pointer: &str, known: &[&str]) -> Problem {
    let hint = match nearest(name, known) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if known.is_empty() => "leave it out".to_owned(),
        None => format!("one of {}", known.join(", ")),
    };
    Problem::new(format!("{pointer}/{}", escaped(name)), format!("there is no member `{name}`"), hint)
}

fn near_misses(members: &Map<String, Value>, pointer: &str, known: &[&str]) -> Vec<Problem> {
    let unknown = members.keys().filter(|name| !known.contains(&name.as_str()));
    let missed = unknown.filter_map(|name| Some((name, nearest(name, known)?)));
    let told = missed.map(|(name, meant)| {
        let message = format!("the member `{name}` is not looked at");
        Problem::new(format!("{pointer}/{}", escaped(name)), message, format!("did you mean `{meant}`?"))
    });
    told.collect()
}

/// The name that differs from this one in no more than two letters, of short ones in one.
fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let wanted = name.to_lowercase();
    let differ = |one: &&str| strsim::osa_distance(&wanted, &one.to_lowercase());
    let near = known.iter().copied().filter(|one| differ(one) <= (one.len().saturating_sub(1) / 2).min(2));
    near.min_by_key(differ)
}

/// What of the texts of a step is probably not meant as it stands.
pub(super) fn of_texts(value: &Value, pointer: &str, doubts: &mut Vec<Problem>) {
    match value {
        Value::String(text) => doubts.extend(unfilled(text, pointer)),
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                of_texts(value, &format!("{pointer}/{index}"), doubts);
            }
        }
        Value::Object(members) => {
            for (name, value) in members {
                let at = format!("{pointer}/{}", escaped(name));
                if name == "selectors" {
                    of_selectors(value, &at, doubts);
                }
                of_texts(value, &at, doubts);
            }
        }
        _ => {}
    }
}

/// A place of a parameter that is none.
fn unfilled(text: &str, pointer: &str) -> Option<Problem> {
    const NEARLY: &[&str] = &["${param.", "${params.", "${parameters.", "${parameter."];
    let begin = NEARLY.iter().find_map(|begin| text.find(begin))?;
    let place: String = text[begin..].chars().take_while(|letter| !letter.is_whitespace()).take(40).collect();
    let place = place.split_inclusive('}').next().unwrap_or_default();
    let message = format!("{place:?} is no parameter, and stands as it is written");
    Some(Problem::new(pointer, message, "write ${params.NAME}, and declare it under /runners/params"))
}

/// Selectors of another kind that are written as if they were CSS.
fn of_selectors(value: &Value, pointer: &str, doubts: &mut Vec<Problem>) {
    match value {
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                of_selectors(value, &format!("{pointer}/{index}"), doubts);
            }
        }
        Value::String(text) => {
            let (kind, meant) = if text.starts_with("//") || text.starts_with("(//") {
                ("XPath", format!("xpath/{text}"))
            } else if let Some(xpath) = text.strip_prefix("xpath=") {
                ("XPath", format!("xpath/{xpath}"))
            } else if let Some(id) = text.strip_prefix("id=") {
                ("an id", format!("#{id}"))
            } else if let Some(css) = text.strip_prefix("css=") {
                ("CSS with a prefix of another tool", css.to_owned())
            } else {
                return;
            };
            let message = format!("{text:?} is read as CSS, and looks like {kind}");
            doubts.push(Problem::new(pointer, message, format!("did you mean {meant:?}?")));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use crate::BrowserFlow;
    use serde_json::{Value, json};

    fn custom(name: &str, parameters: &Value) -> Value {
        json!({ "type": "customStep", "name": name, "parameters": parameters })
    }

    fn found(document: &Value) -> Vec<String> {
        let problems = BrowserFlow::parse(&document.to_string()).unwrap_err();
        problems.iter().map(ToString::to_string).collect()
    }

    fn warned(document: &Value) -> Vec<String> {
        let flow = BrowserFlow::parse(&document.to_string()).unwrap();
        flow.flow().warnings().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_misspelt_member_of_what_is_ours_is_refused_with_what_was_meant() {
        let mut beside = custom("runners.dialog", &json!({}));
        beside["optinal"] = json!(true);
        let cookies =
            json!({ "set": [{ "name": "a", "value": "b", "samesite": "Lax", "partitionKey": "c" }] });
        let steps = json!([
            custom("runners.assertText", &json!({ "selectors": ["#a"], "text": "b", "exat": true })),
            beside,
            custom(
                "runners.drag",
                &json!({ "selectors": ["#a"], "to": { "selectors": ["#b"], "offset": 1 } })
            ),
            custom("runners.cookies", &cookies),
        ]);
        let runners = json!({ "mod": "compat", "params": { "p": { "defalt": 1 } }, "flows": { "f": {
            "title": "as recorded", "steps": [],
        } } });
        let uses =
            json!({ "type": "customStep", "name": "runners.use", "parameters": { "flow": "f" }, "note": "" });
        let mut all = steps.as_array().unwrap().clone();
        all.push(uses);
        let told = found(&json!({ "title": "t", "runners": runners, "steps": all }));
        assert_eq!(told.len(), 7, "{told:#?}");
        for wanted in [
            "/runners/mod: there is no member `mod` (did you mean `mode`?)",
            "/runners/params/p/defalt: there is no member `defalt` (did you mean `default`?)",
            "/steps/0/parameters/exat: there is no member `exat` (did you mean `exact`?)",
            "/steps/1/optinal: there is no member `optinal` (did you mean `optional`?)",
            "/steps/2/parameters/to/offset: there is no member `offset` (one of selectors)",
            "/steps/3/parameters/set/0/samesite: there is no member `samesite` (did you mean `sameSite`?)",
        ] {
            assert!(told.iter().any(|one| one == wanted), "{wanted}: {told:#?}");
        }
        assert!(told[6].starts_with("/steps/4/note: "), "{told:#?}");
    }

    #[test]
    fn a_near_miss_of_a_recorders_member_is_a_warning_and_others_are_not_looked_at() {
        let click = json!({ "type": "click", "selectors": ["#a"], "offsetX": 1, "offsetY": 1, "buton": "primary",
            "recordedAt": 7, "optinal": true });
        let document = json!({ "title": "t", "runner": {}, "madeBy": "x", "steps": [click] });
        assert_eq!(
            warned(&document),
            [
                "/runner: the member `runner` is not looked at (did you mean `runners`?)",
                "/steps/0/buton: the member `buton` is not looked at (did you mean `button`?)",
                "/steps/0/optinal: the member `optinal` is not looked at (did you mean `optional`?)",
            ]
        );
    }

    #[test]
    fn texts_that_look_like_something_else_are_warnings() {
        let change = |value: &str| json!({ "type": "change", "selectors": ["#a"], "value": value });
        let hover =
            json!({ "type": "hover", "selectors": ["//div", ["#host", "id=foo"], "xpath///a", "aria/a"] });
        let document = json!({
            "title": "t", "runners": { "params": { "x": { "default": "filled" } } },
            "steps": [change("${param.x}"), change("a ${params.x"), change("${params.x}"), hover],
        });
        assert_eq!(
            warned(&document),
            [
                "/steps/0/value: \"${param.x}\" is no parameter, and stands as it is written \
                 (write ${params.NAME}, and declare it under /runners/params)",
                "/steps/1/value: \"${params.x\" is no parameter, and stands as it is written \
                 (write ${params.NAME}, and declare it under /runners/params)",
                "/steps/3/selectors/0: \"//div\" is read as CSS, and looks like XPath (did you mean \"xpath///div\"?)",
                "/steps/3/selectors/1/1: \"id=foo\" is read as CSS, and looks like an id (did you mean \"#foo\"?)",
            ]
        );
    }
}
