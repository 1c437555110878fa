//! The two tenants, their pools, and what admits runners to those.

use super::management::Management;
use anyhow::{Context as _, Result};
use runners_core::{Client, Token};
use runners_transport_http::HttpTransport;
use serde_json::{Value, json};
use std::time::Duration;

/// How long a client bears with a server that does not answer.
const PATIENCE: Duration = Duration::from_secs(300);

/// A tenant, as somebody who may do everything in it.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) name: &'static str,
    pub(crate) transport: HttpTransport,
    pub(crate) client: Client,
    pub(crate) management: Management,
    pub(crate) pools: Vec<Pool>,
}

/// A pool, and what admits runners to it.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    pub(crate) name: &'static str,
    pub(crate) registration: String,
}

impl Account {
    /// Sets up pools for whoever holds `token`.
    pub(crate) async fn open(
        server: &str,
        name: &'static str,
        token: &str,
        pools: &[&'static str],
    ) -> Result<Self> {
        let management = Management::new(server, token)?;
        let mut made = Vec::new();
        for pool in pools {
            let id = text(&management.post("/self-hosted/pools", json!({ "name": pool })).await?["id"])?;
            let path = format!("/self-hosted/pools/{id}/registration-tokens");
            let issued = management.post(&path, json!({ "tokenMode": "multi_use" })).await?;
            made.push(Pool { name: pool, registration: text(&issued["token"])? });
        }
        let transport = HttpTransport::builder(server).token(Token::from_text(token.trim())).build()?;
        let client = Client::builder(transport.clone()).patience(PATIENCE).build();
        Ok(Self { name, transport, client, management, pools: made })
    }

    /// A tenant that the operator makes, and the first credential in it.
    pub(crate) async fn made_by(operator: &Management, name: &str) -> Result<String> {
        let tenant = text(&operator.post("/tenants", json!({ "name": name })).await?["id"])?;
        let scopes = json!({ "name": "first", "scopes": ["submit", "read", "admin"] });
        text(&operator.within(&tenant).post("/credentials", scopes).await?["token"])
    }
}

fn text(value: &Value) -> Result<String> {
    Ok(value.as_str().context("an answer has no text where one is expected")?.to_owned())
}
