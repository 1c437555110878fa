//! What is expected of a page or of elements: it is looked for until it is so, and if it never is,
//! the failure says how it was instead.

use super::{Locator, Page, PageError};
use crate::replay::hand::{Element, Looked, Observed};
use std::time::Duration;

/// The most characters of a text in a failure.
const TEXT_CHARACTERS_MAX: usize = 200;

/// Expects something of a page or of the elements of a locator. Nothing happens until one of its
/// methods is awaited.
///
/// ```no_run
/// # use runners_exec_webdriver::{Page, PageError, expect};
/// # use std::time::Duration;
/// # async fn example(page: Page) -> Result<(), PageError> {
/// expect(&page.by_test_id("total")).within(Duration::from_secs(5)).to_have_text("3 items").await?;
/// expect(&page).to_have_title("Cart").await?;
/// # Ok(())
/// # }
/// ```
pub fn expect<S: Subject>(subject: &S) -> Expect<'_, S> {
    Expect { subject, limit: subject.page().timeout }
}

/// An expectation, see [`expect`].
#[derive(Debug)]
#[must_use]
pub struct Expect<'s, S> {
    subject: &'s S,
    limit: Duration,
}

/// What something can be expected of: a [`Page`] or a [`Locator`].
pub trait Subject: sealed::Subject {}

mod sealed {
    use super::{Locator, Page};

    pub trait Subject {
        fn page(&self) -> &Page;
    }

    impl Subject for Page {
        fn page(&self) -> &Page {
            self
        }
    }

    impl Subject for Locator {
        fn page(&self) -> &Page {
            &self.page
        }
    }
}

impl Subject for Page {}
impl Subject for Locator {}

impl<S> Expect<'_, S> {
    /// Waits so long, and not as long as the page does.
    pub const fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }
}

impl Expect<'_, Page> {
    /// The page is at exactly this address.
    ///
    /// # Errors
    /// [`PageError`].
    pub async fn to_have_url(self, wanted: &str) -> Result<(), PageError> {
        self.at("address", |url, _| compare(url, wanted, url == wanted)).await
    }

    /// The address of the page contains this.
    ///
    /// # Errors
    /// [`PageError`].
    pub async fn to_have_url_containing(self, wanted: &str) -> Result<(), PageError> {
        self.at("address", |url, _| compare(url, wanted, url.contains(wanted))).await
    }

    /// The page has exactly this title.
    ///
    /// # Errors
    /// [`PageError`].
    pub async fn to_have_title(self, wanted: &str) -> Result<(), PageError> {
        self.at("title", |_, title| compare(title, wanted, title == wanted)).await
    }

    async fn at(self, what: &str, judge: impl Fn(&str, &str) -> Result<(), String>) -> Result<(), PageError> {
        let looked = self.subject.hand.until_at(self.limit, judge).await;
        looked.map_err(|error| error.during(&format!("expected of the {what} of the page")))
    }
}

impl Expect<'_, Locator> {
    /// The element is there and visible.
    ///
    /// # Errors
    /// [`PageError`].
    pub async fn to_be_visible(self) -> Result<(), PageError> {
        self.first(
            Looked::default(),
            |element| if element.visible { Ok(()) } else { no("it is not visible") },
        )
        .await
    }

    /// There is no element, or it is not visible.
    ///
    /// # Errors
    /// [`PageError`].
    pub async fn to_be_hidden(self) -> Result<(), PageError> {
        self.seen(Looked::default(), |seen| match seen.first {
            Some(element) if element.visible => no("it is visible"),
            _ => Ok(()),
        })
        .await
    }

    /// The text of the element, white space folded, is exactly this one.
    ///
    /// # Errors
    /// [`PageError`].
    pub async fn to_have_text(self, wanted: &str) -> Result<(), PageError> {
        let wanted = wanted.split_whitespace().collect::<Vec<_>>().join(" ");
        self.first(Looked::default(), |element| compare(&element.text, &wanted, element.text == wanted)).await
    }

    /// The text of the element, white space folded, contains this one.
    ///
    /// # Errors
    /// [`PageError`].
    pub async fn to_contain_text(self, wanted: &str) -> Result<(), PageError> {
        self.first(Looked::default(), |element| compare(&element.text, wanted, element.text.contains(wanted)))
            .await
    }

    /// The form control has exactly this value.
    ///
    /// # Errors
    /// [`PageError`].
    pub async fn to_have_value(self, wanted: &str) -> Result<(), PageError> {
        self.first(Looked::default(), |element| {
            let value = element.value.unwrap_or_default();
            compare(&value, wanted, value == wanted)
        })
        .await
    }

    /// The element has this attribute with exactly this value.
    ///
    /// # Errors
    /// [`PageError`].
    pub async fn to_have_attribute(self, name: &str, wanted: &str) -> Result<(), PageError> {
        let looked = Looked { attribute: Some(name), ..Looked::default() };
        self.first(looked, |element| match element.attribute {
            Some(is) => compare(&is, wanted, is == wanted),
            None => Err(format!("wanted {wanted:?}, and it has no attribute {name:?}")),
        })
        .await
    }

    /// The form control can be used.
    ///
    /// # Errors
    /// [`PageError`].
    pub async fn to_be_enabled(self) -> Result<(), PageError> {
        self.first(Looked::default(), |element| if element.enabled { Ok(()) } else { no("it is disabled") })
            .await
    }

    /// The form control cannot be used.
    ///
    /// # Errors
    /// [`PageError`].
    pub async fn to_be_disabled(self) -> Result<(), PageError> {
        self.first(Looked::default(), |element| if element.enabled { no("it is enabled") } else { Ok(()) })
            .await
    }

    /// The checkbox, radio button or switch is checked.
    ///
    /// # Errors
    /// [`PageError`].
    pub async fn to_be_checked(self) -> Result<(), PageError> {
        self.first(
            Looked::default(),
            |element| if element.checked { Ok(()) } else { no("it is not checked") },
        )
        .await
    }

    /// There are exactly so many elements.
    ///
    /// # Errors
    /// [`PageError`].
    pub async fn to_have_count(self, wanted: usize) -> Result<(), PageError> {
        self.seen(Looked::default(), |seen| {
            if seen.count == wanted {
                Ok(())
            } else {
                Err(format!("wanted {wanted}, and there are {}", seen.count))
            }
        })
        .await
    }

    async fn first(
        self,
        looked: Looked<'_>,
        judge: impl Fn(Element) -> Result<(), String>,
    ) -> Result<(), PageError> {
        let none = self.subject.none();
        self.seen(looked, |seen| seen.first.map_or_else(|| Err(none.clone()), &judge)).await
    }

    async fn seen(
        self,
        looked: Looked<'_>,
        judge: impl Fn(Observed) -> Result<(), String>,
    ) -> Result<(), PageError> {
        self.subject.until("expected of", looked, self.limit, judge).await
    }
}

fn no(why: &str) -> Result<(), String> {
    Err(why.to_owned())
}

fn compare(is: &str, wanted: &str, fits: bool) -> Result<(), String> {
    let short = |text: &str| crate::flow::one_line(text, TEXT_CHARACTERS_MAX);
    if fits { Ok(()) } else { Err(format!("wanted {:?}, and it is {:?}", short(wanted), short(is))) }
}
