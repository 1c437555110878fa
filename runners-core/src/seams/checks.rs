//! The seam of checks: typed functions, found by their names. They look at something, such as a page
//! of a browser, whose type the core does not know; who opens one is the executor of the command.

mod catalogue;
mod commands;
mod erased;

pub use catalogue::{CheckCatalogue, CheckRefusal};
pub use commands::{CheckCommand, CheckCommands};

use crate::{
    seams::clock::{Clock, sleep},
    values::{
        check::{CheckError, CheckResult, CheckState, RunCheck},
        result::Fault,
    },
};
use erased::{Erased, Ready};
use futures::{
    FutureExt as _,
    future::{Either, select},
};
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use std::{any::Any, collections::BTreeMap, fmt, panic::AssertUnwindSafe, pin::pin};

/// Checks by their names. `P` is what they look at.
///
/// ```
/// use runners_core::{CheckError, Checks, RunCheck};
/// use serde::Deserialize;
///
/// # use runners_core::checks::schemars;
/// #[derive(Deserialize, schemars::JsonSchema)]
/// struct Limits {
///     #[serde(default = "ten")]
///     words_max: usize,
/// }
///
/// fn ten() -> usize {
///     10
/// }
///
/// async fn is_short(page: String, limits: Limits) -> Result<usize, CheckError> {
///     let words = page.split_whitespace().count();
///     if words > limits.words_max {
///         return Err(CheckError::failed(format!("{words} words, not {}", limits.words_max)));
///     }
///     Ok(words)
/// }
///
/// let checks = Checks::new().with("is_short", is_short);
/// let schema = &checks.list()[0].input_schema;
/// assert_eq!(schema["properties"]["words_max"]["default"], 10);
/// assert!(checks.prepare(RunCheck::new("is_shrot", &()).unwrap()).is_err());
/// ```
pub struct Checks<P> {
    by_name: BTreeMap<String, Registered<P>>,
}

struct Registered<P> {
    schema: Value,
    check: Erased<P>,
}

/// What is known of a check before it is carried out.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CheckListing {
    /// Its name.
    pub name: String,
    /// A JSON Schema of its input, with the defaults.
    pub input_schema: Value,
}

impl CheckListing {
    /// What is known of a check that is found elsewhere than in [`Checks`].
    #[must_use]
    pub fn new(name: impl Into<String>, input_schema: Value) -> Self {
        Self { name: name.into(), input_schema }
    }
}

/// A check with an input that fits, ready for what it looks at.
pub struct PreparedCheck<P> {
    command: RunCheck,
    ready: Ready<P>,
}

impl<P: Send + 'static> Checks<P> {
    /// The longest name in bytes.
    pub const NAME_BYTES_MAX: usize = 100;
    /// The longest message of a result in bytes; a longer one is cut.
    pub const MESSAGE_BYTES_MAX: usize = Fault::MESSAGE_MAX;

    /// A registry without checks.
    #[must_use]
    pub fn new() -> Self {
        Self { by_name: BTreeMap::new() }
    }

    /// Adds a check: an `async fn` of what it looks at and of its input. The schema of the input is
    /// derived from its type; members with a serde default may be left out.
    ///
    /// # Panics
    /// When the name is empty, longer than [`NAME_BYTES_MAX`](Self::NAME_BYTES_MAX) or taken: it is a
    /// mistake in the program.
    #[must_use]
    pub fn with<I, R, Fut>(
        mut self,
        name: impl Into<String>,
        check: impl Fn(P, I) -> Fut + Send + Sync + 'static,
    ) -> Self
    where
        I: DeserializeOwned + JsonSchema + Send + 'static,
        R: Serialize,
        Fut: Future<Output = Result<R, CheckError>> + Send + 'static,
    {
        let name = name.into();
        let fits = !name.is_empty() && name.len() <= Self::NAME_BYTES_MAX;
        assert!(fits, "a check is named by 1 to {} bytes, not {name:?}", Self::NAME_BYTES_MAX);
        let schema = schemars::schema_for!(I).to_value();
        let registered = Registered { schema, check: erased::erase(check) };
        let prior = self.by_name.insert(name.clone(), registered);
        assert!(prior.is_none(), "two checks with the name {name:?}");
        self
    }

    /// All checks, by name.
    #[must_use]
    pub fn list(&self) -> Vec<CheckListing> {
        let listing = |(name, registered): (&String, &Registered<P>)| CheckListing {
            name: name.clone(),
            input_schema: registered.schema.clone(),
        };
        self.by_name.iter().map(listing).collect()
    }

    /// Finds a check and reads its input, so that nothing is opened in vain.
    ///
    /// # Errors
    /// A permanent fault: `unknown_check`, which names those that there are, or `invalid_input`, which
    /// says where.
    pub fn prepare(&self, command: RunCheck) -> Result<PreparedCheck<P>, Fault> {
        let Some(registered) = self.by_name.get(&command.check) else {
            let names: Vec<_> = self.by_name.keys().map(String::as_str).collect();
            let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            let message = format!("there is no check {:?}; there is {there}", command.check);
            return Err(Fault::permanent("unknown_check", message));
        };
        let ready = (registered.check)(command.input.clone()).map_err(|why| {
            let message =
                format!("the input of the check {:?}: {}: {}", command.check, why.place, why.problem);
            Fault::permanent("invalid_input", message)
        })?;
        Ok(PreparedCheck { command, ready })
    }
}

