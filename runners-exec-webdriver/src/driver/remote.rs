//! A WebDriver that somebody else runs at a URL: a Selenium Grid, a cloud, a driver beside this process.

use super::Opening;
use crate::browser::{
    OpenError, Session,
    webdriver::{Closing, Credentials, WebDriverSession, Wire},
};
use reqwest::Url;
use serde_json::{Map, Value};
use std::{fmt, mem, sync::PoisonError};

/// Where it is, and how sessions are opened there.
#[derive(Clone)]
pub(super) struct Remote {
    /// The address without credentials, or why the given one is none.
    address: Result<Url, String>,
    credentials: Credentials,
    capabilities: Map<String, Value>,
    closing: Closing,
}

impl Remote {
    pub(super) fn new(url: &str, capabilities: Map<String, Value>) -> Self {
        let mut credentials = Credentials::default();
        let address = Url::parse(url).map_err(|error| error.to_string()).and_then(|mut url| {
            credentials = Credentials::of(&mut url);
            url.set_query(None);
            url.set_fragment(None);
            if !url.path().ends_with('/') {
                url.set_path(&format!("{}/", url.path()));
            }
            match url.scheme() {
                "http" => Ok(url),
                "https" if cfg!(feature = "tls") => Ok(url),
                "https" => Err("https needs the feature `tls`".to_owned()),
                other => Err(format!("{other} is neither http nor https")),
            }
        });
        credentials.know(&capabilities);
        Self { address, credentials, capabilities, closing: Closing::default() }
    }

    pub(super) fn add_header(&mut self, name: &str, value: &str) -> Result<(), OpenError> {
        self.credentials.add(name, value)
    }

    pub(super) async fn open(&self, opening: &Opening) -> Result<Box<dyn Session>, OpenError> {
        let Opening { clock, manners, .. } = opening;
        let address = self.address.clone().map_err(|reason| OpenError::Misconfigured {
            message: format!("the WebDriver address is not usable: {reason}"),
        })?;
        let wire = Wire::new(address, self.credentials.clone())?;
        let session = WebDriverSession::open(wire, self.capabilities.clone(), *manners, clock).await?;
        Ok(Box::new(session.closing_in(&self.closing)))
    }

    /// Waits until sessions that were dropped are closed, which takes a bounded time each.
    pub(super) async fn settle(&self) {
        let mut closing = mem::take(&mut *self.closing.lock().unwrap_or_else(PoisonError::into_inner));
        while closing.join_next().await.is_some() {}
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let capabilities: Vec<_> = self.capabilities.keys().collect();
        f.debug_struct("Remote")
            .field("address", &self.address)
            .field("capabilities", &capabilities)
            .finish_non_exhaustive()
    }
}
