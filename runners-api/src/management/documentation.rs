//! What the API says of itself: an OpenAPI document made from the code, and a page made from that.

use super::Face;
use crate::wire::{
    exchange::REQUEST_ID,
    problem::{Code, PROBLEM_JSON, Problem},
};
use axum::{
    Router,
    response::{IntoResponse as _, Response},
    routing::get,
};
use http::{HeaderValue, header};
use runners_core::{
    IdempotencyKey,
    openapi::{Documentation, DocumentationFile},
};
use serde_json::Value;
use utoipa::{
    PartialSchema as _, ToSchema as _,
    openapi::{
        Components, Content, HeaderBuilder, Info, License, OpenApi, Ref, Required, ResponseBuilder, Server,
        path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem},
        schema::{ObjectBuilder, Type},
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
        tag::{Tag, TagBuilder},
    },
};

/// What groups of calls are about, in the order in which they are shown.
const TAGS: &[(&str, &str)] = &[
    ("Pools", "Named sets of runners that jobs target."),
    ("Registration tokens", "What admits new runners to a pool. Their text is shown once, and never again."),
    ("Runners", "The processes that execute jobs."),
    ("Jobs", "What to do, as typed data, and how it went."),
    ("Runs", "Jobs that were submitted together."),
    ("Flows", "Documents with names, to be run again: of each, a number of versions is kept."),
    ("Signals", "Commands that one runner answers."),
    ("Fleet", "How busy it is, for autoscalers."),
    ("Tenants", "The owners of everything else, for the operator."),
    ("Environments", "Names that route jobs to hosted execution or to a pool."),
    ("Credentials", "What this API is called with."),
    ("Events", "The history of jobs and runs as it happens."),
    ("Webhooks", "Where events are delivered to, and what could not be."),
    ("Retention", "What is kept, and for how long."),
    ("Audit", "Who changed what, and when."),
];

const DESCRIPTION: &str = "Manages a fleet of runners: machines that only connect out, and are granted jobs.

Every call takes an API credential, as `Authorization: Bearer …` or as `X-API-Key: …`. Reading takes the scope \
`read`, submitting and cancelling jobs and changing flows `submit`, and everything else `admin`. What belongs to another tenant is \
answered as what does not exist. The operator works for one tenant with the header `Runners-Tenant`, which has the \
tenant's id or its name; for anybody else, another tenant than their own does not exist.

Bodies are JSON in camel case, and times are UTC as of RFC 3339. A member that is not known, of another type or \
over its limit is refused with the path of the member. Errors are problems (RFC 9457) with a stable `code`.

A call that makes something takes an `Idempotency-Key`. For 24 hours a repeat under the same key makes nothing, and \
is answered as the first was, with what was made as it was then; a secret that was shown is `null`. Jobs and signals \
have the same ids again. Another request under the key is refused with 422, and one while the first is under way \
with 409. Everything else can be repeated as it is.

Whatever an answer is about, its header `X-Request-Id` names it in the logs of the server; a request may bring \
its own.";

/// The calls that take an `Idempotency-Key`: every one that makes something, or draws a secret.
const REPEATABLE: &[&str] = &[
    "create_pool",
    "create_registration_token",
    "register_runner",
    "create_credential",
    "create_tenant",
    "create_webhook",
    "rotate_webhook_secret",
    "submit_jobs",
    "retry_job",
    "run_flow",
    "send_signal",
];

/// The routes of the document and of the page.
pub(super) fn routes(document: OpenApi) -> Router<Face> {
    let files = Documentation::new(json(&completed(document))).expect("invariant: it was just written");
    Documentation::PATHS.iter().fold(Router::new(), |router, path| {
        let file = files.file(path).expect("invariant: it has a file at each of its paths");
        router.route(path, get(async move || answer(file.clone())))
    })
}

fn answer(file: DocumentationFile) -> Response {
    let fixed = HeaderValue::from_static;
    let headers = [
        (header::CONTENT_TYPE, fixed(file.media_type)),
        (header::CONTENT_SECURITY_POLICY, fixed(Documentation::POLICY)),
        (header::REFERRER_POLICY, fixed("no-referrer")),
        (header::CACHE_CONTROL, fixed("no-cache")),
    ];
    (headers, file.bytes).into_response()
}

/// The document as text, with a line for each member so that its changes can be read.
pub(super) fn json(document: &OpenApi) -> String {
    let mut document = serde_json::to_value(document).expect("invariant: the document is plain data");
    bound(&mut document);
    let mut text = serde_json::to_string_pretty(&document).expect("invariant: the document is plain data");
    text.push('\n');
    text
}

