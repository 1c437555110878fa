//! The schema of what this project adds to the format: the member `runners`, what every step may carry
//! beside, and the custom steps whose names begin with `runners.`.

use super::super::{
    Comparison, Extension, Flow, Step,
    include::{OF_USED, USE},
    parameters::KINDS,
    parse::MODES,
};
use crate::evidence::Capture;
use serde_json::{Map, Value, json};

/// The schemas that others refer to by name.
pub(super) fn definitions() -> [(&'static str, Value); 5] {
    let (text, truth) = (json!({ "type": "string" }), json!({ "type": "boolean", "default": false }));
    [
        ("additions", of_step()),
        (
            "parameter",
            json!({
                "description": "What is written as ${params.NAME} in the texts of steps.",
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "type": { "enum": KINDS, "default": "string" },
                    "default": { "type": ["string", "number", "boolean", "null"] },
                    "secret": {
                        "description": "Whether it is a secret of that name, which only the job has.",
                        "type": "boolean", "default": false,
                    },
                },
            }),
        ),
        (
            "cookie",
            json!({
                "type": "object",
                "required": ["name", "value"],
                "properties": {
                    "name": text, "value": text, "domain": text, "path": text,
                    "expires": { "description": "Seconds since 1970; with the session if absent or below 0.", "type": "number" },
                    "httpOnly": truth, "secure": truth,
                    "sameSite": { "enum": ["Strict", "Lax", "None"] },
                },
            }),
        ),
        (
            "file",
            json!({
                "description": "Its content is either `text` or `base64`.",
                "type": "object",
                "required": ["name"],
                "properties": { "name": text, "mediaType": text, "text": text, "base64": text },
                "additionalProperties": false,
                "oneOf": [{ "required": ["text"] }, { "required": ["base64"] }],
            }),
        ),
        (
            "origin",
            json!({
                "type": "object",
                "required": ["origin"],
                "properties": {
                    "origin": { "description": "Such as https://shop.example.", "type": "string" },
                    "localStorage": {
                        "type": "array",
                        "maxItems": Extension::STORED_MAX,
                        "items": {
                            "type": "object",
                            "required": ["name", "value"],
                            "properties": { "name": text, "value": text },
                        },
                    },
                },
            }),
        ),
    ]
}

/// The member `runners` of a flow.
pub(super) fn of_flow() -> Value {
    json!({
        "description": "What only this project knows; the Recorder panel leaves it out.",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "mode": { "description": "How closely the steps are looked at.", "enum": MODES, "default": "strict" },
            "capture": {
                "description": "What is kept beside the console, the requests and pictures.",
                "type": "array",
                "items": { "enum": Capture::WORDS },
            },
            "params": {
                "description": "The parameters of the flow, by name.",
                "type": "object",
                "maxProperties": Flow::PARAMETERS_MAX,
                "propertyNames": { "pattern": "^[A-Za-z0-9._-]{1,64}$" },
                "additionalProperties": { "$ref": "#/$defs/parameter" },
            },
            "baselines": {
                "description": "Pictures that the flow is compared with, by their path, such as sign-in/cart-chrome-1280x720.png: PNG in base64.",
                "type": "object",
                "maxProperties": Flow::BASELINES_MAX,
                "additionalProperties": { "type": "string", "contentEncoding": "base64" },
            },
            "updateBaselines": {
                "description": "Whether comparisons pass whatever they see, and leave the pictures to be kept.",
                "type": "boolean", "default": false,
            },
            "flows": {
                "description": "Steps that are used by name, with the custom step runners.use.",
                "type": "object",
                "additionalProperties": {
                    "type": "object",
                    "properties": { "steps": { "type": "array", "items": { "$ref": "#/$defs/step" } } },
                },
            },
        },
    })
}

/// What every step may carry.
fn of_step() -> Value {
    json!({
        "properties": {
            "id": {
                "description": "What its author calls it.",
                "type": "string", "minLength": 1, "maxLength": Step::ID_BYTES_MAX,
            },
            "optional": {
                "description": "Whether the flow goes on if the step fails.",
                "type": "boolean", "default": false,
            },
            "retries": {
                "description": "How often it is tried again before it fails.",
                "type": "integer", "minimum": 0, "maximum": Step::RETRIES_MAX, "default": 0,
            },
            "screenshot": {
                "description": "Whether a picture is kept once it has passed.",
                "type": "boolean", "default": false,
            },
        },
    })
}

