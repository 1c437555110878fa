//! One stream, from the moment somebody wants it: the runner is asked, its coming is awaited, its end is told.

use super::Claims;
use crate::{
    actors::{
        control_plane::{Plane, lock},
        turn::{Turn, Turns},
    },
    rules::{
        job::{JobRecord, State},
        live::{Ending, LiveStream},
    },
    seams::{
        clock::{Clock, sleep},
        metrics::control_plane as instruments,
        random,
        store::StoreError,
    },
    values::{
        command::Command as _,
        id::{RunnerId, SignalId, StreamId, TenantId},
        lease::FencingToken,
        reply::{Answered, RefusalCode, Refused, Reply},
        request::SignalRequest,
        signal::SignalTarget,
        sync::SignalOutcome,
        time::BootTime,
        view::{OpenStream, StreamView},
    },
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

/// How long a runner may take to answer that it comes.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// How long an attempt that could not be shown tells why.
const TROUBLE_KEPT: Duration = Duration::from_secs(5 * 60);

/// Who shows what to whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opening {
    pub(crate) runner: RunnerId,
    /// The owner of the runner.
    pub(crate) host: TenantId,
    pub(crate) attempt: u32,
}

/// A live view that is open.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) id: StreamId,
    pub(super) tenant: TenantId,
    pub(super) token: FencingToken,
    pub(super) opening: Opening,
    clock: Arc<dyn Clock>,
    rules: Mutex<LiveStream>,
    turn: Turn,
    /// Counts connections of the runner: only the newest one counts.
    connections: Mutex<u64>,
}

impl Opening {
    /// What is to be shown of a job, if the attempt of `token` runs.
    pub(crate) fn of(job: &JobRecord, token: FencingToken) -> Result<Self, Refused> {
        let State::Running { by, attempt, .. } = job.state else {
            let why = match job.state {
                State::Concluded { .. } => "has ended: look at what it left",
                _ => "does not run: there is something to see once it does",
            };
            return Err(Refused::new(RefusalCode::NotRunning, format!("job: {} {why}", job.id)));
        };
        if job.token() != token {
            return Err(Refused::new(RefusalCode::NotRunning, "attempt: it has ended, and another one runs"));
        }
        Ok(Self { runner: by.runner, host: job.host(), attempt })
    }
}

impl Stream {
    pub(super) fn new(plane: &Plane, claims: &Claims, opening: Opening) -> Self {
        let clock = Arc::clone(&plane.clock);
        Self {
            id: random::id(&*plane.random, plane.now(), StreamId::new),
            tenant: claims.tenant,
            token: claims.token,
            opening,
            rules: Mutex::new(LiveStream::new(clock.boot(), plane.live.options().wish_max)),
            clock,
            turn: Turn::default(),
            connections: Mutex::default(),
        }
    }

    /// Changes it, and has everybody look at it.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut LiveStream, BootTime) -> T) -> T {
        let changed = self.look(change);
        self.turn.next();
        changed
    }

    /// Looks at it, or changes what concerns nobody else.
    pub(super) fn look<T>(&self, look: impl FnOnce(&mut LiveStream, BootTime) -> T) -> T {
        let now = self.clock.boot();
        look(&mut lock(&self.rules), now)
    }

    pub(super) fn turns(&self) -> Turns {
        self.turn.subscribe()
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    pub(super) fn is_over(&self) -> bool {
        self.look(|rules, _| rules.is_over())
    }

    /// The runner has come. Its number is good until it comes again.
    pub(super) fn connect(&self, takes_input: bool) -> u64 {
        let mut connections = lock(&self.connections);
        *connections += 1;
        let number = *connections;
        drop(connections);
        self.change(|rules, _| rules.connected(takes_input));
        number
    }

    /// Whether no later connection has taken the place of this one.
    pub(super) fn is_newest(&self, connection: u64) -> bool {
        *lock(&self.connections) == connection
    }

    pub(super) fn view(&self) -> StreamView {
        self.look(|rules, _| StreamView {
            stream: self.id,
            attempt: self.opening.attempt,
            phase: rules.public_phase(),
            viewers: rules.viewers(),
            last_error: match rules.ending() {
                Some(ending) if ending.is_trouble() => Some(ending.detail.clone()),
                _ => rules.last_error().map(str::to_owned),
            },
        })
    }
}

