//! What is kept of a flow: pictures, and of a failure also the page. Trouble in keeping it is
//! said in the log and changes nothing else.

use super::{
    navigation::Sight,
    observer::{Evidence, FlowObserver},
    storage,
};
use crate::{
    browser::{BrowserError, page::Page},
    flow::one_line,
    within::within,
};
use bytes::Bytes;
use runners_core::Clock;
use std::time::Duration;

/// How long a page may take to say what it is. A page that does not has no picture either.
const SIGHT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long one picture, or the source of a page, may take.
const EVIDENCE_TIMEOUT: Duration = Duration::from_secs(10);
const PICTURE_BYTES_MAX: usize = 16 * 1024 * 1024;
const SOURCE_BYTES_MAX: usize = 5 * 1024 * 1024;
const SEEN_CHARACTERS_MAX: usize = 400;
/// A page may be an address of megabytes that begins with `data:`.
const URL_CHARACTERS_MAX: usize = 2000;

/// Takes evidence and hands it on.
#[derive(Clone, Copy)]
pub(super) struct Keeper<'r> {
    page: Page<'r>,
    clock: &'r dyn Clock,
    observer: &'r dyn FlowObserver,
}

/// What is left of a failure.
#[derive(Debug, Default)]
pub(super) struct Left {
    pub(super) url: Option<String>,
    /// What the page shows, in words.
    pub(super) seen: Option<String>,
    pub(super) artifacts: Vec<String>,
}

impl<'r> Keeper<'r> {
    pub(super) const fn new(page: Page<'r>, clock: &'r dyn Clock, observer: &'r dyn FlowObserver) -> Self {
        Self { page, clock, observer }
    }

    /// Keeps a picture and answers its name.
    pub(super) async fn picture(self, name: &str) -> Option<String> {
        let taken = within(self.clock, EVIDENCE_TIMEOUT, self.page.screenshot()).await;
        let bytes = match taken? {
            Ok(bytes) if bytes.len() <= PICTURE_BYTES_MAX => bytes,
            Ok(bytes) => {
                tracing::warn!(
                    name,
                    bytes = bytes.len(),
                    limit = PICTURE_BYTES_MAX,
                    "a picture is too large"
                );
                return None;
            }
            Err(error) => {
                tracing::debug!(name, %error, "no picture was taken");
                return None;
            }
        };
        self.hand_on(name.to_owned(), "image/png", bytes.into()).await
    }

    /// Keeps cookies and local storage, and answers the name.
    pub(super) async fn storage(self, name: &str) -> Option<String> {
        match within(self.clock, EVIDENCE_TIMEOUT, storage::state(self.page)).await? {
            Ok(state) => self.hand_on(name.to_owned(), "application/json", state.into()).await,
            Err(error) => {
                tracing::warn!(name, %error, "cookies and storage were not saved");
                None
            }
        }
    }

    /// Keeps what there is to know of the step of this number, which failed.
    pub(super) async fn failure(self, number: usize) -> Left {
        let mut left = Left::default();
        let sight = within(self.clock, SIGHT_TIMEOUT, self.sight()).await;
        let Some(Ok(sight)) = sight else {
            return left;
        };
        left.seen = Some(describe(&sight));
        left.url = Some(one_line(sight.url(), URL_CHARACTERS_MAX));
        left.artifacts.extend(self.picture(&format!("steps/{number:02}-failed.png")).await);
        if let Some(Ok(source)) =
            within(self.clock, EVIDENCE_TIMEOUT, self.page.source_up_to(SOURCE_BYTES_MAX)).await
        {
            let name = format!("steps/{number:02}-failed.html");
            left.artifacts.extend(self.hand_on(name, "text/html; charset=utf-8", cut(source)).await);
        }
        left
    }

    /// Looks at the page, past a dialog that hides it.
    async fn sight(self) -> Result<Sight, BrowserError> {
        match Sight::of(self.page, true).await {
            Err(BrowserError::Dialog { .. }) => {
                self.page.answer_dialog(false).await?;
                Sight::of(self.page, true).await
            }
            other => other,
        }
    }

    async fn hand_on(self, name: String, media_type: &'static str, bytes: Bytes) -> Option<String> {
        self.observer.evidence(Evidence { name: name.clone(), media_type, bytes }).await;
        Some(name)
    }
}

pub(super) fn describe(sight: &Sight) -> String {
    let labels: Vec<_> = sight.labels.iter().map(|label| format!("{label:?}")).collect();
    let shows = if labels.is_empty() { String::new() } else { format!(" and has {}", labels.join(", ")) };
    one_line(&format!("the page is {:?} at {}{shows}", sight.title, sight.url()), SEEN_CHARACTERS_MAX)
}

fn cut(mut source: String) -> Bytes {
    if source.len() > SOURCE_BYTES_MAX {
        let end = (0..=SOURCE_BYTES_MAX).rev().find(|&at| source.is_char_boundary(at)).unwrap_or(0);
        source.truncate(end);
    }
    source.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_page_is_cut_at_a_character() {
        let source = cut("é".repeat(SOURCE_BYTES_MAX));
        assert_eq!(source.len(), SOURCE_BYTES_MAX);
        assert_eq!(cut(format!("x{}", "é".repeat(SOURCE_BYTES_MAX))).len(), SOURCE_BYTES_MAX - 1);
    }
}
