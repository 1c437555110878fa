//! What a runner says and does, rule by rule, without a clock or a network.

mod leases;
mod telling;
mod timing;

use super::*;
use crate::{
    actors::{keeper::Trust, runner::pacing::PARK},
    seams::{
        executor::{Executors, Product},
        transport::TransportError,
    },
    values::{
        id::JobId,
        job::{JobOptions, JobSpec},
        opaque::Opaque,
        reply::{Reply, Superseded},
        result::Fault,
        sync::{Offer, SyncAnswer, SyncRequest},
    },
};
use async_trait::async_trait;
use bytes::Bytes;

pub(super) const TERM: Duration = Duration::from_secs(180);
pub(super) const SPREAD: Duration = Duration::from_secs(1);
pub(super) const START_WITHIN: Duration = Duration::from_secs(15);

/// A session on a bench: time stands still unless it is moved.
pub(super) struct Bench {
    pub(super) session: Session,
    pub(super) executors: Executors,
    pub(super) now: BootTime,
}

struct Never;

#[async_trait]
impl crate::seams::executor::ErasedExecutor for Never {
    async fn execute(&self, _payload: Bytes, _attempt: crate::Attempt) -> Result<Product, Fault> {
        Err(Fault::permanent("never", "nothing is executed on a bench"))
    }
}

impl Bench {
    pub(super) fn new(slots: u32) -> Self {
        Self::with_spool(slots, Vec::new())
    }

    pub(super) fn with_spool(slots: u32, spooled: Vec<Finish>) -> Self {
        let now = BootTime::from_duration(Duration::from_secs(5000));
        let executors = Executors::default().named("add", Never);
        let facts = Facts { slots, ..Facts::default() };
        let incarnation = Incarnation { boots: 1, random: 2 };
        let session = Session::new(incarnation, facts, Pacing::new(PARK), spooled);
        Self { session, executors, now }
    }

    pub(super) fn pass(&mut self, span: Duration) {
        self.now = self.now + span;
        self.session.overdue(self.now, &|| 1.0);
    }

    pub(super) fn next(&self) -> Next {
        self.session.next(self.now)
    }

    pub(super) fn sends(&self) -> bool {
        self.next() == Next::Send
    }

    pub(super) fn send(&mut self) -> SyncRequest {
        self.session.send(self.now)
    }

    pub(super) fn reply(&mut self, seq: u64, reply: Result<Reply, TransportError>) -> Vec<Effect> {
        self.session.answered(seq, reply, &self.executors, self.now, &|| 1.0);
        self.session.effects()
    }

    pub(super) fn answer(&mut self, answer: SyncAnswer) -> Vec<Effect> {
        self.reply(answer.seq, Ok(Reply::Answer(Box::new(answer))))
    }

    pub(super) fn superseded(&mut self, seq: u64) {
        self.reply(seq, Ok(Reply::Superseded(Superseded { seq, spread: SPREAD })));
    }

    pub(super) fn unreachable(&mut self, seq: u64) -> Vec<Effect> {
        self.reply(seq, Err(TransportError::Unreachable("cut".into())))
    }

    /// Has the first request answered, which is never parked.
    pub(super) fn greet(&mut self) {
        let seq = self.send().seq;
        self.answer(answer(seq));
    }

    /// Sends, is offered a job, confirms it and has that answered. The job then runs.
    pub(super) fn running(&mut self, number: u8) -> FencingToken {
        let seq = self.send().seq;
        self.answer(SyncAnswer { offers: vec![offer(number, 1)], ..answer(seq) });
        let seq = self.send().seq;
        self.answer(SyncAnswer { term: Some(TERM), ..answer(seq) });
        token(number, 1)
    }
}

pub(super) fn token(number: u8, grant: u64) -> FencingToken {
    FencingToken { job: JobId::from_bytes([number; 16]), grant }
}

pub(super) fn offer(number: u8, grant: u64) -> Offer {
    offer_of(number, grant, "add")
}

pub(super) fn offer_of(number: u8, grant: u64, kind: &str) -> Offer {
    let token = token(number, grant);
    let spec = JobSpec::new(token.job, kind, b"[1,2]", JobOptions::default());
    Offer {
        token,
        tenant: None,
        attempt: 1,
        start_within: START_WITHIN,
        spec: serde_json::to_vec(&spec).unwrap().into(),
        signature: None,
        payload: Some(Opaque::new(&b"[1,2]"[..])),
        payload_artifact: None,
        image: None,
    }
}

pub(super) fn answer(seq: u64) -> SyncAnswer {
    SyncAnswer {
        seq,
        term: None,
        lost: Vec::new(),
        cancel: Vec::new(),
        recorded: Vec::new(),
        fenced: Vec::new(),
        heard: Vec::new(),
        logged: Vec::new(),
        attached: Vec::new(),
        offers: Vec::new(),
        signals: Vec::new(),
        desired: None,
        send_facts: false,
        no_more: false,
        spread: SPREAD,
        park_max: SyncRequest::PARK_MAX,
    }
}

pub(super) fn finish(token: FencingToken) -> Finish {
    Finish {
        token,
        tenant: None,
        outcome: Outcome::Passed,
        result: Some(Opaque::new(&b"3"[..])),
        result_artifact: None,
        missing: Vec::new(),
        log_end: None,
    }
}

pub(super) fn started(effects: &[Effect]) -> Vec<FencingToken> {
    let started = effects.iter().filter_map(|effect| match effect {
        Effect::Start(order) => Some(order.token),
        _ => None,
    });
    started.collect()
}

pub(super) fn stops(effects: &[Effect]) -> Vec<(FencingToken, StopReason)> {
    let stops = effects.iter().filter_map(|effect| match effect {
        Effect::Stop(token, stop) => Some((*token, stop.why)),
        _ => None,
    });
    stops.collect()
}

pub(super) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
