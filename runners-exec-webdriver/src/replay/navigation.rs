//! Going to a page, and knowing that a page went somewhere.

use super::{
    scope::{Look, SLICE_MILLIS, Scope},
    trouble::Trouble,
};
use crate::{
    browser::{BrowserError, page::Page, script::Script},
    flow::AssertedNavigation,
    within::within,
};
use runners_core::Clock;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;
use url::Url;

const LOOK: Script =
    Script::new("look", concat!(include_str!("../scripts/find.js"), include_str!("../scripts/look.js")));

/// How long a page that may have gone is waited for before it is asked again.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// What Chromium says of what was under way when an interface of its machine came or went, as they do where
/// containers start and end. The page is not to blame.
const INTERRUPTED: &str = "ERR_NETWORK_CHANGED";
/// How often a navigation is begun again after that.
const INTERRUPTIONS_MAX: u32 = 5;

/// Goes there from a frame, once the answer is on its way.
const GO_TO: &str = "const [to, done] = arguments; setTimeout(() => { location.href = to.url; }); done({});";

/// Where a page was at some moment: which document, and how often it was navigated within.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Mark {
    document: f64,
    navigations: u64,
    url: String,
}

/// What a page says of itself.
#[derive(Debug, Deserialize)]
pub(super) struct Sight {
    #[serde(flatten)]
    mark: Mark,
    loaded: bool,
    trouble: Option<String>,
    pub(super) title: String,
    pub(super) labels: Vec<String>,
}

impl Sight {
    pub(super) async fn of(page: Page<'_>, with_labels: bool) -> Result<Self, BrowserError> {
        page.run(&LOOK, &json!({ "labels": with_labels })).await
    }

    /// The same once the page went on from where it was marked and has loaded, or a moment later.
    async fn since(page: Page<'_>, known: &Mark, clock: &dyn Clock) -> Result<Self, BrowserError> {
        let request = json!({ "known": known, "sliceMillis": SLICE_MILLIS });
        let looking = page.run(&LOOK, &request);
        // WebKit loses the answer of a script whose page goes meanwhile, and carries out the next one.
        let sight: Self = if page.loses_answers() {
            let late = || BrowserError::Refused {
                code: "script timeout".to_owned(),
                message: "the page did not answer".to_owned(),
            };
            Box::pin(within(clock, ANSWER_TIMEOUT, looking)).await.unwrap_or_else(|| Err(late()))?
        } else {
            looking.await?
        };
        let Some(trouble) = sight.trouble else { return Ok(sight) };
        Ok(Self { trouble: Some(explained(page, trouble).await?), ..sight })
    }

    pub(super) fn url(&self) -> &str {
        &self.mark.url
    }

    /// What is not as a navigation asserts.
    fn unlike(&self, wanted: &AssertedNavigation) -> Option<String> {
        let compared = [("address", &wanted.url, self.url()), ("title", &wanted.title, self.title.as_str())];
        compared.into_iter().find_map(|(what, wanted, is)| {
            let wanted = wanted.as_deref().filter(|wanted| *wanted != is)?;
            Some(format!("the page should have the {what} {wanted:?} and has {is:?}"))
        })
    }

    /// Whether this document is another than the marked one, and there to be used.
    fn replaced(&self, before: &Mark) -> Option<Look<()>> {
        // The same document has the very same number, bit by bit.
        if self.mark.document.to_bits() == before.document.to_bits() {
            return None;
        }
        if let Some(trouble) = &self.trouble {
            return Some(Look::Hopeless(format!("the page cannot be loaded: {trouble}")));
        }
        let not_loaded = || Look::Again(format!("{} has not finished loading", self.mark.url));
        Some(if self.loaded { Look::Done(()) } else { not_loaded() })
    }
}

