//! The client against prepared replies, in simulated time.

use super::*;
use crate::{
    seams::{artifact::memory::MemoryArtifacts, clock::sleep, transport::TransportError},
    testing::{clock::SimClock, random::SeededRandom},
    values::{
        command::Command,
        digest::Digest,
        id::{RunnerId, TenantId},
        job::{JobOptions, JobSpec},
        lease::FencingToken,
        outcome::{Conclusion, Outcome},
        reply::{
            Acceptance, Answered, AttemptView, Cancelled, LogChunk, LogGap, LogPage, RefusalCode, Refused,
            Signalled, StateView, Submitted,
        },
        request::{RunSpec, SubmitRequest},
        result::{Fault, JobResult, Verdict},
        signature::SigningKey,
        sync::SignalOutcome,
        time::Timestamp,
    },
};
use async_trait::async_trait;
use futures::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use std::{collections::VecDeque, sync::Mutex};

type Prepared = Result<Reply, TransportError>;

/// Gives one prepared reply after the other, and keeps the requests.
#[derive(Debug, Default)]
struct Replay {
    replies: Mutex<VecDeque<Prepared>>,
    requests: Mutex<Vec<Request>>,
}

#[async_trait]
impl Transport for Replay {
    async fn call(&self, request: Request) -> Prepared {
        self.requests.lock().unwrap().push(request.clone());
        let next = self.replies.lock().unwrap().pop_front();
        match (next, request) {
            (Some(reply), _) => reply,
            (None, Request::Submit(submit)) => {
                let id = |spec: &Opaque| serde_json::from_slice::<JobSpec>(spec.as_bytes()).unwrap().job;
                let jobs = submit.jobs.iter().map(|job| Acceptance::Accepted(id(&job.spec))).collect();
                Ok(Reply::Submitted(Submitted { jobs }))
            }
            (None, _) => Err(TransportError::Unreachable("nothing is prepared".into())),
        }
    }
}

