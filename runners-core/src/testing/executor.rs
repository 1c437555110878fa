//! An executor that does as it is told: how long it takes, what it says, and how it ends. It keeps
//! a record of what it executed, for an oracle to judge.

use crate::{
    seams::{
        clock::{Clock, sleep},
        executor::{Attempt, ErasedExecutor, Product},
    },
    values::{
        lease::FencingToken,
        opaque::Opaque,
        result::{Fault, Verdict},
        time::BootTime,
    },
};
use async_trait::async_trait;
use bytes::Bytes;
use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// What one attempt does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "tests write `Script { takes, ..Script::passes() }`")]
pub struct Script {
    /// How long it takes.
    pub takes: Duration,
    /// What it logs at its start.
    pub logs: String,
    /// What it does when it is told to stop meanwhile.
    pub on_cancel: OnCancel,
    /// How it ends by itself.
    pub ends: Ending,
}

/// How an attempt ends.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// With a verdict, and the payload as its result.
    Verdict(Verdict),
    /// With a result of its own.
    Result(Verdict, Opaque),
    /// With a fault.
    Fault(Fault),
    /// By a panic.
    Panic,
}

/// What an attempt does when it is told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnCancel {
    /// It goes on, deaf, until it ends or is dropped.
    GoOn,
    /// It returns a fault after so long.
    Return(Duration),
    /// It returns its result after so long.
    Finish(Duration),
}

impl Script {
    /// Passes at once with its payload as the result, and returns at once when it is to stop.
    #[must_use]
    pub const fn passes() -> Self {
        Self {
            takes: Duration::ZERO,
            logs: String::new(),
            on_cancel: OnCancel::Return(Duration::ZERO),
            ends: Ending::Verdict(Verdict::Passed),
        }
    }

    /// As [`passes`](Self::passes), after so long.
    #[must_use]
    pub fn takes(takes: Duration) -> Self {
        Self { takes, ..Self::passes() }
    }

    /// Ends so, at once.
    #[must_use]
    pub fn ends(ends: Ending) -> Self {
        Self { ends, ..Self::passes() }
    }
}

/// One attempt as it was executed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Execution {
    /// Its grant.
    pub token: FencingToken,
    /// Its number.
    pub attempt: u32,
    /// When it began, since boot.
    pub began: BootTime,
    /// Until when its lease was trusted when it began.
    pub trusted_until: BootTime,
    /// When it was told to stop, if it was and looked.
    pub told: Option<BootTime>,
    /// When it returned or was dropped, if it did.
    pub ended: Option<BootTime>,
}

type Write = dyn Fn(&Attempt, &Bytes) -> Script + Send + Sync;

/// Does as it is told. Clones share the scripts and the record.
#[derive(Clone)]
pub struct ScriptedExecutor {
    clock: Arc<dyn Clock>,
    scripts: Arc<Mutex<VecDeque<Script>>>,
    otherwise: Arc<Write>,
    executions: Arc<Mutex<Vec<Execution>>>,
}

impl ScriptedExecutor {
    /// Passes, unless told otherwise.
    pub fn new(clock: impl Clock) -> Self {
        Self {
            clock: Arc::new(clock),
            scripts: Arc::default(),
            otherwise: Arc::new(|_, _| Script::passes()),
            executions: Arc::default(),
        }
    }

    /// What the next attempt that has no script yet does.
    #[must_use]
    pub fn then(self, script: Script) -> Self {
        lock(&self.scripts).push_back(script);
        self
    }

    /// What every attempt without a script does, from its payload or its number.
    #[must_use]
    pub fn otherwise(mut self, write: impl Fn(&Attempt, &Bytes) -> Script + Send + Sync + 'static) -> Self {
        self.otherwise = Arc::new(write);
        self
    }

    /// What was executed so far, in the order of beginning.
    #[must_use]
    pub fn executions(&self) -> Vec<Execution> {
        lock(&self.executions).clone()
    }

    fn begin(&self, attempt: &Attempt) -> Running {
        let mut executions = lock(&self.executions);
        executions.push(Execution {
            token: attempt.token(),
            attempt: attempt.number(),
            began: self.clock.boot(),
            trusted_until: attempt.lease().trusted_until(),
            told: None,
            ended: None,
        });
        Running { executor: self.clone(), index: executions.len() - 1 }
    }

    async fn stopped(&self, attempt: &Attempt, running: &Running, on_cancel: OnCancel) -> OnCancel {
        attempt.cancelled().await;
        lock(&self.executions)[running.index].told = Some(self.clock.boot());
        match on_cancel {
            OnCancel::GoOn => std::future::pending().await,
            OnCancel::Return(after) | OnCancel::Finish(after) => sleep(&*self.clock, after).await,
        }
        on_cancel
    }
}

#[async_trait]
impl ErasedExecutor for ScriptedExecutor {
    async fn execute(&self, payload: Bytes, attempt: Attempt) -> Result<Product, Fault> {
        let script = lock(&self.scripts).pop_front();
        let script = script.unwrap_or_else(|| (self.otherwise)(&attempt, &payload));
        let running = self.begin(&attempt);
        if !script.logs.is_empty() {
            attempt.log(&script.logs);
        }
        tokio::select! {
            biased;
            () = sleep(&*self.clock, script.takes) => {}
            how = self.stopped(&attempt, &running, script.on_cancel) => {
                if matches!(how, OnCancel::Return(_)) {
                    return Err(Fault::retryable("stopped", "the script was told to stop"));
                }
            }
        }
        match script.ends {
            Ending::Verdict(verdict) => Ok(Product { verdict, result: Opaque::new(payload) }),
            Ending::Result(verdict, result) => Ok(Product { verdict, result }),
            Ending::Fault(fault) => Err(fault),
            Ending::Panic => panic!("the script says so"),
        }
    }
}

impl fmt::Debug for ScriptedExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedExecutor").field("executions", &self.executions()).finish_non_exhaustive()
    }
}

/// Notes the end of an execution, however it comes.
struct Running {
    executor: ScriptedExecutor,
    index: usize,
}

impl Drop for Running {
    fn drop(&mut self) {
        let now = self.executor.clock.boot();
        lock(&self.executor.executions)[self.index].ended = Some(now);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