impl Scope<'_> {
    /// Where the page is now.
    pub(super) async fn mark(&self) -> Result<Mark, Trouble> {
        self.until(|| async { Ok(Look::Done(Sight::of(self.page, false).await?.mark)) }).await
    }

    /// Goes to an address and waits until the page has loaded.
    pub(super) async fn navigate(&self, address: &str) -> Result<(), Trouble> {
        let url = Url::parse(address)
            .map_err(|error| Trouble::Failed(format!("{address:?} is not an absolute address: {error}")))?;
        for _ in 0..INTERRUPTIONS_MAX {
            match self.go_to(&url).await {
                Err(Trouble::Failed(reason)) if reason.contains(INTERRUPTED) => {
                    tracing::debug!(reason, "a navigation was interrupted, and is begun again");
                }
                gone => return gone,
            }
        }
        self.go_to(&url).await
    }

    async fn go_to(&self, url: &Url) -> Result<(), Trouble> {
        let before = self.mark().await?;
        self.see(&format!("there is no answer from {url}"));
        if self.frames().is_empty() {
            match self.page.go_to(url.as_str()).await {
                // Some browsers say so before they show it.
                Err(BrowserError::Refused { code, message }) if code != BrowserError::NOT_ALLOWED => {
                    let trouble = explained(self.page, message).await?;
                    return Err(Trouble::Failed(format!("the page cannot be loaded: {trouble}")));
                }
                // A page that loads as fast as this opens its dialog before the answer. The next look finds it.
                Err(BrowserError::Dialog { .. }) => {}
                gone => gone?,
            }
        } else {
            self.page.ask::<Value>(GO_TO, &json!({ "url": url.as_str() })).await?;
        }
        self.unless_dialog(self.loaded(&before, Some(url)).await)
    }

    /// Reloads the page and waits until it has loaded.
    pub(super) async fn reload(&self) -> Result<(), Trouble> {
        let before = self.mark().await?;
        self.page.reload().await?;
        self.loaded(&before, None).await
    }

    /// Waits until the page has gone somewhere since it was marked, if only within the document, and
    /// is what one of the navigations says, with the title it is to have. Of none, anything will do.
    pub(super) async fn navigated(
        &self,
        before: Mark,
        asserted: &[AssertedNavigation],
    ) -> Result<(), Trouble> {
        self.see(&format!("the page did not navigate away from {}", before.url));
        let went = self.until_told(|| async {
            let now = Sight::since(self.page, &before, self.clock).await?;
            let went = now.replaced(&before).unwrap_or_else(|| {
                if now.mark.navigations > before.navigations || now.mark.url != before.url {
                    return Look::Done(());
                }
                Look::Again(format!("the page did not navigate away from {}", before.url))
            });
            let Look::Done(()) = went else { return Ok(went) };
            let differences: Option<Vec<_>> = asserted.iter().map(|wanted| now.unlike(wanted)).collect();
            Ok(differences.and_then(|mut all| all.pop()).map_or(Look::Done(()), Look::Again))
        });
        self.unless_dialog(went.await)
    }

    async fn loaded(&self, before: &Mark, to: Option<&Url>) -> Result<(), Trouble> {
        self.until_told(|| async {
            let now = Sight::since(self.page, before, self.clock).await?;
            Ok(now.replaced(before).unwrap_or_else(|| match to {
                Some(to) if stays_in_document(&before.url, to) && now.mark.url == to.as_str() => {
                    Look::Done(())
                }
                Some(to) => Look::Again(format!("there is no answer from {to}")),
                None => Look::Again("the page did not reload".to_owned()),
            }))
        })
        .await
    }
}

/// Why a page could not be loaded: whoever connects for the browser knows more than the browser does.
async fn explained(page: Page<'_>, trouble: String) -> Result<String, BrowserError> {
    let why = page.unreached(&page.address().await?);
    Ok(why.map_or_else(|| trouble.clone(), |why| format!("{trouble}: {why}")))
}

/// Whether going there only changes what is behind the `#`.
fn stays_in_document(from: &str, to: &Url) -> bool {
    let without_fragment = |url: &Url| {
        let mut url = url.clone();
        url.set_fragment(None);
        url
    };
    to.fragment().is_some()
        && Url::parse(from).is_ok_and(|from| without_fragment(&from) == without_fragment(to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_another_fragment_stays_in_the_document() {
        let to = |text| Url::parse(text).unwrap();
        assert!(stays_in_document("http://a/b#c", &to("http://a/b#d")));
        assert!(stays_in_document("http://a/b", &to("http://a/b#d")));
        assert!(!stays_in_document("http://a/b#c", &to("http://a/b")), "that reloads");
        assert!(!stays_in_document("http://a/b", &to("http://a/c#d")));
    }
}
