//! A client of the management API: one call each, what is wrong as it was told, and names where the
//! API wants ids. Nothing is tried again: whoever types a command sees at once what came of it.

use crate::{
    args::{ApiArgs, FleetArgs, TrustArgs},
    connection,
    faces::MANAGEMENT,
};
use anyhow::{Context as _, Result, anyhow, bail};
use reqwest::{Certificate, Client, Method, StatusCode, redirect};
use runners_core::{RunnerId, Token};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use std::{fs, time::Duration};

/// How long a call may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(40);

/// The longest answer that is read: 64 MiB.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// The largest page of a listing.
const PAGE_MAX: u32 = 500;

/// Asks the management API of a server.
#[derive(Debug)]
pub(crate) struct Management {
    client: Client,
    server: String,
    token: Token,
    tenant: Option<String>,
}

/// What the API says to a request that it does not carry out.
#[derive(Debug, Deserialize)]
struct Problem {
    detail: String,
}

/// Something that has a name beside its id.
#[derive(Debug, Deserialize)]
struct Named {
    id: String,
    name: String,
}

/// A page of a listing.
#[derive(Debug, Deserialize)]
struct Page {
    items: Vec<Value>,
    next: Option<String>,
}

impl Management {
    /// Speaks for whom the credential is of.
    pub(crate) fn new(arguments: &FleetArgs) -> Result<Self> {
        Self::speaking(arguments, arguments.api.as_tenant.is_some())
    }

    /// Speaks for the operator, if there is nothing to say otherwise.
    pub(crate) fn of_operator(arguments: &FleetArgs) -> Result<Self> {
        Self::speaking(arguments, true)
    }

    fn speaking(arguments: &FleetArgs, as_operator: bool) -> Result<Self> {
        let api = &arguments.api;
        let token = connection::credential(api, as_operator)?;
        // It refuses what must not be sent, such as a token over plain http.
        connection::transport(&api.server, token.clone(), &api.trust)?;
        let client = client(&api.server, &api.trust)?;
        let server = api.server.trim_end_matches('/').to_owned();
        Ok(Self { client, server, token, tenant: api.as_tenant.clone() })
    }