/// Each custom step of ours: if it has that name, then it has these parameters.
pub(super) fn custom_steps() -> Value {
    let one = |name: &str| {
        let members = parameters(name);
        let required: Vec<_> =
            members.iter().filter(|(_, _, required)| *required).map(|(name, _, _)| *name).collect();
        let properties: Map<String, Value> =
            members.iter().map(|(name, schema, _)| ((*name).to_owned(), schema.clone())).collect();
        let mut parameters = json!({
            "type": "object", "properties": properties, "required": required, "additionalProperties": false,
        });
        if name == "runners.cookies" {
            parameters["minProperties"] = json!(1);
        }
        if name == "runners.dialog" {
            let dismissed = json!({ "properties": { "accept": { "const": false } }, "required": ["accept"] });
            parameters["if"] = dismissed;
            parameters["then"] = json!({ "properties": { "value": { "not": {} } } });
        }
        let mut then = json!({ "properties": { "parameters": parameters }, "required": ["parameters"] });
        if name == USE {
            for member in OF_USED {
                then["properties"][member] =
                    json!({ "description": "Write it on the steps of the flow that is used.", "not": {} });
            }
        }
        json!({ "if": { "properties": { "name": { "const": name } } }, "then": then })
    };
    super::super::extension::NAMES.iter().map(|name| one(name)).collect()
}

fn only_selectors(selectors: &Value) -> Value {
    json!({
        "type": "object", "required": ["selectors"], "properties": { "selectors": selectors },
        "additionalProperties": false,
    })
}

/// The parameters of a custom step of ours, and which of them it must have.
fn parameters(name: &str) -> Vec<(&'static str, Value, bool)> {
    let text = || json!({ "type": "string" });
    let truth = |default: bool| json!({ "type": "boolean", "default": default });
    let selectors = json!({ "$ref": "#/$defs/selectors" });
    let many = |of: &str, most: usize| json!({ "type": "array", "maxItems": most, "items": { "$ref": format!("#/$defs/{of}") } });
    let cookies = || many("cookie", Extension::STORED_MAX);
    let picture = format!("^[A-Za-z0-9_-]{{1,{}}}$", Extension::NAME_BYTES_MAX);
    match name {
        "runners.assertText" => {
            vec![("selectors", selectors, true), ("text", text(), true), ("exact", truth(false), false)]
        }
        "runners.assertUrl" => vec![("url", text(), true), ("exact", truth(true), false)],
        "runners.assertVisible" => vec![("selectors", selectors, true), ("visible", truth(true), false)],
        "runners.screenshot" | "runners.saveStorageState" => {
            vec![("name", json!({ "type": "string", "pattern": picture }), true)]
        }
        "runners.upload" => {
            vec![("selectors", selectors, true), ("files", many("file", Extension::FILES_MAX), true)]
        }
        "runners.select" => {
            let values = json!({ "type": "array", "maxItems": Extension::OPTIONS_MAX, "items": text() });
            vec![("selectors", selectors, true), ("values", values, true)]
        }
        "runners.drag" => {
            let to = only_selectors(&selectors);
            vec![("selectors", selectors, true), ("to", to, true)]
        }
        "runners.dialog" => {
            vec![("accept", truth(true), false), ("message", text(), false), ("value", text(), false)]
        }
        "runners.cookies" => vec![("clear", truth(false), false), ("set", cookies(), false)],
        "runners.storageState" => {
            let origins = many("origin", Extension::STORED_MAX);
            vec![("cookies", cookies(), false), ("origins", origins, false)]
        }
        "runners.assertScreenshot" => {
            let mask = only_selectors(&selectors);
            vec![
                ("name", json!({ "type": "string", "pattern": picture }), true),
                (
                    "masks",
                    json!({ "type": "array", "maxItems": Comparison::MASKS_MAX, "items": mask }),
                    false,
                ),
                ("tolerance", json!({ "type": "number", "minimum": 0, "maximum": 1, "default": 0 }), false),
                (
                    "threshold",
                    json!({
                        "type": "integer", "minimum": 0, "maximum": u8::MAX, "default": Comparison::THRESHOLD,
                    }),
                    false,
                ),
            ]
        }
        "runners.use" => vec![("flow", text(), true)],
        _ => Vec::new(),
    }
}
