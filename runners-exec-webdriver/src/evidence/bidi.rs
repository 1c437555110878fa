//! What WebDriver BiDi tells of consoles and requests, said as the DevTools protocol says it, which the
//! journal reads. Bodies are not told.

use serde_json::{Map, Value, json};

/// What is listened to.
pub(super) const EVENTS: &[&str] =
    &["log.entryAdded", "network.beforeRequestSent", "network.responseCompleted", "network.fetchError"];

/// One event, as one or more of the other protocol.
pub(super) fn translated(method: &str, params: &Value) -> Vec<(&'static str, Value)> {
    let id = format!("{}/{}", text(&params["request"]["request"]), params["redirectCount"]);
    let seconds = params["timestamp"].as_f64().unwrap_or_default() / 1_000.0;
    match method {
        "log.entryAdded" => vec![entry(params)],
        "network.beforeRequestSent" => {
            let request = &params["request"];
            let sent = json!({
                "requestId": id, "timestamp": seconds, "wallTime": seconds,
                "type": kind(request),
                "request": {
                    "url": request["url"], "method": request["method"], "headers": headers(&request["headers"]),
                },
            });
            vec![("Network.requestWillBeSent", sent)]
        }
        "network.responseCompleted" => {
            let response = &params["response"];
            let received = json!({
                "status": response["status"], "statusText": response["statusText"],
                "headers": headers(&response["headers"]), "mimeType": text(&response["mimeType"]),
                "protocol": text(&response["protocol"]), "fromDiskCache": response["fromCache"] == true,
            });
            let length = response["content"]["size"].as_u64().unwrap_or_default();
            let transferred = response["bytesReceived"].as_f64().unwrap_or_default();
            vec![
                ("Network.responseReceived", json!({ "requestId": id, "response": received })),
                ("Network.dataReceived", json!({ "requestId": id, "dataLength": length })),
                (
                    "Network.loadingFinished",
                    json!({ "requestId": id, "timestamp": seconds, "encodedDataLength": transferred }),
                ),
            ]
        }
        "network.fetchError" => {
            let why = text(&params["errorText"]);
            let failed = json!({
                "requestId": id, "timestamp": seconds, "errorText": why, "canceled": why == "NS_BINDING_ABORTED",
            });
            vec![("Network.loadingFailed", failed)]
        }
        _ => Vec::new(),
    }
}

fn entry(params: &Value) -> (&'static str, Value) {
    let (said, at) = (text(&params["text"]), &params["timestamp"]);
    let value = json!([{ "type": "string", "value": said }]);
    let frame = &params["stackTrace"]["callFrames"][0];
    let frames = if frame.is_object() { json!([frame]) } else { json!([]) };
    if params["type"] == "console" {
        let kind = match text(&params["method"]) {
            "warn" => "warning",
            other => other,
        };
        let stack = json!({ "callFrames": frames });
        let written = json!({ "type": kind, "args": value, "timestamp": at, "stackTrace": stack });
        return ("Runtime.consoleAPICalled", written);
    }
    if params["level"] == "error" {
        let details = json!({
            "text": "Uncaught", "exception": value[0], "stackTrace": { "callFrames": frames },
        });
        return ("Runtime.exceptionThrown", json!({ "timestamp": at, "exceptionDetails": details }));
    }
    let level = if params["level"] == "warn" { "warning" } else { "info" };
    let entry = json!({ "source": "javascript", "level": level, "text": said, "timestamp": at });
    ("Log.entryAdded", json!({ "entry": entry }))
}

/// What asked for a request, as the other protocol names it.
fn kind(request: &Value) -> &'static str {
    match text(&request["destination"]) {
        // The icon of a page: no part of the page asked for it.
        "image" if request.get("initiatorType") == Some(&Value::Null) => "Other",
        "document" | "iframe" | "frame" => "Document",
        "script" => "Script",
        "style" => "Stylesheet",
        "image" => "Image",
        "font" => "Font",
        "" => "Fetch",
        _ => "Other",
    }
}

/// Names with their values, where those are text.
fn headers(told: &Value) -> Map<String, Value> {
    let told = told.as_array().map(Vec::as_slice).unwrap_or_default();
    told.iter().map(|one| (text(&one["name"]).to_owned(), json!(text(&one["value"]["value"])))).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
