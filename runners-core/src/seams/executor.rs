//! The executor seam: how commands are carried out.

mod attempt;
mod erased;

pub use attempt::Attempt;
pub(crate) use attempt::AttemptLink;
pub use erased::{ErasedExecutor, Executors, Product};

use crate::values::{command::Command, result::Fault};

/// Knows how to execute one type of command.
///
/// A closure `|command, attempt| async move { … }` is one; so is an async closure that captures
/// nothing. One that captures state clones it first: `move |command, attempt| { let state =
/// state.clone(); async move { … } }`.
///
/// A failed check of the product is a result whose verdict is failed; a [`Fault`] is trouble that
/// prevented a verdict. A panic is caught and becomes a fault.
pub trait Executor<C: Command>: Send + Sync + 'static {
    /// Executes `command` for `attempt`.
    ///
    /// # Errors
    /// A [`Fault`] when no verdict was reached.
    ///
    /// # Cancel safety
    /// On cancel, timeout or loss of the lease, [`Attempt::cancelled`] completes first. What does
    /// not return within the grace is dropped, so whatever must be closed with `await` is closed
    /// on [`Attempt::cancelled`], not in `Drop`.
    fn execute(&self, command: C, attempt: Attempt) -> impl Future<Output = Result<C::Result, Fault>> + Send;
}

impl<C, F, Fut> Executor<C> for F
where
    C: Command,
    F: Fn(C, Attempt) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<C::Result, Fault>> + Send,
{
    fn execute(&self, command: C, attempt: Attempt) -> impl Future<Output = Result<C::Result, Fault>> + Send {
        self(command, attempt)
    }
}
