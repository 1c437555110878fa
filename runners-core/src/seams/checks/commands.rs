//! Checks that a pool carries out as other commands than `RunCheck`: such as flows, which travel as
//! documents to runners that know no checks.

use crate::values::check::{CheckResult, RunCheck};
use bytes::Bytes;
use std::{collections::BTreeSet, fmt::Debug, sync::Arc, time::Duration};

/// Knows checks for which there are commands of another kind.
pub trait CheckCommands: Debug + Send + Sync + 'static {
    /// The command that carries a check out; none for a check that it does not know.
    ///
    /// # Errors
    /// What is wrong with the input, in one line.
    fn command(&self, check: &RunCheck) -> Result<Option<CheckCommand>, String>;

    /// What a result of such a command means for the check.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn result(&self, check: &str, result: &[u8]) -> Result<CheckResult, String>;

    /// The names of the checks that it knows, to be told to who asks for another one. None unless said.
    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

impl<C: CheckCommands + ?Sized> CheckCommands for Arc<C> {
    fn command(&self, check: &RunCheck) -> Result<Option<CheckCommand>, String> {
        (**self).command(check)
    }

    fn result(&self, check: &str, result: &[u8]) -> Result<CheckResult, String> {
        (**self).result(check, result)
    }

    fn names(&self) -> Vec<String> {
        (**self).names()
    }
}

/// A command that carries a check out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckCommand {
    /// Its kind.
    pub kind: &'static str,
    /// Its payload.
    pub payload: Bytes,
    /// The names of the secrets that the runner is to give it.
    pub secrets: BTreeSet<String>,
    /// How long one attempt may take, if that follows from the check.
    pub timeout: Option<Duration>,
}

impl CheckCommand {
    /// A command without secrets, which may take as long as jobs may that do not say so.
    #[must_use]
    pub const fn new(kind: &'static str, payload: Bytes) -> Self {
        Self { kind, payload, secrets: BTreeSet::new(), timeout: None }
    }
}
