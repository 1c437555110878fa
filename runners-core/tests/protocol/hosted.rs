//! Hosted execution: jobs of tenants on runners of the operator, and what each of them does not learn
//! of the others.

mod sharing;

use super::{
    control,
    hand::{Hand, inspect, submission},
};
use runners_core::{
    Caller, Conclusion, ControlPlane, Digest, Fallback, Feature, HostedError, HostedExecution, HostedJob,
    JobId, JobOptions, MemoryStore, Opaque, Outcome, PoolId, PoolSpec, Principal, Rollout, Route, RunnerId,
    Scope, Sharing, TenantId, Transport as _,
    protocol::{
        Acceptance, Attachment, CancelRequest, CancelTarget, InspectRequest, LogTail, Progress,
        ReadLogRequest, RefusalCode, Refused, Reply, Request, SubmitRequest,
    },
};
use std::time::Duration;

const ANNA: TenantId = TenantId::from_bytes([7; 16]);
const BERT: TenantId = TenantId::from_bytes([8; 16]);

/// The environment of every guest that leads to hosted execution.
const CLOUD: &str = "cloud";

fn guest(tenant: TenantId) -> Principal {
    Principal::Api { tenant, scopes: Scope::ALL.into() }
}

/// A pool of the operator that is shared like this.
async fn shared(control: &ControlPlane, name: &str, sharing: Sharing) -> PoolId {
    let spec = PoolSpec { sharing, ..PoolSpec::new(name) };
    control.management(Principal::Operator).create_pool(spec).await.unwrap().id
}

/// A user of `tenant`, which has an environment that leads to hosted execution.
async fn user(control: &ControlPlane, tenant: TenantId) -> Caller {
    control.management(guest(tenant)).route_environment(CLOUD, Route::Hosted).await.unwrap();
    control.caller(guest(tenant))
}

fn hosted() -> JobOptions {
    JobOptions { environment: Some(CLOUD.into()), ..JobOptions::default() }
}

async fn submit_as(user: &Caller, number: u8, options: JobOptions) -> Acceptance {
    let request = SubmitRequest { jobs: vec![submission(number, options)], run: None };
    match user.call(Request::Submit(request)).await.unwrap() {
        Reply::Submitted(mut submitted) => submitted.jobs.pop().unwrap(),
        other => panic!("expected acceptances, got {other:?}"),
    }
}

async fn submit(user: &Caller, number: u8) -> JobId {
    match submit_as(user, number, hosted()).await {
        Acceptance::Accepted(job) => job,
        other => panic!("expected it to be accepted, got {other:?}"),
    }
}

async fn refusal(user: &Caller, number: u8, options: JobOptions) -> Refused {
    match submit_as(user, number, options).await {
        Acceptance::Refused(refused) => refused,
        other => panic!("expected it to be refused, got {other:?}"),
    }
}

async fn knows(caller: &Caller, job: JobId) -> bool {
    let request = Request::Inspect(InspectRequest { job });
    matches!(caller.call(request).await.unwrap(), Reply::Job(_))
}

#[tokio::test]
async fn a_hosted_job_is_executed_by_the_operator_and_stays_its_tenants() {
    let control = control().await;
    let pool = shared(&control, "shared", Sharing::Everyone).await;
    let anna = user(&control, ANNA).await;
    let mut hand = Hand::of(&control, 1, TenantId::OPERATOR, pool);
    let job = submit(&anna, 1).await;
    let answer = hand.sync().await;
    assert_eq!(answer.offers[0].tenant, Some(ANNA));
    let token = hand.hold(&answer)[0];
    hand.next.log_tails = vec![LogTail { token, offset: 0, bytes: Opaque::new(&b"hello"[..]) }];
    hand.next.artifacts = vec![Attachment {
        token,
        name: "shot.png".into(),
        digest: Digest::of(b"shot"),
        length: 4,
        media_type: "image/png".into(),
    }];
    hand.next.progress = vec![Progress { token, number: 1, text: "half".into() }];
    let confirmed = hand.sync().await;
    assert!(confirmed.term.is_some());
    assert_eq!(inspect(&anna, job).await.progress.as_deref(), Some("half"));
    assert_eq!((confirmed.logged[0].offset, confirmed.attached.len()), (5, 1));
    hand.next.log_tails.clear();
    hand.next.artifacts.clear();
    hand.next.progress.clear();
    hand.finish(token, Outcome::Passed, Some("42"));
    assert_eq!(hand.sync().await.recorded, [token]);

    let view = inspect(&anna, job).await;
    assert_eq!(view.conclusion(), Some(Conclusion::Passed));
    assert_eq!((view.pool.as_str(), view.artifacts[0].name.as_str()), ("hosted", "shot.png"));
    assert_eq!(view.result.unwrap().as_bytes().as_ref(), b"42");
    let read = ReadLogRequest { job, grant: None, from: 0, park_for: Duration::ZERO };
    let Reply::Log(log) = anna.call(Request::ReadLog(read)).await.unwrap() else { panic!("there is a log") };
    assert_eq!(log.chunks[0].bytes.as_bytes().as_ref(), b"hello");
    for other in [guest(BERT), guest(TenantId::DEFAULT), Principal::Operator] {
        assert!(!knows(&control.caller(other.clone()), job).await, "{other:?}");
    }
}

