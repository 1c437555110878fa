//! Elements, looked up anew each time: acting on them once they are ready, and saying what is there
//! instead if they never are.

use super::{Page, PageError};
use crate::{
    flow::{Action, Chain, Extension, Selector, Selectors, UploadedFile, one_line},
    replay::{
        drag::FIND_TIMEOUT,
        hand::{Element, Looked, Observed},
    },
};
use runners_core::BootTime;
use std::{fmt, time::Duration};

/// The most alternatives that a failure names.
const NEAREST_MAX: usize = 3;
/// How alike two names are at least, from 0 to 1, for one to be named for the other.
const LIKENESS_MIN: f64 = 0.75;

/// A way to find elements. It finds nothing itself: each method looks anew, and acts on the first
/// element that it then finds. Clones are the same way.
#[derive(Clone)]
pub struct Locator {
    pub(super) page: Page,
    /// Why it cannot be read, if it cannot.
    selectors: Result<Selectors, String>,
}

impl Locator {
    pub(super) fn new(page: Page, selector: Result<Selector, String>) -> Self {
        let selectors = selector.map(|selector| Selectors::new(vec![Chain::new(vec![selector])]));
        Self { page, selectors }
    }

    /// Elements inside of these, in their shadow roots if they have one.
    #[must_use]
    pub fn locator(&self, selector: &str) -> Self {
        self.followed_by(Selector::parse(selector))
    }

    /// One of these elements, counted from 0 in the order of the document.
    #[must_use]
    pub fn nth(&self, index: usize) -> Self {
        self.followed_by(Ok(Selector::Nth { index }))
    }

    fn followed_by(&self, selector: Result<Selector, String>) -> Self {
        let selectors = self.selectors.clone().and_then(|outer| {
            let mut chain = outer.alternatives()[0].selectors().to_vec();
            if chain.len() == Chain::SELECTORS_MAX {
                return Err(format!("a locator in more than {} others", Chain::SELECTORS_MAX));
            }
            chain.push(selector?);
            Ok(Selectors::new(vec![Chain::new(chain)]))
        });
        Self { page: self.page.clone(), selectors }
    }

    /// Clicks the middle of the element, once it is visible, enabled, in view and still.
    ///
    /// # Errors
    /// [`PageError`].
    pub async fn click(&self) -> Result<(), PageError> {
        self.act("click", |act| act.click(1)).await
    }

    /// Clicks twice in quick succession.
    ///
    /// # Errors
    /// [`PageError`].
    pub async fn double_click(&self) -> Result<(), PageError> {
        self.act("double-click", |act| act.click(2)).await
    }

    /// Moves the pointer over the element.
    ///
    /// # Errors
    /// [`PageError`].
    pub async fn hover(&self) -> Result<(), PageError> {
        self.act("hover over", Act::hover).await
    }

    /// Drags the element with the mouse, and drops it in the middle of another.
    ///
    /// # Errors
    /// [`PageError`].
    pub async fn drag_to(&self, target: &Self) -> Result<(), PageError> {
        if self.act("drag", |act| act.drag_at_once(target)).await? {
            return Ok(());
        }
        self.act("drag", Act::grab).await?;
        let dropped = target.act("drop on", Act::hover).await;
        // The button is not left pressed, whatever came of it.
        self.page.in_time("drop", self.page.hand.release()).await?;
        dropped
    }

    /// Gives files to a file input, which need not be visible, as if they had been chosen.
    ///
    /// # Errors
    /// [`PageError`].
    pub async fn upload(&self, files: impl IntoIterator<Item = UploadedFile>) -> Result<(), PageError> {
        let during = |error: PageError| error.during(&format!("upload to {self}"));
        let selectors = self.readable().map_err(during)?.clone();
        let upload = Extension::Upload { selectors, files: files.into_iter().collect() };
        let done = self.page.hand.perform(Action::Extension(upload), self.page.timeout).await;
        match done {
            Err(error) => Err(during(self.explain(error).await)),
            Ok(()) => Ok(()),
        }
    }

    /// Gives a form control this value instead of the one it has: types a text, or sets it where
    /// nobody types.
    ///
    /// # Errors
    /// [`PageError`]; the value is not in it.
    pub async fn fill(&self, value: &str) -> Result<(), PageError> {
        self.act("fill in", |act| act.change(value)).await
    }

    /// Chooses the option of a `<select>` that has this value.
    ///
    /// # Errors
    /// [`PageError`], which names the values that there are.
    pub async fn select(&self, value: &str) -> Result<(), PageError> {
        self.act("select in", |act| act.change(value)).await
    }

