//! The loop of a runner: it moves bytes between the transport and the session, starts and joins
//! attempts, and keeps the spool. What is said, and what follows from it, is the session's.

use super::{
    ExitReason,
    deregister::deregister,
    drive::Driver,
    execution::Outfit,
    measures::Measures,
    respond::{Ask, Mailboxes, respond},
    session::{Effect, Next, Order, Session, Stop},
    show::Shows,
};
use crate::{
    actors::{
        spool::Spool,
        turn::{Turn, Turns},
    },
    seams::{
        clock::Clock,
        executor::Executors,
        observer::Observer,
        random::{Random, unit},
        responder::Responders,
        transport::{Transport, TransportError},
    },
    values::{
        lease::FencingToken, outcome::Outcome, reply::Reply, request::Request, result::Fault, runner::Facts,
        sync::Finish, time::BootTime,
    },
};
use futures::FutureExt as _;
use std::{
    collections::BTreeMap,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    sync::{Notify, watch},
    task::{AbortHandle, JoinError, JoinSet},
};
use tokio_util::sync::CancellationToken;

/// What the loop, the attempts and the handles share.
#[derive(Debug)]
pub(super) struct Shared {
    session: Mutex<Session>,
    /// Held while what the runner says of itself is changed.
    changing_facts: Mutex<()>,
    changed: Notify,
    /// Counts replies, for those who wait for what one may bring.
    turn: Turn,
    /// Where live attempts receive signals.
    pub(super) mailboxes: Mailboxes,
    /// What live attempts show.
    pub(super) shows: Shows,
    pub(super) clock: Arc<dyn Clock>,
}

impl Shared {
    pub(super) fn new(session: Session, clock: Arc<dyn Clock>, shows: Shows) -> Self {
        Self {
            session: Mutex::new(session),
            changing_facts: Mutex::new(()),
            changed: Notify::new(),
            turn: Turn::default(),
            mailboxes: Mailboxes::default(),
            shows,
            clock,
        }
    }

    /// Changes the session, and has the loop look at it.
    pub(super) fn with<T>(&self, change: impl FnOnce(&mut Session, BootTime) -> T) -> T {
        let changed = self.with_quietly(change);
        self.changed.notify_one();
        changed
    }

    /// Changes the session from the loop itself, which looks at it anyway.
    fn with_quietly<T>(&self, change: impl FnOnce(&mut Session, BootTime) -> T) -> T {
        let now = self.clock.boot();
        change(&mut self.session.lock().unwrap_or_else(PoisonError::into_inner), now)
    }

    /// Looks at the session.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Session) -> T) -> T {
        look(&self.session.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes what the runner says of itself. However long `change` takes, the session goes on.
    pub(super) fn change_facts(&self, change: impl FnOnce(&mut Facts)) {
        let _alone = self.changing_facts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut facts = self.look(|session| session.facts().clone());
        change(&mut facts);
        self.with(|session, now| session.change_facts(facts, now));
    }

    /// Changes whenever a reply came.
    pub(super) fn turns(&self) -> Turns {
        self.turn.subscribe()
    }
}

type Called = (u64, Result<Reply, TransportError>);

/// The loop of a runner.
pub(super) struct Serving {
    shared: Arc<Shared>,
    transport: Arc<dyn Transport>,
    executors: Executors,
    responders: Responders,
    outfit: Arc<Outfit>,
    spool: Spool,
    random: Arc<dyn Random>,
    observer: Arc<dyn Observer>,
    measures: Measures,
    kill: CancellationToken,
    exit: watch::Sender<Option<ExitReason>>,
    calls: JoinSet<Called>,
    call_handles: BTreeMap<u64, AbortHandle>,
    attempts: JoinSet<FencingToken>,
    stops: BTreeMap<FencingToken, watch::Sender<Option<Stop>>>,
    /// Signals that are being carried out.
    responses: JoinSet<()>,
    /// Forgetting what was recorded.
    chores: JoinSet<()>,
}

/// What a runner is made of.
pub(super) struct Parts {
    pub(super) shared: Arc<Shared>,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) executors: Executors,
    pub(super) responders: Responders,
    pub(super) outfit: Outfit,
    pub(super) spool: Spool,
    pub(super) random: Arc<dyn Random>,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) measures: Measures,
    pub(super) kill: CancellationToken,
    pub(super) exit: watch::Sender<Option<ExitReason>>,
}

