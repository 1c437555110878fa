//! A runner that is driven by hand: it sends exactly the syncs that a test tells it to.

use runners_core::{
    Caller, ControlPlane, Digest, Facts, FencingToken, Incarnation, JobId, JobOptions, JobSpec, Management,
    Opaque, Outcome, PoolId, Principal, RunnerId, Scope, TenantId, Transport as _,
    protocol::{
        Acceptance, Finish, Held, InspectRequest, JobView, Phase, Reply, Request, Submission, SubmitRequest,
        SyncAnswer, SyncRequest,
    },
};
use std::time::Duration;

/// A runner that is driven by hand.
#[derive(Clone)]
pub(crate) struct Hand {
    pub(crate) caller: Caller,
    pub(crate) next: SyncRequest,
}

impl Hand {
    /// A runner of the default pool that knows the kind `visit`.
    pub(crate) fn new(control: &ControlPlane, number: u8) -> Self {
        Self::in_pool(control, number, PoolId::DEFAULT)
    }

    /// As [`new`](Self::new), of another pool.
    pub(crate) fn in_pool(control: &ControlPlane, number: u8, pool: PoolId) -> Self {
        Self::of(control, number, TenantId::DEFAULT, pool)
    }

    /// As [`new`](Self::new), of another tenant and pool.
    pub(crate) fn of(control: &ControlPlane, number: u8, tenant: TenantId, pool: PoolId) -> Self {
        let runner = RunnerId::from_bytes([number; 16]);
        let principal = Principal::Runner { tenant, pool, runner };
        let facts = Facts { kinds: ["visit".to_owned()].into(), slots: 2, ..Facts::default() };
        let next = SyncRequest {
            incarnation: Incarnation { boots: 1, random: 1 },
            seq: 1,
            park_for: Duration::ZERO,
            facts_digest: facts.digest(),
            facts: Some(facts),
            intent: runners_core::Mode::Serve,
            seen_generation: 0,
            free: 2,
            held: Vec::new(),
            declined: Vec::new(),
            finishes: Vec::new(),
            answers: Vec::new(),
            log_tails: Vec::new(),
            artifacts: Vec::new(),
            progress: Vec::new(),
        };
        Self { caller: control.caller(principal), next }
    }

    /// The same runner, started again.
    pub(crate) fn restarted(&self) -> Self {
        let mut again = self.clone();
        again.next.incarnation.boots += 1;
        again.next.seq = 1;
        again.next.held.clear();
        again.next.finishes.clear();
        again
    }

    /// Sends the next sync, whatever the reply.
    pub(crate) async fn send(&mut self) -> Reply {
        let request = Request::Sync(Box::new(self.next.clone()));
        self.next.seq += 1;
        self.caller.call(request).await.expect("the control plane is in this process")
    }

    /// Sends the next sync, which must be answered.
    pub(crate) async fn sync(&mut self) -> SyncAnswer {
        match self.send().await {
            Reply::Answer(answer) => *answer,
            other => panic!("expected an answer, got {other:?}"),
        }
    }

    /// Takes up everything that was offered, so that the next sync confirms it.
    pub(crate) fn hold(&mut self, answer: &SyncAnswer) -> Vec<FencingToken> {
        let tokens: Vec<_> = answer.offers.iter().map(|offer| offer.token).collect();
        self.next.held.extend(tokens.iter().map(|token| Held { token: *token, phase: Phase::Running }));
        self.next.free -= u32::try_from(tokens.len()).unwrap();
        tokens
    }

    /// Ends an attempt, so that the next sync tells it.
    pub(crate) fn finish(&mut self, token: FencingToken, outcome: Outcome, result: Option<&str>) {
        self.next.held.retain(|held| held.token != token);
        self.next.free += 1;
        let result = result.map(|text| Opaque::new(text.as_bytes().to_vec()));
        self.next.finishes.push(Finish {
            token,
            tenant: None,
            outcome,
            result,
            result_artifact: None,
            missing: Vec::new(),
            log_end: None,
        });
    }
}

pub(crate) fn runner_principal(runner: RunnerId) -> Principal {
    // `Principal` can grow variants but not fields, so hosts build it as it stands.
    Principal::Runner { tenant: TenantId::DEFAULT, pool: PoolId::DEFAULT, runner }
}

pub(crate) fn runner_principal_of(number: u8) -> Principal {
    runner_principal(RunnerId::from_bytes([number; 16]))
}

/// A user of the default tenant who may do everything.
pub(crate) fn user(control: &ControlPlane) -> Caller {
    let scopes = [Scope::Submit, Scope::Read, Scope::Admin].into();
    control.caller(Principal::Api { tenant: TenantId::DEFAULT, scopes })
}

/// A job of the kind `visit`.
pub(crate) fn submission(number: u8, options: JobOptions) -> Submission {
    submission_of(number, options, Opaque::new(&b"{}"[..]))
}

fn submission_of(number: u8, options: JobOptions, payload: Opaque) -> Submission {
    let spec = JobSpec::new(JobId::from_bytes([number; 16]), "visit", payload.as_bytes(), options);
    assert_eq!(spec.payload_digest, Digest::of(payload.as_bytes()));
    let spec = serde_json::to_vec(&spec).unwrap().into();
    Submission { spec, signature: None, payload: Some(payload), payload_artifact: None }
}

pub(crate) async fn submit_with(user: &Caller, number: u8, options: JobOptions) -> Acceptance {
    submit_one(user, submission(number, options)).await
}

/// Submits a job whose payload has so many bytes.
pub(crate) async fn submit_body(user: &Caller, number: u8, bytes: usize) {
    let payload = Opaque::new(format!("\"{}\"", "a".repeat(bytes - 2)).into_bytes());
    let accepted = submit_one(user, submission_of(number, JobOptions::default(), payload)).await;
    assert!(matches!(accepted, Acceptance::Accepted(_)), "{accepted:?}");
}

async fn submit_one(user: &Caller, submission: Submission) -> Acceptance {
    let request = SubmitRequest { jobs: vec![submission], run: None };
    match user.call(Request::Submit(request)).await.unwrap() {
        Reply::Submitted(mut submitted) => submitted.jobs.pop().unwrap(),
        other => panic!("expected acceptances, got {other:?}"),
    }
}

/// Submits a job with default options.
pub(crate) async fn submit(user: &Caller, number: u8) -> JobId {
    match submit_with(user, number, JobOptions::default()).await {
        Acceptance::Accepted(job) => job,
        other => panic!("expected it to be accepted, got {other:?}"),
    }
}

pub(crate) async fn inspect(user: &Caller, job: JobId) -> JobView {
    match user.call(Request::Inspect(InspectRequest { job })).await.unwrap() {
        Reply::Job(view) => *view,
        other => panic!("expected a job, got {other:?}"),
    }
}

/// What the operator may do with the default tenant.
pub(crate) fn operator(control: &ControlPlane) -> Management {
    control.management(Principal::Operator).within(TenantId::DEFAULT).unwrap()
}
