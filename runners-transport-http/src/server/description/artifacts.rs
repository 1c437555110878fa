//! Artifacts: bytes by their digest.

use super::{calls::scheme, header_of, headers, schemas::Schemas, text_schema, version_parameter};
use crate::wire::{OCTETS, problem::Code};
use runners_core::{Digest, TokenKind};
use serde_json::{Value, json};

/// The problems that any request about an artifact may be answered with.
pub(super) const PROBLEMS: &[Code] = &[
    Code::UnsupportedProtocol,
    Code::Unauthorized,
    Code::WrongToken,
    Code::Forbidden,
    Code::NotFound,
    Code::NoArtifacts,
    Code::MethodNotAllowed,
    Code::Limited,
    Code::HeadersTooLarge,
    Code::Internal,
    Code::Unavailable,
];

/// What is at the path of an artifact.
pub(super) fn item(schemas: &mut Schemas) -> Value {
    let address = json!({
        "name": "sha256",
        "in": "path",
        "required": true,
        "description": "The SHA-256 of the bytes.",
        "schema": schemas.request::<Digest>(),
    });
    let deleted = json!({ "description": "It is gone.", "headers": about_limit() });
    let about = "It takes the scope `admin`. One that is not there is deleted already.";
    let deleted = schemas.responses([("204", deleted)], PROBLEMS);
    json!({
        "parameters": [address, version_parameter()],
        "get": reading(schemas),
        "head": describing(),
        "put": putting(schemas),
        "delete": operation("deleteArtifact", "Deletes an artifact.", about, &deleted),
    })
}

fn reading(schemas: &mut Schemas) -> Value {
    let found = |description: &str| {
        let content = json!({ OCTETS: { "schema": { "type": "string", "format": "binary" } } });
        json!({ "description": description, "headers": about_found(), "content": content })
    };
    let (whole, part) = (found("All of it."), found("The range that was asked for."));
    let problems = [PROBLEMS, &[Code::RangeNotSatisfiable]].concat();
    let answers = schemas.responses([("200", whole), ("206", part), ("304", unchanged())], &problems);
    let mut operation = operation("readArtifact", "Reads an artifact, or a range of it.", "", &answers);
    let range = header_parameter("Range", "One range of bytes, such as `bytes=0-1023`.");
    operation["parameters"] = json!([if_none_match(), range]);
    operation
}

/// What is answered to HEAD has no body, whatever comes of it.
fn describing() -> Value {
    let found = json!({ "description": "It is there.", "headers": about_found() });
    let mut answers = json!({ "200": found, "304": unchanged() });
    for code in PROBLEMS {
        answers[code.status().to_string()] = json!({ "description": code.title(), "headers": headers([]) });
    }
    let summary = "Tells whether there is such an artifact, and how long it is.";
    let mut operation = operation("describeArtifact", summary, "", &answers);
    operation["parameters"] = json!([if_none_match()]);
    operation
}

fn unchanged() -> Value {
    json!({ "description": "The client has it already.", "headers": about_found() })
}

fn if_none_match() -> Value {
    header_parameter("If-None-Match", "Digests that the client has, in quotes.")
}

fn putting(schemas: &mut Schemas) -> Value {
    let put = json!({ "description": "It is kept.", "headers": about_limit() });
    let more =
        [Code::Invalid, Code::TooSlow, Code::LengthRequired, Code::TooLarge, Code::Mismatch, Code::Full];
    let answers = schemas.responses([("204", put)], &[PROBLEMS, &more].concat());
    let about = "The length must be told first, in the header `Content-Length`. A repeat changes nothing.";
    let mut operation = operation("putArtifact", "Puts an artifact.", about, &answers);
    operation["requestBody"] = json!({
        "description": "The bytes of this SHA-256. How many there may be, every answer tells.",
        "content": { OCTETS: { "schema": { "type": "string", "format": "binary" } } },
    });
    operation
}

fn operation(id: &str, summary: &str, description: &str, answers: &Value) -> Value {
    json!({
        "operationId": id,
        "tags": ["Artifacts"],
        "summary": summary,
        "description": description,
        "security": [{ scheme(TokenKind::Runner): [] }, { scheme(TokenKind::Api): [] }],
        "responses": answers,
    })
}

fn header_parameter(name: &str, about: &str) -> Value {
    json!({ "name": name, "in": "header", "description": about, "schema": text_schema() })
}

pub(super) fn about_limit() -> Value {
    headers([("Runners-Artifact-Bytes-Max", limit())])
}

fn about_found() -> Value {
    let etag = header_of(&text_schema(), "Its digest, in quotes.");
    headers([("ETag", etag), ("Runners-Artifact-Bytes-Max", limit())])
}

fn limit() -> Value {
    header_of(&text_schema(), "How many bytes an artifact may have.")
}
