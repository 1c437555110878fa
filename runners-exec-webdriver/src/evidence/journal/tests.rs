//! What is heard, as the browser says it, and what becomes of it.

use super::{newest::NEWEST_BYTES_MAX, *};
use runners_core::BootTime;
use std::time::Duration;

fn journal() -> Journal {
    Journal::new(Redactor::new(["hunter2"]), Timestamp::from_millis(1_000)).with_bodies(Some(100))
}

fn sent(id: &str, url: &str, at: f64) -> Value {
    let headers =
        json!({ "Authorization": "Basic dXNlcjpodW50ZXIy", "Cookie": "s=1", "X-Plain": "hunter2 there" });
    let request = json!({ "url": url, "method": "POST", "headers": headers, "postData": "p=hunter2" });
    json!({ "requestId": id, "request": request, "timestamp": at, "wallTime": 1.0 + at, "type": "Fetch" })
}

fn answered(id: &str, code: u16) -> Value {
    let timing = json!({
        "requestTime": 0.002, "dnsStart": 1.0, "dnsEnd": 2.0, "connectStart": 2.0, "connectEnd": 5.0,
        "sslStart": 3.0, "sslEnd": 5.0, "sendStart": 5.0, "sendEnd": 6.0, "receiveHeadersEnd": 16.0,
    });
    let response = json!({
        "status": code, "statusText": "As it is", "headers": { "Set-Cookie": "s=2", "Content-Type": "text/plain" },
        "mimeType": "text/plain", "remoteIPAddress": "127.0.0.1", "protocol": "http/1.1",
        "encodedDataLength": 90.0, "timing": timing,
    });
    json!({ "requestId": id, "response": response, "timestamp": 0.02 })
}

fn har(journal: &Journal) -> Value {
    let browser = Map::from_iter([("browserName".to_owned(), json!("chromium"))]);
    serde_json::from_slice(&journal.har(&browser)).unwrap()
}

#[test]
fn a_request_becomes_an_entry_with_its_times_and_without_secrets() {
    let mut journal = journal();
    journal.step(0, Timestamp::from_millis(1_000));
    journal.take("Network.requestWillBeSent", &sent("1", "http://u:pw@a/x?q=hunter2&r=2", 0.0));
    journal.take("Network.responseReceived", &answered("1", 200));
    journal.take("Network.dataReceived", &json!({ "requestId": "1", "dataLength": 7 }));
    let ended = json!({ "requestId": "1", "timestamp": 0.030, "encodedDataLength": 120.0 });
    let at = journal.finish(&ended).unwrap();
    journal.body(at, &json!({ "body": "the word is hunter2", "base64Encoded": false }));
    let har = har(&journal);
    let entry = &har["log"]["entries"][0];
    assert_eq!(har["log"]["version"], "1.2");
    assert_eq!(entry["request"]["url"], "http://u:***@a/x?q=***&r=2");
    assert_eq!(entry["request"]["queryString"][1], json!({ "name": "r", "value": "2" }));
    assert_eq!(entry["request"]["postData"]["text"], "p=***");
    assert_eq!(entry["response"]["content"]["text"], "the word is ***");
    assert_eq!(
        (&entry["response"]["_transferSize"], &entry["response"]["content"]["size"]),
        (&json!(120), &json!(7))
    );
    let timings = json!({
        "blocked": 3.0, "dns": 1.0, "connect": 3.0, "ssl": 2.0, "send": 1.0, "wait": 10.0, "receive": 12.0,
    });
    assert_eq!((&entry["timings"], &entry["time"], &entry["_step"]), (&timings, &json!(30.0), &json!(1)));
    let text = har.to_string();
    for secret in ["hunter2", "aHVudGVyMg", "dXNlcjpodW50ZXIy", "s=1", "s=2", ":pw@"] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
}

#[test]
fn a_redirect_is_a_request_of_its_own() {
    let mut journal = journal();
    journal.take("Network.requestWillBeSent", &sent("1", "http://a/old", 0.0));
    let mut next = sent("1", "http://a/new", 0.5);
    next["redirectResponse"] = answered("1", 302)["response"].take();
    journal.take("Network.requestWillBeSent", &next);
    journal.take("Network.responseReceived", &answered("1", 200));
    let har = har(&journal);
    let codes: Vec<_> =
        har["log"]["entries"].as_array().unwrap().iter().map(|one| &one["response"]["status"]).collect();
    assert_eq!(codes, [302, 200]);
}