fn client(replies: impl IntoIterator<Item = Prepared>) -> (Client, Arc<Replay>, SimClock) {
    let clock = SimClock::new();
    let replay =
        Arc::new(Replay { replies: Mutex::new(replies.into_iter().collect()), requests: Mutex::default() });
    let builder = Client::builder(replay.clone()).clock(clock.clone()).random(SeededRandom::new(1));
    (builder.build(), replay, clock)
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Check(String);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Checked {
    good: bool,
}

impl JobResult for Checked {
    fn verdict(&self) -> Verdict {
        if self.good { Verdict::Passed } else { Verdict::Failed }
    }
}

impl Command for Check {
    const KIND: &'static str = "check";
    type Result = Checked;
}

const JOB: JobId = JobId::from_bytes([3; 16]);

fn view(state: StateView) -> JobView {
    JobView {
        job: JOB,
        kind: "check".to_owned(),
        title: None,
        pool: "default".to_owned(),
        run: None,
        state,
        submitted_at: Timestamp::from_millis(1),
        attempts: Vec::new(),
        result: None,
        result_artifact: None,
        artifacts: Vec::new(),
        progress: None,
        fault: None,
    }
}

fn concluded(conclusion: Conclusion) -> JobView {
    view(StateView::Concluded { conclusion, at: Timestamp::from_millis(9) })
}

fn attempt(grant: u64, outcome: Outcome) -> AttemptView {
    AttemptView {
        number: 1,
        grant,
        runner: RunnerId::from_bytes([1; 16]),
        outcome,
        started_at: Timestamp::from_millis(2),
        ended_at: Timestamp::from_millis(3),
        missing: Vec::new(),
    }
}

fn job(view: JobView) -> Prepared {
    Ok(Reply::Job(Box::new(view)))
}

fn unreachable() -> Prepared {
    Err(TransportError::Unreachable("cut".into()))
}

#[tokio::test(start_paused = true)]
async fn a_repeated_submit_is_the_same_job() {
    let (client, replay, _) = client([unreachable(), unreachable()]);
    let handle = client.submit(&Check("x".to_owned())).await.unwrap();
    let requests = replay.requests.lock().unwrap();
    assert_eq!(requests.len(), 3);
    assert!(requests.iter().all(|request| *request == requests[0]));
    let Request::Submit(submit) = &requests[0] else { panic!() };
    let spec: JobSpec = serde_json::from_slice(submit.jobs[0].spec.as_bytes()).unwrap();
    assert_eq!((spec.job, spec.kind.as_str()), (handle.id(), "check"));
    assert_eq!(spec.payload_digest, Digest::of(b"\"x\""));
}

#[tokio::test(start_paused = true)]
async fn what_a_transport_tries_again_itself_is_not_tried_again_around_it() {
    let (_, replay, clock) = client((0..5).map(|_| unreachable()));
    let retrying = crate::Retrying::new(replay.clone()).clock(clock.clone()).random(SeededRandom::new(1));
    let client = Client::builder(retrying.attempts_max(3)).clock(clock).random(SeededRandom::new(1)).build();
    assert!(matches!(client.inspect(JOB).await, Err(Error::Unreachable(_))));
    assert_eq!(replay.requests.lock().unwrap().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_failed_verdict_is_a_result() {
    let result = Some(Opaque::new(&br#"{"good":false}"#[..]));
    let (client, ..) = client([
        job(view(StateView::Ready { since: Timestamp::from_millis(1) })),
        job(JobView { result, ..concluded(Conclusion::Failed) }),
    ]);
    let result = client.job::<Checked>(JOB).result().await.unwrap();
    assert_eq!(result.verdict(), Verdict::Failed);
}

#[tokio::test(start_paused = true)]
async fn a_job_without_a_verdict_has_no_result_but_says_why() {
    let fault = Fault::permanent("broken", "it is");
    let attempts = vec![attempt(1, Outcome::Errored(fault.clone()))];
    let (client, ..) = client([job(JobView { attempts, ..concluded(Conclusion::Errored) })]);
    let error = client.job::<Checked>(JOB).result().await.unwrap_err();
    assert!(
        matches!(&error, Error::Concluded { conclusion: Conclusion::Errored, fault: Some(told), .. } if *told == fault)
    );
    assert!(
        error.with_causes().ends_with("ended without a verdict: errored: it is"),
        "{}",
        error.with_causes()
    );
}

#[tokio::test(start_paused = true)]
async fn a_result_that_is_an_artifact_is_fetched() {
    let store = MemoryArtifacts::default();
    let artifacts = TenantArtifacts { tenant: TenantId::DEFAULT, store: Arc::new(store.clone()) };
    let digest =
        artifacts.put(&bytes::Bytes::from_static(br#"{"good":true}"#), &SimClock::new()).await.unwrap();
    let concluded = JobView { result_artifact: Some(digest), ..concluded(Conclusion::Passed) };
    let (mut client, ..) = client([job(concluded.clone()), job(concluded)]);
    let missing = client.job::<Checked>(JOB).result().await;
    assert!(matches!(missing, Err(Error::ResultMissing { .. })));
    client.artifacts = Some(artifacts);
    assert_eq!(client.job::<Checked>(JOB).result().await.unwrap(), Checked { good: true });
}

#[tokio::test(start_paused = true)]
async fn a_large_payload_is_put_as_an_artifact_first() {
    let (mut client, replay, _) = client([]);
    let large = Check("x".repeat(SubmitRequest::PAYLOAD_BYTES_MAX));
    assert!(matches!(client.submit(&large).await, Err(Error::Invalid { field: "command", .. })));
    let store = MemoryArtifacts::default();
    client.artifacts = Some(TenantArtifacts { tenant: TenantId::DEFAULT, store: Arc::new(store.clone()) });
    client.submit(&large).await.unwrap();
    let requests = replay.requests.lock().unwrap();
    let Request::Submit(submit) = &requests[0] else { panic!() };
    assert!(submit.jobs[0].payload.is_none());
    assert_eq!(submit.jobs[0].payload_artifact, Some(Digest::of(&serde_json::to_vec(&large).unwrap())));
}

#[tokio::test(start_paused = true)]
async fn many_jobs_travel_in_requests_within_the_limits() {
    let (client, replay, _) = client([]);
    let jobs: Vec<Check> = (0..2500).map(|number| Check(format!("{number}{}", "x".repeat(2000)))).collect();
    let run = RunSpec { run: client.new_run(), timeout: None };
    let handles = client.submit_run(run.clone(), &jobs).await.unwrap();
    assert_eq!(handles.len(), jobs.len());
    for request in replay.requests.lock().unwrap().iter() {
        let Request::Submit(submit) = request else { panic!() };
        assert!(submit.jobs.len() <= SubmitRequest::JOBS_MAX);
        assert!(serde_json::to_vec(submit).unwrap().len() <= SubmitRequest::BYTES_MAX);
        assert_eq!(submit.run.as_ref(), Some(&run));
        let spec: JobSpec = serde_json::from_slice(submit.jobs[0].spec.as_bytes()).unwrap();
        assert_eq!(spec.run, Some(run.run));
    }
}

#[tokio::test(start_paused = true)]
async fn each_job_is_accepted_or_refused_by_itself() {
    let refused = Refused::new(RefusalCode::Invalid, "no such pool");
    let jobs = vec![Acceptance::Accepted(JOB), Acceptance::Refused(refused.clone())];
    let (client, ..) = client([Ok(Reply::Submitted(Submitted { jobs }))]);
    let options = JobOptions { pool: "gone".to_owned(), ..JobOptions::default() };
    let jobs = [(Check("a".to_owned()), JobOptions::default()), (Check("b".to_owned()), options)];
    let handles = client.submit_all(&jobs).await.unwrap();
    assert_eq!(handles[0].as_ref().unwrap().id(), JOB);
    assert_eq!(handles[1].as_ref().unwrap_err(), &refused);
}

#[tokio::test(start_paused = true)]
async fn trouble_is_met_by_trying_again_until_patience_is_over() {
    let (client, replay, clock) = client([]);
    let start = clock.boot();
    assert!(matches!(client.inspect(JOB).await, Err(Error::Unreachable(_))));
    let waited = clock.boot().since(start);
    assert!(waited > Client::PATIENCE / 2 && waited <= Client::PATIENCE, "{waited:?}");
    let tries = replay.requests.lock().unwrap().len();
    assert!((10..60).contains(&tries), "{tries}");
}

#[tokio::test(start_paused = true)]
async fn what_trying_again_does_not_mend_is_told_at_once() {
    let refused = Refused::new(RefusalCode::NotFound, "no such job");
    let (client, _, clock) = client([
        Ok(Reply::Refused(refused.clone())),
        Err(TransportError::Unauthorized("revoked".to_owned())),
        Ok(Reply::Cancelled(Cancelled { jobs: 1 })),
    ]);
    let start = clock.boot();
    assert!(matches!(client.inspect(JOB).await, Err(Error::Refused(told)) if told == refused));
    assert!(matches!(client.inspect(JOB).await, Err(Error::Rejected(_))));
    assert!(matches!(client.inspect(JOB).await, Err(Error::Unexpected("inspect"))));
    assert_eq!(clock.boot(), start);
}

#[tokio::test(start_paused = true)]
async fn a_busy_control_plane_is_left_alone_for_as_long_as_it_asks() {
    let busy = Err(TransportError::Busy { retry_after: Duration::from_secs(20) });
    let (client, _, clock) = client([busy, Ok(Reply::Cancelled(Cancelled { jobs: 0 }))]);
    let start = clock.boot();
    assert!(!client.cancel(JOB).await.unwrap());
    assert!(clock.boot().since(start) >= Duration::from_secs(20));
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_never_comes_is_not_waited_for_for_ever() {
    #[derive(Debug)]
    struct Silent(SimClock);
    #[async_trait]
    impl Transport for Silent {
        async fn call(&self, _request: Request) -> Prepared {
            sleep(&self.0, Duration::from_secs(100_000)).await;
            unreachable()
        }
    }
    let clock = SimClock::new();
    let client = Client::builder(Silent(clock.clone())).clock(clock.clone()).build();
    let start = clock.boot();
    assert!(matches!(client.inspect(JOB).await, Err(Error::Unreachable(_))));
    assert!(clock.boot().since(start) < Client::PATIENCE + Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn a_ping_is_answered_faulted_or_expires() {
    let signalled = || Ok(Reply::Signalled(Signalled { signal: crate::SignalId::from_bytes([1; 16]) }));
    let pong = SignalOutcome::Result(Opaque::new(&br#"{"text":""}"#[..]));
    let fault = SignalOutcome::Fault(Fault::permanent("no_responder", "no"));
    let (client, ..) = client([
        signalled(),
        Ok(Reply::Answered(Answered::Waiting)),
        Ok(Reply::Answered(Answered::Outcome(pong))),
        signalled(),
        Ok(Reply::Answered(Answered::Outcome(fault))),
        signalled(),
        Ok(Reply::Answered(Answered::Expired)),
    ]);
    let runner = RunnerId::from_bytes([1; 16]);
    assert_eq!(client.ping(runner).await.unwrap(), crate::Pong::default());
    assert!(
        matches!(client.ping(runner).await, Err(Error::SignalFault(fault)) if fault.code == "no_responder")
    );
    assert!(matches!(client.ping(runner).await, Err(Error::Unanswered { .. })));
}

#[tokio::test(start_paused = true)]
async fn following_tells_states_progress_and_the_log_of_every_attempt_in_order() {
    let running = StateView::Running {
        runner: RunnerId::from_bytes([1; 16]),
        token: FencingToken { job: JOB, grant: 2 },
        attempt: 2,
        since: Timestamp::from_millis(5),
        cancelling: false,
    };
    let first = attempt(1, Outcome::Failed);
    let page = |grant, chunks: &[(u64, &'static str)], next, ended| {
        let chunk =
            |(offset, text): &(u64, &'static str)| LogChunk { offset: *offset, bytes: Opaque::new(*text) };
        let chunks: Vec<LogChunk> = chunks.iter().map(chunk).collect();
        let gap = chunks.first().filter(|first| grant == 2 && first.offset == 2);
        let gaps = gap.map(|_| LogGap { offset: 0, bytes: 2 }).into_iter().collect();
        Ok(Reply::Log(LogPage { grant, chunks, gaps, next, ended }))
    };
    let now =
        JobView { attempts: vec![first.clone()], progress: Some("half".to_owned()), ..view(running.clone()) };
    let then = JobView { attempts: vec![first, attempt(2, Outcome::Passed)], ..concluded(Conclusion::Flaky) };
    let (client, ..) = client([
        job(now.clone()),
        page(1, &[(0, "one")], 3, true),
        job(now),
        page(2, &[(2, "two")], 5, false),
        job(then.clone()),
        page(2, &[(5, "end")], 8, true),
        job(then.clone()),
    ]);
    let followed: Vec<Followed> = client.job::<Checked>(JOB).follow().try_collect().await.unwrap();
    let log = |grant, offset, text: &'static str| Followed::Log { grant, offset, bytes: Opaque::new(text) };
    let expected = [
        Followed::State(running),
        Followed::Progress("half".to_owned()),
        log(1, 0, "one"),
        Followed::LogMissing { grant: 2, bytes: 2 },
        log(2, 2, "two"),
        log(2, 5, "end"),
        Followed::State(then.state),
    ];
    assert_eq!(followed, expected);
}

fn signing(tenant: TenantId) -> (Client, Arc<Replay>, SimClock) {
    let (clock, replay) = (SimClock::new(), Arc::new(Replay::default()));
    let builder = Client::builder(replay.clone()).clock(clock.clone()).random(SeededRandom::new(1));
    (builder.sign_with(tenant, SigningKey::from_seed([7; 32])).build(), replay, clock)
}

#[tokio::test(start_paused = true)]
async fn a_signed_job_that_is_submitted_again_is_the_same_to_the_byte() {
    let (client, replay, clock) = signing(TenantId::DEFAULT);
    let made = clock.wall();
    let later = JobOptions { start_at: Some(made + 9 * Client::SIGNED_FOR), ..JobOptions::default() };
    for options in [JobOptions::default(), later] {
        let spec = JobSpec::new(client.new_job(), "visit", b"{}", options);
        client.submit_spec(&spec, &b"{}"[..]).await.unwrap();
        sleep(&clock, Duration::from_secs(3600)).await;
        client.submit_spec(&spec, &b"{}"[..]).await.unwrap();
    }
    let asked = replay.requests.lock().unwrap().clone();
    assert_eq!((&asked[0], &asked[2]), (&asked[1], &asked[3]));
    assert_eq!(good_until(&asked[0]), made + Client::SIGNED_FOR);
    assert_eq!(good_until(&asked[2]), made + 10 * Client::SIGNED_FOR);
}

#[tokio::test(start_paused = true)]
async fn a_signature_is_good_for_a_week_from_now_where_the_id_says_nothing_of_it() {
    for id in [[0; 16], [0xff; 16]] {
        let (client, replay, clock) = signing(TenantId::DEFAULT);
        let spec = JobSpec::new(JobId::from_bytes(id), "visit", b"{}", JobOptions::default());
        client.submit_spec(&spec, &b"{}"[..]).await.unwrap();
        assert_eq!(good_until(&replay.requests.lock().unwrap()[0]), clock.wall() + Client::SIGNED_FOR);
    }
}

/// Until when the signature of the one job that is submitted is good.
fn good_until(request: &Request) -> Timestamp {
    let Request::Submit(submit) = request else { panic!("expected a submit") };
    serde_json::from_slice::<JobSpec>(submit.jobs[0].spec.as_bytes()).unwrap().not_after.unwrap()
}