#[tokio::test]
async fn a_finish_that_is_told_again_is_found_under_its_tenant() {
    let store = MemoryStore::default();
    let control = ControlPlane::builder(store.clone()).start().await.unwrap();
    let pool = shared(&control, "shared", Sharing::Everyone).await;
    let anna = user(&control, ANNA).await;
    let mut hand = Hand::of(&control, 1, TenantId::OPERATOR, pool);
    submit(&anna, 1).await;
    let answer = hand.sync().await;
    let token = hand.hold(&answer)[0];
    hand.finish(token, Outcome::Passed, Some("42"));
    hand.next.finishes[0].tenant = Some(ANNA);
    assert_eq!(hand.sync().await.recorded, [token]);
    control.stop().await.unwrap();

    let restarted = ControlPlane::builder(store).start().await.unwrap();
    let mut again = Hand::of(&restarted, 1, TenantId::OPERATOR, pool);
    again.next = hand.next.clone();
    assert_eq!(again.sync().await.recorded, [token]);
    let mut of_another = Hand::of(&restarted, 1, TenantId::OPERATOR, pool);
    of_another.next = again.next.clone();
    of_another.next.finishes[0].tenant = Some(BERT);
    assert_eq!(of_another.sync().await.fenced, [token], "nobody's job of that id");
    let stranger = TenantId::from_bytes([9; 16]);
    let mut stranger = Hand::of(&restarted, 2, stranger, PoolId::from_bytes([9; 16]));
    stranger.next.finishes = again.next.finishes.clone();
    assert_eq!(stranger.sync().await.fenced, [token], "only the operator's runners work for others");
}

#[tokio::test]
async fn what_runs_hosted_goes_on_over_a_restart_and_is_stopped_by_its_tenant() {
    let store = MemoryStore::default();
    let control = ControlPlane::builder(store.clone()).start().await.unwrap();
    let pool = shared(&control, "shared", Sharing::Everyone).await;
    let anna = user(&control, ANNA).await;
    let mut hand = Hand::of(&control, 1, TenantId::OPERATOR, pool);
    let job = submit(&anna, 1).await;
    let answer = hand.sync().await;
    let token = hand.hold(&answer)[0];
    hand.sync().await;
    control.stop().await.unwrap();

    let restarted = ControlPlane::builder(store).start().await.unwrap();
    let anna = restarted.caller(guest(ANNA));
    let cancel = CancelRequest { target: CancelTarget::Job(job) };
    anna.call(Request::Cancel(cancel)).await.unwrap();
    let mut again = Hand::of(&restarted, 1, TenantId::OPERATOR, pool);
    again.next = hand.next.clone();
    let answer = again.sync().await;
    assert_eq!(answer.cancel.iter().map(|notice| notice.token).collect::<Vec<_>>(), [token]);
    again.finish(token, Outcome::Cancelled, None);
    again.sync().await;
    assert_eq!(inspect(&anna, job).await.conclusion(), Some(Conclusion::Cancelled));
}

#[tokio::test]
async fn nothing_but_an_environment_leads_to_a_pool_that_is_shared() {
    let control = control().await;
    let pool = shared(&control, "shared", Sharing::Everyone).await;
    let anna = user(&control, ANNA).await;
    let named = JobOptions { pool: "shared".into(), ..JobOptions::default() };
    assert_eq!(refusal(&anna, 1, named).await.code, RefusalCode::NotFound);
    let routed = control.management(guest(ANNA)).route_environment("mine", Route::Pool(pool)).await;
    assert!(routed.unwrap_err().to_string().contains("there is no pool"));
    let pinned = JobOptions { runner: Some(RunnerId::from_bytes([1; 16])), ..hosted() };
    assert!(refusal(&anna, 1, pinned).await.detail.starts_with("spec.runner: "));
    let further = vec![Fallback::new("shared", Duration::ZERO)];
    let further = JobOptions { fallbacks: further, ..hosted() };
    assert!(refusal(&anna, 1, further).await.detail.starts_with("spec.fallbacks: "));
}