/// Says what is read as it is read. Integers that are not negative are named by what they are, with the
/// largest: their derive knows `int32` and `int64` only, which end earlier.
fn bound(value: &mut Value) {
    if let Some(all) = value.as_array_mut() {
        all.iter_mut().for_each(bound);
    }
    let Some(members) = value.as_object_mut() else { return };
    // Sets are read from lists that say the same twice, too.
    members.remove("uniqueItems");
    let (format, maximum) = match members.get("format").and_then(Value::as_str) {
        Some("int32") => ("uint32", u64::from(u32::MAX)),
        Some("int64") => ("uint64", u64::MAX),
        _ => return members.values_mut().for_each(bound),
    };
    if members.get("minimum").is_some_and(|minimum| minimum.as_u64().is_some()) {
        members.insert("format".to_owned(), format.into());
        members.entry("maximum").or_insert_with(|| maximum.into());
    }
}

/// Adds what holds for every call to what is said of each.
pub(super) fn completed(mut document: OpenApi) -> OpenApi {
    document.info = Info::builder()
        .title("runners: management")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .license(Some(License::new(env!("CARGO_PKG_LICENSE"))))
        .build();
    document.servers = Some(vec![Server::new(".")]);
    let used =
        |tag: &str| document.paths.paths.values().any(|item| operations(item).any(|one| has(one, tag)));
    let tags: Vec<Tag> = TAGS
        .iter()
        .filter(|(name, _)| used(name))
        .map(|(name, about)| TagBuilder::new().name(*name).description(Some(*about)).build())
        .collect();
    document.tags = Some(tags);
    let none: [&str; 0] = [];
    document.security =
        Some(vec![SecurityRequirement::new("bearer", none), SecurityRequirement::new("apiKey", none)]);
    let components = document.components.get_or_insert_with(Components::new);
    components.schemas.insert(Problem::name().into(), Problem::schema());
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("rapi_…").build();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    let key = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-API-Key")));
    components.add_security_scheme("apiKey", key);
    document.paths.paths.values_mut().for_each(complete_item);
    document
}

fn has(operation: &Operation, tag: &str) -> bool {
    operation.tags.iter().flatten().any(|one| one == tag)
}

fn operations(item: &PathItem) -> impl Iterator<Item = &Operation> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    [get, put, post, delete, patch].into_iter().flatten()
}

fn complete_item(item: &mut PathItem) {
    let PathItem { get, put, post, delete, patch, .. } = item;
    for (reads, operation) in [(true, get), (false, put), (false, post), (false, delete), (false, patch)] {
        if let Some(operation) = operation {
            complete(operation, reads);
        }
    }
}

/// Adds the answers that any call of this shape may give.
fn complete(operation: &mut Operation, reads: bool) {
    let is_repeatable = operation.operation_id.as_deref().is_some_and(|id| REPEATABLE.contains(&id));
    if is_repeatable {
        operation.parameters.get_or_insert_default().push(idempotency_key().into());
    }
    let mut codes = vec![Code::Unauthorized, Code::Forbidden, Code::Exhausted, Code::HeadersTooLarge];
    codes.extend([Code::Internal, Code::Unavailable]);
    let parameters = operation.parameters.iter().flatten();
    if parameters.count() > 0 || !reads {
        codes.push(Code::Invalid);
    }
    if operation.parameters.iter().flatten().any(is_in_path) || !reads {
        codes.push(Code::NotFound);
    }
    if operation.request_body.is_some() {
        codes.extend([Code::TooSlow, Code::TooLarge, Code::UnsupportedMediaType]);
    }
    if is_repeatable {
        codes.extend([Code::Conflict, Code::KeyReused]);
    }
    for code in codes {
        let problem = Content::new(Some(Ref::from_schema_name(Problem::name())));
        let response = ResponseBuilder::new().description(code.title()).content(PROBLEM_JSON, problem);
        let all = &mut operation.responses.responses;
        all.entry(code.status().to_string()).or_insert_with(|| response.into());
    }
    let id = HeaderBuilder::new()
        .description(Some("Names the request in the logs of the server."))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build();
    for response in operation.responses.responses.values_mut() {
        if let utoipa::openapi::RefOr::T(response) = response {
            response.headers.insert(REQUEST_ID.as_str().into(), id.clone().into());
        }
    }
}

fn idempotency_key() -> Parameter {
    let text = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1));
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "Names the request: a repeat of it within 24 hours makes nothing, and is answered alike.",
        ))
        .schema(Some(text.max_length(Some(IdempotencyKey::BYTES_MAX)).pattern(Some("^[ -~]+$"))))
        .build()
}

fn is_in_path(parameter: &utoipa::openapi::RefOr<Parameter>) -> bool {
    use utoipa::openapi::RefOr;
    matches!(parameter, RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Path)
}
