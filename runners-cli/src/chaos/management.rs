//! The few calls of the management API that set up a fleet and look at what is left.

use anyhow::{Context as _, Result, bail};
use reqwest::{Client, Method};
use runners_core::{SystemClock, sleep};
use serde_json::Value;
use std::time::Duration;

/// How often a page of a listing is asked for, and how long after it was refused.
const TRIES_MAX: u32 = 5;
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(1);

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
    pub(crate) fn new(server: &str, token: &str) -> Result<Self> {
        let url = format!("{server}/api");
        Ok(Self { client: client(None)?, url, token: token.trim().to_owned(), within: None })
    }

    /// The same within a tenant, for an operator.
    pub(crate) fn within(&self, tenant: &str) -> Self {
        Self { within: Some(tenant.to_owned()), ..self.clone() }
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Result<Value> {
        self.call(Method::POST, path, Some(body)).await
    }

    /// Every item of a listing.
    pub(crate) async fn list(&self, path: &str) -> Result<Vec<Value>> {
        let mut all = Vec::new();
        let mut after = String::new();
        loop {
            let page = self.page(&format!("{path}?limit=500{after}")).await?;
            all.extend(page["items"].as_array().context("a listing has no items")?.iter().cloned());
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return Ok(all),
            }
        }
    }

    /// One page of a listing. A database that is slow for a moment fails no run.
    async fn page(&self, path: &str) -> Result<Value> {
        let mut tries = 1;
        loop {
            match self.call(Method::GET, path, None).await {
                Err(_) if tries < TRIES_MAX => sleep(&SystemClock::default(), TRY_AGAIN_AFTER).await,
                page => return page,
            }
            tries += 1;
        }
    }

    /// Every event of something that has ended.
    pub(crate) async fn events(&self, path: &str) -> Result<Vec<Value>> {
        let told = self.text(Method::GET, path, None).await?;
        let events = told.lines().filter_map(|line| line.strip_prefix("data: "));
        events.map(|event| serde_json::from_str(event).with_context(|| format!("{path}: {event}"))).collect()
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        let text = self.text(method, path, body).await?;
        serde_json::from_str(&text).with_context(|| format!("{path}: {text}"))
    }

    async fn text(&self, method: Method, path: &str, body: Option<Value>) -> Result<String> {
        let mut request = self.client.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token);
        if let Some(tenant) = &self.within {
            request = request.header("Runners-Tenant", tenant);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await?;
        let code = response.status();
        let text = response.text().await?;
        if !code.is_success() {
            bail!("{path}: {code} {text}");
        }
        Ok(text)
    }
}

/// A client without a proxy, since what it asks is on this machine.
pub(crate) fn client(answer_within: Option<Duration>) -> Result<Client> {
    let mut client = Client::builder().no_proxy();
    if let Some(within) = answer_within {
        // A connection that is kept leads to one server, and what is asked is any.
        client = client.timeout(within).pool_max_idle_per_host(0);
    }
    Ok(client.build()?)
}

/// Whether a server is ready.
pub(crate) async fn answers(client: &Client, server: &str) -> bool {
    let asked = client.get(format!("{server}/api/readyz")).send();
    asked.await.is_ok_and(|answer| answer.status().is_success())
}