#[tokio::test]
async fn without_a_pool_that_serves_the_tenant_the_submitter_is_told_so() {
    let control = control().await;
    let anna = user(&control, ANNA).await;
    let told = refusal(&anna, 1, hosted()).await;
    assert_eq!(told.code, RefusalCode::NotFound);
    assert!(told.detail.starts_with("spec.environment: \"cloud\" leads to hosted execution, and no pool"));
    let pool = shared(&control, "berts", Sharing::With([BERT].into())).await;
    assert_eq!(refusal(&anna, 1, hosted()).await, told, "a pool of others is no pool");
    let operator = control.management(Principal::Operator);
    operator.update_pool(pool, |spec| spec.sharing = Sharing::Everyone).await.unwrap();
    submit(&anna, 1).await;
    operator.update_pool(pool, |spec| spec.active = false).await.unwrap();
    assert_eq!(refusal(&anna, 2, hosted()).await, told);
}

#[tokio::test]
async fn self_hosted_execution_that_is_off_leaves_hosted_execution_on() {
    let rollout = Rollout { self_hosted: Feature::OFF, ..Rollout::default() };
    let control = ControlPlane::builder(MemoryStore::default()).rollout(rollout).start().await.unwrap();
    shared(&control, "shared", Sharing::Everyone).await;
    let anna = user(&control, ANNA).await;
    assert_eq!(refusal(&anna, 1, JobOptions::default()).await.code, RefusalCode::Forbidden);
    submit(&anna, 1).await;
}

#[tokio::test]
async fn the_runners_of_every_pool_that_serves_a_tenant_may_take_its_jobs() {
    let control = control().await;
    shared(&control, "first", Sharing::Everyone).await;
    let second = shared(&control, "second", Sharing::Everyone).await;
    let anna = user(&control, ANNA).await;
    let mut hand = Hand::of(&control, 1, TenantId::OPERATOR, second);
    let job = submit(&anna, 1).await;
    let answer = hand.sync().await;
    let token = hand.hold(&answer)[0];
    hand.sync().await;
    hand.finish(token, Outcome::Passed, None);
    hand.sync().await;
    assert_eq!(inspect(&anna, job).await.conclusion(), Some(Conclusion::Passed));
}

/// A host's own choice: a pool that is not shared, but for one kind of job.
#[derive(Debug)]
struct Chosen(PoolId);

#[async_trait::async_trait]
impl HostedExecution for Chosen {
    async fn pools(&self, job: HostedJob<'_>) -> Result<Vec<PoolId>, HostedError> {
        if job.spec.priority > 200 {
            return Err(HostedError::Refused("this is not urgent: lower the priority".into()));
        }
        Ok(vec![self.0])
    }
}

#[tokio::test]
async fn a_host_says_itself_where_hosted_jobs_run() {
    let store = MemoryStore::default();
    let control = ControlPlane::builder(store.clone()).start().await.unwrap();
    let pool = shared(&control, "mine", Sharing::None).await;
    control.stop().await.unwrap();
    let control = ControlPlane::builder(store.clone()).hosted_execution(Chosen(pool)).start().await.unwrap();
    let anna = user(&control, ANNA).await;
    let urgent = refusal(&anna, 1, JobOptions { priority: 255, ..hosted() }).await;
    assert_eq!(urgent.code, RefusalCode::Forbidden);
    assert!(urgent.detail.ends_with("refused: this is not urgent: lower the priority"), "{}", urgent.detail);
    let job = submit(&anna, 1).await;
    let mut hand = Hand::of(&control, 1, TenantId::OPERATOR, pool);
    assert_eq!(hand.sync().await.offers[0].token.job, job);
    let nowhere = Chosen(PoolId::from_bytes([9; 16]));
    let control = ControlPlane::builder(store).hosted_execution(nowhere).start().await.unwrap();
    let told = refusal(&control.caller(guest(ANNA)), 2, hosted()).await;
    assert_eq!(told.code, RefusalCode::NotFound);
    assert!(!told.detail.contains("pool_"), "{}", told.detail);
}
