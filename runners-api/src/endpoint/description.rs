//! What the endpoint says of itself: its calls, and the inputs of its checks.

use super::EndpointFace;
use crate::contract::described::{document as complete, error_responses, error_schema, json_content};
use runners_core::CheckListing;
use serde_json::{Map, Value, json};
use std::iter;

const DESCRIPTION: &str = "Carries out checks for an orchestrator.

A body may be wrapped as `{\"json\": …}`; then its answer is, too. The input of a check is what is for all, then its own, \
then the page of the request. Members that are left out have the defaults of the check. One result is answered for each \
check, in their order.";

pub(super) fn document(checks: &[CheckListing]) -> Value {
    let errors = error_responses(&[
        (400, "The request is malformed, or an input does not fit: `data.issues` says where."),
        (404, "There is no such check: `data.availableRunners` has those that there are."),
        (413, "The body is too large."),
        (422, "Another call was made under this key."),
        (500, "Nothing is carried out here: `data.details` says why."),
        (503, "Too many calls are being carried out: `Retry-After` says when to come again."),
    ]);
    let mut responses = Map::from_iter([("200".to_owned(), ok("One result for each check.", "Answer"))]);
    responses.extend(errors);
    let execute = json!({
        "operationId": "execute", "tags": ["Checks"], "summary": "Carries checks out.",
        "parameters": [{
            "name": "Idempotency-Key", "in": "header",
            "description": "Names the call: a repeat of it under the same key is answered as the first was.",
            "schema": { "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$" },
        }],
        "requestBody": { "required": true, "content": json_content(&json!({ "$ref": "#/components/schemas/Request" })) },
        "responses": responses,
    });
    let info = json!({
        "operationId": "info", "tags": ["Checks"], "summary": "Tells which checks there are.",
        "responses": { "200": ok("The checks, and how to ask for them.", "About") },
    });
    let paths = json!({
        "/execute": { "post": execute }, "/info": { "get": info }, "/artifacts/{digest}": { "get": artifact() },
    });
    let mut whole = complete("runners: endpoint of a region", DESCRIPTION, &paths, &schemas(checks));
    whole["tags"] = json!([{ "name": "Checks", "description": "What can be carried out here." }]);
    whole
}

/// Reading what a check left.
fn artifact() -> Value {
    let bytes = json!({ "application/octet-stream": { "schema": { "type": "string", "format": "binary" } } });
    let mut responses = error_responses(&[
        (404, "No call left such an artifact here lately."),
        (416, "The range begins beyond the end."),
        (503, "It cannot be read now."),
    ]);
    for (code, about) in [("200", "Its bytes."), ("206", "The range that was asked for.")] {
        responses.insert(code.to_owned(), json!({ "description": about, "content": bytes }));
    }
    responses.insert("304".to_owned(), json!({ "description": "The client has it." }));
    json!({
        "operationId": "artifact", "tags": ["Checks"], "summary": "Reads what a check left, or one range of it.",
        "parameters": [{
            "name": "digest", "in": "path", "required": true,
            "description": "Its SHA-256, as the result names it. It can be read for two hours.",
            "schema": { "type": "string", "pattern": "^[0-9a-f]{64}$" },
        }],
        "responses": responses,
    })
}

fn ok(about: &str, schema: &str) -> Value {
    let reference = json!({ "$ref": format!("#/components/schemas/{schema}") });
    json!({ "description": about, "content": json_content(&reference) })
}

fn schemas(checks: &[CheckListing]) -> Value {
    let text = json!({ "type": "string" });
    let object = json!({ "type": "object", "additionalProperties": true });
    let names: Vec<&str> = checks.iter().map(|check| check.name.as_str()).collect();
    let name = json!({ "type": "string", "enum": names });
    let inputs = checks.iter().map(|check| {
        let own = json!({ "const": check.name });
        // What a schema refers to is within itself.
        // A check that takes nothing is given an object all the same.
        let takes_nothing = check.input_schema["type"] == "null";
        let mut input = if takes_nothing { json!({ "type": "object" }) } else { check.input_schema.clone() };
        input["$id"] = format!("urn:runners:check:{}", check.name).into();
        json!({ "type": "object", "required": ["name"], "properties": { "name": own, "input": input } })
    });
    // A choice among nothing is no schema. Where there are no checks, there is nothing to ask for.
    let asked = match checks {
        [] => json!(false),
        _ => {
            let either: Vec<Value> = iter::once(name).chain(inputs).collect();
            json!({ "oneOf": either })
        }
    };
    let timeout = json!({
        "type": "integer", "minimum": 1, "maximum": EndpointFace::CHECK_TIMEOUT_MAX.as_millis() as u64,
        "description": "How long each check may take, in milliseconds.",
    });
    let runners = json!({
        "type": "array", "minItems": 1, "maxItems": EndpointFace::RUNNERS_MAX,
        "items": asked,
    });
    let artifact = json!({
        "type": "object", "required": ["name", "digest", "length", "mediaType"],
        "properties": {
            "name": text, "digest": text, "length": { "type": "integer" }, "mediaType": text,
            "url": { "type": "string", "description": "Where its bytes are, relative to the call." },
        },
    });
    let result = json!({
        "type": "object", "required": ["name", "status"],
        "properties": {
            "name": text, "status": { "enum": ["pass", "fail", "error"] }, "details": object,
            "errorMessage": text, "durationMs": { "type": "number" }, "engine": text, "runner": text,
            "artifacts": { "type": "array", "items": artifact },
            "missing": { "type": "array", "items": text },
        },
    });
    json!({
        "Error": error_schema(),
        "Request": {
            "type": "object", "required": ["runners"],
            "properties": {
                "runners": runners, "url": { "type": "string", "format": "uri" }, "runId": text, "region": text,
                "input": object, "checkTimeout": timeout,
            },
        },
        "Answer": {
            "type": "object", "required": ["results"],
            "properties": { "region": text, "runId": text, "results": { "type": "array", "items": result } },
        },
        "About": {
            "type": "object", "required": ["runners", "count", "usage"],
            "properties": {
                "runners": { "type": "array", "items": text }, "count": { "type": "integer" }, "region": text,
                "usage": object,
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_there_are_no_checks_nothing_can_be_asked_for() {
        assert_eq!(schemas(&[])["Request"]["properties"]["runners"]["items"], json!(false));
    }
}
