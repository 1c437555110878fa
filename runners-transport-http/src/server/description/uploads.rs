//! Uploads of artifacts: straight to where they are kept, or in pieces.

use super::{artifacts, calls::scheme, schemas::Schemas, version_parameter};
use crate::{
    server::uploads::BYTES_MAX,
    wire::{JSON, problem::Code},
};
use runners_core::{
    Digest, TokenKind, UploadId,
    protocol::{UploadGrant, UploadRequest},
};
use serde_json::{Value, json};

/// What an upload may be answered beside what any request about an artifact may be.
const PROBLEMS: &[Code] = &[Code::TooSlow, Code::TooLarge, Code::UnsupportedMediaType, Code::OverQuota];

/// What is at the path of the uploads of an artifact.
pub(super) fn all(schemas: &mut Schemas) -> Value {
    let granted = json!({
        "description": "The upload is granted.",
        "headers": artifacts::about_limit(),
        "content": { JSON: { "schema": schemas.answer::<UploadGrant>() } },
    });
    let none = json!({
        "description": "There is none to be had: put the artifact here, or send on in pieces from the offset, \
                        if there is one.",
        "headers": artifacts::about_pieces(),
    });
    let problems = [artifacts::PROBLEMS, PROBLEMS].concat();
    let answers = schemas.responses([("200", granted), ("204", none)], &problems);
    let about = "What is larger than may be is refused here, and so is what does not fit into the tenant's quota: \
                 what was announced counts until it is over, or for a day. The bytes are then put to the URL, with the headers of \
                 the grant and `Content-Length`, and nothing of the control plane's is sent along. They are no \
                 artifact before they were taken over.";
    let post = operation(
        "grantUpload",
        "Grants an upload straight to where artifacts are kept.",
        about,
        &answers,
        schemas,
    );
    json!({ "parameters": [address(schemas), version_parameter(), artifacts::tenant()], "post": post })
}

/// What is at the path of one upload.
pub(super) fn one(schemas: &mut Schemas) -> Value {
    let taken = json!({ "description": "It is kept.", "headers": artifacts::about_limit() });
    let problems = [artifacts::PROBLEMS, PROBLEMS, &[Code::Mismatch, Code::Full]].concat();
    let answers = schemas.responses([("204", taken)], &problems);
    let about =
        "It is looked at where it lies: with another length or digest it is a mismatch, and is removed.";
    let post = operation(
        "takeUpload",
        "Takes over what was uploaded, which is an artifact then.",
        about,
        &answers,
        schemas,
    );
    let upload = json!({
        "name": "upload",
        "in": "path",
        "required": true,
        "description": "The upload, as its grant names it.",
        "schema": schemas.request::<UploadId>(),
    });
    json!({ "parameters": [address(schemas), upload, version_parameter(), artifacts::tenant()], "post": post })
}

fn address(schemas: &mut Schemas) -> Value {
    json!({
        "name": "sha256",
        "in": "path",
        "required": true,
        "description": "The SHA-256 of the bytes.",
        "schema": schemas.request::<Digest>(),
    })
}

fn operation(id: &str, summary: &str, about: &str, answers: &Value, schemas: &mut Schemas) -> Value {
    json!({
        "operationId": id,
        "tags": ["Artifacts"],
        "summary": summary,
        "description": about,
        "security": [{ scheme(TokenKind::Runner): [] }, { scheme(TokenKind::Api): [] }],
        "requestBody": {
            "required": true,
            "description": format!("At most {BYTES_MAX} bytes."),
            "content": { JSON: { "schema": schemas.request::<UploadRequest>() } },
        },
        "responses": answers,
    })
}
