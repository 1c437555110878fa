//! A transport that goes wrong: it loses, delays, repeats and cuts, as a seed says.

use super::random::SeededRandom;
use crate::{
    seams::{
        clock::{Clock, sleep},
        transport::{Transport, TransportError},
    },
    values::{reply::Reply, request::Request, time::BootTime},
};
use async_trait::async_trait;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

/// How often what goes wrong, each from 0 (never) to 1 (always), for each call by itself.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "tests write `Faults { lose_reply: 0.1, ..Faults::none() }`")]
pub struct Faults {
    /// The request never arrives.
    pub lose_request: f64,
    /// The request is applied, and its reply never arrives.
    pub lose_reply: f64,
    /// The request arrives a second time, later; the second reply goes nowhere.
    pub duplicate: f64,
    /// Half of what is lost is an error, after `delay_max` at most; the rest is silence until this
    /// has passed, or until the caller gives up.
    pub silence: Duration,
    /// What most requests and replies take.
    pub delay: Duration,
    /// How often a request or a reply takes longer, up to `delay_max`. It may overtake others then.
    pub slow: f64,
    /// The longest that a request or a reply may take. Longer than a term, it tests leases.
    pub delay_max: Duration,
}

impl Faults {
    /// A transport that works.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            lose_request: 0.0,
            lose_reply: 0.0,
            duplicate: 0.0,
            silence: Duration::from_secs(120),
            delay: Duration::ZERO,
            slow: 0.0,
            delay_max: Duration::ZERO,
        }
    }

    /// A bad network: 4 % lost each way, 2 % twice, and 10 % as slow as `delay_max` at worst.
    #[must_use]
    pub const fn bad(delay_max: Duration) -> Self {
        Self {
            lose_request: 0.04,
            lose_reply: 0.04,
            duplicate: 0.02,
            silence: Duration::from_secs(120),
            delay: Duration::from_millis(20),
            slow: 0.1,
            delay_max,
        }
    }
}

/// How often what went wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FaultCounts {
    /// Requests that were sent.
    pub calls: u64,
    /// Requests that never arrived, cut ones included.
    pub lost_requests: u64,
    /// Replies that never arrived, cut ones included.
    pub lost_replies: u64,
    /// Requests that arrived twice.
    pub duplicates: u64,
    /// Requests and replies that took longer.
    pub slow: u64,
    /// Those that took longer than a [term](FaultyTransport::with_term).
    pub outlasted_term: u64,
}

/// A transport that goes wrong as a seed says. Clones share faults and counts.
///
/// A request that is under way arrives even if its caller has given up or is gone meanwhile, as on
/// a real network. So each is carried beside its caller, and [`settled`](Self::settled) waits for it.
#[derive(Clone, Debug)]
pub struct FaultyTransport {
    inner: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    random: SeededRandom,
    network: Arc<Mutex<Network>>,
    under_way: TaskTracker,
}

#[derive(Debug)]
struct Network {
    faults: Faults,
    counts: FaultCounts,
    cut_until: Option<BootTime>,
    term: Option<Duration>,
}

/// What happens to one call, drawn before it starts.
#[derive(Clone, Copy, Debug)]
struct Fate {
    lose_request: bool,
    lose_reply: bool,
    loud: bool,
    there: Delay,
    back: Delay,
    again: Option<Delay>,
    silence: Duration,
}

/// What a request or a reply takes.
#[derive(Clone, Copy, Debug)]
struct Delay {
    slow: bool,
    span: Duration,
}

impl FaultyTransport {
    /// Wraps a transport.
    pub fn new(inner: impl Transport, clock: impl Clock, random: SeededRandom, faults: Faults) -> Self {
        let network = Network { faults, counts: FaultCounts::default(), cut_until: None, term: None };
        Self {
            inner: Arc::new(inner),
            clock: Arc::new(clock),
            random,
            network: Arc::new(Mutex::new(network)),
            under_way: TaskTracker::new(),
        }
    }

