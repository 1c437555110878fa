//! What the orchestrator says of itself: its calls, and the regions to those who may see them.

use super::{Face, access::Caller, reports::Report, runs::WAIT_MAX};
use crate::contract::described::{self, error_responses, error_schema, json_content};
use axum::{extract::State, response::Response};
use http::HeaderMap;
use runners_core::{
    Paging, Scope,
    orchestration::{OrchestrationOptions, OrchestrationRequest, RunState},
};
use serde_json::{Map, Value, json};

const DESCRIPTION: &str = "Fans one request out over regions, and folds what they answer into one summary.

A request names checks, each with its page and its region. The checks of one page in one region are one job. Every call \
answers here, and below `/orchestrator` once more. A body may be wrapped as `{\"json\": …}`; then its answer is, too. \
Times are UTC as of RFC 3339, and spans are milliseconds. Members that are not known are ignored, but for those of \
`options`, which are refused.";

/// The document, with the regions for those who may see them.
pub(super) async fn specification(State(face): State<Face>, headers: HeaderMap) -> Response {
    let caller = Caller::of(&face.0, &headers, None).await;
    let reads = caller.ok().filter(|caller| caller.may(Scope::Read).is_ok());
    let regions: Vec<&str> =
        reads.iter().flat_map(|caller| face.0.orchestrator.regions_of(caller.tenant)).collect();
    described::specification(&document(&regions, &face.0.reports))
}

/// Why a call that needs the end of a run is refused.
const ENDED: [(u16, &str); 3] = [
    (400, "The request is malformed: `data.issues` says where."),
    (404, "There is no such run."),
    (409, "The run has not ended."),
];

pub(super) fn document(regions: &[&str], reports: &[Report]) -> Value {
    let at_run = [(404, "There is no such run.")];
    let invalid = [(400, "The request is malformed: `data.issues` says where.")];
    let submit = [
        (400, "The request is malformed: `data.issues` says where."),
        (409, "Another request was made under this name."),
        (413, "The body is too large."),
        (429, "Too many runs are under way."),
    ];
    let mut submitted = call("submit", "Submits a run.", "Submitted", &submit);
    let request = json_content(&json!({ "$ref": "#/components/schemas/Request" }));
    submitted["requestBody"] = json!({ "required": true, "content": request });
    let mut listed = call("list", "Lists runs, newest first.", "Page", &invalid);
    listed["parameters"] = list_parameters();
    let mut remembered = call("history", "Tells how checks fared over many runs.", "History", &invalid);
    remembered["parameters"] = history_parameters();
    let after = json!([{
        "name": "after", "in": "query",
        "description": "The `id` of the last event that is known; the header `Last-Event-ID` goes first.",
        "schema": { "type": "string" },
    }]);
    let mut followed =
        of_run(call("follow", "Follows what a run tells, until it has ended.", "Event", &at_run), &after);
    followed["responses"]["200"]["content"] =
        json!({ "text/event-stream": { "schema": { "type": "string" } } });
    let mut paths = json!({
        // The prefix itself is no path of a document: below it with a `/` there is nothing.
        "/orchestrator": { "post": submitted, "get": listed },
        "/{run}": {
            "get": of_run(call("results", "Tells what became of a run.", "Summary", &ENDED), &partial()),
            "delete": of_run(call("delete", "Removes a run that has ended.", "Submitted", &ENDED[1..]), &json!([])),
        },
        "/{run}/status": { "get": of_run(call("status", "Tells how far a run is.", "Progress", &at_run), &json!([])) },
        "/{run}/comparison": {
            "get": of_run(call("compare", "Shows each check side by side over the regions.", "Comparison", &at_run), &json!([])),
        },
        "/history": { "get": remembered },
        "/{run}/cancel": { "post": of_run(call("cancel", "Stops a run. What came back is kept.", "Progress", &at_run), &json!([])) },
        "/{run}/events": { "get": followed },
    });
    for (path, call) in left(reports) {
        paths[path] = json!({ "get": call });
    }
    let mut whole = described::document("runners: orchestrator", DESCRIPTION, &paths, &schemas(regions));
    whole["tags"] = json!([{ "name": "Runs", "description": "Checks over regions." }]);
    whole["security"] = json!([{ "bearer": [] }, { "apiKey": [] }]);
    whole["components"]["securitySchemes"] = json!({
        "bearer": { "type": "http", "scheme": "bearer" },
        "apiKey": { "type": "apiKey", "in": "header", "name": "X-API-Key" },
    });
    whole
}

