//! A page as a test sees it: go somewhere, find elements, act on them, and expect something of them.
//! Whatever is waited for is waited for in vain only so long. What a replayed flow does to a page is
//! in `replay`, which does the work here as well.

mod error;
mod expect;
mod locator;

pub use error::PageError;
pub use expect::{Expect, Subject, expect};
pub use locator::Locator;

use crate::{
    browser::{Browser, OpenError, Session},
    flow::{Action, Chain, Selector, Selectors, Viewport},
    replay::{Evidence, FlowObserver, hand::Hand},
    within::within,
};
use bytes::Bytes;
use runners_core::{Clock, SystemClock};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{fmt, sync::Arc, time::Duration};

/// A page of a browser, for tests written in Rust. Clones are the same page.
///
/// Every method waits for what it needs, and gives up after [`TIMEOUT`](Self::TIMEOUT) unless
/// [told otherwise](Self::with_timeout); it then says what was there instead. One method is used at a
/// time: a browser carries out one command after the other.
///
/// ```no_run
/// use runners_exec_webdriver::{Driver, DriverOptions, Page, expect};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let driver = Driver::new(DriverOptions::default());
/// let page = Page::open(&driver).await?;
/// page.goto("https://shop.example/").await?;
/// page.by_label("Search").fill("teapot").await?;
/// page.by_role("button", "Go").click().await?;
/// expect(&page.locator("h1")).to_have_text("One teapot").await?;
/// expect(&page).to_have_url("https://shop.example/teapot").await?;
/// page.close().await;
/// # Ok(())
/// # }
/// ```
///
/// # Cancel safety
/// Dropping the future of any method leaves the page as it is at that moment; the browser may still
/// carry out the command that it was given last.
#[derive(Clone)]
pub struct Page {
    hand: Arc<Hand>,
    observer: Arc<dyn FlowObserver>,
    timeout: Duration,
}

impl Page {
    /// How long a method waits unless told otherwise.
    pub const TIMEOUT: Duration = Duration::from_secs(30);

    /// A page in a session that nobody else uses meanwhile.
    #[must_use]
    pub fn new(session: impl Into<Arc<dyn Session>>) -> Self {
        Self::with_clock(session.into(), Arc::new(SystemClock::default()))
    }

    pub(crate) fn with_clock(session: Arc<dyn Session>, clock: Arc<dyn Clock>) -> Self {
        let hand = Arc::new(Hand::new(session, clock));
        Self { hand, observer: Arc::new(()), timeout: Self::TIMEOUT }
    }

    /// Opens a session of its own.
    ///
    /// # Errors
    /// As [`Browser::open`].
    ///
    /// # Cancel safety
    /// A dropped future leaves no session.
    pub async fn open(browser: &dyn Browser) -> Result<Self, OpenError> {
        Ok(Self::new(browser.open().await?))
    }

