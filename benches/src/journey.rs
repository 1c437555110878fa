//! Jobs that travel from submit to their end over any transport.
//!
//! A traveller submits as a user and syncs as a runner of its own, by the plain messages of the
//! protocol, so that what is measured is the control plane and not a client. Travellers share
//! one pool: each is offered whichever job is next, not its own.

use crate::{
    sample::{Sample, Travelled},
    stopwatch::now,
};
use anyhow::{Context as _, bail, ensure};
use runners_core::{
    BootTime, Clock as _, Facts, Incarnation, JobId, JobOptions, JobSpec, Mode, Opaque, Outcome, Random as _,
    SystemClock, SystemRandom, Transport,
    protocol::{
        Acceptance, Finish, Offer, Reply, Request, Submission, SubmitRequest, SyncAnswer, SyncRequest,
    },
};
use std::time::Duration;

/// How many bytes a payload has.
pub const PAYLOAD_BYTES: usize = 500;

/// The kind of every job here.
pub const KIND: &str = "visit";

/// How long a sync may wait for a job.
const PARK_FOR: Duration = Duration::from_secs(20);

/// A user who submits, and a runner that takes what there is.
#[derive(Debug)]
pub struct Traveller<U, R> {
    user: U,
    runner: R,
    next: SyncRequest,
}

impl<U: Transport, R: Transport> Traveller<U, R> {
    /// One that is not known to the control plane yet.
    pub fn new(user: U, runner: R) -> Self {
        let facts = Facts { kinds: [KIND.to_owned()].into(), slots: 1, ..Facts::default() };
        let next = SyncRequest {
            incarnation: Incarnation { boots: 1, random: 1 },
            seq: 1,
            park_for: Duration::ZERO,
            facts_digest: facts.digest(),
            facts: Some(facts),
            intent: Mode::Serve,
            seen_generation: 0,
            free: 0,
            held: Vec::new(),
            declined: Vec::new(),
            finishes: Vec::new(),
            answers: Vec::new(),
            log_tails: Vec::new(),
            artifacts: Vec::new(),
            progress: Vec::new(),
        };
        Self { user, runner, next }
    }

    /// Makes itself known, without taking anything.
    ///
    /// # Errors
    /// If the control plane does not answer as it should.
    pub async fn arrive(&mut self) -> anyhow::Result<()> {
        self.sync().await?;
        self.next.facts = None;
        Ok(())
    }

    /// Lets jobs travel one after the other: submits one, is offered one, and finishes it with
    /// the sync that asks for the next.
    ///
    /// # Errors
    /// If anything is refused, fenced or lost.
    pub async fn travel_until(&mut self, until: BootTime) -> anyhow::Result<Travelled> {
        let mut travelled = Travelled::default();
        let mut owed = true;
        (self.next.free, self.next.park_for) = (1, PARK_FOR);
        while now() < until {
            if std::mem::take(&mut owed) {
                submit(&self.user, 1).await?;
            }
            for offer in self.turn(&mut travelled).await? {
                travelled.waits.push(now().since(sent_at(&offer)?));
                self.finish(&offer);
                owed = true;
            }
        }
        self.end(travelled).await
    }

    /// Takes jobs that were submitted before, one after the other, until it has taken `count`.
    ///
    /// # Errors
    /// If anything is refused, fenced or lost.
    pub async fn drain(&mut self, count: u64) -> anyhow::Result<Travelled> {
        let mut travelled = Travelled::default();
        (self.next.free, self.next.park_for) = (1, PARK_FOR);
        let mut taken = 0;
        while taken < count {
            for offer in self.turn(&mut travelled).await? {
                self.finish(&offer);
                taken += 1;
            }
        }
        self.end(travelled).await
    }

    /// Waits for jobs for ever, finishes each at once, and tells how long it took from the call
    /// that submitted it to the reply that offers it.
    ///
    /// # Errors
    /// If anything is refused, fenced or lost.
    pub async fn wait_for_jobs(&mut self, told: impl Fn(Duration)) -> anyhow::Result<()> {
        (self.next.free, self.next.park_for) = (1, PARK_FOR);
        loop {
            for offer in self.turn(&mut Travelled::default()).await? {
                told(now().since(sent_at(&offer)?));
                self.finish(&offer);
            }
        }
    }

