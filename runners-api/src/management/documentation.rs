//! What the API says of itself: an OpenAPI document made from the code, and a page made from that.

mod page;

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
use bytes::Bytes;
use http::{HeaderValue, header};
use utoipa::{
    PartialSchema as _, ToSchema as _,
    openapi::{
        Components, Content, HeaderBuilder, Info, License, OpenApi, Ref, ResponseBuilder, Server,
        path::{Operation, PathItem},
        schema::{ObjectBuilder, Type},
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
        tag::{Tag, TagBuilder},
    },
};

/// What the page may load: its own style and script, and nothing from anywhere else.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; form-action 'none'; \
                      frame-ancestors 'none'; base-uri 'none'";

/// What groups of calls are about, in the order in which they are shown.
const TAGS: &[(&str, &str)] = &[
    ("Pools", "Named sets of runners that jobs target."),
    ("Registration tokens", "What admits new runners to a pool. Their text is shown once, and never again."),
    ("Runners", "The processes that execute jobs."),
    ("Jobs", "What to do, as typed data, and how it went."),
    ("Runs", "Jobs that were submitted together."),
    ("Signals", "Commands that one runner answers."),
    ("Fleet", "How busy it is, for autoscalers."),
    ("Tenants", "The owners of everything else, for the operator."),
    ("Environments", "Names that route jobs to hosted execution or to a pool."),
    ("Credentials", "What this API is called with."),
    ("Events", "The history of jobs and runs as it happens."),
    ("Webhooks", "Where events are delivered to, and what could not be."),
    ("Retention", "What is kept, and for how long."),
];

const DESCRIPTION: &str = "Manages a fleet of runners: machines that only connect out, and are granted jobs.

Every call takes an API credential, as `Authorization: Bearer …` or as `X-API-Key: …`. Reading takes the scope \
`read`, submitting and cancelling jobs `submit`, and everything else `admin`. What belongs to another tenant is \
answered as what does not exist. The operator works for one tenant with the header `Runners-Tenant`, which has the \
tenant's id or its name; for anybody else, another tenant than their own does not exist.

Bodies are JSON in camel case, and times are UTC as of RFC 3339. A member that is not known, of another type or \
over its limit is refused with the path of the member. Errors are problems (RFC 9457) with a stable `code`.

Whatever an answer is about, its header `X-Request-Id` names it in the logs of the server; a request may bring \
its own.";

/// The routes of the document and of the page.
pub(super) fn routes(document: OpenApi) -> Router<Face> {
    let document = completed(document);
    let page = Bytes::from(page::render(&document));
    let document = Bytes::from(json(&document));
    let fixed = |media_type: &'static str, bytes: Bytes| get(async move || answer(media_type, bytes.clone()));
    Router::new()
        .route("/openapi.json", fixed("application/json", document))
        .route("/docs", fixed("text/html; charset=utf-8", page))
        .route("/docs.css", fixed("text/css; charset=utf-8", Bytes::from_static(page::STYLE)))
        .route("/docs.js", fixed("text/javascript; charset=utf-8", Bytes::from_static(page::SCRIPT)))
}

fn answer(media_type: &'static str, bytes: Bytes) -> Response {
    let fixed = HeaderValue::from_static;
    let headers = [
        (header::CONTENT_TYPE, fixed(media_type)),
        (header::CONTENT_SECURITY_POLICY, fixed(POLICY)),
        (header::REFERRER_POLICY, fixed("no-referrer")),
        (header::CACHE_CONTROL, fixed("no-cache")),
    ];
    (headers, bytes).into_response()
}

/// The document as text, with a line for each member so that its changes can be read.
pub(super) fn json(document: &OpenApi) -> String {
    let mut text = serde_json::to_string_pretty(document).expect("invariant: the document is plain data");
    text.push('\n');
    text
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

fn is_in_path(parameter: &utoipa::openapi::RefOr<utoipa::openapi::path::Parameter>) -> bool {
    use utoipa::openapi::{RefOr, path::ParameterIn};
    matches!(parameter, RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Path)
}
