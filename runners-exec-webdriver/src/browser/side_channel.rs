//! WebSockets to a browser beside the commands of its session, which speak the DevTools protocol or WebDriver
//! BiDi: at the browser, if it is of this machine, or at the WebDriver that hands them on, as a Selenium Grid does.

use crate::within::within;
use reqwest::{Client, StatusCode, Url, Version, header::HeaderMap};
use runners_core::{
    Clock, Random as _, SystemRandom,
    websocket::{self, KEY_BYTES},
};
use serde_json::{Map, Value};
use std::{error::Error, fs, net::IpAddr, path::Path, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::protocol::{Role, WebSocketConfig},
};

/// How long it may take to find out whether a channel opens.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest message that is read: a body, or a picture of the screen.
const MESSAGE_BYTES_MAX: usize = 32 * 1024 * 1024;
/// The capabilities in which browsers of the Chromium family say where they are, and their own.
const BROWSERS: &[(&str, &str)] = &[("goog:chromeOptions", "chrome"), ("ms:edgeOptions", "msedge")];
/// The capabilities by which a WebDriver says where it speaks the DevTools protocol, as a Selenium Grid does, and
/// WebDriver BiDi.
const DEVTOOLS: &str = "se:cdp";
pub(crate) const BIDI: &str = "webSocketUrl";
/// Where a Selenium Grid hands them on, below a session.
const DEVTOOLS_IN_GRID: &str = "se/cdp";
const BIDI_IN_GRID: &str = "se/bidi";

/// A WebSocket to the browser of a session, beside the commands of the session.
#[derive(Clone, Debug)]
pub struct SideChannel(Place);

#[derive(Clone, Debug)]
enum Place {
    /// At a browser of this machine.
    Here { address: String, path: String },
    /// At a WebDriver, which wants the same credentials there.
    Driver { client: Client, url: Url, credentials: HeaderMap },
}

/// What messages travel over.
pub(crate) type Socket = WebSocketStream<Box<dyn Stream>>;

/// Bytes both ways.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin + std::fmt::Debug {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + std::fmt::Debug> Stream for S {}

impl SideChannel {
    /// The debugger of the browser that a session is in, if it is one of the Chromium family and its
    /// profile is on this machine. The file in there names a path that nobody can guess, so what listens
    /// at the same port of another machine is not taken for it.
    pub(crate) fn devtools_here(capabilities: &Map<String, Value>) -> Option<Self> {
        let (address, directory) = BROWSERS.iter().find_map(|(options, browser)| {
            let address = capabilities.get(*options)?["debuggerAddress"].as_str()?;
            Some((address, capabilities.get(*browser)?["userDataDir"].as_str()?))
        })?;
        let noted = fs::read_to_string(Path::new(directory).join("DevToolsActivePort")).ok()?;
        let (port, path) = noted.split_once('\n')?;
        let is_same = address.rsplit_once(':')?.1 == port.trim();
        is_same.then(|| Self(Place::Here { address: address.to_owned(), path: path.trim().to_owned() }))
    }

    /// Where the WebDriver that a session was opened at speaks the DevTools protocol.
    pub(crate) fn devtools_at(session: &RemoteSession<'_>) -> Option<Self> {
        session.told(DEVTOOLS).and_then(|told| session.below(&told, DEVTOOLS_IN_GRID))
    }

    /// Where it speaks WebDriver BiDi.
    pub(crate) fn bidi_at(session: &RemoteSession<'_>) -> Option<Self> {
        let told = session.told(BIDI)?;
        session.below(&told, BIDI_IN_GRID).or_else(|| session.beside(&told))
    }

    /// It, if it can be opened now: who finds out later has relied on it.
    pub(crate) async fn if_it_opens(self, clock: &dyn Clock) -> Option<Self> {
        match within(clock, OPEN_TIMEOUT, self.connect()).await {
            Some(Ok(_)) => Some(self),
            Some(Err(error)) => {
                tracing::warn!(%error, "this browser is not listened to");
                None
            }
            None => {
                tracing::warn!("this browser is not listened to: the WebDriver did not answer in time");
                None
            }
        }
    }

    /// Connects to it.
    pub(crate) async fn connect(&self) -> Result<Socket, Box<dyn Error + Send + Sync>> {
        let config = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX));
        match &self.0 {
            Place::Here { address, path } => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                let stream: Box<dyn Stream> = Box::new(stream);
                let request = format!("ws://{address}{path}");
                Ok(client_async_with_config(request, stream, Some(config)).await?.0)
            }
            Place::Driver { client, url, credentials } => {
                let mut drawn = [0; KEY_BYTES];
                SystemRandom::default().fill(&mut drawn);
                let asked = client.get(url.clone()).headers(credentials.clone());
                let asked = asked.headers(websocket::asking(drawn)).version(Version::HTTP_11);
                let answer = asked.send().await.map_err(reqwest::Error::without_url)?;
                let state = answer.status();
                if state != StatusCode::SWITCHING_PROTOCOLS
                    || !websocket::is_accepted(drawn, answer.headers())
                {
                    return Err(format!("the WebDriver opens no WebSocket to its browser ({state})").into());
                }
                let upgraded = answer.upgrade().await.map_err(reqwest::Error::without_url)?;
                let stream: Box<dyn Stream> = Box::new(upgraded);
                Ok(WebSocketStream::from_raw_socket(stream, Role::Client, Some(config)).await)
            }
        }
    }
}