impl Serving {
    pub(super) fn new(parts: Parts) -> Self {
        Self {
            shared: parts.shared,
            transport: parts.transport,
            executors: parts.executors,
            responders: parts.responders,
            outfit: Arc::new(parts.outfit),
            spool: parts.spool,
            random: parts.random,
            observer: parts.observer,
            measures: parts.measures,
            kill: parts.kill,
            exit: parts.exit,
            calls: JoinSet::new(),
            call_handles: BTreeMap::new(),
            attempts: JoinSet::new(),
            stops: BTreeMap::new(),
            responses: JoinSet::new(),
            chores: JoinSet::new(),
        }
    }

    /// Serves until the session is over and every attempt has been joined.
    pub(super) async fn serve(mut self) {
        self.begin().await;
        let reason = loop {
            let next = self.turn();
            if let Some(reason) = self.over() {
                break reason;
            }
            match next {
                Next::Send => self.send(),
                Next::Wait(until) => {
                    if self.wait(until).await.is_break() {
                        break ExitReason::Killed;
                    }
                }
            }
        };
        if reason != ExitReason::Killed {
            while self.chores.join_next().await.is_some() {}
            self.responses.shutdown().await;
        }
        let kill = self.kill.clone();
        let reason = tokio::select! {
            biased;
            () = kill.cancelled() => ExitReason::Killed,
            reason = self.leave(reason) => reason,
        };
        self.exit.send_replace(Some(reason));
    }

    /// Has the host prepare for the start, unless something else is in its way.
    async fn begin(&self) {
        if self.shared.look(|session| session.exit_reason().is_some()) {
            return;
        }
        let started = tokio::select! {
            biased;
            () = self.kill.cancelled() => return,
            started = self.outfit.hooks.start(&*self.shared.clock) => started,
        };
        if let Err(problem) = started {
            self.shared.with_quietly(|session, _| session.end(ExitReason::Unstarted { problem }));
        }
    }

    /// What is done last, and what the end is then.
    async fn leave(&self, reason: ExitReason) -> ExitReason {
        let clock = &*self.shared.clock;
        let reason = match (&self.outfit.single_use, reason) {
            (_, reason @ (ExitReason::Killed | ExitReason::Unstarted { .. })) => return reason,
            (Some(spool), ExitReason::Left) => match deregister(&*self.transport, clock).await {
                Ok(()) => {
                    if let Err(error) = spool.keep_used(false).await {
                        tracing::warn!(%error, "the state directory stays marked as used");
                    }
                    ExitReason::Deregistered
                }
                Err(problem) => {
                    tracing::warn!("a single-use runner could not deregister itself: {problem}");
                    ExitReason::Left
                }
            },
            (_, reason) => reason,
        };
        self.outfit.hooks.stop(reason.clone(), clock).await;
        reason
    }

    /// Looks at the session: carries out what it asks for, and answers what is next.
    fn turn(&mut self) -> Next {
        let random = self.random.clone();
        let (effects, next) = self.shared.with_quietly(|session, now| {
            session.overdue(now, &|| unit(&*random));
            (session.effects(), session.next(now))
        });
        self.carry_out(effects);
        next
    }

    /// Why the runner is over, once it is. A runner that was stopped does not wait for attempts
    /// that outlast their grace.
    fn over(&self) -> Option<ExitReason> {
        let reason = self.shared.look(|session| session.exit_reason().cloned())?;
        (self.attempts.is_empty() || reason == ExitReason::Stopped).then_some(reason)
    }

