//! Signals: commands sent to one runner, or to an attempt that it works on, that expect an answer.

use super::{
    Plane,
    author::Deed,
    session::{Identity, Live, Pending},
};
use crate::{
    actors::records::{Batch, Versioned},
    rules::{
        job::{JobRecord, State},
        record::{Record as _, RunnerRecord, SignalRecord, SignalState, Unknown},
        submission,
    },
    seams::store::StoreError,
    values::{
        fleet::audit::Author,
        id::{JobId, RunnerId, SignalId, TenantId},
        key::Kind,
        lease::FencingToken,
        reply::{Answered, RefusalCode, Refused, Reply, Signalled},
        request::SignalRequest,
        signal::SignalTarget,
    },
};
use std::{mem, pin::pin, sync::Arc, time::Duration};

/// How often a signal to an attempt that others change meanwhile is tried.
const ROUNDS_MAX: usize = 16;

/// How many signals may wait for one runner, those to its attempts included.
const WAITING_MAX: usize = 256;

fn refused(code: RefusalCode, detail: impl Into<String>) -> Reply {
    Reply::Refused(Refused::new(code, detail))
}

/// Where a signal goes.
struct Recipient {
    runner: RunnerId,
    /// The owner of the runner.
    host: TenantId,
    /// The attempt, and the job's version at which it ran.
    attempt: Option<(FencingToken, u64)>,
}

impl Plane {
    pub(super) async fn signal(
        self: &Arc<Self>,
        tenant: TenantId,
        request: SignalRequest,
        author: Option<Author>,
    ) -> Result<Reply, StoreError> {
        if let Err(refusal) = submission::name("kind", &request.kind) {
            return Ok(Reply::Refused(refusal));
        }
        if request.payload.len() > SignalRequest::PAYLOAD_BYTES_MAX {
            let (found, limit) = (request.payload.len(), SignalRequest::PAYLOAD_BYTES_MAX);
            let problem = format!("payload: has {found} bytes, and the limit is {limit}");
            return Ok(refused(RefusalCode::Invalid, problem));
        }
        for _ in 0..ROUNDS_MAX {
            let recipient = match request.to {
                SignalTarget::Runner(runner) => Recipient { runner, host: tenant, attempt: None },
                SignalTarget::Job(job) => match self.attempt_of(tenant, job).await? {
                    Ok(recipient) => recipient,
                    // A repeat is the same signal, whatever has become of the attempt.
                    Err(reply) => {
                        return self.sent_before(tenant, &request).await.map(|r| r.unwrap_or(reply));
                    }
                },
            };
            match self.signal_to(tenant, &request, recipient, author.clone()).await {
                Err(StoreError::Conflict(key)) if key.kind == Kind::Job => {}
                reply => return reply,
            }
        }
        Err(StoreError::Unavailable("the job changes faster than it can be signalled".into()))
    }

    /// The attempt of a job that runs now, or why there is none.
    async fn attempt_of(&self, tenant: TenantId, job: JobId) -> Result<Result<Recipient, Reply>, StoreError> {
        let found = self.records.tenant(tenant).load::<JobRecord>(JobRecord::key_of(tenant, job)).await?;
        let Some(found) = found else { return Ok(Err(super::client::no_job(job))) };
        let why = match found.record.state {
            State::Running { by, .. } => {
                let attempt = Some((found.record.token(), found.version));
                return Ok(Ok(Recipient { runner: by.runner, host: found.record.host(), attempt }));
            }
            State::Concluded { .. } => "has ended",
            _ => "does not run yet: wait until it does",
        };
        Ok(Err(refused(RefusalCode::NotRunning, format!("to: {job} {why}"))))
    }

    async fn signal_to(
        self: &Arc<Self>,
        tenant: TenantId,
        request: &SignalRequest,
        recipient: Recipient,
        author: Option<Author>,
    ) -> Result<Reply, StoreError> {
        let Recipient { runner: to, host, attempt } = recipient;
        let runner = self.records.load::<RunnerRecord>(RunnerRecord::key_of(host, to)).await?;
        let Some(runner) = runner.filter(|runner| !runner.record.removed) else {
            return Ok(refused(RefusalCode::NotFound, format!("to: there is no runner {to}")));
        };
        let record = SignalRecord {
            tenant,
            id: request.id,
            to,
            attempt: attempt.map(|(token, _)| token),
            hosted: host != tenant,
            kind: request.kind.clone(),
            payload: request.payload.clone(),
            expires_at: self.now() + request.expires_in.min(SignalRequest::EXPIRES_IN_MAX),
            state: SignalState::Waiting,
            forget_at: None,
            unknown: Unknown::new(),
        };
        let session = self.session(Identity { tenant: host, pool: runner.record.pool, runner: to });
        let mut live = session.live.lock().await;
        let told_as = record.told_as();
        if live.signals.len() >= WAITING_MAX && !live.signals.contains_key(&told_as) {
            let problem = format!("to: {WAITING_MAX} signals wait for {to}, which is the limit: try later");
            return Ok(refused(RefusalCode::Exhausted, problem));
        }
        let mut batch = Batch::new();
        batch.put(0, &record);
        if let Some((token, version)) = attempt {
            batch.expect(JobRecord::key_of(tenant, token.job), version);
        }
        if let Some(author) = author {
            let (subject, of) = match request.to {
                SignalTarget::Runner(runner) => ("runner", runner.to_string()),
                SignalTarget::Job(job) => ("job", job.to_string()),
            };
            let deed = Deed::new("signalled", subject).called(&request.kind);
            batch.put(0, &self.audit_record(tenant, author, deed, of));
        }
        // If this future is dropped in the commit, or nobody knows what came of it, the session is read again.
        let loaded = mem::replace(&mut live.loaded, false);
        match self.records.commit(batch).await {
            Ok(_) => live.loaded = loaded,
            Err(StoreError::Conflict(key)) if key == record.key() => {
                // Nobody may have heard here that it was sent, so `loaded` stays as it is.
                drop(live);
                session.wake();
                let before = self.sent_before(tenant, request).await?;
                let problem = "id: another signal has this id: draw a new one";
                return Ok(before.unwrap_or_else(|| refused(RefusalCode::Conflict, problem)));
            }
            Err(error) => {
                live.loaded = loaded && matches!(error, StoreError::Conflict(_));
                return Err(error);
            }
        }
        self.due.hint(record.expires_at);
        let id = record.id;
        live.signals.insert(told_as, Pending { signal: Versioned { version: 1, record }, sent_at: None });
        drop(live);
        session.wake();
        Ok(Reply::Signalled(Signalled { signal: id }))
    }