    /// Checks a checkbox or a radio button, unless it is checked.
    ///
    /// # Errors
    /// [`PageError`].
    pub async fn check(&self) -> Result<(), PageError> {
        self.act("check", |act| act.change("true")).await
    }

    /// Unchecks a checkbox, unless it is not checked.
    ///
    /// # Errors
    /// [`PageError`].
    pub async fn uncheck(&self) -> Result<(), PageError> {
        self.act("uncheck", |act| act.change("")).await
    }

    /// Gives the element the focus, and presses and releases a key, or keys together.
    ///
    /// # Errors
    /// [`PageError`].
    pub async fn press(&self, keys: &str) -> Result<(), PageError> {
        let focus = Looked { focus: true, ..Looked::default() };
        self.until("press a key in", focus, self.page.timeout, |seen| self.ready(seen)).await?;
        self.page.press(keys).await
    }

    /// How many elements there are now.
    ///
    /// # Errors
    /// [`PageError`].
    pub async fn count(&self) -> Result<usize, PageError> {
        self.until("count", Looked::default(), self.page.timeout, |seen| Ok(seen.count)).await
    }

    /// Whether the first element is there and visible now.
    ///
    /// # Errors
    /// [`PageError`].
    pub async fn is_visible(&self) -> Result<bool, PageError> {
        let is_visible = |seen: Observed| Ok(seen.first.is_some_and(|element| element.visible));
        self.until("look at", Looked::default(), self.page.timeout, is_visible).await
    }

    /// The text of the element as it is rendered, white space folded, once there is one.
    ///
    /// # Errors
    /// [`PageError`].
    pub async fn text(&self) -> Result<String, PageError> {
        self.of_first("read", Looked::default(), |element| element.text).await
    }

    /// The value of a form control, once there is one; empty for what has no value.
    ///
    /// # Errors
    /// [`PageError`].
    pub async fn value(&self) -> Result<String, PageError> {
        self.of_first("read", Looked::default(), |element| element.value.unwrap_or_default()).await
    }

    /// An attribute of the element, once there is one.
    ///
    /// # Errors
    /// [`PageError`].
    pub async fn attribute(&self, name: &str) -> Result<Option<String>, PageError> {
        let looked = Looked { attribute: Some(name), ..Looked::default() };
        self.of_first("read", looked, |element| element.attribute).await
    }

    async fn of_first<T>(
        &self,
        what: &str,
        looked: Looked<'_>,
        take: impl Fn(Element) -> T,
    ) -> Result<T, PageError> {
        let first = |seen: Observed| seen.first.map(&take).ok_or_else(|| self.none());
        self.until(what, looked, self.page.timeout, first).await
    }

    /// Looks until `judge` is content.
    pub(super) async fn until<T>(
        &self,
        what: &str,
        looked: Looked<'_>,
        limit: Duration,
        judge: impl Fn(Observed) -> Result<T, String>,
    ) -> Result<T, PageError> {
        let place = || format!("{what} {self}");
        let selectors = self.readable().map_err(|error| error.during(&place()))?;
        let done = self.page.hand.until(selectors, looked, limit, judge).await;
        match done {
            Err(error) => Err(self.explain(error).await.during(&place())),
            done => done,
        }
    }