    /// The same, within a tenant.
    pub(crate) fn within(self, tenant: String) -> Self {
        Self { tenant: Some(tenant), ..self }
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        self.call(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Option<Value>) -> Result<Value> {
        self.call(Method::POST, path, body).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Result<Value> {
        self.call(Method::PATCH, path, Some(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Result<Value> {
        self.call(Method::PUT, path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Result<Value> {
        self.call(Method::DELETE, path, None).await
    }

    /// Every item of a listing that comes in pages.
    pub(crate) async fn all(&self, path: &str) -> Result<Vec<Value>> {
        let (mut items, mut after) = (Vec::new(), String::new());
        let first = if path.contains('?') { '&' } else { '?' };
        loop {
            let page: Page = read(self.get(&format!("{path}{first}limit={PAGE_MAX}{after}")).await?)?;
            items.extend(page.items);
            match page.next {
                Some(next) => after = format!("&after={next}"),
                None => return Ok(items),
            }
        }
    }

    /// The id of a pool, by its id or name.
    pub(crate) async fn pool(&self, name: &str) -> Result<String> {
        self.named("pool", "/self-hosted/pools", name).await
    }

    /// The id of a runner, by its id or name.
    pub(crate) async fn runner(&self, name: &str) -> Result<String> {
        self.named("runner", "/self-hosted/runners", name).await
    }

    /// The id of a tenant, by its id or name. Only the operator knows others.
    pub(crate) async fn tenant(&self, name: &str) -> Result<String> {
        if is_id("tenant", name) {
            return Ok(name.to_owned());
        }
        one_of("tenant", &read::<Vec<Named>>(self.all("/tenants").await?.into())?, name)
    }

    /// Whether this speaks for the operator about what is the operator's own, and there are tenants beside.
    pub(crate) async fn is_beside_tenants(&self) -> bool {
        let tenants = match self.tenant {
            Some(_) => return false,
            None => self.get("/tenants?limit=1").await,
        };
        tenants.is_ok_and(|page| page["items"].as_array().is_some_and(|items| !items.is_empty()))
    }

    /// Whether the server knows the credential, whatever that may do.
    pub(crate) async fn is_known(&self) -> Result<bool> {
        let url = format!("{}{MANAGEMENT}/tenant", self.server);
        let asked = self.client.get(url).bearer_auth(self.token.expose()).send().await;
        Ok(asked.map_err(reqwest::Error::without_url)?.status() != StatusCode::UNAUTHORIZED)
    }

    async fn named(&self, what: &str, path: &str, name: &str) -> Result<String> {
        if is_id(what, name) {
            return Ok(name.to_owned());
        }
        one_of(what, &read::<Vec<Named>>(self.get(path).await?)?, name)
    }

    /// The bytes at a path, as they are.
    pub(crate) async fn bytes(&self, path: &str) -> Result<Vec<u8>> {
        self.answer(Method::GET, path, None).await
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        let text = self.answer(method, path, body).await?;
        let value = if text.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&text) };
        value.with_context(|| format!("{} has answered something that is not JSON", self.server))
    }

    async fn answer(&self, method: Method, path: &str, body: Option<Value>) -> Result<Vec<u8>> {
        let server = &self.server;
        let mut request = self
            .client
            .request(method, format!("{server}{MANAGEMENT}{path}"))
            .bearer_auth(self.token.expose());
        if let Some(tenant) = &self.tenant {
            request = request.header("Runners-Tenant", tenant);
        }
        if let Some(body) = body {
            request = request.header("Content-Type", "application/json").body(body.to_string());
        }
        let response = request.send().await.map_err(|error| {
            let error = anyhow!(error.without_url());
            let advice = connection::tls_advice(&crate::terminal::chain(&error)).map_or_else(
                || {
                    format!(
                        "could not reach {server}: is it the right URL (-s), and is `runners server` running?"
                    )
                },
                |advice| format!("could not speak with {server}: {advice}"),
            );
            error.context(advice)
        })?;
        let code = response.status();
        let text = bounded(response).await?;
        if code.is_success() {
            return Ok(text);
        }
        match (code, serde_json::from_slice::<Problem>(&text)) {
            (StatusCode::UNAUTHORIZED, Ok(_)) => {
                bail!("{server} does not know this token: it is another server's, or was revoked")
            }
            (StatusCode::FORBIDDEN, Ok(problem)) => {
                bail!("{}: the credential does not allow this", problem.detail)
            }
            (_, Ok(problem)) => bail!("{}", problem.detail),
            (_, Err(_)) => {
                bail!("{server} has answered {code}, and is not a control plane with the management API")
            }
        }
    }
}

/// The id of a runner, by its id or name. Nothing is asked if it is the id.
pub(crate) async fn runner_of(api: &ApiArgs, name: &str) -> Result<RunnerId> {
    if let Ok(runner) = name.parse() {
        return Ok(runner);
    }
    let fleet = FleetArgs { api: api.clone(), json: false };
    let runner = Management::new(&fleet)?.runner(name).await?;
    runner.parse().with_context(|| format!("the server calls a runner {runner:?}"))
}

/// Whether a text is the id of such a thing.
fn is_id(what: &str, text: &str) -> bool {
    text.strip_prefix(what).is_some_and(|rest| rest.starts_with('_') && rest.len() == 33)
}

/// The id of the one of these that has a name.
fn one_of(what: &str, all: &[Named], name: &str) -> Result<String> {
    let mut found = all.iter().filter(|one| one.name == name);
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one.id.clone()),
        (Some(_), Some(_)) => bail!("several of the {what}s are called {name}: give the id of one"),
        (None, _) => {
            let nearest = all.iter().map(|one| (strsim::jaro_winkler(&one.name, name), &one.name));
            let nearest = nearest.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(likeness, _)| *likeness > 0.7);
            let hint = nearest.map(|(_, name)| format!("; did you mean {name}?")).unwrap_or_default();
            bail!("there is no {what} called {name}{hint}")
        }
    }
}

/// Takes an answer for what it should be.
pub(crate) fn read<T: DeserializeOwned>(answer: Value) -> Result<T> {
    serde_json::from_value(answer)
        .context("the answer of the server cannot be read: is it of another version than this program?")
}

async fn bounded(mut response: reqwest::Response) -> Result<Vec<u8>> {
    let mut whole = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(reqwest::Error::without_url)? {
        if whole.len() + piece.len() > ANSWER_BYTES_MAX {
            bail!("the answer is over the limit of {ANSWER_BYTES_MAX} bytes: ask for less");
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole)
}

fn client(server: &str, trust: &TrustArgs) -> Result<Client> {
    let mut builder = Client::builder()
        .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .timeout(ANSWER_WITHIN);
    if server.starts_with("http://") {
        // The machine may have no certificates at all, and none are needed.
        builder = builder.tls_certs_only([]);
    } else if let Some(file) = &trust.ca_file {
        let pem = fs::read(file).with_context(|| format!("could not read --ca-file {}", file.display()))?;
        builder = builder.tls_certs_merge(Certificate::from_pem_bundle(&pem)?);
    }
    if connection::is_here(server) {
        builder = builder.no_proxy();
    }
    builder.build().context("no client can be made")
}
