//! What the script in a page tells, and what else is heard of a browser. What becomes of it is in `draft`.

use serde::Deserialize;
use serde_json::Value;

/// What a page tells, and where it was done.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Told {
    /// Which document, drawn anew for each.
    pub(super) document: String,
    /// The places of the frames around it.
    #[serde(default)]
    pub(super) frame: Vec<usize>,
    /// The address of the document.
    pub(super) url: String,
    #[serde(flatten)]
    pub(super) what: What,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub(super) enum What {
    /// A person did something.
    Did(Deed),
    /// The contents of files are known by now.
    Amended { element: String, step: Value },
    /// Something cannot be recorded as it was.
    Noted { text: String },
    /// There is a new document.
    Arrived {
        how: String,
        #[serde(flatten)]
        size: Size,
    },
    /// It has loaded.
    Titled {
        title: String,
        #[serde(flatten)]
        size: Size,
    },
    /// The document has another address.
    Moved,
    /// The page has another size.
    Sized(Size),
}

/// What a person did: steps without the page and the frame.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Deed {
    /// To which element.
    pub(super) element: String,
    pub(super) steps: Vec<Value>,
    /// Whether it continues what was done to the same element last.
    #[serde(default)]
    pub(super) merges: bool,
    /// Whether the page may go elsewhere because of it.
    #[serde(default)]
    pub(super) causes: bool,
    /// Which of the steps it is that does.
    #[serde(default)]
    pub(super) cause: usize,
    /// How many clicks on the same element it stands for.
    #[serde(default)]
    pub(super) instead: usize,
    /// A name for the secret that was typed, which is not told.
    pub(super) secret: Option<String>,
}

/// The size of a page.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub(super) struct Size {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) scale: f64,
}

/// A dialog that was answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Dialog {
    pub(super) accept: bool,
    pub(super) message: String,
    pub(super) value: Option<String>,
}
