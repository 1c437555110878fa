//! Where the pictures are that others are compared with. A host may keep them wherever it likes.

use async_trait::async_trait;
use bytes::Bytes;
use std::{
    error::Error,
    fmt::{self, Debug},
};

/// Keeps baselines: the pictures that a flow is to look like. [`DirectoryBaselines`] keeps them in
/// files, to be looked at and committed.
///
/// [`DirectoryBaselines`]: crate::DirectoryBaselines
#[async_trait]
pub trait Baselines: Debug + Send + Sync + 'static {
    /// The baseline of this key, as PNG; none if there is none.
    ///
    /// # Errors
    /// It may be there, but cannot be read.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    async fn get(&self, key: &BaselineKey) -> Result<Option<Bytes>, BaselineError>;

    /// Keeps a picture as the baseline of this key, in the place of the one before.
    ///
    /// # Errors
    /// It could not be kept.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the old or the new one.
    async fn put(&self, key: &BaselineKey, picture: Bytes) -> Result<(), BaselineError>;
}

/// What a baseline is of.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct BaselineKey {
    /// The title of the flow.
    pub flow: String,
    /// The name that the step gives the picture.
    pub name: String,
    /// The engine that drew it, such as `chrome`.
    pub engine: String,
    /// Its width and height in pixels.
    pub viewport: (u32, u32),
}

/// What is done with a picture that is not as its baseline, or has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "it is one or the other")]
pub enum BaselineMode {
    /// The step fails and says so.
    #[default]
    Compare,
    /// It becomes the baseline.
    Update,
}

/// Why a baseline could not be had or kept.
#[derive(Debug, thiserror::Error)]
#[error("the baseline {key} {problem}")]
pub struct BaselineError {
    key: BaselineKey,
    problem: &'static str,
    source: Box<dyn Error + Send + Sync>,
}

impl BaselineKey {
    /// The longest part of a path in bytes.
    const PART_BYTES_MAX: usize = 100;

    pub(crate) fn new(flow: &str, name: &str, engine: &str, viewport: (u32, u32)) -> Self {
        Self { flow: flow.to_owned(), name: name.to_owned(), engine: engine.to_owned(), viewport }
    }

    /// The same as a relative path: `sign-in/cart-chrome-1280x720.png`.
    #[must_use]
    pub fn path(&self) -> String {
        let (width, height) = self.viewport;
        let [name, engine] = [&self.name, &self.engine].map(|text| plain(text));
        format!("{}/{name}-{engine}-{width}x{height}.png", Self::folder(&self.flow))
    }

    /// The first part of the path, by the title of the flow.
    pub(crate) fn folder(title: &str) -> String {
        plain(title)
    }
}

impl fmt::Display for BaselineKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path())
    }
}

impl BaselineError {
    /// Tells what could not be done: `cannot be read`.
    pub fn new(
        key: &BaselineKey,
        problem: &'static str,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self { key: key.clone(), problem, source: source.into() }
    }
}

/// A text as a part of a path: letters and digits of any script, hyphens for the rest.
fn plain(text: &str) -> String {
    let mut part = String::with_capacity(text.len());
    for c in text.to_lowercase().chars() {
        if c.is_alphanumeric() {
            part.push(c);
        } else if !part.is_empty() && !part.ends_with('-') {
            part.push('-');
        }
        if part.len() + char::MAX.len_utf8() > BaselineKey::PART_BYTES_MAX {
            break;
        }
    }
    let part = part.trim_end_matches('-');
    if part.is_empty() { "unnamed".to_owned() } else { part.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_told_by_flow_name_engine_and_size_and_leads_nowhere_else() {
        let path = |flow, name| BaselineKey::new(flow, name, "Chrome Headless", (1280, 720)).path();
        assert_eq!(
            path("Signs in, buys: ÄÖ", "cart_full"),
            "signs-in-buys-äö/cart-full-chrome-headless-1280x720.png"
        );
        assert_eq!(path("../..", "/etc/x"), "unnamed/etc-x-chrome-headless-1280x720.png");
        assert!(path(&"x".repeat(1_000), "a").len() < 200);
    }
}