/// The paths of what a run has left, and of its reports.
fn left(reports: &[Report]) -> Vec<(String, Value)> {
    let at_run = [(404, "There is no such run.")];
    let not_kept = [(404, "There is no such run, or it has left nothing of this digest.")];
    let digest = json!([{
        "name": "digest", "in": "path", "required": true, "description": "Its SHA-256, as the list has it.",
        "schema": { "type": "string", "pattern": "^[0-9a-f]{64}$" },
    }]);
    let bytes = json!({ "application/octet-stream": { "schema": { "type": "string", "format": "binary" } } });
    let mut read =
        of_run(call("artifact", "Reads an artifact, or one range of it.", "Event", &not_kept), &digest);
    for (code, about) in [("200", "Its bytes."), ("206", "The range that was asked for.")] {
        read["responses"][code] = json!({ "description": about, "content": bytes });
    }
    read["responses"]["304"] = json!({ "description": "The client has it." });
    let beyond = error_responses(&[(416, "The range begins beyond the end.")]);
    read["responses"]["416"] = beyond["416"].clone();
    let listed = of_run(call("artifacts", "Lists what a run has left.", "Artifacts", &at_run), &json!([]));
    let mut paths =
        vec![("/{run}/artifacts".to_owned(), listed), ("/{run}/artifacts/{digest}".to_owned(), read)];
    for Report { name, media_type, .. } in reports {
        let id = format!("report-{name}");
        let about = format!("Reports what became of a run, as {name}.");
        let mut told = of_run(call(&id, &about, "Event", &ENDED), &partial());
        told["responses"]["200"]["content"] = json!({ *media_type: { "schema": { "type": "string" } } });
        paths.push((format!("/{{run}}/{name}"), told));
    }
    paths
}

/// A call that is about a run.
fn of_run(mut call: Value, more: &Value) -> Value {
    let run = json!({
        "name": "run", "in": "path", "required": true, "description": "The run.",
        "schema": { "type": "string" },
    });
    let more = more.as_array().cloned().unwrap_or_default();
    call["parameters"] = Value::from_iter(std::iter::once(run).chain(more));
    call
}

/// What may be wanted of a run that has not ended.
fn partial() -> Value {
    json!([
        {
            "name": "partial", "in": "query", "description": "1 for what there is so far.",
            "schema": { "enum": ["0", "1"] },
        },
        {
            "name": "wait", "in": "query", "description": "How many milliseconds its end is waited for.",
            "schema": { "type": "integer", "minimum": 0, "maximum": WAIT_MAX.as_millis() as u64, "default": 0 },
        },
    ])
}

fn call(id: &str, summary: &str, answer: &str, errors: &[(u16, &str)]) -> Value {
    let answer = json_content(&json!({ "$ref": format!("#/components/schemas/{answer}") }));
    let mut responses =
        Map::from_iter([("200".to_owned(), json!({ "description": summary, "content": answer }))]);
    let everywhere = [
        (401, "The credential is missing or not accepted."),
        (403, "The credential does not allow this."),
        (503, "The orchestrator cannot answer now."),
    ];
    responses.extend(error_responses(errors));
    responses.extend(error_responses(&everywhere));
    json!({ "operationId": id, "tags": ["Runs"], "summary": summary, "responses": responses })
}

fn list_parameters() -> Value {
    let parameter = |name: &str, about: &str, schema: Value| json!({ "name": name, "in": "query", "description": about, "schema": schema });
    let states: Vec<&str> = RunState::ALL.iter().map(|state| state.as_str()).collect();
    let time = json!({ "type": "string", "format": "date-time" });
    json!([
        parameter("state", "Those in this state.", json!({ "enum": states })),
        parameter(
            "tag",
            "Those that have this tag; several times for all of several.",
            json!({ "type": "string" })
        ),
        parameter("since", "Those submitted at this time or later.", time.clone()),
        parameter("until", "Those submitted before this time.", time),
        parameter("after", "What the page before named as its `next`.", json!({ "type": "string" })),
        parameter(
            "limit",
            "How many there are at most.",
            json!({ "type": "integer", "minimum": 1, "maximum": Paging::LIMIT_MAX, "default": 100 })
        ),
    ])
}

fn history_parameters() -> Value {
    let text = json!({ "type": "string" });
    let by = json!({ "type": "array", "items": { "enum": ["region", "engine", "runner"] } });
    let own = [
        ("check", "Results of this check.", &text),
        ("region", "Results of this region.", &text),
        ("by", "What is told apart; several times for several.", &by),
    ];
    let own = own.map(|(name, about, schema)| json!({ "name": name, "in": "query", "description": about, "schema": schema }));
    let of_runs = list_parameters();
    let of_runs = of_runs.as_array().into_iter().flatten().take(4).cloned();
    Value::from_iter(own.into_iter().chain(of_runs))
}