    /// The same page, whose methods wait so long.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self { timeout, ..self.clone() }
    }

    /// The same page, which hands its pictures on.
    #[must_use]
    pub fn with_observer(&self, observer: Arc<dyn FlowObserver>) -> Self {
        Self { observer, ..self.clone() }
    }

    /// Goes to an absolute address and waits until the page has loaded.
    ///
    /// # Errors
    /// [`PageError`].
    pub async fn goto(&self, url: &str) -> Result<(), PageError> {
        let going = self.hand.perform(Action::Navigate { url: url.to_owned() }, self.timeout).await;
        going.map_err(|error| error.during(&format!("go to {url}")))
    }

    /// Elements by a selector: CSS, or one of the kinds that flows know, such as `text/Save`,
    /// `aria/Save[role="button"]`, `xpath///button` or `pierce/button`. A selector that cannot be read
    /// is an error of the first method that uses it.
    #[must_use]
    pub fn locator(&self, selector: &str) -> Locator {
        Locator::new(self.clone(), Selector::parse(selector))
    }

    /// A frame of the page, by a selector of its element: everything is found and happens in there, also
    /// frames of its own. Pictures are of the whole page.
    #[must_use]
    pub fn frame(&self, selector: &str) -> Self {
        // What cannot be read matches nothing, and the page says so.
        let read = Selector::parse(selector).unwrap_or_else(|_| Selector::Css { text: selector.to_owned() });
        let frame = Selectors::new(vec![Chain::new(vec![read])]);
        Self { hand: Arc::new(self.hand.in_frame(frame)), ..self.clone() }
    }

    /// The deepest elements whose text contains this one.
    #[must_use]
    pub fn by_text(&self, text: &str) -> Locator {
        Locator::new(self.clone(), Ok(Selector::Text { text: text.to_owned() }))
    }

    /// Elements by role and exact accessible name.
    #[must_use]
    pub fn by_role(&self, role: &str, name: &str) -> Locator {
        let selector = Selector::Aria { name: Some(name.to_owned()), role: Some(role.to_owned()) };
        Locator::new(self.clone(), Ok(selector))
    }

    /// Elements by exact accessible name, such as controls by their label.
    #[must_use]
    pub fn by_label(&self, name: &str) -> Locator {
        Locator::new(self.clone(), Ok(Selector::Aria { name: Some(name.to_owned()), role: None }))
    }

    /// Elements by their attribute `data-testid`.
    #[must_use]
    pub fn by_test_id(&self, id: &str) -> Locator {
        let id = serde_json::to_string(id).expect("invariant: a text is JSON");
        Locator::new(self.clone(), Ok(Selector::Css { text: format!("[data-testid={id}]") }))
    }

    /// Where the page is.
    ///
    /// # Errors
    /// [`PageError`].
    pub async fn url(&self) -> Result<String, PageError> {
        self.hand.until_at(self.timeout, |url, _| Ok(url.to_owned())).await
    }

    /// The title of the page.
    ///
    /// # Errors
    /// [`PageError`].
    pub async fn title(&self) -> Result<String, PageError> {
        self.hand.until_at(self.timeout, |_, title| Ok(title.to_owned())).await
    }

    /// Runs the body of an async function in the page and answers what it returns. `args` is in it
    /// under that name. The browser gives up a script after 10 s.
    ///
    /// # Errors
    /// [`PageError::Failed`] with what the script throws, or how its answer does not fit.
    pub async fn evaluate<T: DeserializeOwned>(
        &self,
        body: &str,
        args: &(impl Serialize + Sync),
    ) -> Result<T, PageError> {
        #[derive(Deserialize)]
        struct Answer<T> {
            value: T,
        }
        let script = format!(
            "const [args, done] = arguments;
             Promise.resolve().then(async () => {{ {body}\n }})
               .then(value => done({{ value: value ?? null }}), why => done({{ error: String(why?.message ?? why) }}));"
        );
        let asked = self.in_time("evaluate", async {
            self.hand.arrive().await?;
            Ok(self.hand.page().ask::<Answer<T>>(&script, args).await?)
        });
        asked.await.map(|answer| answer.value)
    }

    /// Presses and releases a key, or keys together, such as `Enter` or `Control+a`.
    ///
    /// # Errors
    /// [`PageError`].
    pub async fn press(&self, keys: &str) -> Result<(), PageError> {
        // A lone `+` is a key, and so is the last one of `Control++`.
        let mut names: Vec<&str> = keys.split('+').filter(|name| !name.is_empty()).collect();
        if keys.ends_with('+') {
            names.push("+");
        }
        let down = names.iter().map(|key| Action::KeyDown { key: (*key).to_owned() });
        let up = names.iter().rev().map(|key| Action::KeyUp { key: (*key).to_owned() });
        for action in down.chain(up) {
            let pressed = self.hand.perform(action, self.timeout).await;
            pressed.map_err(|error| error.during(&format!("press {keys}")))?;
        }
        Ok(())
    }

    /// Gives the page a viewport of so many CSS pixels. Needs a browser of the Chromium family.
    ///
    /// # Errors
    /// [`PageError`].
    pub async fn set_viewport(&self, width: u32, height: u32) -> Result<(), PageError> {
        let viewport = Viewport {
            width: f64::from(width),
            height: f64::from(height),
            device_scale_factor: 1.0,
            is_mobile: false,
            has_touch: false,
            is_landscape: width > height,
        };
        let set = self.hand.perform(Action::SetViewport(viewport), self.timeout).await;
        set.map_err(|error| error.during("set the viewport"))
    }

    /// Takes a picture of the viewport as PNG, hands it to the observer under this name, and answers
    /// it. In a check it is an artifact of the job.
    ///
    /// # Errors
    /// [`PageError`].
    pub async fn screenshot(&self, name: &str) -> Result<Bytes, PageError> {
        let taking = self.in_time("screenshot", async { Ok(self.hand.page().screenshot().await?) });
        let bytes = Bytes::from(taking.await?);
        self.keep(name, "image/png", bytes.clone()).await;
        Ok(bytes)
    }

    /// The page as HTML, as it is now.
    ///
    /// # Errors
    /// [`PageError`].
    pub async fn source(&self) -> Result<String, PageError> {
        let asked = self.in_time("source", async {
            self.hand.arrive().await?;
            Ok(self.hand.page().source().await?)
        });
        asked.await
    }

    /// Closes the dialog that is open, as if it was cancelled.
    ///
    /// # Errors
    /// [`PageError`], also when none is open.
    pub async fn dismiss_dialog(&self) -> Result<(), PageError> {
        self.in_time("dismiss the dialog", async { Ok(self.hand.page().answer_dialog(false).await?) }).await
    }

    /// Accepts the dialog that is open.
    ///
    /// # Errors
    /// [`PageError`], also when none is open.
    pub async fn accept_dialog(&self) -> Result<(), PageError> {
        self.in_time("accept the dialog", async { Ok(self.hand.page().answer_dialog(true).await?) }).await
    }

    /// Closes the session and its browser.
    pub async fn close(&self) {
        self.hand.session().close().await;
    }

    pub(crate) async fn keep(&self, name: &str, media_type: &'static str, bytes: Bytes) {
        self.observer.evidence(Evidence { name: name.to_owned(), media_type, bytes }).await;
    }

    async fn in_time<T>(
        &self,
        what: &str,
        asking: impl Future<Output = Result<T, PageError>>,
    ) -> Result<T, PageError> {
        let asked = within(self.hand.clock(), self.timeout, asking).await;
        let late = || {
            let message = format!("the page did not answer for {} ms", self.timeout.as_millis());
            Err(PageError::Failed { message })
        };
        asked.unwrap_or_else(late).map_err(|error| error.during(what))
    }
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page").field("session", &self.hand.session()).field("timeout", &self.timeout).finish()
    }
}
