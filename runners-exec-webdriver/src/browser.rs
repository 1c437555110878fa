//! The browser seam: sessions that take WebDriver commands and answer with JSON. What to say to
//! a session is in `page`, how it travels in `webdriver` and `bidi`, where browsers come from in `driver`.

pub(crate) mod bidi;
pub(crate) mod connection;
pub(crate) mod page;
pub(crate) mod script;
pub(crate) mod side_channel;
pub(crate) mod webdriver;

pub use side_channel::SideChannel;

use crate::engine::Engine;
use async_trait::async_trait;
use runners_core::Egress;
use serde_json::{Map, Value};
use std::{borrow::Cow, error::Error, fmt::Debug, future::pending, sync::Arc};

/// Opens browser sessions. [`Driver`](crate::Driver) is one.
#[async_trait]
pub trait Browser: Debug + Send + Sync + 'static {
    /// Opens a session with a fresh profile. Its navigations do not wait for the page
    /// (`pageLoadStrategy` is `none`), and its dialogs stay open (`unhandledPromptBehavior` is
    /// `ignore`), because a replay does both itself.
    ///
    /// # Errors
    /// [`OpenError`], after a bounded time.
    ///
    /// # Cancel safety
    /// A dropped future leaves no session: what was started is killed.
    async fn open(&self) -> Result<Box<dyn Session>, OpenError>;

    /// The engine of the browsers that are opened, where that is known before: what it cannot do is
    /// then refused without starting one.
    fn engine(&self) -> Option<Engine> {
        None
    }

    /// Where its browsers may go, if that is held to something: a flow that leads elsewhere is refused
    /// without starting one.
    fn egress(&self) -> Option<Arc<Egress>> {
        None
    }
}

#[async_trait]
impl<B: Browser + ?Sized> Browser for Arc<B> {
    async fn open(&self) -> Result<Box<dyn Session>, OpenError> {
        (**self).open().await
    }

    fn engine(&self) -> Option<Engine> {
        (**self).engine()
    }

    fn egress(&self) -> Option<Arc<Egress>> {
        (**self).egress()
    }
}

/// One browser session. Commands are carried out one after the other.
///
/// Dropping a session that was not closed ends it in the background; a browser that this process
/// owns is killed.
#[async_trait]
pub trait Session: Debug + Send + Sync {
    /// What the driver answered when the session was opened.
    fn capabilities(&self) -> &Map<String, Value>;

    /// Sends one WebDriver command and answers its `value`. A script that is not answered
    /// within fifteen seconds is refused as a `script timeout`; if the driver says nothing then either, the
    /// session is gone.
    ///
    /// # Errors
    /// [`BrowserError`].
    ///
    /// # Cancel safety
    /// The browser may or may not carry out a command whose future was dropped; the next call
    /// waits for it.
    async fn call(&self, call: Call) -> Result<Value, BrowserError>;

    /// Closes the session and everything that belongs to it, the hard way if the browser does not
    /// answer within a few seconds. A second close has no effect.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the session open or closed; dropping the session then ends it.
    async fn close(&self);

    /// Where another client of WebDriver can use the session too. `None` unless a driver of classic
    /// WebDriver serves it.
    fn endpoint(&self) -> Option<Endpoint> {
        None
    }

    /// Where the DevTools protocol of its browser is spoken beside its commands, if it is a Chromium that can be
    /// reached: consoles, requests and dialogs are heard there, and what the screen shows is sent.
    fn devtools(&self) -> Option<SideChannel> {
        SideChannel::devtools_here(self.capabilities())
    }

    /// Where WebDriver BiDi is spoken beside its commands, if it is: consoles and requests are heard there.
    fn bidi(&self) -> Option<SideChannel> {
        None
    }

    /// Waits until the browser has told of its pages, in the connection of the session, what it had not when this
    /// was last awaited: that one opened or closed, went somewhere, has loaded, or asks something. Some of what it
    /// tells may be none of that.
    ///
    /// The default never ends: most drivers tell nothing by themselves.
    ///
    /// # Errors
    /// [`BrowserError::Gone`].
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    async fn changed(&self) -> Result<(), BrowserError> {
        pending().await
    }

    /// Says whether the browser may be sent to an address, as far as that can be told before its host is
    /// looked up. It may be sent everywhere, unless somebody holds the session to something.
    ///
    /// # Errors
    /// [`BrowserError::Refused`], which says why.
    fn check_page(&self, url: &str) -> Result<(), BrowserError> {
        let _ = url;
        Ok(())
    }

    /// Why the browser did not reach the host of an address when it last tried, where whoever connects
    /// for it knows. `None` if it did.
    fn unreached(&self, url: &str) -> Option<String> {
        let _ = url;
        None
    }
}

/// Where a session is, for another client of WebDriver.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Endpoint {
    /// The address of the driver, without credentials.
    pub driver: String,
    /// The id of the session there.
    pub session: String,
}

/// One WebDriver command within a session.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Call {
    /// The HTTP method.
    pub method: Method,
    /// The path below the session, such as `execute/sync`.
    pub path: Cow<'static, str>,
    /// The body of a `POST`.
    pub body: Value,
}

/// The HTTP methods that WebDriver uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "WebDriver has these three")]
pub enum Method {
    /// Asks for something.
    Get,
    /// Does something.
    Post,
    /// Ends something.
    Delete,
}

impl Call {
    /// Takes a command.
    #[must_use]
    pub fn new(method: Method, path: impl Into<Cow<'static, str>>, body: Value) -> Self {
        Self { method, path: path.into(), body }
    }
}

/// Why a command was not carried out, by what the caller does next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrowserError {
    /// Give up this session: the browser, its driver or the connection is gone.
    #[error("the browser is gone")]
    Gone {
        /// What was seen of it.
        source: Box<dyn Error + Send + Sync>,
    },
    /// Open or choose another page: this one was closed.
    #[error("the page was closed")]
    Closed,
    /// Deal with the dialog that the page has opened.
    #[error("a dialog is open: {text:?}")]
    Dialog {
        /// What the dialog says.
        text: String,
    },
    /// Do without: the driver does not know the command.
    #[error("the driver does not support it: {message}")]
    Unsupported {
        /// What the driver said.
        message: String,
    },
    /// Look at the page again and try once more: it was not ready for the command.
    #[error("{code}: {message}")]
    Refused {
        /// The error code of WebDriver, such as `stale element reference`.
        code: String,
        /// What the driver said, in one line.
        message: String,
    },
}

impl BrowserError {
    /// The code of a page that the operator has not allowed.
    pub(crate) const NOT_ALLOWED: &'static str = "not allowed";
}

/// Why no session was opened, by what the caller does next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Install it, or say where it is.
    #[error("{what} was not found; {hint}")]
    Missing {
        /// Which program.
        what: &'static str,
        /// What to install, and where it was looked for.
        hint: String,
    },
    /// Mend the configuration.
    #[error("{message}")]
    Misconfigured {
        /// What is wrong with it.
        message: String,
    },
    /// Try again: the driver or the browser did not start.
    #[error("{message}")]
    NotStarted {
        /// What was seen, with the last lines of the driver's log.
        message: String,
    },
}
