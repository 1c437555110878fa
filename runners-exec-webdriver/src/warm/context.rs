//! Contexts: what keeps the sessions of one browser apart. Chromium makes them over the DevTools protocol,
//! Firefox over WebDriver BiDi; where there are none, a session is used once.

use crate::{
    browser::{BrowserError, Call, Method, Session, connection::Connection, page::Page},
    engine::{Abilities, Engine},
};
use serde_json::{Map, Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
};
use tokio::sync::Mutex;

/// How contexts are made in one browser.
#[derive(Debug)]
pub(super) enum Contexts {
    /// Over a connection of our own, beside the driver's.
    Devtools { connection: Box<Mutex<Connection>>, keeper: String, profile: Option<PathBuf> },
    /// Over the connection of the session.
    Bidi { keeper: String, profile: Option<PathBuf> },
    /// Not at all: the session itself is the only one.
    None,
}

/// One context that a session has for itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Context {
    id: String,
    /// Where its downloads go.
    downloads: Option<PathBuf>,
}

impl Contexts {
    /// How the browser of a session makes contexts. The page that it started with is kept open, so that
    /// the browser stays when the last page of a context is closed.
    pub(super) async fn of(session: &dyn Session) -> Result<Self, BrowserError> {
        let capabilities = session.capabilities();
        if Abilities::of(capabilities).bidi() {
            let profile = capabilities.get("moz:profile").and_then(Value::as_str).map(PathBuf::from);
            return Ok(Self::Bidi { keeper: Page::new(session).window().await?, profile });
        }
        if Engine::of(capabilities) != Some(Engine::Chromium) {
            return Ok(Self::None);
        }
        let connection = Box::new(Mutex::new(connect(capabilities).await?));
        let profile = capabilities["chrome"]["userDataDir"].as_str().map(PathBuf::from);
        Ok(Self::Devtools { connection, keeper: Page::new(session).window().await?, profile })
    }

