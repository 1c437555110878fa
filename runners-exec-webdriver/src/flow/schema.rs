//! The JSON Schema of flows, for editors and for those who write flows by program. It is made of the
//! same lists as the reader in `parse`, which has the last word: a schema cannot say everything. What
//! this project adds to the format is in `addition`.

mod addition;

use super::{
    Flow,
    parse::{BUTTONS, DEVICES, OPERATORS, TYPES},
    selector::{Chain, Selectors},
    step::Viewport,
};
use serde_json::{Map, Value, json};

impl Flow {
    /// The JSON Schema (draft 2020-12) of a flow document. Members that it does not know are allowed,
    /// as the format has it, but for those of this project's own.
    #[must_use]
    pub fn schema() -> Value {
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "Browser flow",
            "description": "A recorded browser script, as the Recorder panel of Chrome exports it.",
            "type": "object",
            "required": ["title", "steps"],
            "properties": {
                "$schema": { "type": "string" },
                "title": { "type": "string", "description": "What its author called it." },
                "timeout": timeout("The time limit of steps that have none of their own; 5000 if absent."),
                "selectorAttribute": { "type": "string" },
                "runners": addition::of_flow(),
                "steps": {
                    "description": "What to do, in order.",
                    "type": "array",
                    "maxItems": Flow::STEPS_MAX,
                    "items": { "$ref": "#/$defs/step" },
                },
            },
            "$defs": definitions(),
        })
    }
}

/// What the schema refers to by name.
fn definitions() -> Value {
    let steps: Vec<Value> = TYPES.iter().map(|name| step(name)).collect();
    let mut definitions = json!({
        "step": {
            "type": "object",
            "required": ["type"],
            "properties": {
                "type": { "enum": TYPES },
                "timeout": timeout("The time limit of the step."),
                "target": {
                    "description": "\"main\", or the exact address of another page or frame.",
                    "type": "string",
                },
                "frame": {
                    "description": "Indices of child frames, from the main frame.",
                    "type": "array",
                    "items": { "type": "integer", "minimum": 0 },
                },
                "assertedEvents": {
                    "description": "What the step must cause.",
                    "type": "array",
                    "items": { "$ref": "#/$defs/navigation" },
                },
            },
            "allOf": [{ "$ref": "#/$defs/additions" }],
            "oneOf": steps,
        },
        "navigation": {
            "type": "object",
            "required": ["type"],
            "properties": {
                "type": { "const": "navigation" },
                "url": { "type": "string" },
                "title": { "type": "string" },
            },
        },
        "selector": {
            "description": "CSS, or aria/…, text/…, xpath/…, pierce/….",
            "type": "string", "pattern": "^(?!((css|text|xpath|pierce|aria)/)?\\s*$)",
        },
        "selectors": {
            "description": "Alternatives; each is a selector, or a chain of which every part is inside of the one before.",
            "type": "array",
            "minItems": 1,
            "maxItems": Selectors::ALTERNATIVES_MAX,
            "items": {
                "anyOf": [
                    { "$ref": "#/$defs/selector" },
                    {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": Chain::SELECTORS_MAX,
                        "items": { "$ref": "#/$defs/selector" },
                    },
                ],
            },
        },
    });
    for (name, definition) in addition::definitions() {
        definitions[name] = definition;
    }
    definitions
}

fn timeout(description: &str) -> Value {
    json!({ "description": description, "type": "number", "minimum": 1, "maximum": 30_000 })
}

/// What a step of this type has beside what all have.
fn step(name: &str) -> Value {
    let (text, number, truth) =
        (json!({ "type": "string" }), json!({ "type": "number" }), json!({ "type": "boolean" }));
    let selectors = json!({ "$ref": "#/$defs/selectors" });
    let click = || {
        vec![
            ("selectors", selectors.clone(), true),
            ("offsetX", number.clone(), true),
            ("offsetY", number.clone(), true),
            ("button", json!({ "enum": BUTTONS, "default": "primary" }), false),
            ("deviceType", json!({ "enum": DEVICES, "default": "mouse" }), false),
            ("duration", json!({ "type": "number", "description": "Milliseconds." }), false),
        ]
    };
    let speed =
        || json!({ "type": "number", "minimum": -1, "description": "Bytes a second; -1 for no limit." });
    let pixels = || json!({ "type": "number", "minimum": 1, "maximum": Viewport::PIXELS_MAX });
    let members = match name {
        "change" => vec![("selectors", selectors, true), ("value", text, true)],
        "click" | "doubleClick" => click(),
        "customStep" => vec![("name", text, true), ("parameters", json!(true), false)],
        "emulateNetworkConditions" => {
            vec![
                ("download", speed(), true),
                ("upload", speed(), true),
                ("latency", json!({ "type": "number", "minimum": 0 }), true),
            ]
        }
        "hover" => vec![("selectors", selectors, true)],
        "keyDown" | "keyUp" => vec![("key", text, true)],
        "navigate" => vec![("url", text, true)],
        "scroll" => {
            vec![("selectors", selectors, false), ("x", number.clone(), false), ("y", number, false)]
        }
        "setViewport" => vec![
            ("width", pixels(), true),
            ("height", pixels(), true),
            ("deviceScaleFactor", json!({ "type": "number", "minimum": 0 }), true),
            ("isMobile", truth.clone(), true),
            ("hasTouch", truth.clone(), true),
            ("isLandscape", truth, true),
        ],
        "waitForElement" => vec![
            ("selectors", selectors, true),
            ("operator", json!({ "enum": OPERATORS, "default": ">=" }), false),
            ("count", json!({ "type": "integer", "minimum": 0, "default": 1 }), false),
            ("visible", json!({ "type": "boolean", "default": true }), false),
            ("properties", json!({ "type": "object" }), false),
            ("attributes", json!({ "type": "object", "additionalProperties": { "type": "string" } }), false),
        ],
        "waitForExpression" => vec![("expression", text, true)],
        _ => Vec::new(),
    };
    let required: Vec<_> =
        members.iter().filter(|(_, _, required)| *required).map(|(name, _, _)| *name).collect();
    let mut properties: Map<String, Value> =
        members.iter().map(|(name, schema, _)| ((*name).to_owned(), schema.clone())).collect();
    properties.insert("type".to_owned(), json!({ "const": name }));
    let mut schema = json!({ "properties": properties, "required": required });
    if name == "customStep" {
        schema["allOf"] = addition::custom_steps();
    }
    schema
}

#[cfg(test)]
mod tests;
