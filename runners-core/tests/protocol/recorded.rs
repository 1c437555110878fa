//! What each version has written is carried on by this one: the batches that its control plane committed
//! stand in a file, and are what this version finds.
//!
//! `RUNNERS_RECORDED=write` writes the file of this version, once. A file that is there stays as it is: it
//! is what a database holds that was written by that version.

mod transcript;

use super::{
    hand::{Hand, inspect, submission, submit, submit_with, user},
    management::admin,
};
use runners_core::{
    ApiCredentialSpec, Authenticate as _, Clock as _, Conclusion, Concurrency, ControlPlane, Fairness, Fault,
    FencingToken, FlowFilter, FlowSpec, JobId, JobOptions, MemoryStore, Outcome, Paging, PoolId, PoolSpec,
    Principal, RegistrationSpec, RetryPolicy, Route, RunId, RunnerFilter, Scope, Token, TokenKind,
    Transport as _,
    protocol::{
        CancelRequest, CancelTarget, EnrolRequest, Held, LogTail, Phase, Reply, Request, RunSpec,
        SubmitRequest,
    },
    sleep,
    store::Store as _,
    testing::{clock::SimClock, random::SeededRandom},
};
use std::{fs, path::PathBuf, time::Duration};
use transcript::{Recording, batches};

const RUN: RunId = RunId::from_bytes([8; 16]);
/// How many syncs it takes at most until everything is offered.
const SYNCS_MAX: usize = 10;
const PARK: Duration = Duration::from_secs(5);
const HOUR: Duration = Duration::from_secs(3600);

/// What a result is that is kept in a record of its own.
fn large() -> String {
    format!("{:?}", "x".repeat(2000))
}

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/protocol/recorded")
}

/// A life in which there is a record of nearly every kind, and a job in every state: 1 to 3 and 10 have
/// ended, 4 waits for its second try, 5 is running, 6 is offered, 7 is scheduled, 8 is ready and 9 waits for it.
async fn live(control: &ControlPlane, clock: &SimClock) {
    let (admin, user) = (admin(control), user(control));
    let blue = admin.create_pool(PoolSpec::new("blue")).await.unwrap().id;
    let registration = admin.create_registration(blue, RegistrationSpec::default()).await.unwrap();
    let credential = ApiCredentialSpec { name: "ci".into(), scopes: [Scope::Read].into(), expires_in: None };
    admin.create_api_credential(credential).await.unwrap();
    admin.route_environment("staging", Route::Pool(blue)).await.unwrap();
    admin.put_flow("shop", &FlowSpec::new(b"{}".to_vec()), Some(0)).await.unwrap();
    control.management(Principal::Operator).create_tenant("acme").await.unwrap();
    let enrolling = control.authenticator().authenticate(registration.token.unwrap().expose()).await.unwrap();
    let digest = Token::new(TokenKind::Runner, [1; 32]).digest();
    let request = Request::Enrol(EnrolRequest { credential: digest, name: "one".into(), pool: None });
    assert!(matches!(control.caller(enrolling).call(request).await.unwrap(), Reply::Enrolled(_)));

    let mut hand = Hand::new(control, 1);
    let retry = RetryPolicy { backoff: HOUR, backoff_max: HOUR, ..RetryPolicy::default() };
    submit(&user, 1).await;
    submit(&user, 2).await;
    done(&mut hand, &[(Outcome::Passed, Some("42")), (Outcome::Failed, Some("41"))]).await;
    submit(&user, 3).await;
    submit_with(&user, 4, JobOptions { retry, ..JobOptions::default() }).await;
    let fault = Outcome::Errored(Fault::retryable("browser", "it is gone"));
    done(&mut hand, &[(Outcome::Passed, Some(&large())), (fault, None)]).await;

    let start_at = Some(clock.wall() + HOUR);
    submit_with(&user, 7, JobOptions { start_at, ..JobOptions::default() }).await;
    submit_with(&user, 10, JobOptions { start_at, ..JobOptions::default() }).await;
    let target = CancelTarget::Job(JobId::from_bytes([10; 16]));
    user.call(Request::Cancel(CancelRequest { target })).await.unwrap();
    let first = JobOptions {
        pool: "blue".into(),
        run: Some(RUN),
        unique: Some("nightly".into()),
        priority: 120,
        fairness: Some(Fairness { key: "shop".into(), weight: 2 }),
        concurrency: vec![Concurrency { key: "account".into(), max: 1 }],
        title: Some("Signs in".into()),
        ..JobOptions::default()
    };
    let after = vec![JobId::from_bytes([8; 16])];
    let second = JobOptions { pool: "blue".into(), run: Some(RUN), after, ..JobOptions::default() };
    let jobs = vec![submission(8, first), submission(9, second)];
    let request = SubmitRequest { jobs, run: Some(RunSpec { run: RUN, timeout: None }) };
    assert!(matches!(user.call(Request::Submit(request)).await.unwrap(), Reply::Submitted(_)));

    submit(&user, 5).await;
    let answer = hand.sync().await;
    let token = hand.hold(&answer)[0];
    hand.next.log_tails.push(LogTail { token, offset: 0, bytes: b"half of a log".to_vec().into() });
    hand.sync().await;
    submit(&user, 6).await;
    assert_eq!(hand.sync().await.offers.len(), 1);
}