    /// Whether a browser can have another session after this.
    pub(super) const fn are_many(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// The page that no session may see.
    pub(super) fn keeper(&self) -> Option<&str> {
        match self {
            Self::Devtools { keeper, .. } | Self::Bidi { keeper, .. } => Some(keeper),
            Self::None => None,
        }
    }

    /// Makes a context with one page, and goes there.
    pub(super) async fn enter(&self, session: &dyn Session) -> Result<Context, BrowserError> {
        let context = match self {
            Self::None => return Ok(Context::default()),
            Self::Bidi { profile, .. } => {
                let page = Page::new(session);
                let made = page.bidi_call("browser.createUserContext", json!({})).await?;
                let id = id(&made, "userContext");
                let downloads = downloads_of(&id, profile.as_deref());
                if let Some(path) = &downloads {
                    let behavior = json!({ "type": "allowed", "destinationFolder": path });
                    let params = json!({ "userContexts": [id], "downloadBehavior": behavior });
                    page.bidi_call("browser.setDownloadBehavior", params).await?;
                }
                Context { id, downloads }
            }
            Self::Devtools { connection, profile, .. } => {
                let mut connection = connection.lock().await;
                let kept = json!({ "disposeOnDetach": true });
                let made = connection.ask("Target.createBrowserContext", &kept).await?;
                let id = id(&made, "browserContextId");
                let downloads = downloads_of(&id, profile.as_deref());
                if let Some(path) = &downloads {
                    let behavior =
                        json!({ "behavior": "allow", "browserContextId": id, "downloadPath": path });
                    connection.ask("Browser.setDownloadBehavior", &behavior).await?;
                }
                Context { id, downloads }
            }
        };
        let page = self.open_page(session, &context, false).await?;
        Page::new(session).show_window(&page).await?;
        Ok(context)
    }

    /// Opens one more page of a context, and answers its handle.
    pub(super) async fn open_page(
        &self,
        session: &dyn Session,
        context: &Context,
        is_background: bool,
    ) -> Result<String, BrowserError> {
        let page = Page::new(session);
        match self {
            Self::None => {
                let call = Call::new(Method::Post, "window/new", json!({ "type": "tab" }));
                Ok(id(&session.call(call).await?, "handle"))
            }
            Self::Bidi { .. } => {
                let params = json!({ "type": "tab", "userContext": context.id, "background": is_background });
                Ok(id(&page.bidi_call("browsingContext.create", params).await?, "context"))
            }
            Self::Devtools { connection, .. } => {
                let before = page.windows().await?;
                let params = json!({
                    "url": "about:blank", "browserContextId": context.id, "background": is_background,
                });
                connection.lock().await.ask("Target.createTarget", &params).await?;
                // The driver hears of it by itself. Whoever opens the session bounds this.
                loop {
                    let new = page.windows().await?.into_iter().find(|handle| !before.contains(handle));
                    if let Some(handle) = new {
                        return Ok(handle);
                    }
                }
            }
        }
    }

    /// Waits until the browser answers, whatever its pages do.
    pub(super) async fn answer(&self, session: &dyn Session) -> Result<(), BrowserError> {
        match self {
            Self::None => Ok(()),
            Self::Bidi { .. } => {
                Page::new(session).bidi_call("browser.getUserContexts", json!({})).await.map(drop)
            }
            Self::Devtools { connection, .. } => {
                connection.lock().await.ask("Browser.getVersion", &json!({})).await.map(drop)
            }
        }
    }

    /// Ends a context with all its pages and all that it kept, and goes back to the page of nobody.
    pub(super) async fn leave(&self, session: &dyn Session, context: &Context) -> Result<(), BrowserError> {
        let page = Page::new(session);
        let Some(keeper) = self.keeper() else { return Ok(()) };
        // What is pressed is released, and no dialog stays in the way.
        if page.dialog().await.is_ok_and(|dialog| dialog.is_some()) {
            page.answer_dialog(false).await?;
        }
        let release = Call::new(Method::Delete, "actions", Value::Null);
        if let Err(error @ BrowserError::Gone { .. }) = session.call(release).await {
            return Err(error);
        }
        page.show_window(keeper).await?;
        match self {
            Self::None => {}
            Self::Bidi { .. } => {
                let params = json!({ "userContext": context.id });
                page.bidi_call("browser.removeUserContext", params).await?;
            }
            Self::Devtools { connection, .. } => {
                let params = json!({ "browserContextId": context.id });
                connection.lock().await.ask("Target.disposeBrowserContext", &params).await?;
            }
        }
        context.downloads.as_deref().map_or(Ok(()), remove)?;
        // Nothing of it is left, or the browser is not used again.
        let left = page.windows().await?;
        if left.iter().any(|handle| handle != keeper) {
            let message = "a page of a session outlived it".to_owned();
            return Err(BrowserError::Refused { code: "unknown error".to_owned(), message });
        }
        Ok(())
    }
}

/// Connects to the browser beside its driver.
async fn connect(capabilities: &Map<String, Value>) -> Result<Connection, BrowserError> {
    let gone = |why: String| BrowserError::Gone { source: why.into() };
    let options = capabilities.get("goog:chromeOptions").or_else(|| capabilities.get("ms:edgeOptions"));
    let address = options.and_then(|options| options["debuggerAddress"].as_str());
    let port = address.and_then(|address| address.rsplit_once(':')?.1.parse::<u16>().ok());
    let port = port.ok_or_else(|| gone("its driver does not say where the browser listens".to_owned()))?;
    let client = reqwest::Client::builder().no_proxy().build().map_err(|error| gone(error.to_string()))?;
    let asked = client.get(format!("http://127.0.0.1:{port}/json/version")).send().await;
    let said = match asked {
        Ok(answer) => answer.bytes().await,
        Err(error) => Err(error),
    };
    let said = said.map_err(|error| gone(error.to_string()))?;
    let said: Value = serde_json::from_slice(&said).map_err(|error| gone(error.to_string()))?;
    let url = said["webSocketDebuggerUrl"].as_str().unwrap_or_default();
    let path = url.split_once("/devtools/").map(|(_, id)| format!("devtools/{id}"));
    let path = path.ok_or_else(|| gone("it does not say where it takes commands".to_owned()))?;
    Connection::open(port, &path).await.map_err(|error| gone(error.to_string()))
}

/// Where the downloads of a context go, by its id: below the profile, so that they go with it at the latest.
fn downloads_of(id: &str, profile: Option<&Path>) -> Option<PathBuf> {
    profile.map(|profile| profile.join("downloads").join(id))
}

fn id(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap_or_default().to_owned()
}

fn remove(directory: &Path) -> Result<(), BrowserError> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(BrowserError::Gone {
            source: format!("the downloads of a session stay in {}: {error}", directory.display()).into(),
        }),
        _ => Ok(()),
    }
}
