//! Signals: commands sent to one runner that expect an answer.

use super::{
    Plane,
    session::{Identity, Pending},
};
use crate::{
    actors::records::{Batch, Versioned},
    rules::{
        record::{Record as _, RunnerRecord, SignalRecord, SignalState, Unknown},
        submission,
    },
    seams::store::StoreError,
    values::{
        id::{SignalId, TenantId},
        reply::{Answered, RefusalCode, Refused, Reply, Signalled},
        request::SignalRequest,
    },
};
use std::{pin::pin, time::Duration};

fn refused(code: RefusalCode, detail: impl Into<String>) -> Reply {
    Reply::Refused(Refused::new(code, detail))
}

impl Plane {
    pub(super) async fn signal(&self, tenant: TenantId, request: SignalRequest) -> Result<Reply, StoreError> {
        if let Err(refusal) = submission::name("kind", &request.kind) {
            return Ok(Reply::Refused(refusal));
        }
        if request.payload.len() > SignalRequest::PAYLOAD_BYTES_MAX {
            let (found, limit) = (request.payload.len(), SignalRequest::PAYLOAD_BYTES_MAX);
            let problem = format!("payload: has {found} bytes, and the limit is {limit}");
            return Ok(refused(RefusalCode::Invalid, problem));
        }
        let runner = self.records.load::<RunnerRecord>(RunnerRecord::key_of(tenant, request.to)).await?;
        let Some(runner) = runner.filter(|runner| !runner.record.removed) else {
            return Ok(refused(RefusalCode::NotFound, format!("to: there is no runner {}", request.to)));
        };
        let record = SignalRecord {
            tenant,
            id: request.id,
            to: request.to,
            kind: request.kind,
            payload: request.payload,
            expires_at: self.now() + request.expires_in.min(SignalRequest::EXPIRES_IN_MAX),
            state: SignalState::Waiting,
            unknown: Unknown::new(),
        };
        let who = Identity { tenant, pool: runner.record.pool, runner: request.to };
        let session = self.session(who);
        let mut live = session.live.lock().await;
        let mut batch = Batch::new();
        batch.put(0, &record);
        match self.records.commit(batch).await {
            Ok(_) => {}
            Err(StoreError::Conflict(_)) => return self.repeated_signal(&record).await,
            Err(error) => return Err(error),
        }
        self.due.hint(record.expires_at);
        let id = record.id;
        live.signals.insert(id, Pending { signal: Versioned { version: 1, record }, sent_at: None });
        drop(live);
        session.wake();
        Ok(Reply::Signalled(Signalled { signal: id }))
    }

    async fn repeated_signal(&self, record: &SignalRecord) -> Result<Reply, StoreError> {
        let stored = self.records.load::<SignalRecord>(record.key()).await?;
        let same = stored.is_some_and(|stored| {
            let stored = stored.record;
            (stored.to, stored.kind, stored.payload)
                == (record.to, record.kind.clone(), record.payload.clone())
        });
        if same {
            return Ok(Reply::Signalled(Signalled { signal: record.id }));
        }
        Ok(refused(RefusalCode::Conflict, "id: another signal has this id: draw a new one"))
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