#[test]
fn what_happens_as_a_step_begins_is_of_the_one_before() {
    let mut journal = journal();
    journal.step(0, Timestamp::from_millis(1_000));
    journal.step(1, Timestamp::from_millis(1_500));
    let step_at = |at: f64| journal.step_at(at);
    assert_eq!([999.0, 999.7, 1_000.2].map(step_at), [None, Some(1), Some(1)]);
    assert_eq!([1_499.6, 1_500.0, 1_500.9, 1_501.0].map(step_at), [Some(1), Some(1), Some(1), Some(2)]);
}

#[test]
fn what_went_wrong_is_told_in_the_order_of_time_with_its_step() {
    let mut journal = journal();
    journal.step(0, Timestamp::from_millis(1_000));
    journal.step(1, Timestamp::from_millis(1_500));
    let failing = |journal: &mut Journal, id: &str, at: f64, canceled: bool| {
        journal.take("Network.requestWillBeSent", &sent(id, &format!("http://a/{id}"), at));
        let failed =
            json!({ "requestId": id, "timestamp": at, "errorText": "net::ERR_FAILED", "canceled": canceled });
        journal.take("Network.loadingFailed", &failed);
    };
    failing(&mut journal, "dead", 0.6, false);
    failing(&mut journal, "given-up", 0.2, true);
    journal.take("Network.requestWillBeSent", &sent("2", "http://a/absent", 0.1));
    journal.take("Network.responseReceived", &answered("2", 404));
    journal.take(
        "Network.loadingFailed",
        &json!({ "requestId": "2", "timestamp": 0.3, "errorText": "x", "canceled": true }),
    );
    let mut icon = sent("3", "http://a/favicon.ico", 0.1);
    icon["type"] = json!("Other");
    journal.take("Network.requestWillBeSent", &icon);
    journal.take("Network.responseReceived", &answered("3", 404));
    let thrown = json!({ "timestamp": 1_550.0, "exceptionDetails": { "text": "Uncaught", "exception": { "value": "x" } } });
    journal.take("Runtime.exceptionThrown", &thrown);
    assert_eq!(
        journal.page_errors(|_| None),
        [
            "during step 1: POST http://a/absent was answered 404 As it is",
            "during step 2: Uncaught x",
            "during step 2: POST http://a/dead failed: net::ERR_FAILED",
        ]
    );
    for at in 0..50 {
        failing(&mut journal, &format!("more-{at}"), 0.7, false);
    }
    let errors = journal.page_errors(|_| None);
    assert_eq!((errors.len(), errors.last().unwrap().as_str()), (PAGE_ERRORS_MAX + 1, "33 more"));
}

#[test]
fn what_was_said_before_the_flow_is_not_of_it() {
    let mut journal = journal();
    let said =
        |at: f64| json!({ "type": "log", "args": [{ "type": "string", "value": "here" }], "timestamp": at });
    journal.take("Runtime.consoleAPICalled", &said(900.0));
    journal.take("Runtime.consoleAPICalled", &said(1_001.5));
    let console: Value = serde_json::from_slice(&journal.console()).unwrap();
    assert_eq!(
        console["entries"],
        json!([{ "at_ms": 1, "level": "info", "source": "console", "text": "here" }])
    );
}

#[test]
fn there_is_a_limit_and_what_is_left_out_is_counted() {
    let mut journal = journal();
    for at in 0..ENTRIES_MAX + 3 {
        journal.take("Network.requestWillBeSent", &sent(&at.to_string(), "http://a/", 0.0));
    }
    let large = json!({ "type": "log", "args": [{ "type": "string", "value": "x".repeat(10_000) }], "timestamp": 1_001.0 });
    for _ in 0..ENTRIES_MAX {
        journal.take("Runtime.consoleAPICalled", &large);
    }
    assert_eq!(har(&journal)["log"]["comment"], "3 more requests were left out");
    let console = journal.console();
    assert!(console.len() <= JOURNAL_BYTES_MAX, "{} bytes", console.len());
    assert!(journal.entries.left_out > 0 && !journal.entries.all.is_empty());
}

