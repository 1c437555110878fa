//! A session for another client of WebDriver: whoever has a suite written with one brings it as it is,
//! and has it carried out as a job, in a browser that ends with the job whatever the suite does.

use crate::{
    browser::{Endpoint, OpenError, Session},
    kept::{Kept, keep_failure},
    live::{LiveView, Shown},
    page::{Page, PageError},
    replay::FlowObserver,
    within::beside,
};
use futures::{
    FutureExt as _,
    future::{Either, select},
};
use runners_core::{Attempt, Clock, Fault};
use serde_json::{Map, Value};
use std::{any::Any, fmt, panic::AssertUnwindSafe, pin::pin, sync::Arc};

/// A session of a driver of ours, lent to another client such as fantoccini or thirtyfour.
///
/// The client attaches to the session by its [driver](Self::driver_url) and [id](Self::id), and leaves it
/// open: `Client::persist` of fantoccini. The browser ends with [`close`](Self::close), or when this is
/// dropped. `examples/fantoccini_suite.rs` is all of it.
#[derive(Debug)]
pub struct LentSession {
    session: Arc<dyn Session>,
    endpoint: Endpoint,
    clock: Arc<dyn Clock>,
}

impl LentSession {
    pub(crate) fn new(session: Arc<dyn Session>, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let none = || OpenError::Misconfigured { message: "no driver serves this session".to_owned() };
        let endpoint = session.endpoint().ok_or_else(none)?;
        Ok(Self { session, endpoint, clock })
    }

    /// The address of the driver, such as `http://127.0.0.1:40123/`. Credentials for a driver that runs
    /// elsewhere are not in it.
    #[must_use]
    pub fn driver_url(&self) -> &str {
        &self.endpoint.driver
    }

    /// The id of the session at its driver.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.endpoint.session
    }

    /// What the driver answered when the session was opened.
    #[must_use]
    pub fn capabilities(&self) -> &Map<String, Value> {
        self.session.capabilities()
    }

    /// The session as a page, for what is easier that way. It and the client are used in turns.
    #[must_use]
    pub fn page(&self) -> Page {
        Page::with_clock(Arc::clone(&self.session), Arc::clone(&self.clock))
    }

    /// Waits for work that uses the session, until its attempt is cancelled. Work that fails or panics
    /// answers why, and leaves `failed.png` and `failed.html` as artifacts of the attempt. Meanwhile the attempt
    /// shows what a Chromium on this machine shows.
    ///
    /// # Errors
    /// A [`Fault`]: `cancelled`, and `browser_lost` if the work failed and there is no session any more.
    ///
    /// # Cancel safety
    /// Dropping the future drops the work.
    pub async fn carry_out<T, E: fmt::Display>(
        &self,
        attempt: &Attempt,
        work: impl Future<Output = Result<T, E>> + Send,
    ) -> Result<Result<T, String>, Fault> {
        // A driver may take it ill to be asked for pictures beside the commands of its client.
        let view = LiveView::with_clock(&self.session, Arc::clone(&self.clock));
        let mut shown = view.is_beside().then(|| Shown::to(attempt, view));
        let kept = Kept::by(attempt);
        let work = async {
            let work = AssertUnwindSafe(work).catch_unwind();
            let Some(shown) = &mut shown else { return work.await };
            let filming = shown.filming();
            let ended = shown.during(beside(work, filming.run(&*kept, &*self.clock))).await;
            filming.finish(&*kept, self.clock.wall(), &*self.clock).await;
            ended
        };
        let ended = match select(pin!(attempt.cancelled()), pin!(work)).await {
            Either::Left(_) => return Err(Fault::permanent("cancelled", "cancelled during the work")),
            Either::Right((ended, _)) => ended,
        };
        let why = match ended {
            Ok(Ok(done)) => return Ok(Ok(done)),
            Ok(Err(error)) => format!("{error:#}"),
            Err(panic) => format!("it panicked: {}", said(&*panic)),
        };
        let page = self.page().with_observer(kept as Arc<dyn FlowObserver>);
        match keep_failure(&page, &*self.clock).await {
            Err(PageError::Lost { source }) => {
                let message = format!("the browser was lost: {source}; the work says: {why}");
                Err(Fault::retryable("browser_lost", message))
            }
            Ok(()) | Err(_) => Ok(Err(attempt.redact(&why))),
        }
    }

    /// Closes the session and its browser, the hard way if it does not answer within a few seconds.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the session open or closed; dropping this then ends it.
    pub async fn close(&self) {
        self.session.close().await;
    }
}

/// What a panic says.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a word".to_owned())
}
