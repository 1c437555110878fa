//! The few calls of the management API that set up a fleet and look at what is left.

use reqwest::{Client, Method, StatusCode};
use runners_core::{Clock as _, SystemClock, sleep};
use serde_json::Value;
use std::time::Duration;

/// How long a server may take to answer that it is ready.
const READY_WITHIN: Duration = Duration::from_secs(120);

/// How often it is asked.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// Calls the management API with a token.
#[derive(Clone, Debug)]
pub(crate) struct Management {
    client: Client,
    url: String,
    token: String,
    /// The tenant that an operator works within.
    within: Option<String>,
}

impl Management {
    pub(crate) fn new(server: &str, token: &str) -> Self {
        let client = Client::builder().no_proxy().build().unwrap();
        Self { client, url: format!("{server}/api"), token: token.trim().to_owned(), within: None }
    }

    /// The same within a tenant, for an operator.
    pub(crate) fn within(&self, tenant: &str) -> Self {
        Self { within: Some(tenant.to_owned()), ..self.clone() }
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        let (code, answer) = self.call(Method::POST, path, Some(body)).await;
        assert!(code.is_success(), "{path}: {code} {answer}");
        answer
    }

    /// Every item of a listing.
    pub(crate) async fn list(&self, path: &str) -> Vec<Value> {
        let mut all = Vec::new();
        let mut after = String::new();
        loop {
            let (code, page) = self.call(Method::GET, &format!("{path}?limit=500{after}"), None).await;
            assert!(code.is_success(), "{path}: {code} {page}");
            all.extend(page["items"].as_array().unwrap().iter().cloned());
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return all,
            }
        }
    }

    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let mut request = self.client.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token);
        if let Some(tenant) = &self.within {
            request = request.header("Runners-Tenant", tenant);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await.unwrap();
        let code = response.status();
        let text = response.text().await.unwrap();
        (code, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }
}

/// Waits until the server at that address is ready, or says that it is not.
pub(crate) async fn is_ready(server: &str) -> bool {
    let clock = SystemClock::default();
    let give_up_at = clock.boot() + READY_WITHIN;
    let client = Client::builder().no_proxy().build().unwrap();
    while clock.boot() < give_up_at {
        let asked = client.get(format!("{server}/api/readyz")).timeout(READY_WITHIN).send();
        if asked.await.is_ok_and(|answer| answer.status().is_success()) {
            return true;
        }
        sleep(&clock, ASK_EVERY).await;
    }
    false
}
