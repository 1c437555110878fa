//! The executor seam: how commands are carried out.

mod attempt;
mod erased;
mod signals;

pub use attempt::Attempt;
pub(crate) use attempt::{AttemptLink, Secrets};
pub use erased::{ErasedExecutor, Executors, Product};
pub(crate) use signals::RawSignal;
pub use signals::{Received, Signals};

use crate::values::{command::Command, result::Fault};

/// Knows how to execute one type of command.
///
/// A failed check of the product is a result whose verdict is failed; a [`Fault`] is trouble that
/// prevented a verdict. A panic is caught and becomes a fault.
///
/// A closure is an executor, and so is an async closure that captures nothing. One that captures
/// state clones it for each call:
///
/// ```
/// # use runners_core::prelude::*;
/// # #[derive(serde::Serialize, serde::Deserialize)]
/// # struct Greet(String);
/// # impl Command for Greet { const KIND: &'static str = "greet"; type Result = String; }
/// # fn takes(_: impl Executor<Greet>) {}
/// let greeting = std::sync::Arc::new("Hello".to_owned());
/// takes(move |Greet(name): Greet, _: Attempt| {
///     let greeting = greeting.clone();
///     async move { Ok(format!("{greeting}, {name}")) }
/// });
/// ```
///
/// The compiler refuses an async closure that lends its state to the future instead:
///
/// ```compile_fail
/// # use runners_core::prelude::*;
/// # #[derive(serde::Serialize, serde::Deserialize)]
/// # struct Greet(String);
/// # impl Command for Greet { const KIND: &'static str = "greet"; type Result = String; }
/// # fn takes(_: impl Executor<Greet>) {}
/// let greeting = "Hello".to_owned();
/// takes(async move |Greet(name): Greet, _: Attempt| Ok(format!("{greeting}, {name}")));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an executor of `{C}`",
    note = "an executor is a type that implements `Executor<{C}>`, or a closure `|command: {C}, attempt: Attempt| async move {{ … }}` whose future is `Send` and gives a `Result<_, Fault>`",
    note = "a closure that captures state clones it for each call: `move |command, attempt| {{ let state = state.clone(); async move {{ … }} }}`"
)]
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
