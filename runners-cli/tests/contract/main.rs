//! The wire of orchestrators and of the endpoints that they call, line by line, on both layouts: the one
//! that its documentation has, and the one below `/orchestrator` once more, which its clients call.
//!
//! Each row has the number of its line: the first two numbers are those of a table, the last one counts
//! within it, so that one that is left out is missed. Tables 1 are the wire as it is elsewhere, table 2 is
//! what is done instead where it is broken there.
#![expect(clippy::unwrap_used, reason = "a test that fails to set up fails")]

mod endpoint;
mod errors;
mod instead;
mod regions;
mod requests;
mod routes;
mod runs;
mod samples;
mod stage;

use futures::{FutureExt as _, future::BoxFuture};
use serde_json::{Value, json};
use stage::{Sent, Stage};
use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

/// One line: its number, what it says, and what shows that it holds.
pub(crate) type Row = (&'static str, &'static str, fn(Wire) -> BoxFuture<'static, ()>);

/// Every table, in its order.
const TABLES: [&[Row]; 8] = [
    routes::ROWS,
    requests::ROWS,
    runs::ROWS,
    regions::ROWS,
    errors::ROWS,
    endpoint::ROWS,
    instead::ROWS,
    instead::MORE,
];

#[tokio::test]
async fn every_line_of_the_contract_holds_on_both_layouts() {
    let mut broken = Vec::new();
    for prefix in ["/api/orchestrator", "/api/orchestrator/orchestrator"] {
        let stage = Arc::new(Stage::open().await);
        for (number, says, holds) in TABLES.concat() {
            // What went wrong is printed below its row; it hides none of the others.
            println!("{number} on {prefix}: {says}");
            let holds = AssertUnwindSafe(holds(Wire { stage: Arc::clone(&stage), prefix }));
            if holds.catch_unwind().await.is_err() {
                broken.push(format!("{number} on {prefix}: {says}"));
            }
        }
        stage.orchestrator.stop().await;
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn the_lines_of_the_contract_are_numbered_without_a_gap() {
    let mut last = ("1.1".to_owned(), 0);
    for (number, says, _) in TABLES.concat() {
        let (table, line) = number.rsplit_once('.').unwrap();
        let line: u32 = line.parse().unwrap();
        let expected = if table == last.0 { last.1 + 1 } else { 1 };
        assert_eq!(line, expected, "{number} {says}");
        assert!(table >= last.0.as_str(), "{number} is out of its order");
        last = (table.to_owned(), line);
    }
}

/// One layout of the wire.
#[derive(Clone)]
pub(crate) struct Wire {
    stage: Arc<Stage>,
    prefix: &'static str,
}

impl Wire {
    /// Calls the orchestrator as somebody who may do everything.
    pub(crate) async fn call(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let mut request = self.stage.request(method, &format!("{}{path}", self.prefix)).bearer_auth("good");
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        read(request).await
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        self.call("GET", path, None).await
    }

    /// Sends a body of some kind to the submit.
    pub(crate) async fn post(&self, kind: &str, body: impl Into<reqwest::Body>) -> (u16, Value) {
        let request = self.stage.request("POST", self.prefix).bearer_auth("good");
        read(request.header("content-type", kind).body(body)).await
    }

    pub(crate) async fn submit(&self, body: Value) -> String {
        let (code, answer) = self.call("POST", "", Some(body)).await;
        assert_eq!(code, 200, "{answer}");
        answer["runId"].as_str().unwrap().to_owned()
    }

    /// Submits, waits for the end, and answers what became of it.
    pub(crate) async fn ended(&self, body: Value) -> Value {
        let run = self.submit(body).await;
        self.stage.orchestrator.local_client().wait(&run, Duration::from_secs(60)).await.unwrap();
        let (code, answer) = self.get(&format!("/{run}")).await;
        assert_eq!(code, 200, "{answer}");
        answer
    }

    /// Calls the runner endpoint.
    pub(crate) async fn execute(&self, body: Value) -> (u16, Value) {
        let request = self.stage.request("POST", "/api/runner/execute");
        read(request.header("content-type", "application/json").body(body.to_string())).await
    }

    pub(crate) async fn at(&self, method: &str, path: &str) -> (u16, Value) {
        read(self.stage.request(method, path).bearer_auth("good")).await
    }

    pub(crate) fn sent(&self, run: &Value) -> Vec<Sent> {
        self.stage.sent(run.as_str().unwrap())
    }
}

pub(crate) async fn read(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let code = response.status().as_u16();
    let text = response.text().await.unwrap();
    (code, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

pub(crate) const SHOP: &str = "https://shop.example/";

/// A check of a page in a region.
pub(crate) fn check(name: &str, region: &str, url: &str) -> Value {
    json!({ "name": name, "region": region, "input": { "url": url } })
}

/// A request in mode remote, without second tries and repeats.
pub(crate) fn remote(runners: &[Value]) -> Value {
    json!({ "mode": "remote", "runners": runners, "options": { "retries": 0, "secondTry": false } })
}

/// One check that passes.
pub(crate) fn one() -> Value {
    remote(&[check("opens", "plain", SHOP)])
}

/// One check that never ends.
pub(crate) fn endless() -> Value {
    remote(&[check("opens", "hangs", SHOP)])
}

/// The first job of a run.
pub(crate) fn job(ended: &Value) -> &Value {
    &ended["jobs"][0]
}