/// Takes as much as is told how to end, and ends it.
async fn done(hand: &mut Hand, outcomes: &[(Outcome, Option<&str>)]) {
    let mut tokens = Vec::new();
    for _ in 0..SYNCS_MAX {
        let answer = hand.sync().await;
        tokens.extend(hand.hold(&answer));
        if tokens.len() == outcomes.len() {
            break;
        }
    }
    assert_eq!(tokens.len(), outcomes.len(), "so much is offered");
    hand.sync().await;
    for (token, (outcome, result)) in tokens.into_iter().zip(outcomes) {
        hand.finish(token, outcome.clone(), *result);
    }
    assert_eq!(hand.sync().await.recorded.len(), outcomes.len());
    hand.next.finishes.clear();
}

fn control_on(store: impl runners_core::store::Store, clock: &SimClock) -> runners_core::ControlPlaneBuilder {
    ControlPlane::builder(store).clock(clock.clone()).random(SeededRandom::new(1))
}

#[tokio::test(start_paused = true)]
async fn every_version_has_its_recording() {
    let (store, clock) = (Recording::default(), SimClock::new());
    let control = control_on(store.clone(), &clock).start().await.unwrap();
    live(&control, &clock).await;
    let lines = store.lines();
    control.stop().await.unwrap();
    let file = directory().join(concat!(env!("CARGO_PKG_VERSION"), ".jsonl"));
    if std::env::var_os("RUNNERS_RECORDED").is_some_and(|said| said == "write") && !file.exists() {
        fs::write(&file, &lines).unwrap();
    }
    assert!(file.exists(), "{} is not there: set RUNNERS_RECORDED=write", file.display());
}

#[tokio::test(start_paused = true)]
async fn what_each_version_has_written_is_carried_on() {
    let mut files: Vec<_> = fs::read_dir(directory()).unwrap().map(|file| file.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "jsonl"));
    assert!(!files.is_empty(), "nothing is recorded");
    for file in files {
        println!("{}", file.display());
        carry_on(&fs::read_to_string(&file).unwrap()).await;
    }
}

