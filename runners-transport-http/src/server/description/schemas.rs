//! The schemas of messages, as the types in the core give them, brought into the form of a
//! description: limits in numbers, and no links of Rust's documentation.

use super::problem;
use crate::wire::problem::{Code, Problem};
use runners_core::{
    Desired, Facts, Fault,
    protocol::{Attachment, JobView, PoolExplanation, Reply, RotateRequest, SignalRequest, SubmitRequest},
};
use schemars::{
    JsonSchema, Schema, SchemaGenerator,
    generate::SchemaSettings,
    transform::{Transform, transform_subschemas},
};
use serde_json::{Map, Value, json};

/// Constants that the documentation of messages names, and what they are.
fn constants() -> [(&'static str, String); 10] {
    let seconds = |span: std::time::Duration| format!("{} seconds", span.as_secs());
    [
        ("Attachment::NAME_BYTES_MAX", Attachment::NAME_BYTES_MAX.to_string()),
        ("Attachment::PER_ATTEMPT_MAX", Attachment::PER_ATTEMPT_MAX.to_string()),
        ("Desired::NOTE_BYTES_MAX", Desired::NOTE_BYTES_MAX.to_string()),
        ("Facts::NAMES_MAX", Facts::NAMES_MAX.to_string()),
        ("Fault::MESSAGE_MAX", Fault::MESSAGE_MAX.to_string()),
        ("JobView::HOSTED_POOL", format!("`{}`", JobView::HOSTED_POOL)),
        ("PoolExplanation::RUNNERS_MAX", PoolExplanation::RUNNERS_MAX.to_string()),
        ("RotateRequest::OVERLAP", seconds(RotateRequest::OVERLAP)),
        ("SignalRequest::EXPIRES_IN_MAX", seconds(SignalRequest::EXPIRES_IN_MAX)),
        ("SubmitRequest::JOBS_MAX", SubmitRequest::JOBS_MAX.to_string()),
    ]
}

/// Collects schemas, each under its name.
pub(super) struct Schemas {
    /// Of what a client writes: what has a default need not be there.
    requests: SchemaGenerator,
    /// Of what the server writes: what it always writes is there.
    replies: SchemaGenerator,
    /// The answers with problems, which many calls share.
    problems: Map<String, Value>,
}

/// What a description names in several places.
pub(super) struct Components {
    pub(super) schemas: Map<String, Value>,
    pub(super) responses: Map<String, Value>,
}

impl Default for Schemas {
    fn default() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = "/components/schemas".into();
                settings.meta_schema = None;
            })
        };
        Self {
            requests: settings().for_deserialize().into_generator(),
            replies: settings().for_serialize().into_generator(),
            problems: Map::new(),
        }
    }
}

impl Schemas {
    /// The fields of a kind of request.
    pub(super) fn request<T: JsonSchema>(&mut self) -> Value {
        self.requests.subschema_for::<T>().to_value()
    }

    /// What a kind of answer has that is no reply of the control plane.
    pub(super) fn answer<T: JsonSchema>(&mut self) -> Value {
        self.replies.subschema_for::<T>().to_value()
    }

    /// Those replies of all that are named.
    pub(super) fn reply(&mut self, names: &[&str]) -> Value {
        let all = Reply::json_schema(&mut self.replies).to_value();
        let variants = all["oneOf"].as_array().expect("invariant: a reply is one of several");
        let named = |name: &&str| {
            let is = |one: &&Value| one["const"] == **name || !one["properties"][*name].is_null();
            let mut found = variants.iter().find(is).expect("invariant: every reply is known").clone();
            Described.transform((&mut found).try_into().expect("invariant: a schema is an object"));
            found
        };
        json!({ "oneOf": names.iter().map(named).collect::<Vec<_>>() })
    }

    /// The answers that are given, and those with problems, by their status.
    pub(super) fn responses<const N: usize>(
        &mut self,
        given: [(&str, Value); N],
        problems: &[Code],
    ) -> Value {
        let mut all: Map<String, Value> =
            given.into_iter().map(|(status, answer)| (status.to_owned(), answer)).collect();
        for status in problems.iter().map(|code| code.status()) {
            let codes: Vec<Code> = problems.iter().copied().filter(|code| code.status() == status).collect();
            let words: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
            let name = words.join("-or-");
            let reference = json!({ "$ref": format!("#/components/responses/{name}") });
            self.problems.entry(name).or_insert_with(|| problem(&codes));
            all.insert(status.to_string(), reference);
        }
        Value::Object(all)
    }

    /// All that were asked for, and what those are made of.
    pub(super) fn finish(mut self) -> Components {
        self.replies.subschema_for::<Problem>();
        let mut all = self.requests.take_definitions(true);
        for (name, schema) in self.replies.take_definitions(true) {
            let before = all.insert(name.clone(), schema.clone());
            let same = before.is_none_or(|before| before == schema);
            assert!(same, "invariant: {name} is written as it is read, or is in one direction only");
        }
        for schema in all.values_mut() {
            Described.transform(schema.try_into().expect("invariant: a schema is an object"));
        }
        Components { schemas: all, responses: self.problems }
    }
}

/// Brings a schema into the form of a description.
struct Described;

impl Transform for Described {
    fn transform(&mut self, schema: &mut Schema) {
        let max = match schema.get("format").and_then(Value::as_str) {
            Some("uint32") => Some(u64::from(u32::MAX)),
            Some("uint64") => Some(u64::MAX),
            _ => None,
        };
        if let Some(max) = max.filter(|_| schema.get("maximum").is_none()) {
            schema.insert("maximum".to_owned(), max.into());
        }
        // Sets are read from lists that say the same twice, too.
        schema.remove("uniqueItems");
        if let Some(Value::String(text)) = schema.get_mut("description") {
            *text = plain(text);
        }
        transform_subschemas(self, schema);
    }
}

/// A text of Rust's documentation for readers who have none: a paragraph is one line, limits are
/// numbers, and links are what they read as.
fn plain(text: &str) -> String {
    let paragraphs: Vec<String> = text.split("\n\n").map(|part| part.replace('\n', " ")).collect();
    let mut text = paragraphs.join("\n\n");
    for (name, constant) in constants() {
        text = text.replace(&format!("[`{name}`]"), &constant);
    }
    let mut out = String::new();
    while let Some((before, rest)) = text.split_once('[') {
        let (words, after) = rest.split_once(']').unwrap_or((rest, ""));
        out.push_str(before);
        out.push_str(words.trim_matches('`'));
        // Where a link leads to stands in round brackets behind it.
        let behind = after.strip_prefix('(').and_then(|target| target.split_once(')'));
        text = behind.map_or(after, |(_, behind)| behind).to_owned();
    }
    out + &text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_rust_becomes_one_that_needs_no_rust() {
        let told = plain("At most [`SubmitRequest::JOBS_MAX`]\njobs, as [`JobSpec`](crate::JobSpec) says.");
        assert_eq!(told, "At most 1000 jobs, as JobSpec says.");
        assert_eq!(plain("One\nline.\n\nAnother."), "One line.\n\nAnother.");
    }
}
