//! A WebDriver that somebody else runs at a URL: a Selenium Grid, a cloud, a driver beside this process.

use super::{Opening, managed::through};
use crate::browser::{
    OpenError, Session,
    side_channel::BIDI,
    webdriver::{Closing, Credentials, Manners, WebDriverSession, Wire},
};
use reqwest::Url;
use runners_core::Clock;
use serde_json::{Map, Value, json};
use std::{
    fmt, mem,
    net::{IpAddr, SocketAddr},
    sync::{Arc, PoisonError},
};

/// Where it is, and how sessions are opened there.
#[derive(Clone)]
pub(super) struct Remote {
    /// The address without credentials, or why the given one is none.
    address: Result<Url, String>,
    credentials: Credentials,
    capabilities: Map<String, Value>,
    /// The address of this machine through which its browsers connect, if they do.
    gate_at: Option<IpAddr>,
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
        Self { address, credentials, capabilities, gate_at: None, closing: Closing::default() }
    }

    pub(super) fn connect_by(&mut self, address: IpAddr) {
        self.gate_at = Some(address);
    }

    pub(super) const fn gate_at(&self) -> Option<IpAddr> {
        self.gate_at
    }

    pub(super) fn add_header(&mut self, name: &str, value: &str) -> Result<(), OpenError> {
        self.credentials.add(name, value)
    }

    pub(super) async fn open(&self, opening: &Opening) -> Result<Box<dyn Session>, OpenError> {
        let Opening { clock, manners, gate, .. } = opening;
        let address = self.address.clone().map_err(|reason| OpenError::Misconfigured {
            message: format!("the WebDriver address is not usable: {reason}"),
        })?;
        let wire = Wire::new(address, self.credentials.clone())?;
        let mut capabilities = self.capabilities.clone();
        if let Some(gate) = self.gate_at.zip(*gate) {
            connecting_by(&mut capabilities, gate.into());
        }
        if *manners == Manners::Usual {
            let session = WebDriverSession::open(wire, capabilities, *manners, clock).await?;
            return Ok(Box::new(session.closing_in(&self.closing)));
        }
        let session = open_to_be_heard(wire, capabilities, clock).await?;
        Ok(Box::new(session.closing_in(&self.closing).heard().await))
    }

    /// Waits until sessions that were dropped are closed, which takes a bounded time each.
    pub(super) async fn settle(&self) {
        let mut closing = mem::take(&mut *self.closing.lock().unwrap_or_else(PoisonError::into_inner));
        while closing.join_next().await.is_some() {}
    }
}

/// Opens a session of ours. Of Firefox, WebDriver BiDi is asked for, since it tells what it does in no other way;
/// Chromium would have to start a page for it.
async fn open_to_be_heard(
    wire: Wire,
    capabilities: Map<String, Value>,
    clock: &Arc<dyn Clock>,
) -> Result<WebDriverSession, OpenError> {
    let is_firefox = capabilities.get("browserName").is_some_and(|name| name == "firefox");
    if is_firefox && !capabilities.contains_key(BIDI) {
        let mut with_bidi = capabilities.clone();
        with_bidi.insert(BIDI.to_owned(), json!(true));
        match WebDriverSession::open(wire.clone(), with_bidi, Manners::Ours, clock).await {
            // A driver may be too old to know it.
            Err(OpenError::NotStarted { message }) => {
                tracing::debug!(message, "the WebDriver is asked once more, without WebDriver BiDi");
            }
            opened => return opened,
        }
    }
    WebDriverSession::open(wire, capabilities, Manners::Ours, clock).await
}

/// Has Chromium connect by a gate, whatever else it is asked for.
fn connecting_by(capabilities: &mut Map<String, Value>, gate: SocketAddr) {
    let options = capabilities.entry("goog:chromeOptions").or_insert_with(|| json!({}));
    let Some(options) = options.as_object_mut() else { return };
    let arguments = options.entry("args").or_insert_with(|| json!([]));
    if let Some(arguments) = arguments.as_array_mut() {
        arguments.extend(through(gate).map(Value::from));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_is_added_to_what_chromium_is_asked_for() {
        let gate = "172.18.0.1:4000".parse().unwrap();
        for asked in [json!({}), json!({ "goog:chromeOptions": { "args": ["--lang=de"], "binary": "/b" } })] {
            let mut capabilities = asked.as_object().unwrap().clone();
            connecting_by(&mut capabilities, gate);
            let options = &capabilities["goog:chromeOptions"];
            let arguments: Vec<_> =
                options["args"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            assert!(arguments.contains(&"--proxy-server=socks5://172.18.0.1:4000"), "{arguments:?}");
            assert!(arguments.contains(&"--proxy-bypass-list=<-loopback>"), "{arguments:?}");
            assert_eq!(arguments.contains(&"--lang=de"), options.get("binary").is_some());
        }
    }
}
