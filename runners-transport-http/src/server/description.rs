//! What the face says of itself: an OpenAPI 3.1 document made from the messages, the routes and the
//! codes of problems, and the page made from that.

mod artifacts;
mod calls;
mod schemas;
mod uploads;

use self::schemas::{Components, Schemas};
use crate::{
    server::reply::ReplyBody,
    wire::{PROTOCOL, REQUEST_ID, TENANT, problem::Code, route::Route},
};
use http::{HeaderValue, Response, header};
use runners_core::openapi::{Documentation, DocumentationFile};
use serde_json::{Map, Value, json};

const DESCRIPTION: &str = "What runners and clients of a fleet speak. A runner connects out, states in one call \
what it is at, and is told what to do; a client submits jobs, and waits for how they end.

Every call names the version of the protocol in the header `Runners-Protocol`, and takes one token as \
`Authorization: Bearer …`: a runner's credential, an API credential, or, to enrol, a registration token. What \
belongs to another tenant is answered as what does not exist. The operator's credential works for one tenant with \
the header `Runners-Tenant`, which has its id or its name.

Bodies are JSON in snake case; spans are whole milliseconds, and count from when the request was sent. Members that \
are not known are ignored, on both sides. What the control plane refuses is the reply `refused` with a stable \
`code`; what did not reach it, or may not, is a problem (RFC 9457) with a stable `code` of its own.

A call may be sent twice: a sync states the whole truth of a runner, and everything else carries an id or a digest.";

/// The groups of calls, in the order in which they are shown.
const TAGS: [(&str, &str); 4] = [
    ("Runner", "What a runner calls, under its credential."),
    ("Client", "What submits jobs and follows them, under an API credential."),
    ("Artifacts", "Bytes by their SHA-256, streamed as they are, under either credential."),
    ("Health", "Whether the server answers."),
];

/// The document as text, with a line for each member so that its changes can be read.
pub(super) fn json() -> String {
    let mut text = serde_json::to_string_pretty(&document()).expect("invariant: the document is plain data");
    text.push('\n');
    text
}

/// The files to serve.
pub(super) fn files() -> Documentation {
    Documentation::new(json()).expect("invariant: it was just written")
}

/// Answers with one of the files.
pub(super) fn answer(file: DocumentationFile) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::bytes(file.bytes));
    let headers = response.headers_mut();
    let fixed = HeaderValue::from_static;
    headers.insert(header::CONTENT_TYPE, fixed(file.media_type));
    headers.insert(header::CONTENT_SECURITY_POLICY, fixed(Documentation::POLICY));
    headers.insert(header::REFERRER_POLICY, fixed("no-referrer"));
    headers.insert(header::CACHE_CONTROL, fixed("no-cache"));
    response
}

fn document() -> Value {
    let mut schemas = Schemas::default();
    let mut paths = Map::new();
    for route in Route::ALL {
        paths.insert(
            format!("/v1/{}", route.name()),
            json!({ "post": calls::operation(*route, &mut schemas) }),
        );
    }
    paths.insert("/v1/artifacts/{sha256}".to_owned(), artifacts::item(&mut schemas));
    paths.insert("/v1/artifacts/{sha256}/uploads".to_owned(), uploads::all(&mut schemas));
    paths.insert("/v1/artifacts/{sha256}/uploads/{upload}".to_owned(), uploads::one(&mut schemas));
    paths.insert("/healthz".to_owned(), health(&mut schemas));
    let tags: Vec<Value> =
        TAGS.iter().map(|(name, about)| json!({ "name": name, "description": about })).collect();
    let Components { schemas, responses } = schemas.finish();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "runners: protocol of runners and clients",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": { "name": env!("CARGO_PKG_LICENSE"), "identifier": env!("CARGO_PKG_LICENSE") },
        },
        "servers": [{ "url": "." }],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": responses,
            "securitySchemes": {
                "runner": bearer("rcrd_…", "The credential of a runner, which it made itself when it enrolled."),
                "registration": bearer("rreg_…", "What admits a runner to a pool."),
                "api": bearer("rapi_…", "The credential of a client. What it may do follows from its scopes."),
            },
        },
    })
}

fn bearer(format: &str, about: &str) -> Value {
    json!({ "type": "http", "scheme": "bearer", "bearerFormat": format, "description": about })
}

fn health(schemas: &mut Schemas) -> Value {
    let healthy = json!({
        "description": "It answers.",
        "headers": headers([]),
        "content": { "text/plain": { "schema": { "type": "string" } } },
    });
    json!({ "get": {
        "operationId": "health",
        "tags": ["Health"],
        "summary": "Tells that the server answers.",
        "responses": schemas.responses([("200", healthy)], &[Code::HeadersTooLarge, Code::Internal]),
    } })
}

/// The answer for problems that share a status.
fn problem(codes: &[Code]) -> Value {
    let words: Vec<String> =
        codes.iter().map(|code| format!("`{}`: {}.", code.as_str(), lowercase(code.title()))).collect();
    let named: &[&str] = match codes[0].status() {
        401 => &["WWW-Authenticate"],
        405 => &["Allow"],
        416 => &["Content-Range"],
        429 | 503 => &["Retry-After"],
        _ => &[],
    };
    let more = named.iter().map(|name| (*name, header_of(&text_schema(), about_header(name))));
    json!({
        "description": words.join(" "),
        "headers": headers(more),
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    })
}

fn about_header(name: &str) -> &'static str {
    match name {
        "WWW-Authenticate" => "`Bearer`.",
        "Allow" => "The methods that are allowed.",
        "Content-Range" => "How long it is.",
        _ => "How many seconds to wait.",
    }
}

/// The headers of every answer, and `more`.
fn headers<'a>(more: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    let mut all = Map::new();
    let version = json!({ "type": "string", "pattern": "^[0-9]+$" });
    all.insert(named(&PROTOCOL), header_of(&version, "The version of the protocol that the server speaks."));
    let about = "Names the request in the logs of both ends: as the request said, or else drawn.";
    all.insert(named(&REQUEST_ID), header_of(&text_schema(), about));
    all.extend(more.into_iter().map(|(name, header)| (name.to_owned(), header)));
    Value::Object(all)
}

fn header_of(schema: &Value, about: &str) -> Value {
    json!({ "description": about, "required": true, "schema": schema })
}

fn text_schema() -> Value {
    json!({ "type": "string" })
}

/// A header's name as it is usually written.
fn named(name: &http::HeaderName) -> String {
    let words = name.as_str().split('-').map(|word| {
        let (initial, rest) = word.split_at(1);
        initial.to_uppercase() + rest
    });
    words.collect::<Vec<_>>().join("-")
}

fn lowercase(text: &str) -> String {
    let (initial, rest) = text.split_at(1);
    initial.to_lowercase() + rest
}

/// The header that names the tenant, wherever clients call.
fn tenant_parameter() -> Value {
    json!({
        "name": named(&TENANT),
        "in": "header",
        "description": "The tenant that the request is about, by its id or its name, where that is not the one of \
                        the credential. Only the operator may name another: for anybody else there is none.",
        "schema": { "type": "string", "minLength": 1 },
    })
}

/// The header that names the version, in every call.
fn version_parameter() -> Value {
    json!({
        "name": named(&PROTOCOL),
        "in": "header",
        "required": true,
        "description": "The version of the protocol.",
        "schema": { "type": "string", "enum": ["1"] },
    })
}