async fn carry_on(recorded: &str) {
    let store = MemoryStore::default();
    for batch in batches(recorded) {
        store.commit(batch).await.unwrap();
    }
    let clock = SimClock::new();
    clock.step_wall(60_000);
    let control = control_on(store, &clock).start().await.unwrap();
    let (admin, user) = (admin(&control), user(&control));
    let blue = is_managed(&control).await;

    // The runner goes on where it was: it holds one, and is offered the other again.
    let mut hand = Hand::new(&control, 1);
    hand.next.seq = 100;
    let held = Held { token: token(5, 1), phase: Phase::Running };
    (hand.next.held, hand.next.free) = (vec![held], 1);
    let answer = hand.sync().await;
    assert!(answer.term.is_some() && answer.lost.is_empty(), "{answer:?}");
    assert_eq!(hand.hold(&answer), [token(6, 1)]);
    hand.sync().await;
    hand.finish(token(5, 1), Outcome::Passed, None);
    hand.finish(token(6, 1), Outcome::Passed, None);
    assert_eq!(hand.sync().await.recorded.len(), 2);
    // What was recorded before is known, and a stale finish is still refused.
    hand.next.finishes.clear();
    hand.finish(token(1, 1), Outcome::Passed, Some("42"));
    hand.finish(token(2, 1), Outcome::Passed, Some("42"));
    let answer = hand.sync().await;
    assert_eq!((answer.recorded, answer.fenced), (vec![token(1, 1)], vec![token(2, 1)]));

    let mut in_blue = Hand::in_pool(&control, 3, blue);
    in_blue.next.park_for = PARK;
    for _ in [8, 9] {
        done(&mut in_blue, &[(Outcome::Passed, None)]).await;
    }
    // What was scheduled and what waits for its second try are due after a while.
    sleep(&clock, 2 * HOUR).await;
    let mut hand = hand.restarted();
    (hand.next.free, hand.next.park_for) = (2, PARK);
    done(&mut hand, &[(Outcome::Passed, None), (Outcome::Passed, None)]).await;

    for number in 1..=10 {
        let view = inspect(&user, JobId::from_bytes([number; 16])).await;
        let expected = match number {
            2 => Conclusion::Failed,
            10 => Conclusion::Cancelled,
            _ => Conclusion::Passed,
        };
        assert_eq!(view.conclusion(), Some(expected), "{view:?}");
        let result = view.result.map(|result| String::from_utf8(result.as_bytes().to_vec()).unwrap());
        let kept = match number {
            1 => Some("42".to_owned()),
            2 => Some("41".to_owned()),
            3 => Some(large()),
            _ => None,
        };
        assert_eq!(result, kept, "job {number}");
        assert_eq!(view.attempts.len(), [1, 0, 2][usize::from(number == 10) + 2 * usize::from(number == 4)]);
    }
    let run = admin.run(RUN).await.unwrap();
    assert_eq!((run.jobs, run.title.as_deref()), (2, Some("Signs in")));
    control.stop().await.unwrap();
}

const fn token(number: u8, grant: u64) -> FencingToken {
    FencingToken { job: JobId::from_bytes([number; 16]), grant }
}

/// Everything that was made is listed. The pool `blue`.
async fn is_managed(control: &ControlPlane) -> PoolId {
    let (admin, all) = (admin(control), Paging::default());
    let pools = admin.pools(&all).await.unwrap().items;
    let blue = pools.iter().find(|pool| pool.spec.name == "blue").unwrap().id;
    assert_eq!(admin.registrations(blue, &all).await.unwrap().items.len(), 1);
    assert_eq!(admin.api_credentials(&all).await.unwrap().items[0].name, "ci");
    assert_eq!(admin.environment("staging").await.unwrap().route, Route::Pool(blue));
    assert_eq!(admin.flows(&FlowFilter::default(), &all).await.unwrap().items[0].name, "shop");
    let tenants = control.management(Principal::Operator).tenants(&all).await.unwrap().items;
    assert!(tenants.iter().any(|tenant| tenant.name == "acme"), "{tenants:?}");
    let runners = admin.runners(&RunnerFilter::default(), &all).await.unwrap().items;
    assert!(runners.iter().any(|runner| runner.name == "one"), "{runners:?}");
    blue
}
