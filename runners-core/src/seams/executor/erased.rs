//! Where typed commands become opaque payloads and back; the only file that does.

use super::{Attempt, Executor};
use crate::values::{
    command::Command,
    opaque::Opaque,
    result::{Fault, JobResult as _, Verdict},
};
use async_trait::async_trait;
use bytes::Bytes;
use std::{collections::BTreeMap, fmt, marker::PhantomData, sync::Arc};

/// What an executor produced, as bytes.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "executors of kinds known at run time build it")]
pub struct Product {
    /// Whether the work passed.
    pub verdict: Verdict,
    /// The serialised result.
    pub result: Opaque,
}

/// An executor after erasure, for kinds that are known only at run time.
#[async_trait]
pub trait ErasedExecutor: Send + Sync + 'static {
    /// As [`Executor::execute`], over bytes.
    ///
    /// # Errors
    /// A [`Fault`] when no verdict was reached.
    async fn execute(&self, payload: Bytes, attempt: Attempt) -> Result<Product, Fault>;
}

#[async_trait]
impl<E: ErasedExecutor + ?Sized> ErasedExecutor for Arc<E> {
    async fn execute(&self, payload: Bytes, attempt: Attempt) -> Result<Product, Fault> {
        (**self).execute(payload, attempt).await
    }
}

/// Executors by the kind of command they know.
#[derive(Clone, Default)]
pub struct Executors {
    by_kind: BTreeMap<String, Arc<dyn ErasedExecutor>>,
}

impl Executors {
    /// Adds an executor for the kind of `C`.
    ///
    /// # Panics
    /// When there is one for that kind already: it is a mistake in the program.
    #[must_use]
    pub fn with<C: Command>(self, executor: impl Executor<C>) -> Self {
        self.named(C::KIND, Typed { executor, command: PhantomData::<fn() -> C> })
    }

    /// Adds an executor for a kind that is known only at run time.
    ///
    /// # Panics
    /// When there is one for that kind already: it is a mistake in the program.
    #[must_use]
    pub fn named(mut self, kind: impl Into<String>, executor: impl ErasedExecutor) -> Self {
        let kind = kind.into();
        let prior = self.by_kind.insert(kind.clone(), Arc::new(executor));
        assert!(prior.is_none(), "two executors for the kind {kind:?}");
        self
    }

    /// The kinds that can be executed, in order.
    pub fn kinds(&self) -> impl Iterator<Item = &str> {
        self.by_kind.keys().map(String::as_str)
    }

    /// The executor of a kind.
    #[must_use]
    pub fn get(&self, kind: &str) -> Option<Arc<dyn ErasedExecutor>> {
        self.by_kind.get(kind).cloned()
    }
}

impl fmt::Debug for Executors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.by_kind.keys()).finish()
    }
}

struct Typed<C, E> {
    executor: E,
    command: PhantomData<fn() -> C>,
}

#[async_trait]
impl<C: Command, E: Executor<C>> ErasedExecutor for Typed<C, E> {
    async fn execute(&self, payload: Bytes, attempt: Attempt) -> Result<Product, Fault> {
        let command = serde_json::from_slice::<C>(&payload).map_err(|error| {
            Fault::permanent("malformed_payload", format!("payload of {}: {error}", C::KIND))
        })?;
        let result = self.executor.execute(command, attempt).await?;
        let bytes = serde_json::to_vec(&result).map_err(|error| {
            Fault::permanent("malformed_result", format!("result of {}: {error}", C::KIND))
        })?;
        Ok(Product { verdict: result.verdict(), result: bytes.into() })
    }
}