impl Plane {
    /// Keeps a stream until it is over: asks its runner to come, and ends what takes too long.
    pub(super) async fn tend(self: Arc<Self>, stream: Arc<Stream>) {
        let (id, job, runner) = (stream.id, stream.token.job, stream.opening.runner);
        tracing::info!(stream = %id, %job, %runner, "open_stream: the runner is asked to show an attempt");
        self.measures.relay(&instruments::RELAY_CONNECTIONS);
        let late = tokio::select! {
            // First: whoever waits for an answer is told at once, again and again, that there is none any more.
            biased;
            () = self.stopping.cancelled() => {
                stream.change(|rules, _| rules.end(Ending::new("stopping", "the control plane is stopping")));
                false
            }
            late = keep(&stream) => late,
            ending = self.ask(&stream) => {
                let is_unreached = ending.reason == OpenStream::RELAY_UNREACHABLE;
                stream.change(|rules, _| rules.end(ending));
                is_unreached
            }
        };
        if late {
            self.measures.relay(&instruments::RELAY_TIMEOUTS);
        }
        let ending = stream.look(|rules, _| rules.ending().cloned());
        let Some(ending) = ending else { return self.live.forget(&stream) };
        let Ending { reason, detail } = &ending;
        tracing::info!(stream = %id, %job, reason, detail, "the live view is over");
        if ending.is_trouble() {
            // Whoever asks for the job is told what was wrong, for a while.
            tokio::select! {
                () = sleep(&*self.clock, TROUBLE_KEPT) => {}
                () = self.stopping.cancelled() => {}
            }
        }
        self.live.forget(&stream);
    }

    /// Asks the runner to come. Completes only if it does not.
    async fn ask(self: &Arc<Self>, stream: &Stream) -> Ending {
        let command = OpenStream { stream: stream.id, token: stream.token };
        let request = SignalRequest {
            id: random::id(&*self.random, self.now(), SignalId::new),
            to: SignalTarget::Job(stream.token.job),
            kind: OpenStream::KIND.to_owned(),
            payload: serde_json::to_vec(&command).expect("a command is plain data").into(),
            expires_in: ANSWER_WITHIN,
        };
        match self.signal(stream.tenant, request, None).await {
            Ok(Reply::Signalled(sent)) => self.answered(stream.tenant, sent.signal).await,
            Ok(Reply::Refused(refused)) => Ending::new(refused.code.as_str(), refused.detail),
            Ok(_) => Ending::new("unavailable", "the control plane cannot ask the runner"),
            Err(error) => unavailable(&error),
        }
    }

    async fn answered(&self, tenant: TenantId, signal: SignalId) -> Ending {
        loop {
            match self.await_answer(tenant, signal, self.spans.park_max).await {
                Ok(Reply::Answered(Answered::Waiting)) => {}
                Ok(Reply::Answered(Answered::Outcome(SignalOutcome::Result(_)))) => {
                    return std::future::pending().await;
                }
                Ok(Reply::Answered(Answered::Outcome(SignalOutcome::Fault(fault)))) => {
                    return Ending::new(fault.code, fault.message);
                }
                Ok(_) => {
                    return Ending::new(
                        "unanswered",
                        "the runner did not answer: it may be offline, or an older release",
                    );
                }
                Err(error) => return unavailable(&error),
            }
        }
    }
}

/// Waits until a stream is over, and ends what takes too long. Answers whether that was the runner's coming.
async fn keep(stream: &Stream) -> bool {
    let mut turns = stream.turns();
    let mut late = false;
    loop {
        late |= stream.look(LiveStream::overdue);
        let Some(due_at) = stream.look(|rules, _| rules.due_at()) else {
            if stream.is_over() {
                stream.change(|_, _| {});
                return late;
            }
            turns.changed().await;
            continue;
        };
        tokio::select! {
            () = turns.changed() => {}
            () = stream.clock().sleep_until(due_at) => {}
        }
    }
}

fn unavailable(error: &StoreError) -> Ending {
    tracing::warn!(error = error as &dyn std::error::Error, "a runner could not be asked for a live view");
    Ending::new("unavailable", "the control plane cannot ask the runner now: try again later")
}
