//! What is executed in a simulation: the executor under test, watched, and one of the
//! simulation's own that does as its payload says.

use super::{
    checker::{Checker, result_of},
    machine::Machine,
};
use crate::{
    seams::{
        clock::sleep,
        executor::{Attempt, ErasedExecutor, Product, Signals},
    },
    values::{
        command::Command,
        id::RunnerId,
        lease::FencingToken,
        result::{Fault, Verdict},
    },
};
use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

/// An executor that the checker watches.
pub(super) struct Watched {
    pub(super) inner: Arc<dyn ErasedExecutor>,
    pub(super) checker: Checker,
    pub(super) machine: Machine,
    pub(super) runner: RunnerId,
}

#[async_trait]
impl ErasedExecutor for Watched {
    async fn execute(&self, payload: Bytes, attempt: Attempt) -> Result<Product, Fault> {
        let token = attempt.token();
        self.checker.begins(self.runner, &self.machine, &attempt);
        let _ends = Ends { checker: &self.checker, token };
        let product = self.inner.execute(payload, attempt).await;
        self.checker.returns(token, &product);
        product
    }
}

/// Notes the end of an execution, however it comes.
struct Ends<'a> {
    checker: &'a Checker,
    token: FencingToken,
}

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.checker.ends(self.token);
    }
}

/// What an attempt of a simulated job does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Plan {
    pub(super) takes_ms: u64,
    /// How many attempts end as `bad`; the rest pass.
    pub(super) bad_attempts: u32,
    pub(super) bad: Bad,
    pub(super) on_cancel: OnCancel,
    pub(super) log_lines: u32,
    pub(super) result_bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Bad {
    Failed,
    Fault,
    Permanent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum OnCancel {
    Returns { after_ms: u64 },
    Finishes { after_ms: u64 },
    GoesOn,
}

/// The kind of the simulation's own jobs.
pub(super) const KIND: &str = "simulated";

/// A signal whose answer is another each time that it is carried out.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Echo;

impl Command for Echo {
    const KIND: &'static str = "simulated-signal";
    type Result = u64;
}

/// How far answers of attempts are from those of runners.
const ECHO_STEP: u64 = 1_000_003;

/// Answers every signal to an attempt, each in another way.
async fn echo(token: FencingToken, signals: &mut Signals<Echo>) {
    let mut number = token.grant;
    while let Some(signal) = signals.next().await {
        number = number.wrapping_mul(ECHO_STEP).wrapping_add(1);
        signal.answer(Ok(number));
    }
    std::future::pending::<()>().await;
}

/// Does as its payload says.
pub(super) struct Simulated {
    pub(super) checker: Checker,
    pub(super) machine: Machine,
}

#[async_trait]
impl ErasedExecutor for Simulated {
    async fn execute(&self, payload: Bytes, attempt: Attempt) -> Result<Product, Fault> {
        let plan: Plan = serde_json::from_slice(&payload)
            .map_err(|error| Fault::permanent("malformed_payload", error.to_string()))?;
        let token = attempt.token();
        let mut signals = attempt.signals::<Echo>();
        let mut logged = String::new();
        for line in 0..plan.log_lines {
            let line = format!("{token}: line {line}\n");
            logged.push_str(&line);
            self.checker.logs(token, &logged);
            attempt.log(&line);
            sleep(&self.machine, Duration::from_millis(plan.takes_ms / u64::from(plan.log_lines + 1))).await;
        }
        let rest = Duration::from_millis(plan.takes_ms / u64::from(plan.log_lines + 1));
        tokio::select! {
            biased;
            () = sleep(&self.machine, rest) => {}
            () = echo(token, &mut signals) => {}
            () = self.told(&attempt, plan.on_cancel) => {
                if matches!(plan.on_cancel, OnCancel::Returns { .. }) {
                    return Err(Fault::retryable("stopped", "it was told to stop"));
                }
            }
        }
        let bad = attempt.number() <= plan.bad_attempts;
        let verdict = match plan.bad {
            Bad::Fault if bad => return Err(Fault::retryable("simulated", "the plan says so")),
            Bad::Permanent if bad => return Err(Fault::permanent("simulated", "the plan says so")),
            Bad::Failed if bad => Verdict::Failed,
            _ => Verdict::Passed,
        };
        Ok(Product { verdict, result: result_of(token, plan.result_bytes) })
    }
}

impl Simulated {
    async fn told(&self, attempt: &Attempt, on_cancel: OnCancel) {
        attempt.cancelled().await;
        match on_cancel {
            OnCancel::Returns { after_ms } | OnCancel::Finishes { after_ms } => {
                sleep(&self.machine, Duration::from_millis(after_ms)).await;
            }
            OnCancel::GoesOn => std::future::pending().await,
        }
    }
}