    /// The answer to a request that is a repeat.
    async fn sent_before(
        &self,
        tenant: TenantId,
        request: &SignalRequest,
    ) -> Result<Option<Reply>, StoreError> {
        let stored = self.records.load::<SignalRecord>(SignalRecord::key_of(tenant, request.id)).await?;
        let same = stored.is_some_and(|stored| {
            let stored = stored.record;
            let to = match stored.attempt {
                Some(token) => SignalTarget::Job(token.job),
                None => SignalTarget::Runner(stored.to),
            };
            (to, &stored.kind, &stored.payload) == (request.to, &request.kind, &request.payload)
        });
        Ok(same.then_some(Reply::Signalled(Signalled { signal: request.id })))
    }

    /// Answers the signals to attempts that have ended: nobody else will.
    pub(super) async fn end_signals(&self, live: &mut Live) -> Result<(), StoreError> {
        let gone = |pending: &Pending| {
            let attempt = pending.signal.record.attempt;
            attempt.is_some_and(|token| live.job(token).is_none())
        };
        let mut ended: Vec<Versioned<SignalRecord>> =
            live.signals.values().filter(|pending| gone(pending)).map(|p| p.signal.clone()).collect();
        if ended.is_empty() {
            return Ok(());
        }
        let mut batch = Batch::new();
        for Versioned { version, record } in &mut ended {
            record.end(SignalRecord::attempt_ended(), self.now());
            batch.put(*version, record);
        }
        let loaded = mem::replace(&mut live.loaded, false);
        self.records.commit(batch).await?;
        live.loaded = loaded;
        for Versioned { record, .. } in ended {
            live.signals.remove(&record.told_as());
            self.subjects.changed(&record.key());
        }
        Ok(())
    }

    /// Does what is due of a signal: it expires, and in the end it is forgotten.
    pub(super) async fn due_signal(&self, signal: Versioned<SignalRecord>) -> Result<(), StoreError> {
        let (now, mut record) = (self.now(), signal.record);
        let mut batch = Batch::new();
        match record.state {
            SignalState::Waiting if record.expires_at <= now => {
                record.end(SignalState::Expired, now);
                batch.put(signal.version, &record);
            }
            SignalState::Waiting => return Ok(()),
            _ if record.forget_at.is_some_and(|at| at <= now) => batch.delete(record.key(), signal.version),
            _ => return Ok(()),
        }
        self.records.commit(batch).await?;
        record.forget_at.into_iter().for_each(|at| self.due.hint(at));
        self.subjects.changed(&record.key());
        Ok(())
    }

    /// Answers what came of a signal, once it is known or the wait is over.
    pub(super) async fn await_answer(
        &self,
        tenant: TenantId,
        signal: SignalId,
        park_for: Duration,
    ) -> Result<Reply, StoreError> {
        let until = self.clock.boot() + park_for.min(self.spans.park_max);
        let key = SignalRecord::key_of(tenant, signal);
        let subject = self.subjects.wait_for(key.clone());
        loop {
            let mut changed = pin!(subject.notified());
            changed.as_mut().enable();
            let Some(found) = self.records.load::<SignalRecord>(key.clone()).await? else {
                return Ok(refused(RefusalCode::NotFound, format!("signal: there is no signal {signal}")));
            };
            let over = self.clock.boot() >= until || self.stopping.is_cancelled();
            match found.record.state {
                SignalState::Answered(outcome) => return Ok(Reply::Answered(Answered::Outcome(outcome))),
                SignalState::Expired => return Ok(Reply::Answered(Answered::Expired)),
                SignalState::Waiting if over => return Ok(Reply::Answered(Answered::Waiting)),
                SignalState::Waiting => {}
            }
            tokio::select! {
                biased;
                () = changed => {}
                () = self.stopping.cancelled() => {}
                () = self.clock.sleep_until(until) => {}
            }
        }
    }
}
