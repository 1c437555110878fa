//! Where the DevTools protocol of a browser is spoken: at the browser, if it is of this machine, or at the
//! WebDriver that hands it on, as a Selenium Grid does.

use reqwest::{Client, StatusCode, Url, Version, header::HeaderMap};
use runners_core::{
    Random as _, SystemRandom,
    websocket::{self, KEY_BYTES},
};
use serde_json::{Map, Value};
use std::{error::Error, fs, path::Path};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::protocol::{Role, WebSocketConfig},
};

/// The largest message that is read: a body, or a picture of the screen.
const MESSAGE_BYTES_MAX: usize = 32 * 1024 * 1024;
/// The capabilities in which browsers of the Chromium family say where they are, and their own.
const BROWSERS: &[(&str, &str)] = &[("goog:chromeOptions", "chrome"), ("ms:edgeOptions", "msedge")];
/// The capability by which a Selenium Grid says that it hands the protocol on.
const HANDED_ON: &str = "se:cdp";
/// Where it does so, below a session.
const HANDED_ON_AT: &str = "se/cdp";

/// Where the DevTools protocol of a browser is spoken.
#[derive(Clone, Debug)]
pub struct Debugger(Place);

#[derive(Clone, Debug)]
enum Place {
    Here { address: String, path: String },
    HandedOn { client: Client, url: Url, credentials: HeaderMap },
}

/// What messages travel over.
pub(crate) type Socket = WebSocketStream<Box<dyn Stream>>;

/// Bytes both ways.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin + std::fmt::Debug {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + std::fmt::Debug> Stream for S {}

impl Debugger {
    /// The debugger of the browser that a session is in, if it is one of the Chromium family and its
    /// profile is on this machine. The file in there names a path that nobody can guess, so what listens
    /// at the same port of another machine is not taken for it.
    pub(crate) fn here(capabilities: &Map<String, Value>) -> Option<Self> {
        let (address, directory) = BROWSERS.iter().find_map(|(options, browser)| {
            let address = capabilities.get(*options)?["debuggerAddress"].as_str()?;
            Some((address, capabilities.get(*browser)?["userDataDir"].as_str()?))
        })?;
        let noted = fs::read_to_string(Path::new(directory).join("DevToolsActivePort")).ok()?;
        let (port, path) = noted.split_once('\n')?;
        let is_same = address.rsplit_once(':')?.1 == port.trim();
        is_same.then(|| Self(Place::Here { address: address.to_owned(), path: path.trim().to_owned() }))
    }

    /// The debugger of a session that a Selenium Grid has opened, if it hands the protocol on. The address
    /// that it names is that of the machine on which it runs; what is reached from here is the address of the
    /// session, so it is asked there, with the same credentials.
    pub(crate) fn handed_on(
        capabilities: &Map<String, Value>,
        session: &Url,
        credentials: &HeaderMap,
        client: Client,
    ) -> Option<Self> {
        capabilities.get(HANDED_ON)?.as_str()?;
        let url = session.join(HANDED_ON_AT).ok()?;
        Some(Self(Place::HandedOn { client, url, credentials: credentials.clone() }))
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
            Place::HandedOn { client, url, credentials } => {
                let mut drawn = [0; KEY_BYTES];
                SystemRandom::default().fill(&mut drawn);
                let asked = client.get(url.clone()).headers(credentials.clone());
                let asked = asked.headers(websocket::asking(drawn)).version(Version::HTTP_11);
                let answer = asked.send().await.map_err(reqwest::Error::without_url)?;
                let state = answer.status();
                if state != StatusCode::SWITCHING_PROTOCOLS
                    || !websocket::is_accepted(drawn, answer.headers())
                {
                    return Err(
                        format!("the WebDriver does not hand the DevTools protocol on ({state})").into()
                    );
                }
                let upgraded = answer.upgrade().await.map_err(reqwest::Error::without_url)?;
                let stream: Box<dyn Stream> = Box::new(upgraded);
                Ok(WebSocketStream::from_raw_socket(stream, Role::Client, Some(config)).await)
            }
        }
    }
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
        assert!(Debugger::here(&capabilities(4567)).is_none(), "a profile of another machine");
        fs::write(profile.path().join("DevToolsActivePort"), "4567\n/devtools/browser/a-b").unwrap();
        let Some(Debugger(Place::Here { address, path })) = Debugger::here(&capabilities(4567)) else {
            panic!("it is here");
        };
        assert_eq!((&*address, &*path), ("localhost:4567", "/devtools/browser/a-b"));
        assert!(Debugger::here(&capabilities(4568)).is_none(), "a browser of another time");
        assert!(Debugger::here(&Map::new()).is_none());
    }

    #[test]
    fn a_grid_is_asked_at_the_address_of_the_session_and_told_its_credentials_and_nobody_else() {
        let session = Url::parse("https://grid.example/wd/hub/session/abc/").unwrap();
        let mut word = HeaderValue::from_static("Basic c2VjcmV0");
        word.set_sensitive(true);
        let credentials = HeaderMap::from_iter([(AUTHORIZATION, word)]);
        let of = |told: Value| {
            let capabilities = Map::from_iter([("se:cdp".to_owned(), told)]);
            Debugger::handed_on(&capabilities, &session, &credentials, Client::new())
        };
        let handed = of(json!("ws://172.17.0.3:4444/session/abc/se/cdp")).unwrap();
        let Debugger(Place::HandedOn { url, .. }) = &handed else { panic!("{handed:?}") };
        assert_eq!(url.as_str(), "https://grid.example/wd/hub/session/abc/se/cdp");
        assert!(!format!("{handed:?}").contains("c2VjcmV0"));
        assert!(of(Value::Null).is_none(), "one that hands nothing on");
    }
}
