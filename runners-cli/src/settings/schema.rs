//! The settings described: a JSON Schema for editors, whose types are those of what is read, and whose
//! words are those of the flags.

use super::{document, layer::Layer};
use crate::args::GivenSettings;
use clap::{Args as _, Command};
use runners_core::checks::schemars::schema_for;
use serde_json::{Map, Value, json};

/// The schema of `runners.toml`.
pub(crate) fn schema() -> Value {
    let mut schema = schema_for!(Layer).to_value();
    schema["title"] = "Settings of runners".into();
    let command = GivenSettings::augment_args(Command::new("server"));
    for section in [
        "/properties",
        "/$defs/Features/properties",
        "/$defs/SelfHosted/properties",
        "/$defs/Docker/properties",
    ] {
        let Some(properties) = schema.pointer_mut(section).and_then(Value::as_object_mut) else {
            unreachable!("invariant: {section} is a section of the settings")
        };
        for (key, property) in properties {
            plain(property);
            if let Some(said) = said(&command, key) {
                property["description"] = said.into();
            }
        }
    }
    schema["properties"][document::REGIONS] = regions();
    schema
}

/// A setting that may be left out may not be null: TOML has none.
fn plain(property: &mut Value) {
    let Some(members) = property.as_object_mut() else { return };
    members.remove("default");
    members.remove("format");
    if let Some(Value::Array(kinds)) = members.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if let [kind] = &kinds[..] {
            let kind = kind.clone();
            members.insert("type".to_owned(), kind);
        }
    }
}

/// What the help says of the flag of that name.
fn said(command: &Command, key: &str) -> Option<String> {
    let flag = command.get_arguments().find(|argument| argument.get_long() == Some(key))?;
    flag.get_long_help().or_else(|| flag.get_help()).map(ToString::to_string)
}

fn regions() -> Value {
    let text = json!({ "type": "string" });
    let members = Map::from_iter([
        ("url".to_owned(), json!({ "type": "string", "description": "Where its endpoint is." })),
        ("token".to_owned(), json!({ "type": "string", "description": "The bearer token of its calls." })),
        (
            document::TOKEN_FILE.to_owned(),
            json!({ "type": "string", "description": "The file with that token, instead of token." }),
        ),
        ("headers".to_owned(), json!({ "type": "object", "additionalProperties": text })),
        (
            "tenants".to_owned(),
            json!({
                "description": "Whose requests it is for: all, or the ids of tenants. The tenant default alone \
                                unless this is said.",
                "anyOf": [{ "const": "all" }, { "type": "array", "items": text }],
            }),
        ),
    ]);
    let whole = json!({
        "type": "object", "properties": members, "required": ["url"], "additionalProperties": false,
    });
    json!({
        "type": "object",
        "description": "Regions that are called over HTTP, by their names: each a URL, or a table of url, \
                        token or token-file, headers and tenants. PLAYWRIGHT_RUNNERS goes before them, name by name.",
        "additionalProperties": { "anyOf": [{ "type": "string" }, whole] },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::layer;

    #[test]
    fn every_setting_is_described_in_the_words_of_its_flag() {
        let schema = schema();
        for key in layer::keys().iter().filter(|key| !key.contains('.')) {
            let property = &schema["properties"][key];
            assert!(property["description"].is_string(), "{key}: {property}");
            assert!(property["type"].is_string(), "{key}: {property}");
        }
        assert_eq!(schema["additionalProperties"], false);
    }

    #[test]
    fn the_published_schema_is_the_one_that_is_printed() {
        let published = include_str!("../../runners.schema.json");
        assert_eq!(serde_json::from_str::<Value>(published).unwrap(), schema(), "runners config schema");
    }
}