    /// Counts what takes longer than `term`, for which a runner is trusted without another word.
    #[must_use]
    pub fn with_term(self, term: Duration) -> Self {
        self.network().term = Some(term);
        self
    }

    /// Changes how often what goes wrong, for the calls from now on.
    pub fn set(&self, faults: Faults) {
        self.network().faults = faults;
    }

    /// Loses everything, both ways, for `span` from now on.
    pub fn partition(&self, span: Duration) {
        let until = self.clock.boot() + span;
        self.network().cut_until = Some(until);
    }

    /// Ends a partition.
    pub fn heal(&self) {
        self.network().cut_until = None;
    }

    /// How often what went wrong so far.
    #[must_use]
    pub fn counts(&self) -> FaultCounts {
        self.network().counts
    }

    /// Completes once nothing is under way. Calls that are made meanwhile are waited for too.
    pub async fn settled(&self) {
        self.under_way.close();
        self.under_way.wait().await;
        self.under_way.reopen();
    }

    fn network(&self) -> MutexGuard<'_, Network> {
        self.network.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_cut(&self) -> bool {
        let now = self.clock.boot();
        self.network().cut_until.is_some_and(|until| now < until)
    }

    fn draw(&self) -> Fate {
        let mut network = self.network();
        let faults = network.faults.clone();
        let happens = |chance: f64| self.random.unit() < chance;
        let delay = || {
            let (slow, part) = (happens(faults.slow), self.random.unit());
            let span = if slow { faults.delay_max.mul_f64(part) } else { faults.delay.mul_f64(part) };
            Delay { slow, span }
        };
        let (there, back, again) = (delay(), delay(), delay());
        let fate = Fate {
            lose_request: happens(faults.lose_request),
            lose_reply: happens(faults.lose_reply),
            loud: happens(0.5),
            there,
            back,
            again: happens(faults.duplicate).then_some(again),
            silence: faults.silence,
        };
        network.counts.calls += 1;
        fate
    }

    fn count(&self, count: impl FnOnce(&mut FaultCounts)) {
        count(&mut self.network().counts);
    }

    /// Lets the time pass that something is under way.
    async fn travel(&self, delay: Delay) {
        sleep(&*self.clock, delay.span).await;
        let mut network = self.network();
        let outlasted = network.term.is_some_and(|term| delay.span > term);
        network.counts.slow += u64::from(delay.slow);
        network.counts.outlasted_term += u64::from(outlasted);
    }

    /// Carries one request there and its reply back. No reply is a loss.
    async fn carry(self, request: Request, fate: Fate, reply_to: oneshot::Sender<Carried>) {
        self.travel(fate.there).await;
        if fate.lose_request || self.is_cut() {
            self.count(|counts| counts.lost_requests += 1);
            drop(reply_to.send(None));
            return;
        }
        if let Some(again) = fate.again {
            self.count(|counts| counts.duplicates += 1);
            let (this, request) = (self.clone(), request.clone());
            self.under_way.spawn(async move {
                this.travel(again).await;
                drop(this.inner.call(request).await);
            });
        }
        let reply = self.inner.call(request).await;
        self.travel(fate.back).await;
        if fate.lose_reply || self.is_cut() {
            self.count(|counts| counts.lost_replies += 1);
            drop(reply_to.send(None));
            return;
        }
        drop(reply_to.send(Some(reply)));
    }
}

type Carried = Option<Result<Reply, TransportError>>;

#[async_trait]
impl Transport for FaultyTransport {
    async fn call(&self, request: Request) -> Result<Reply, TransportError> {
        let fate = self.draw();
        let asked = self.clock.boot();
        let (reply_to, reply) = oneshot::channel();
        self.under_way.spawn(self.clone().carry(request, fate, reply_to));
        if let Ok(Some(reply)) = reply.await {
            return reply;
        }
        if !fate.loud {
            self.clock.sleep_until(asked + fate.silence).await;
        }
        Err(TransportError::Unreachable("the network lost it".into()))
    }
}

#[cfg(test)]
mod tests;
