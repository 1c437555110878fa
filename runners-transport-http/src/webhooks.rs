//! Calling webhooks over reqwest: once each, to an address that the operator permits.

use crate::client::builder::BuildError;
use async_trait::async_trait;
use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect,
};
use runners_core::{AddressPolicy, WebhookCall, WebhookError, WebhookSender};
use std::{error::Error, net::IpAddr, sync::Arc, time::Duration};

/// Calls webhooks. A name is looked up once for each connection, and only an address that the
/// policy permits is connected to; no redirect is followed and no proxy is used, whatever the
/// environment says.
#[derive(Clone, Debug)]
pub struct HttpWebhooks {
    client: reqwest::Client,
    policy: Arc<AddressPolicy>,
}

/// How long a connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

impl HttpWebhooks {
    /// Calls what `policy` permits.
    ///
    /// # Errors
    /// [`BuildError::Client`] when TLS cannot be set up.
    pub fn new(policy: AddressPolicy) -> Result<Self, BuildError> {
        let policy = Arc::new(policy);
        let client = reqwest::Client::builder()
            .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .connect_timeout(CONNECT_WITHIN)
            .dns_resolver(Permitted(Arc::clone(&policy)))
            .build()
            .map_err(|error| BuildError::Client(error.into()))?;
        Ok(Self { client, policy })
    }

    /// A URL that may be called, as far as it can be told: an address that stands in it is never looked up.
    fn permitted(&self, url: &str) -> Result<Url, WebhookError> {
        let url: Url = url.parse().map_err(|error| WebhookError::Forbidden(format!("{error}")))?;
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        match host.parse::<IpAddr>().ok().filter(|address| !self.policy.permits(*address)) {
            Some(address) => Err(WebhookError::Forbidden(NotPermitted(address).to_string())),
            None => Ok(url),
        }
    }
}

#[async_trait]
impl WebhookSender for HttpWebhooks {
    async fn send(&self, call: WebhookCall) -> Result<u16, WebhookError> {
        let url = self.permitted(&call.url)?;
        let mut request = self.client.post(url).body(call.body);
        for (name, value) in call.headers {
            request = request.header(name, value);
        }
        match request.send().await {
            Ok(response) => Ok(response.status().as_u16()),
            Err(error) => Err(refused_or_failed(error)),
        }
    }

    fn check(&self, url: &str) -> Result<(), WebhookError> {
        self.permitted(url).map(drop)
    }
}

/// Looks names up, and gives only what is permitted.
struct Permitted(Arc<AddressPolicy>);

impl Resolve for Permitted {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = Arc::clone(&self.0);
        Box::pin(async move {
            let found: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let (permitted, others): (Vec<_>, Vec<_>) =
                found.into_iter().partition(|address| policy.permits(address.ip()));
            match (permitted.is_empty(), others.first()) {
                (true, Some(other)) => Err(NotPermitted(other.ip()).into()),
                _ => Ok(Box::new(permitted.into_iter()) as Addrs),
            }
        })
    }
}

/// An address that the operator does not permit.
#[derive(Debug, thiserror::Error)]
#[error("{0} is no public address, and the operator has not allowed it")]
struct NotPermitted(IpAddr);

fn refused_or_failed(error: reqwest::Error) -> WebhookError {
    let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
    while let Some(next) = cause {
        if let Some(refused) = next.downcast_ref::<NotPermitted>() {
            return WebhookError::Forbidden(refused.to_string());
        }
        cause = next.source();
    }
    // The address may hold a secret of its owner's.
    WebhookError::Failed(error.without_url().into())
}