fn logged(text: &str, at: f64) -> Value {
    json!({ "type": "log", "args": [{ "type": "string", "value": text }], "timestamp": at })
}

#[test]
fn a_film_tells_of_lines_and_of_requests_that_are_under_way_and_of_no_secret() {
    let mut journal = journal();
    journal.step(0, Timestamp::from_millis(1_000));
    journal.take("Network.requestWillBeSent", &sent("1", "http://a/x?q=hunter2", 0.25));
    journal.take("Runtime.consoleAPICalled", &logged(&format!("{}hunter2", "x".repeat(299)), 1_500.0));
    let journal = SharedJournal::new(journal);
    let mut telling = Telling::of(journal.clone());
    let now = |seconds| BootTime::from_duration(Duration::from_secs(seconds));
    let told = telling.tell(now(0));
    let said = format!("{}*…", "x".repeat(299));
    let line = json!({ "at_ms": 500, "step": 1, "level": "info", "source": "console", "text": said });
    let asked = json!({ "at_ms": 250, "step": 1, "method": "POST", "url": "http://a/x?q=***" });
    assert_eq!(told, json!({ "console": [line], "requests": [asked], "left_out": 0 }));
    assert!(!telling.is_due(now(60)), "there is nothing new");
    journal.open().take("Network.responseReceived", &answered("1", 200));
    assert!(telling.is_due(now(2)) && !telling.is_due(now(1)), "it is not told without a pause");
    assert_eq!(telling.tell(now(2))["requests"][0]["status"], 200);
    journal.open().finish(&json!({ "requestId": "1", "timestamp": 0.28 }));
    assert!(telling.is_due(now(4)));
    assert_eq!(telling.tell(now(4))["requests"][0]["took_ms"], 30.0);
    journal.open().take("Network.requestWillBeSent", &sent("2", "http://a/dead", 0.9));
    journal.open().take(
        "Network.loadingFailed",
        &json!({ "requestId": "2", "timestamp": 0.91, "errorText": "net::ERR_FAILED" }),
    );
    assert_eq!(telling.tell(now(6))["requests"][1]["error"], "net::ERR_FAILED");
    (0..40).for_each(|_| drop(telling.tell(now(100))));
    journal.open().take("Runtime.consoleAPICalled", &logged("more", 1_600.0));
    assert!(!telling.is_due(now(103)) && telling.is_due(now(104)), "the longer it goes on, the less often");
}

#[test]
fn a_film_tells_of_the_newest_lines_and_requests_that_fit_and_counts_the_others() {
    let mut journal = journal();
    for at in 0..400 {
        let at = f64::from(at);
        journal.take("Network.requestWillBeSent", &sent(&at.to_string(), "http://a/", at));
        journal.take("Runtime.consoleAPICalled", &logged(&format!("line {at}"), 1_000.5 + 1_000.0 * at));
    }
    let shared = SharedJournal::new(journal);
    let told = Telling::of(shared.clone()).tell(BootTime::from_duration(Duration::ZERO));
    let of = |what: &str| told[what].as_array().unwrap().clone();
    let (console, requests) = (of("console"), of("requests"));
    assert_eq!((console.len(), requests.len(), &told["left_out"]), (250, 250, &json!(300)));
    assert_eq!((&console[0]["text"], &console[249]["text"]), (&json!("line 150"), &json!("line 399")));
    assert_eq!((&requests[0]["at_ms"], &requests[249]["at_ms"]), (&json!(150_000), &json!(399_000)));
    for at in 0..600 {
        let large = logged(&"\"".repeat(4_000), 500_000.0 + f64::from(at));
        shared.open().take("Runtime.consoleAPICalled", &large);
    }
    let told = Telling::of(shared).tell(BootTime::from_duration(Duration::ZERO));
    let bytes = told.to_string().len();
    assert!(bytes > NEWEST_BYTES_MAX / 2 && bytes < NEWEST_BYTES_MAX + 1_000, "{bytes}");
}