fn schemas(regions: &[&str]) -> Value {
    let text = json!({ "type": "string" });
    let time = json!({ "type": "string", "format": "date-time" });
    let count = json!({ "type": "integer", "minimum": 0 });
    let states: Vec<&str> = RunState::ALL.iter().map(|state| state.as_str()).collect();
    let state = json!({ "enum": states });
    let object = |required: &[&str], properties: Value| json!({ "type": "object", "required": required, "properties": properties });
    let progress = json!({
        "runId": text, "state": state, "totalJobs": count, "completedJobs": count, "failedJobs": count,
        "createdAt": time, "updatedAt": time, "conclusion": text,
    });
    let always = ["runId", "state", "totalJobs", "completedJobs", "failedJobs", "createdAt", "updatedAt"];
    let result = object(
        &["name", "status"],
        json!({
            "name": text, "status": { "enum": ["pass", "fail", "error"] }, "details": { "type": "object" },
            "errorMessage": text, "durationMs": { "type": "number" }, "engine": text, "runner": text,
            "artifacts": { "type": "array", "items": object(
                &["name", "digest", "length", "mediaType"],
                json!({ "name": text, "digest": text, "length": count, "mediaType": text }),
            ) },
            "missing": { "type": "array", "items": text },
        }),
    );
    let texts = json!({ "type": "array", "items": text });
    let job = object(
        &["jobId", "url", "runners", "state", "results"],
        json!({
            "jobId": text, "region": text, "url": text, "runners": texts, "state": state,
            "results": { "type": "array", "items": result }, "error": text, "notes": texts, "waits": text,
            "startedAt": time, "completedAt": time, "durationMs": count, "finding": text,
        }),
    );
    let counts = object(
        &["total", "passed", "failed", "errored"],
        json!({ "total": count, "passed": count, "failed": count, "errored": count }),
    );
    let mut line = progress.clone();
    line["tags"] = texts.clone();
    json!({
        "Error": error_schema(),
        "Request": request(regions),
        "Submitted": object(&["runId"], json!({ "runId": text })),
        "Progress": object(&always, progress),
        "Page": object(&["items"], json!({ "items": { "type": "array", "items": object(&always, line) }, "next": text })),
        "Summary": object(&["runId", "state", "jobs", "summary", "createdAt"], json!({
            "runId": text, "state": state, "jobs": { "type": "array", "items": job }, "summary": counts,
            "createdAt": time, "completedAt": time, "durationMs": count, "conclusion": text, "tags": texts,
        })),
        "Comparison": object(&["runId", "state", "checks"], json!({
            "runId": text, "state": state, "checks": { "type": "array", "items": object(
                &["url", "name", "agree", "regions"],
                json!({
                    "url": text, "name": text, "agree": { "type": "boolean" },
                    "regions": { "type": "array", "items": { "type": "object" } },
                }),
            ) },
        })),
        "History": object(&["lines", "runs", "truncated"], json!({
            "lines": { "type": "array", "items": { "type": "object" } }, "runs": count, "truncated": { "type": "boolean" },
        })),
        "Artifacts": object(&["runId", "state", "items"], json!({
            "runId": text, "state": state, "items": { "type": "array", "items": artifact(&text, &count) },
        })),
        "Event": { "type": "string" },
    })
}

fn artifact(text: &Value, count: &Value) -> Value {
    json!({
        "type": "object",
        "required": ["jobId", "url", "check", "try", "name", "digest", "length", "mediaType", "path"],
        "properties": {
            "jobId": text, "region": text, "url": text, "check": text, "try": count, "name": text,
            "digest": text, "length": count, "mediaType": text,
            "path": { "type": "string", "description": "Where its bytes are, beside this list." },
        },
    })
}

fn request(regions: &[&str]) -> Value {
    let name = json!({ "type": "string", "minLength": 1, "maxLength": OrchestrationRequest::NAME_BYTES_MAX });
    let region = if regions.is_empty() { name.clone() } else { json!({ "enum": regions }) };
    let positive = json!({ "type": "integer", "minimum": 1, "maximum": OrchestrationRequest::NUMBER_MAX });
    let url = json!({ "type": "string", "minLength": 1, "maxLength": OrchestrationRequest::URL_BYTES_MAX });
    let runner = json!({
        "type": "object", "required": ["name", "input"],
        "properties": {
            "name": name, "region": region,
            "input": { "type": "object", "required": ["url"], "properties": { "url": url } },
        },
    });
    let at_least =
        json!({ "type": "object", "required": ["atLeast"], "properties": { "atLeast": positive } });
    let options = json!({
        "type": "object", "additionalProperties": false,
        "properties": {
            "policy": { "oneOf": [{ "enum": ["all", "any"] }, at_least] },
            "expectedToFail": {
                "type": "array", "items": name, "maxItems": OrchestrationOptions::EXPECTED_MAX,
            },
            "secondTry": { "type": "boolean", "default": true },
            "retries": { "type": "integer", "minimum": 0, "maximum": OrchestrationOptions::RETRIES_MAX },
            "checkTimeout": positive,
        },
    });
    json!({
        "type": "object", "required": ["runners", "mode"],
        "properties": {
            "runners": {
                "type": "array", "minItems": 1, "maxItems": OrchestrationRequest::RUNNERS_MAX, "items": runner,
            },
            "mode": { "enum": ["local", "remote"] }, "concurrency": positive, "timeout": positive,
            "tags": { "type": "array", "items": name, "maxItems": OrchestrationRequest::TAGS_MAX },
            "runId": { "type": "string", "maxLength": OrchestrationRequest::RUN_ID_BYTES_MAX },
            "options": options,
        },
    })
}