    async fn end(&mut self, mut travelled: Travelled) -> anyhow::Result<Travelled> {
        (self.next.free, self.next.park_for) = (0, Duration::ZERO);
        self.turn(&mut travelled).await?;
        Ok(travelled)
    }

    async fn turn(&mut self, travelled: &mut Travelled) -> anyhow::Result<Vec<Offer>> {
        let told = self.next.finishes.len();
        let answer = self.sync().await?;
        ensure!(answer.fenced.is_empty() && answer.lost.is_empty(), "a job was taken away: {answer:?}");
        ensure!(answer.recorded.len() == told, "a finish was not recorded: {answer:?}");
        self.next.finishes.clear();
        travelled.lifecycles += told as u64;
        Ok(answer.offers)
    }

    async fn sync(&mut self) -> anyhow::Result<SyncAnswer> {
        let request = Request::Sync(Box::new(self.next.clone()));
        self.next.seq += 1;
        match self.runner.call(request).await? {
            Reply::Answer(answer) => Ok(*answer),
            other => bail!("a sync was answered with {other:?}"),
        }
    }

    fn finish(&mut self, offer: &Offer) {
        self.next.finishes.push(Finish {
            token: offer.token,
            tenant: None,
            outcome: Outcome::Passed,
            result: Some(Opaque::new(&b"42"[..])),
            result_artifact: None,
            missing: Vec::new(),
            log_end: None,
        });
    }
}

/// Has every traveller let jobs travel for `span`, all at once on the current runtime.
///
/// # Errors
/// If anything is refused, fenced or lost.
pub async fn travel<U, R>(travellers: Vec<Traveller<U, R>>, span: Duration) -> anyhow::Result<Sample>
where
    U: Transport,
    R: Transport,
{
    let until = now() + span;
    let travelling =
        travellers.into_iter().map(|mut traveller| async move { traveller.travel_until(until).await });
    Sample::together(travelling).await
}

/// Submits jobs in one call.
///
/// # Errors
/// If one of them is not accepted.
pub async fn submit(user: &impl Transport, count: usize) -> anyhow::Result<()> {
    let jobs = (0..count).map(|_| submission()).collect();
    match user.call(Request::Submit(SubmitRequest { jobs, run: None })).await? {
        Reply::Submitted(submitted) => {
            let accepted = submitted.jobs.iter().all(|job| matches!(job, Acceptance::Accepted(_)));
            ensure!(accepted, "a job was not accepted: {submitted:?}");
            Ok(())
        }
        other => bail!("a submit was answered with {other:?}"),
    }
}

/// A job whose payload tells when it was made.
#[must_use]
pub fn submission() -> Submission {
    let mut random = [0; 10];
    SystemRandom::default().fill(&mut random);
    let job = JobId::new(SystemClock::default().wall(), random);
    let sent = now().as_duration().as_nanos();
    let mut payload = format!("{sent:020} https://shop.test/checkout ");
    payload.extend(std::iter::repeat_n('x', PAYLOAD_BYTES - payload.len()));
    let spec = JobSpec::new(job, KIND, payload.as_bytes(), JobOptions::default());
    let spec = serde_json::to_vec(&spec).expect("a specification is plain data");
    let payload = Some(Opaque::from(payload.into_bytes()));
    Submission { spec: spec.into(), signature: None, payload, payload_artifact: None }
}

fn sent_at(offer: &Offer) -> anyhow::Result<BootTime> {
    let payload = offer.payload.as_ref().context("an offer has no payload")?;
    let digits = payload.as_bytes().get(..20).context("a payload is too short")?;
    let nanos = std::str::from_utf8(digits)?.parse()?;
    Ok(BootTime::from_duration(Duration::from_nanos(nanos)))
}