/// A session at a WebDriver that somebody else runs.
#[derive(Debug)]
pub(crate) struct RemoteSession<'s> {
    pub(crate) capabilities: &'s Map<String, Value>,
    /// Its address, with a slash at the end.
    pub(crate) url: Url,
    pub(crate) credentials: &'s HeaderMap,
    /// Speaks HTTP/1.1 only.
    pub(crate) client: Client,
}

impl RemoteSession<'_> {
    /// The address that a capability tells.
    fn told(&self, capability: &str) -> Option<Url> {
        Url::parse(self.capabilities.get(capability)?.as_str()?).ok()
    }

    /// What a Selenium Grid hands on. The host that it tells is the one that it has for itself; what is reached from
    /// here is the address of the session.
    fn below(&self, told: &Url, path: &str) -> Option<SideChannel> {
        let id = self.url.path().trim_end_matches('/').rsplit('/').next()?;
        let is_of_grid = told.path().ends_with(&format!("/session/{id}/{path}"));
        is_of_grid.then(|| self.at(self.url.join(path).ok(), self.credentials.clone())).flatten()
    }

    /// What a driver on this machine speaks at another port, where it wants no credentials.
    fn beside(&self, told: &Url) -> Option<SideChannel> {
        if !(is_here(told) && is_here(&self.url)) {
            return None;
        }
        let mut url = told.clone();
        url.set_scheme("http").ok()?;
        self.at(Some(url), HeaderMap::new())
    }

    fn at(&self, url: Option<Url>, credentials: HeaderMap) -> Option<SideChannel> {
        Some(SideChannel(Place::Driver { client: self.client.clone(), url: url?, credentials }))
    }
}

/// Whether an address is of this machine.
pub(crate) fn is_here(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::{AUTHORIZATION, HeaderValue};
    use serde_json::json;

    #[test]
    fn a_browser_is_here_only_if_its_profile_is_and_names_the_same_port() {
        let profile = tempfile::tempdir().unwrap();
        let capabilities = |port: u16| {
            let own = json!({ "userDataDir": profile.path() });
            let options = json!({ "debuggerAddress": format!("localhost:{port}") });
            Map::from_iter([("goog:chromeOptions".to_owned(), options), ("chrome".to_owned(), own)])
        };
        assert!(SideChannel::devtools_here(&capabilities(4567)).is_none(), "a profile of another machine");
        fs::write(profile.path().join("DevToolsActivePort"), "4567\n/devtools/browser/a-b").unwrap();
        let Some(SideChannel(Place::Here { address, path })) =
            SideChannel::devtools_here(&capabilities(4567))
        else {
            panic!("it is here");
        };
        assert_eq!((&*address, &*path), ("localhost:4567", "/devtools/browser/a-b"));
        assert!(SideChannel::devtools_here(&capabilities(4568)).is_none(), "a browser of another time");
        assert!(SideChannel::devtools_here(&Map::new()).is_none());
    }

    /// The address of the channel that is opened where a session at `url` has these capabilities, and whether
    /// credentials go there.
    fn opened(
        url: &str,
        capabilities: Value,
        find: impl FnOnce(&RemoteSession<'_>) -> Option<SideChannel>,
    ) -> Option<(String, bool)> {
        let Value::Object(capabilities) = capabilities else { panic!("{capabilities}") };
        let mut word = HeaderValue::from_static("Basic c2VjcmV0");
        word.set_sensitive(true);
        let credentials = HeaderMap::from_iter([(AUTHORIZATION, word)]);
        let (url, client) = (Url::parse(url).unwrap(), Client::new());
        let found =
            find(&RemoteSession { capabilities: &capabilities, url, credentials: &credentials, client })?;
        assert!(!format!("{found:?}").contains("c2VjcmV0"));
        let SideChannel(Place::Driver { url, credentials, .. }) = found else { panic!("{found:?}") };
        Some((url.to_string(), !credentials.is_empty()))
    }

    #[test]
    fn a_grid_is_asked_at_the_address_of_the_session_and_told_its_credentials() {
        let session = "https://grid.example/wd/hub/session/abc/";
        let devtools = json!({ "se:cdp": "ws://172.17.0.3:4444/session/abc/se/cdp" });
        let found = opened(session, devtools, SideChannel::devtools_at);
        assert_eq!(found, Some(("https://grid.example/wd/hub/session/abc/se/cdp".to_owned(), true)));
        let bidi = json!({ "webSocketUrl": "ws://172.17.0.3:4444/session/abc/se/bidi" });
        let found = opened(session, bidi, SideChannel::bidi_at);
        assert_eq!(found, Some(("https://grid.example/wd/hub/session/abc/se/bidi".to_owned(), true)));
        for nothing in [json!({}), json!({ "se:cdp": null }), json!({ "se:cdp": "wss://cloud.example/abc" })]
        {
            assert_eq!(opened(session, nothing, SideChannel::devtools_at), None);
        }
    }

    #[test]
    fn a_driver_of_this_machine_is_asked_where_it_says_and_told_no_credentials() {
        let told = || json!({ "webSocketUrl": "ws://127.0.0.1:9222/session/abc" });
        let found = opened("http://localhost:4444/session/abc/", told(), SideChannel::bidi_at);
        assert_eq!(found, Some(("http://127.0.0.1:9222/session/abc".to_owned(), false)));
        let elsewhere = opened("https://grid.example/session/abc/", told(), SideChannel::bidi_at);
        assert_eq!(elsewhere, None, "that would be this machine");
    }
}