    fn send(&mut self) {
        let request = self.shared.with_quietly(Session::send);
        let seq = request.seq;
        let transport = self.transport.clone();
        let (measures, clock) = (self.measures.clone(), self.shared.clock.clone());
        let call = async move {
            let asked = clock.boot();
            let call = transport.call(Request::Sync(Box::new(request)));
            let reply = AssertUnwindSafe(call).catch_unwind().await;
            let reply =
                reply.unwrap_or_else(|_| Err(TransportError::Unreachable("transport panicked".into())));
            measures.synced(&reply, clock.boot().since(asked));
            (seq, reply)
        };
        self.call_handles.insert(seq, self.calls.spawn(call));
    }

    async fn wait(&mut self, until: Option<BootTime>) -> std::ops::ControlFlow<()> {
        let clock = self.shared.clock.clone();
        let woken = async {
            match until {
                Some(until) => clock.sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.kill.cancelled() => return std::ops::ControlFlow::Break(()),
            Some(called) = self.calls.join_next() => self.answered(called),
            Some(ended) = self.attempts.join_next() => self.ended(&ended),
            Some(_) = self.chores.join_next() => {}
            Some(_) = self.responses.join_next() => {}
            () = self.shared.changed.notified() => {}
            () = woken => {}
        }
        std::ops::ControlFlow::Continue(())
    }

    fn answered(&mut self, called: Result<Called, JoinError>) {
        // A call that was abandoned is joined as aborted, and nothing is expected of it.
        let Ok((seq, reply)) = called else { return };
        self.call_handles.remove(&seq);
        let random = self.random.clone();
        self.shared.with_quietly(|session, now| {
            session.answered(seq, reply, &self.executors, now, &|| unit(&*random));
        });
        self.shared.turn.next();
    }

    fn ended(&mut self, ended: &Result<FencingToken, JoinError>) {
        if let Ok(token) = ended {
            self.stops.remove(token);
            self.shared.mailboxes.close(*token);
            self.shared.shows.end(*token);
            self.measures.busy(self.attempts.len());
        }
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        let mut forgotten = Vec::new();
        for effect in effects {
            match effect {
                Effect::Start(order) => self.start(*order),
                Effect::Stop(token, stop) => {
                    if let Some(stops) = self.stops.get(&token) {
                        stops.send_replace(Some(stop));
                    }
                }
                Effect::Forget(token) => forgotten.push(token),
                Effect::Abandon(seq) => {
                    if let Some(call) = self.call_handles.remove(&seq) {
                        call.abort();
                        self.measures.sync_given_up();
                    }
                }
                Effect::Respond(ask) => self.respond(*ask),
                Effect::Tell(notice) => self.observer.observe(&notice),
            }
        }
        if !forgotten.is_empty() {
            let spool = self.spool.clone();
            self.chores.spawn(async move { spool.forget(forgotten).await });
        }
    }

    fn respond(&mut self, ask: Ask) {
        self.responses.spawn(respond(ask, self.shared.clone(), self.responders.clone()));
    }

    fn start(&mut self, order: Order) {
        let (token, tenant) = (order.token, order.tenant);
        let Some(executor) = self.executors.get(&order.spec.kind) else { return };
        let (stop, stops) = watch::channel(None);
        self.stops.insert(token, stop);
        self.shared.shows.begin(token);
        let shared = self.shared.clone();
        let driver = Driver {
            shared: shared.clone(),
            order,
            executor,
            outfit: self.outfit.clone(),
            spool: self.spool.clone(),
            observer: self.observer.clone(),
            measures: self.measures.clone(),
            stops,
        };
        self.attempts.spawn(async move {
            if AssertUnwindSafe(driver.drive()).catch_unwind().await.is_err() {
                let fault = Fault::retryable("panicked", "the runner's own code panicked");
                let outcome = Outcome::Errored(fault);
                let finish = Finish {
                    token,
                    tenant,
                    outcome,
                    result: None,
                    result_artifact: None,
                    missing: Vec::new(),
                    log_end: None,
                };
                shared.with(|session, now| session.finish(finish, now));
            }
            token
        });
        self.measures.busy(self.attempts.len());
    }
}
