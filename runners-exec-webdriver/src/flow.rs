//! Browser flows: the JSON that the Recorder panel of Chrome exports, as typed values and as a
//! command. Nothing here touches a browser.

mod baselines;
mod belongings;
mod capture;
mod comparison;
mod emulation;
mod export;
mod extension;
mod include;
mod key;
mod members;
mod outline;
mod parameters;
mod parse;
mod problem;
mod reach;
mod reader;
mod schema;
mod secret;
mod selector;
mod start;
mod step;
mod support;

pub use belongings::{Cookie, StoredOrigin, UploadedFile};
pub use comparison::Comparison;
pub use export::ExportedFlow;
pub use extension::Extension;
pub(crate) use key::{Bare, Key, typed};
pub use outline::RecordedFlows;
pub(crate) use parameters::OPEN as PARAMETER_OPEN;
pub use parameters::{Parameter, ParameterKind};
pub use problem::{Problem, Problems};
pub(crate) use secret::literal as literal_value;
pub use selector::{Chain, Selector, Selectors};
pub(crate) use step::one_line;
pub use step::{Action, AssertedNavigation, Click, Device, Operator, Step, Viewport, WaitForElement};
pub(crate) use support::Devtools;

use crate::{evidence::Capture, result::FlowResult};
use runners_core::{Command, Redactor};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::value::RawValue;
use std::{sync::Arc, time::Duration};

/// A recorded browser script, validated.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Flow {
    /// What its author called it.
    pub title: String,
    /// The time limit of steps that have none of their own; 5 s if absent.
    pub timeout: Option<Duration>,
    /// What to do, in order; the steps of flows that are used stand in their place.
    pub steps: Vec<Step>,
    /// How closely the steps are looked at.
    pub mode: Mode,
    /// What the flow declares to be filled in.
    pub parameters: Vec<Parameter>,
    /// What the flow asks to be kept beside what everybody keeps.
    pub capture: Capture,
    /// What it brings along to be compared with.
    pub(crate) baselines: baselines::Carried,
    /// What of the document itself is probably not meant as it stands.
    pub(crate) doubts: Vec<Problem>,
}

/// How closely the steps of a flow are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a third way would be another format")]
pub enum Mode {
    /// As the reference replayer behaves. For recordings as they come.
    #[default]
    Compat,
    /// As the format says: a click has to reach its element, a page has to be where and what it was
    /// asserted to be, an element that is waited for has to be seen, and nothing is skipped.
    /// For documents with a member `runners`, unless its `mode` says otherwise.
    Strict,
}

impl Mode {
    /// The word that documents and command lines write.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Compat => "compat",
            Self::Strict => "strict",
        }
    }
}

impl Flow {
    /// The most steps of a flow.
    pub const STEPS_MAX: usize = 10_000;
    /// The most bytes of a flow document.
    pub const BYTES_MAX: usize = 4 * 1024 * 1024;
}

/// The command to replay a flow. Its payload is exactly the JSON document.
///
/// ```
/// use runners_exec_webdriver::BrowserFlow;
///
/// let problems = BrowserFlow::parse(r#"{"steps": [{"type": "navigate", "timeout": 0}]}"#).unwrap_err();
/// let pointers: Vec<_> = problems.iter().map(|problem| problem.pointer.as_str()).collect();
/// assert_eq!(pointers, ["/title", "/steps/0/timeout", "/steps/0/url"]);
/// ```
#[derive(Clone, Debug)]
pub struct BrowserFlow {
    document: Arc<RawValue>,
    flow: Arc<Flow>,
    /// Takes its secrets out of what is told, once they are filled in.
    redactor: Option<Redactor>,
}

impl BrowserFlow {
    /// Reads and validates a document. White space around it is dropped; everything else is kept
    /// as it was written, members that the format does not know included.
    ///
    /// # Errors
    /// Every problem of the document, not only the first.
    pub fn parse(document: &str) -> Result<Self, Problems> {
        let whole = |problem| Problems::new(vec![problem]);
        if document.len() > Flow::BYTES_MAX {
            let message = format!("{} bytes are more than the limit of {}", document.len(), Flow::BYTES_MAX);
            return Err(whole(Problem::new("", message, "split the flow")));
        }
        // Some editors begin a file with a mark of its order of bytes.
        let document = document.strip_prefix('\u{feff}').unwrap_or(document);
        let raw = serde_json::from_str::<Box<RawValue>>(document).map_err(|error| whole(not_json(&error)))?;
        Self::validate(raw)
    }

    /// The document as it was written.
    #[must_use]
    pub fn document(&self) -> &str {
        self.document.get()
    }

    /// Looks at the steps in another way than the document says. The document stays as it is.
    #[must_use]
    pub fn with_mode(mut self, mode: Mode) -> Self {
        Arc::make_mut(&mut self.flow).mode = mode;
        self
    }

    /// The document as typed values.
    #[must_use]
    pub fn flow(&self) -> &Flow {
        &self.flow
    }

    /// Takes its secrets out of what is told.
    pub(crate) fn redactor(&self) -> Redactor {
        self.redactor.clone().unwrap_or_default()
    }

    /// Has this take secrets out of what is told: those of its job are more than its own.
    pub(crate) fn hiding(self, redactor: Redactor) -> Self {
        Self { redactor: Some(redactor), ..self }
    }

    fn validate(raw: Box<RawValue>) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let value = serde_json::from_str(raw.get()).map_err(|error| Problems::new(vec![not_json(&error)]))?;
        let flow = parse::flow(&value, &mut problems);
        match flow {
            Some(flow) => Ok(Self { document: raw.into(), flow: Arc::new(flow), redactor: None }),
            None => Err(Problems::new(problems)),
        }
    }
}

fn not_json(error: &serde_json::Error) -> Problem {
    let hint = "look for a comma, a quote or a bracket there, or export the flow again";
    Problem::new("", format!("not JSON: {error}"), hint)
}

impl Command for BrowserFlow {
    const KIND: &'static str = "browser_flow";
    type Result = FlowResult;
}

impl Serialize for BrowserFlow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.document.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for BrowserFlow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::validate(Box::<RawValue>::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests;
