//! Artifacts: bytes by their digest.

use super::{
    calls::scheme, header_of, headers, schemas::Schemas, tenant_parameter, text_schema, version_parameter,
};
use crate::wire::{OCTETS, PIECE, problem::Code};
use runners_core::{Digest, TokenKind};
use serde_json::{Value, json};

/// The problems that any request about an artifact may be answered with.
pub(super) const PROBLEMS: &[Code] = &[
    Code::UnsupportedProtocol,
    Code::Invalid,
    Code::Unauthorized,
    Code::WrongToken,
    Code::Forbidden,
    Code::NotFound,
    Code::NoArtifacts,
    Code::MethodNotAllowed,
    Code::Conflict,
    Code::Limited,
    Code::HeadersTooLarge,
    Code::Internal,
    Code::Unavailable,
];

/// What else may be answered to bytes.
const STORING: &[Code] = &[Code::TooSlow, Code::TooLarge, Code::Mismatch, Code::Full, Code::OverQuota];

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
        "parameters": [address, version_parameter(), tenant()],
        "get": reading(schemas),
        "head": describing(),
        "put": putting(schemas),
        "patch": appending(schemas),
        "delete": operation("deleteArtifact", "Deletes an artifact.", about, &deleted),
    })
}

/// Whose artifacts they are. A runner of the operator names whom it holds a job of, too.
pub(super) fn tenant() -> Value {
    let mut parameter = tenant_parameter();
    parameter["description"] =
        "The tenant whose artifacts they are: by its id or its name, where the operator \
                                asks; by its id, where a runner of the operator does that holds a job of it. \
                                What others name is not looked at."
            .into();
    parameter
}

fn reading(schemas: &mut Schemas) -> Value {
    let found = |description: &str| {
        let content = json!({ OCTETS: { "schema": { "type": "string", "format": "binary" } } });
        json!({ "description": description, "headers": about_found(), "content": content })
    };
    let (whole, part) = (found("All of it."), found("The range that was asked for."));
    let problems = [PROBLEMS, &[Code::RangeNotSatisfiable]].concat();
    let location = header_of(&text_schema(), "Where, for a minute. Send no token there.");
    let elsewhere = json!({
        "description": "It is read from where it is kept.",
        "headers": headers([("Location", location), ("Runners-Artifact-Bytes-Max", limit())]),
    });
    let given = [("200", whole), ("206", part), ("304", unchanged()), ("307", elsewhere)];
    let answers = schemas.responses(given, &problems);
    let mut operation = operation("readArtifact", "Reads an artifact, or a range of it.", "", &answers);
    let range = header_parameter("Range", "One range of bytes, such as `bytes=0-1023`.");
    let about =
        "Any value: the client goes to where the artifact is kept, if it is told. Without it, it never is.";
    operation["parameters"] = json!([if_none_match(), range, header_parameter("Runners-Direct", about)]);
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
    let more = [STORING, &[Code::LengthRequired]].concat();
    let answers = schemas.responses([("204", put)], &[PROBLEMS, &more].concat());
    let about = "The length must be told first, in the header `Content-Length`. A repeat changes nothing.";
    let mut operation = operation("putArtifact", "Puts an artifact.", about, &answers);
    operation["requestBody"] = json!({
        "description": "The bytes of this SHA-256. How many there may be, every answer tells.",
        "content": { OCTETS: { "schema": { "type": "string", "format": "binary" } } },
    });
    operation
}

fn appending(schemas: &mut Schemas) -> Value {
    let stands = json!({
        "description": "It is here. With the last piece it is an artifact.",
        "headers": about_pieces(),
    });
    let more = [STORING, &[Code::UnsupportedMediaType]].concat();
    let answers = schemas.responses([("204", stands)], &[PROBLEMS, &more].concat());
    let about = "Whoever was cut off asks for an upload again, is told how many bytes are here, and sends on \
                 from there. A piece that does not follow is a conflict, which says where to go on. With the last \
                 piece the digest is checked. What nobody goes on with is removed after a day.";
    let mut operation = operation("appendArtifact", "Sends the next piece of an artifact.", about, &answers);
    let number = |name: &str, about: &str| {
        let schema = json!({ "type": "integer", "format": "int64", "minimum": 0, "maximum": 1 << 30 });
        json!({ "name": name, "in": "header", "required": true, "description": about, "schema": schema })
    };
    operation["parameters"] = json!([
        number("Upload-Offset", "Where the piece begins: how many bytes are here."),
        number("Upload-Length", "How many bytes the whole artifact has."),
    ]);
    operation["requestBody"] = json!({
        "description": "The bytes from there on, all of them or some.",
        "content": { PIECE: { "schema": { "type": "string", "format": "binary" } } },
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

pub(super) fn about_pieces() -> Value {
    let offset = header_of(&text_schema(), "How many bytes of an upload in pieces are here.");
    headers([("Runners-Artifact-Bytes-Max", limit()), ("Upload-Offset", offset)])
}

fn about_found() -> Value {
    let etag = header_of(&text_schema(), "Its digest, in quotes.");
    headers([("ETag", etag), ("Runners-Artifact-Bytes-Max", limit())])
}

fn limit() -> Value {
    header_of(&text_schema(), "How many bytes an artifact may have.")
}
