//! Who else serves this store. A control plane says that it is there only once it has heard of another,
//! so that one alone writes nothing. What is known is used to spare conflicts and work, never to decide.

use super::{Plane, lock};
use crate::{
    actors::records::{Batch, Versioned},
    rules::{
        precedence::Precedence,
        record::{Duty, DutyRecord, MemberRecord, Record as _},
    },
    seams::{clock::sleep, store::StoreError},
    values::{
        id::{LaneId, MemberId},
        key::Index,
        time::{BootTime, Timestamp},
    },
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::Notify;

/// How often a control plane says that it is there.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// How long one is believed to be there.
const BELIEVED_FOR: Duration = Duration::from_secs(15);

/// How long after it has heard of others a control plane goes on to say that it is there.
const COMPANY_FOR: Duration = Duration::from_secs(60);

/// How long a duty is held. Whoever holds it takes it again when half of that is over.
const DUTY_SPAN: Duration = Duration::from_secs(180);

/// When others were heard of.
#[derive(Debug, Default)]
pub(crate) struct Company {
    heard_at: Mutex<Option<BootTime>>,
    news: Notify,
    /// Who else is there, and where it is reached, if it has said so.
    reached: Mutex<Vec<(MemberId, Arc<str>)>>,
    /// Who is known to hold a duty, and until when: this control plane, or another.
    holder: Mutex<Option<(bool, Timestamp)>>,
}

impl Plane {
    /// Another control plane has written something.
    pub(super) fn heard_of_others(&self) {
        let now = self.clock.boot();
        let before = lock(&self.company.heard_at).replace(now);
        if before.is_none_or(|before| now.since(before) >= COMPANY_FOR) {
            self.company.news.notify_one();
        }
    }

    /// Another control plane has said that it is there, or is no more.
    pub(super) fn heard_of_member(&self, id: Option<[u8; 16]>) {
        if id.is_some_and(|id| id != *self.me.as_bytes()) {
            self.heard_of_others();
            self.company.news.notify_one();
        }
    }

    /// The others that are there and can be reached, and where.
    pub(super) fn reached(&self) -> Vec<(MemberId, Arc<str>)> {
        lock(&self.company.reached).clone()
    }

    /// Says that this control plane is there and finds out who else is, as long as there are others.
    pub(super) async fn serve_company(self: Arc<Self>) {
        let mut told_at = None;
        while !self.stopping.is_cancelled() {
            let heard_at = *lock(&self.company.heard_at);
            let has_company = heard_at.is_some_and(|at| self.clock.boot().since(at) < COMPANY_FOR);
            if has_company && let Err(error) = self.meet(&mut told_at).await {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "who else serves this store is not known"
                );
            }
            if !has_company && told_at.take().is_some() {
                lock(&self.company.reached).clear();
                self.scheduled(|schedule| schedule.set_precedence(Precedence::new(self.me, Vec::new())));
            }
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => {}
                () = self.company.news.notified() => {}
                () = sleep(&*self.clock, TELL_EVERY), if has_company => {}
            }
        }
        if told_at.is_some() {
            // Whoever is left need not wait for what this one would have granted.
            drop(self.leave().await);
        }
    }

    async fn meet(self: &Arc<Self>, told_at: &mut Option<BootTime>) -> Result<(), StoreError> {
        let now = self.now();
        if told_at.is_none_or(|at| self.clock.boot().since(at) >= TELL_EVERY) {
            let found = self.records.load::<MemberRecord>(MemberRecord::key_of(self.me)).await?;
            let version = found.map_or(0, |found| found.version);
            let mut batch = Batch::new();
            batch.put(version, &MemberRecord::new(self.me, now + BELIEVED_FOR, self.live.address()));
            self.records.commit(batch).await?;
            *told_at = Some(self.clock.boot());
        }
        let operator = self.records.operator();
        let members = operator.all::<MemberRecord>(Index::Listed, MemberRecord::listing()).await?;
        let (there, gone): (Vec<_>, Vec<_>) =
            members.into_iter().partition(|member| member.record.expires_at > now);
        let others: Vec<MemberRecord> =
            there.into_iter().map(|member| member.record).filter(|member| member.id != self.me).collect();
        *lock(&self.company.reached) = others
            .iter()
            .filter_map(|member| Some((member.id, Arc::from(member.address.as_deref()?))))
            .collect();
        let others = others.into_iter().map(|member| member.id).collect();
        self.scheduled(|schedule| schedule.set_precedence(Precedence::new(self.me, others)));
        for Versioned { version, record } in gone.into_iter().filter(|gone| gone.record.id != self.me) {
            let mut batch = Batch::new();
            batch.delete(record.key(), version);
            match self.records.commit(batch).await {
                // It is there after all, or somebody else has removed it.
                Ok(_) | Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn leave(&self) -> Result<(), StoreError> {
        let key = MemberRecord::key_of(self.me);
        let Some(found) = self.records.load::<MemberRecord>(key.clone()).await? else { return Ok(()) };
        let mut batch = Batch::new();
        batch.delete(key, found.version);
        self.records.commit(batch).await.map(drop)
    }

    /// Whether this control plane sees to a duty for all, for a while from now on.
    pub(super) async fn holds(&self, duty: Duty) -> Result<bool, StoreError> {
        if lock(&self.schedule).precedence().is_alone() {
            return Ok(true);
        }
        let now = self.now();
        let known = *lock(&self.company.holder);
        if let Some((mine, until)) = known
            && until > if mine { now + DUTY_SPAN / 2 } else { now }
        {
            return Ok(mine);
        }
        let found = self.records.load::<DutyRecord>(duty.key()).await?;
        let held = found.as_ref().map(|found| &found.record);
        let Some(taken) = DutyRecord::take(held, duty, self.me, now, DUTY_SPAN) else {
            *lock(&self.company.holder) = held.map(|held| (false, held.until));
            return Ok(false);
        };
        let mut batch = Batch::new();
        batch.put(found.map_or(0, |found| found.version), &taken);
        match self.records.commit(batch).await {
            Ok(_) => {
                *lock(&self.company.holder) = Some((true, taken.until));
                Ok(true)
            }
            Err(StoreError::Conflict(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Has runners that wait seek again when it is this control plane's turn.
    pub(super) fn await_turns(self: &Arc<Self>, turns: Vec<(LaneId, Timestamp)>) {
        for (lane, turn) in turns {
            let plane = Arc::clone(self);
            self.duties.spawn(async move {
                tokio::select! {
                    biased;
                    () = plane.stopping.cancelled() => return,
                    () = sleep(&*plane.clock, turn.since(plane.now())) => {}
                }
                plane.rescheduled(|schedule| schedule.turn_came(lane));
            });
        }
    }
}