impl<P: Send + 'static> Default for Checks<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P> fmt::Debug for Checks<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.by_name.keys()).finish()
    }
}

impl<P> PreparedCheck<P> {
    /// Carries the check out. Whatever it does is a result with its name: a panic is *errored*, and
    /// what takes longer than its time has *timed out*.
    ///
    /// # Errors
    /// The [`Fault`] that the check answered, with the name of the check before its message.
    ///
    /// # Cancel safety
    /// Dropping the future drops the check where it waits.
    pub async fn run(self, subject: P, clock: &dyn Clock) -> Result<CheckResult, Fault> {
        let Self { command, ready } = self;
        let limit = command.timeout.unwrap_or(RunCheck::TIMEOUT);
        let began = clock.boot();
        // The future is made inside, because what comes before the first await may panic as well.
        let check = AssertUnwindSafe(async move { ready(subject).await }).catch_unwind();
        let ended = match select(pin!(check), pin!(sleep(clock, limit))).await {
            Either::Left((Ok(ended), _)) => ended,
            Either::Left((Err(panic), _)) => Err(CheckError::errored(panicked(&*panic))),
            Either::Right(_) => {
                let message = format!("it took longer than {} ms", limit.as_millis());
                return Ok(result(command.check, CheckState::TimedOut, Some(message), None, limit));
            }
        };
        let duration = clock.boot().since(began);
        let (state, message, details) = match ended {
            Ok(details) => (CheckState::Passed, None, details),
            Err(CheckError::Failed { message }) => (CheckState::Failed, Some(message), None),
            Err(CheckError::Errored { message }) => (CheckState::Errored, Some(message), None),
            Err(CheckError::Fault(fault)) => {
                let message = format!("check {:?}: {}", command.check, fault.message);
                let retryable = fault.retryable;
                let make = if retryable { Fault::retryable } else { Fault::permanent };
                return Err(make(fault.code, message));
            }
        };
        Ok(result(command.check, state, message, details, duration))
    }
}

impl<P> fmt::Debug for PreparedCheck<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PreparedCheck").field(&self.command.check).finish()
    }
}

fn result(
    name: String,
    state: CheckState,
    message: Option<String>,
    details: Option<Map<String, Value>>,
    duration: std::time::Duration,
) -> CheckResult {
    // A fault cuts its message at a character, and so does this.
    let message = message.map(|message| Fault::permanent("", message).message);
    CheckResult { message, details, ..CheckResult::new(name, state, duration) }
}

fn panicked(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("the check panicked: {}", text.unwrap_or("without a text"))
}

#[cfg(test)]
mod tests;
