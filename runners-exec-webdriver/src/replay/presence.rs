//! Whether a browser is there at all when its page says nothing: a page that hangs is a verdict, a browser that
//! hangs is lost.

use super::trouble::Trouble;
use crate::{
    browser::{BrowserError, page::Page},
    evidence::wire::{Wire, WireError},
    within::within,
};
use runners_core::Clock;
use serde_json::json;
use std::time::Duration;

/// How long a browser may take to say that it is there.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Asks the browser for what no page has to answer, and not by its driver, which waits for the page. Whoever can
/// be asked by neither the DevTools protocol nor WebDriver BiDi is taken to be there.
pub(super) async fn ask(page: Page<'_>, clock: &dyn Clock) -> Result<(), Trouble> {
    match within(clock, ANSWER_TIMEOUT, answer(page)).await {
        Some(Ok(())) => Ok(()),
        Some(Err(why)) => Err(Trouble::Lost(why)),
        None => {
            let why = format!("the browser did not answer within {} s", ANSWER_TIMEOUT.as_secs());
            Err(Trouble::Lost(why.into()))
        }
    }
}

async fn answer(page: Page<'_>) -> Result<(), WireError> {
    // Also a refusal is an answer.
    if page.abilities().bidi() {
        return match page.bidi_call("browser.getUserContexts", json!({})).await {
            Err(BrowserError::Gone { source }) => Err(source),
            Ok(_) | Err(_) => Ok(()),
        };
    }
    let Some(devtools) = page.devtools_beside() else { return Ok(()) };
    Wire::open(&devtools).await?.ask("", "Browser.getVersion", json!({})).await.map(drop)
}
