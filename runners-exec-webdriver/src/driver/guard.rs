//! Holds a session to where it may browse: addresses are checked before the browser is sent to them,
//! and what it then connects to goes through the `gate`, where there is one.

use super::gate::Gate;
use crate::browser::{BrowserError, Call, Endpoint, Method, Session, SideChannel};
use async_trait::async_trait;
use runners_core::{Egress, EgressError};
use serde_json::{Map, Value};
use std::{env, net::IpAddr, sync::Arc};

/// Schemes of pages that lead nowhere.
const HARMLESS: &[&str] = &["about:", "blob:", "data:"];
/// The arguments by which somebody chooses a proxy.
const PROXY_ARGUMENTS: &[&str] = &["--proxy", "--no-proxy-server"];
/// The variables by which an environment names a proxy, in either case.
const PROXY_VARIABLES: &[&str] = &["http_proxy", "https_proxy", "all_proxy"];

/// A session that goes only where it may.
#[derive(Debug)]
pub(super) struct GuardedSession {
    // The session goes first: what it still has to say, it says to a browser that has its gate.
    session: Box<dyn Session>,
    egress: Arc<Egress>,
    gate: Option<Gate>,
}

impl GuardedSession {
    pub(super) fn new(session: Box<dyn Session>, egress: Arc<Egress>, gate: Option<Gate>) -> Self {
        Self { session, egress, gate }
    }
}

#[async_trait]
impl Session for GuardedSession {
    fn capabilities(&self) -> &Map<String, Value> {
        self.session.capabilities()
    }

    async fn call(&self, call: Call) -> Result<Value, BrowserError> {
        if (call.method, &*call.path) == (Method::Post, "url") {
            self.check_page(call.body["url"].as_str().unwrap_or_default())?;
        }
        self.session.call(call).await
    }

    async fn changed(&self) -> Result<(), BrowserError> {
        self.session.changed().await
    }

    fn check_page(&self, url: &str) -> Result<(), BrowserError> {
        check_page(&self.egress, url).map_err(|error| BrowserError::Refused {
            code: BrowserError::NOT_ALLOWED.to_owned(),
            message: error.to_string(),
        })
    }

    async fn close(&self) {
        self.session.close().await;
    }

    fn endpoint(&self) -> Option<Endpoint> {
        self.session.endpoint()
    }

    fn devtools(&self) -> Option<SideChannel> {
        self.session.devtools()
    }

    fn bidi(&self) -> Option<SideChannel> {
        self.session.bidi()
    }

    fn unreached(&self, url: &str) -> Option<String> {
        self.gate.as_ref()?.unreached(url)
    }
}

/// Says whether a page may be gone to, before its host is looked up.
pub(crate) fn check_page(egress: &Egress, url: &str) -> Result<(), EgressError> {
    let is_harmless = HARMLESS.iter().any(|scheme| url.trim_start().starts_with(scheme));
    if is_harmless { Ok(()) } else { egress.check(url) }
}

/// Whether link-local addresses may be gone to: all of them, since a browser is told in no more detail.
pub(super) fn permits_link_local(egress: &Egress) -> bool {
    let ends: [IpAddr; 3] =
        [[169, 254, 0, 0].into(), [169, 254, 169, 254].into(), [0xFE80, 0, 0, 0, 0, 0, 0, 1].into()];
    ends.into_iter().all(|address| egress.check_address(address).is_ok())
}

/// Whether somebody has chosen the way that browsers go: by an argument, or for this whole process.
pub(super) fn has_proxy(arguments: &[String]) -> bool {
    let is_named = |name: &&str| {
        [(*name).to_owned(), name.to_uppercase()]
            .iter()
            .any(|name| env::var_os(name).is_some_and(|value| !value.is_empty()))
    };
    arguments.iter().any(|argument| PROXY_ARGUMENTS.iter().any(|proxy| argument.starts_with(proxy)))
        || PROXY_VARIABLES.iter().any(is_named)
}
