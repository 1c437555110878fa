//! The responder seam: how a runner answers commands that are sent to it as signals. What is sent
//! to an attempt is received by its executor instead, by [`Attempt::signals`](crate::Attempt::signals).

use crate::values::{command::Command, opaque::Opaque, result::Fault};
use async_trait::async_trait;
use bytes::Bytes;
use std::{collections::BTreeMap, fmt, marker::PhantomData, sync::Arc};

/// Knows how to answer one type of command that is sent to a runner.
///
/// A closure is a responder; one that captures state clones it for each call, as with an
/// [`Executor`](crate::Executor). A panic is caught and answered as a fault.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a responder to `{C}`",
    note = "a responder is a type that implements `Responder<{C}>`, or a closure `|command: {C}| async move {{ … }}` whose future is `Send` and gives a `Result<_, Fault>`"
)]
pub trait Responder<C: Command>: Send + Sync + 'static {
    /// Answers `command`. It is called once for each signal, but again after a restart of the runner if
    /// its answer had not reached the control plane.
    ///
    /// # Errors
    /// A [`Fault`] when there is no answer.
    ///
    /// # Cancel safety
    /// The future is dropped when the signal expires, and when the runner ends.
    fn respond(&self, command: C) -> impl Future<Output = Result<C::Result, Fault>> + Send;
}

impl<C, F, Fut> Responder<C> for F
where
    C: Command,
    F: Fn(C) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<C::Result, Fault>> + Send,
{
    fn respond(&self, command: C) -> impl Future<Output = Result<C::Result, Fault>> + Send {
        self(command)
    }
}

/// A responder after erasure, for kinds that are known only at run time.
#[async_trait]
pub trait ErasedResponder: Send + Sync + 'static {
    /// As [`Responder::respond`], over bytes.
    ///
    /// # Errors
    /// A [`Fault`] when there is no answer.
    async fn respond(&self, payload: Bytes) -> Result<Opaque, Fault>;
}

#[async_trait]
impl<R: ErasedResponder + ?Sized> ErasedResponder for Arc<R> {
    async fn respond(&self, payload: Bytes) -> Result<Opaque, Fault> {
        (**self).respond(payload).await
    }
}

/// Responders by the kind of command they answer.
#[derive(Clone, Default)]
pub struct Responders {
    by_kind: BTreeMap<String, Arc<dyn ErasedResponder>>,
}

impl Responders {
    /// Adds a responder to the kind of `C`.
    ///
    /// # Panics
    /// When there is one for that kind already: it is a mistake in the program.
    #[must_use]
    pub fn with<C: Command>(self, responder: impl Responder<C>) -> Self {
        self.named(C::KIND, Typed { responder, command: PhantomData::<fn() -> C> })
    }

    /// Adds a responder to a kind that is known only at run time.
    ///
    /// # Panics
    /// When there is one for that kind already: it is a mistake in the program.
    #[must_use]
    pub fn named(mut self, kind: impl Into<String>, responder: impl ErasedResponder) -> Self {
        let kind = kind.into();
        let prior = self.by_kind.insert(kind.clone(), Arc::new(responder));
        assert!(prior.is_none(), "two responders to the kind {kind:?}");
        self
    }

    /// The responder to a kind.
    #[must_use]
    pub fn get(&self, kind: &str) -> Option<Arc<dyn ErasedResponder>> {
        self.by_kind.get(kind).cloned()
    }
}

impl fmt::Debug for Responders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.by_kind.keys()).finish()
    }
}

struct Typed<C, R> {
    responder: R,
    command: PhantomData<fn() -> C>,
}

#[async_trait]
impl<C: Command, R: Responder<C>> ErasedResponder for Typed<C, R> {
    async fn respond(&self, payload: Bytes) -> Result<Opaque, Fault> {
        let result = self.responder.respond(decode::<C>(&payload)?).await?;
        encode::<C>(&result)
    }
}

/// Reads the payload of a signal. `null` stands for a command that says nothing, as of those that need no
/// member, such as a ping.
pub(crate) fn decode<C: Command>(payload: &[u8]) -> Result<C, Fault> {
    let read = serde_json::from_slice(payload);
    let read = if payload == b"null" { read.or_else(|error| empty().ok_or(error)) } else { read };
    read.map_err(|error| Fault::permanent("malformed_payload", format!("payload of {}: {error}", C::KIND)))
}

/// A command without any member, if there is one.
fn empty<C: Command>() -> Option<C> {
    serde_json::from_slice(b"{}").ok()
}

/// Writes the answer to a signal.
pub(crate) fn encode<C: Command>(result: &C::Result) -> Result<Opaque, Fault> {
    serde_json::to_vec(result)
        .map(Opaque::from)
        .map_err(|error| Fault::permanent("malformed_result", format!("result of {}: {error}", C::KIND)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::signal::{CollectDiagnostics, Ping, Pong};

    #[tokio::test]
    async fn a_closure_is_a_responder_and_its_payload_is_checked() {
        let pong = |Ping { text }: Ping| async move { Ok(Pong { text }) };
        let responder = Responders::default().with(pong).get(Ping::KIND).unwrap();
        let answer = responder.respond(Bytes::from_static(br#"{"text":"here?"}"#)).await.unwrap();
        assert_eq!(answer.as_bytes().as_ref(), br#"{"text":"here?"}"#);
        let fault = responder.respond(Bytes::from_static(b"7")).await.unwrap_err();
        assert_eq!(fault.code, "malformed_payload");
    }

    #[test]
    fn null_stands_for_a_command_that_says_nothing() {
        assert_eq!(decode::<Ping>(b"null"), Ok(Ping::default()));
        assert_eq!(decode::<CollectDiagnostics>(b"null"), Ok(CollectDiagnostics {}));
        let fault = decode::<Visit>(b"null").unwrap_err();
        assert!(fault.message.contains("invalid type: null"), "{}", fault.message);
    }

    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Visit {
        url: String,
    }

    impl Command for Visit {
        const KIND: &'static str = "visit";
        type Result = Pong;
    }
}