    async fn act<'l, T, F>(&'l self, what: &str, act: impl FnOnce(Act<'l>) -> F) -> Result<T, PageError>
    where
        F: Future<Output = Result<T, PageError>>,
    {
        let until = self.page.hand.clock().boot() + self.page.timeout;
        self.until(what, Looked::default(), self.page.timeout, |seen| self.ready(seen)).await?;
        let selectors = self.readable()?;
        let acted = act(Act { locator: self, selectors, until }).await;
        match acted {
            Err(error) => Err(self.explain(error).await.during(&format!("{what} {self}"))),
            acted => acted,
        }
    }

    /// Whether the element can be acted on; if not, why.
    fn ready(&self, seen: Observed) -> Result<(), String> {
        match seen.first {
            None => Err(self.none()),
            Some(element) if !element.visible => Err(format!("{self} is not visible")),
            Some(element) if !element.enabled => Err(format!("{self} is disabled")),
            Some(_) => Ok(()),
        }
    }

    pub(super) fn none(&self) -> String {
        format!("no element matches {self}")
    }

    fn readable(&self) -> Result<&Selectors, PageError> {
        self.selectors.as_ref().map_err(|why| PageError::Failed { message: why.clone() })
    }

    /// Adds to a failure what could have been meant, and what the page is.
    async fn explain(&self, error: PageError) -> PageError {
        let PageError::Failed { mut message } = error else { return error };
        if let Some(nearest) = self.nearest().await {
            message.push_str(&nearest);
        }
        if let Some(sight) = self.page.hand.sight().await {
            message.push_str("; ");
            message.push_str(&sight);
        }
        PageError::Failed { message }
    }

    /// The names that are most like the one that found nothing.
    async fn nearest(&self) -> Option<String> {
        let selectors = self.readable().ok()?;
        let (kind, wanted) = match selectors.alternatives()[0].selectors() {
            [Selector::Aria { name: Some(name), .. }] | [Selector::Text { text: name }] => ("name", &**name),
            [Selector::Css { text }] if is_id(text) => ("id", &**text),
            [Selector::Css { text }] => {
                ("test_id", text.strip_prefix("[data-testid=\"")?.strip_suffix("\"]")?)
            }
            _ => return None,
        };
        let looked = Looked { near: Some(kind), ..Looked::default() };
        let seen = self.page.hand.look(selectors, looked).await.ok()?;
        let mut near: Vec<(f64, String)> =
            seen.near.into_iter().map(|name| (likeness(wanted, &name), name)).collect();
        near.retain(|(likeness, _)| *likeness >= LIKENESS_MIN);
        near.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        let near: Vec<_> = near.iter().take(NEAREST_MAX).map(|(_, name)| format!("{name:?}")).collect();
        (!near.is_empty()).then(|| format!("; nearest are {}", near.join(", ")))
    }
}

fn is_id(css: &str) -> bool {
    let plain = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_');
    css.strip_prefix('#').is_some_and(|id| id.chars().all(plain))
}

fn likeness(one: &str, other: &str) -> f64 {
    strsim::jaro_winkler(&one.to_lowercase(), &other.to_lowercase())
}

impl fmt::Display for Locator {
    /// As a person would call it: its accessible name or text if there is one, else its selector.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.selectors {
            Ok(selectors) => f.write_str(&one_line(&selectors.label(), 200)),
            Err(_) => f.write_str("a locator that cannot be read"),
        }
    }
}

impl fmt::Debug for Locator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Locator").field(&self.selectors).finish()
    }
}

/// One act on an element that was ready a moment ago.
struct Act<'l> {
    locator: &'l Locator,
    selectors: &'l Selectors,
    until: BootTime,
}

impl Act<'_> {
    /// Points at the middle of the element, wherever that is by then, and presses there.
    async fn click(self, times: u8) -> Result<(), PageError> {
        let page = &self.locator.page;
        let left = self.until.since(page.hand.clock().boot());
        page.hand.click(self.selectors, times, left).await
    }

    /// `false` if the two are not in view at once, or the other one is not there before something is grabbed.
    async fn drag_at_once(self, target: &Locator) -> Result<bool, PageError> {
        let (page, to) = (&self.locator.page, target.readable()?);
        let ready = |seen| target.ready(seen);
        let hand = &target.page.hand;
        if hand.until(to, Looked::default(), FIND_TIMEOUT, ready).await.is_err() {
            return Ok(false);
        }
        let left = self.until.since(page.hand.clock().boot());
        page.hand.drag(self.selectors, (hand, to), left).await
    }

    async fn grab(self) -> Result<(), PageError> {
        let page = &self.locator.page;
        self.hover().await?;
        page.in_time("press", page.hand.hold()).await
    }

    async fn hover(self) -> Result<(), PageError> {
        let action = Action::Hover { selectors: self.selectors.clone() };
        self.perform(action).await
    }

    async fn change(self, value: &str) -> Result<(), PageError> {
        let action = Action::Change { selectors: self.selectors.clone(), value: value.to_owned() };
        self.perform(action).await
    }

    async fn perform(self, action: Action) -> Result<(), PageError> {
        let hand = &self.locator.page.hand;
        let left = self.until.since(hand.clock().boot());
        hand.perform(action, left).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_like_it_is_named_for_it() {
        assert!(likeness("#sumbit", "#submit") > LIKENESS_MIN);
        assert!(likeness("Pay", "pay now") > LIKENESS_MIN);
        assert!(likeness("Pay", "Add to cart") < LIKENESS_MIN);
        assert!(is_id("#a-b_1") && !is_id("#a b") && !is_id("a"));
    }
}
