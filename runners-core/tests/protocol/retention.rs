//! What is removed after its time, and what never is.

use super::{
    crashing::{PLENTY, STARTS, World},
    hand::{Hand, inspect, submission, submit, submit_with, user},
    troubled::Troubled,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use runners_core::{
    ArtifactKey, ArtifactStore as _, Caller, ControlPlane, Digest, Error, EventCursor, EventsOf,
    FencingToken, Index, JobId, JobOptions, Key, Kind, Management, MemoryStore, Outcome, Principal,
    Retention, RetryPolicy, RunId, Scope, TenantId, Transport as _,
    protocol::{Attachment, InspectRequest, LogTail, RefusalCode, Reply, Request, RunSpec, SubmitRequest},
    sleep,
    store::{Committed, Page, Query, Store, StoreError, Stored, Write},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

const HOUR: Duration = Duration::from_secs(3600);
const HOURLY: Retention = Retention { concluded_for: Some(HOUR), ..Retention::FOREVER };

fn admin(control: &ControlPlane) -> Management {
    control.management(Principal::Api { tenant: TenantId::DEFAULT, scopes: Scope::ALL.into() })
}

async fn put(world: &World, bytes: &'static [u8]) -> ArtifactKey {
    let key = ArtifactKey { tenant: TenantId::DEFAULT, digest: Digest::of(bytes) };
    let piece = stream::iter([Ok(Bytes::from_static(bytes))]).boxed();
    world.artifacts.put(key, bytes.len() as u64, piece).await.unwrap();
    key
}

fn attachment(token: FencingToken, name: &str, key: ArtifactKey) -> Attachment {
    let (name, media_type) = (name.to_owned(), "text/plain".to_owned());
    Attachment { token, name, digest: key.digest, length: 3, media_type }
}

/// Executes what is offered, with a log, an artifact for each key and a large result.
async fn execute(hand: &mut Hand, keys: &[ArtifactKey]) {
    let answer = hand.sync().await;
    for token in hand.hold(&answer) {
        hand.next.log_tails = vec![LogTail { token, offset: 0, bytes: b"log"[..].to_vec().into() }];
        let named = keys.iter().enumerate();
        hand.next.artifacts = named.map(|(at, key)| attachment(token, &format!("{at}.txt"), *key)).collect();
        hand.sync().await;
        hand.finish(token, Outcome::Passed, Some(&"x".repeat(2000)));
    }
    hand.sync().await;
    hand.next.finishes.clear();
    hand.next.log_tails.clear();
    hand.next.artifacts.clear();
}

async fn is_there(user: &Caller, job: JobId) -> bool {
    match user.call(Request::Inspect(InspectRequest { job })).await.unwrap() {
        Reply::Job(_) => true,
        Reply::Refused(refused) => {
            assert_eq!(refused.code, RefusalCode::NotFound);
            false
        }
        other => panic!("{other:?}"),
    }
}

/// Every record that stands in an index, bodies and streams that can belong to jobs, by kind.
async fn left(world: &World, jobs: &[JobId]) -> Vec<Kind> {
    let mut kinds = Vec::new();
    for index in Index::ALL {
        match world.store.scan(Query::range(index, Bytes::new(), 10_000)).await.unwrap() {
            Page::Rows { rows, .. } => kinds.extend(rows.iter().map(|(_, row)| row.key.kind)),
            other => panic!("{other:?}"),
        }
    }
    kinds.retain(|kind| matches!(kind, Kind::Job | Kind::Run | Kind::Artifact | Kind::Dependency));
    for job in jobs {
        let id = job.as_bytes();
        let grant = [&id[..], &1_u64.to_be_bytes()].concat();
        let bodies = [(Kind::Payload, id.to_vec()), (Kind::Outcome, grant.clone())];
        let bodies = bodies.map(|(kind, id)| Key::new(TenantId::DEFAULT, kind, id));
        for (key, found) in bodies.iter().zip(world.store.load(bodies.to_vec()).await.unwrap()) {
            kinds.extend(found.map(|_| key.kind));
        }
        for (kind, id) in [(Kind::Events, id.to_vec()), (Kind::Log, grant)] {
            let stream = Key::new(TenantId::DEFAULT, kind, id);
            let query = Query::Stream { stream, from: 0, bytes_max: u32::MAX };
            match world.store.scan(query).await.unwrap() {
                Page::Chunks { chunks, .. } => kinds.extend(chunks.iter().map(|_| kind)),
                other => panic!("{other:?}"),
            }
        }
    }
    kinds
}

async fn submit_in_run(user: &Caller, run: RunId, number: u8) -> JobId {
    let options = JobOptions { run: Some(run), ..JobOptions::default() };
    let jobs = vec![submission(number, options)];
    let request = SubmitRequest { jobs, run: Some(RunSpec { run, timeout: None }) };
    assert!(matches!(user.call(Request::Submit(request)).await.unwrap(), Reply::Submitted(_)));
    JobId::from_bytes([number; 16])
}

#[tokio::test(start_paused = true)]
async fn an_ended_job_goes_after_its_time_with_everything_it_left() {
    let world = World::new();
    let control = world.builder(PLENTY).retention(HOURLY).artifact_grace(HOUR).start().await.unwrap();
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    let run = RunId::from_bytes([5; 16]);
    let job = submit_in_run(&user, run, 7).await;
    let key = put(&world, b"abc").await;
    execute(&mut hand, &[key]).await;
    sleep(&world.clock, HOUR - Duration::from_secs(5)).await;
    assert!(inspect(&user, job).await.conclusion().is_some(), "not before");
    assert_eq!(world.artifacts.head(key).await.unwrap(), Some(3));

    sleep(&world.clock, Duration::from_secs(120)).await;
    assert!(!is_there(&user, job).await);
    assert_eq!(left(&world, &[job]).await, [], "and nothing of it is left");
    for of in [EventsOf::Job(job), EventsOf::Run(run)] {
        let refused = admin(&control).events(of, EventCursor::START, Duration::ZERO).await;
        assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
    }
    sleep(&world.clock, HOUR * 2).await;
    assert_eq!(world.artifacts.head(key).await.unwrap(), None, "what nothing names is collected");
    let log = ArtifactKey { digest: Digest::of(b"log"), ..key };
    assert_eq!(world.artifacts.head(log).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_long_history_goes_with_its_job() {
    let world = World::new();
    let control = world.builder(PLENTY).retention(HOURLY).start().await.unwrap();
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    let retry = RetryPolicy { attempts_max: 5, failed: true, ..RetryPolicy::default() };
    submit_with(&user, 7, JobOptions { retry, ..JobOptions::default() }).await;
    let job = JobId::from_bytes([7; 16]);
    while inspect(&user, job).await.conclusion().is_none() {
        let answer = hand.sync().await;
        for token in hand.hold(&answer) {
            hand.sync().await;
            hand.finish(token, Outcome::Failed, None);
        }
        hand.sync().await;
        hand.next.finishes.clear();
        sleep(&world.clock, RetryPolicy::default().backoff * 64).await;
    }
    assert!(left(&world, &[job]).await.contains(&Kind::Events), "its record has no room for all of it");
    sleep(&world.clock, HOUR + Duration::from_secs(120)).await;
    assert_eq!(left(&world, &[job]).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_full_artifact_store_is_emptied_although_no_log_can_be_put_into_it() {
    let world = World::new();
    let troubled = Troubled::of(&world);
    let plane = world.builder(PLENTY).artifacts(troubled.clone()).retention(HOURLY).artifact_grace(HOUR);
    let control = plane.start().await.unwrap();
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    let (key, first) = (put(&world, b"abc").await, submit(&user, 7).await);
    execute(&mut hand, &[key]).await;
    sleep(&world.clock, Duration::from_secs(60)).await;
    troubled.fill(true);
    let second = submit(&user, 8).await;
    execute(&mut hand, &[]).await;
    sleep(&world.clock, HOUR * 4).await;
    assert!(!is_there(&user, first).await);
    assert_eq!(world.artifacts.head(key).await.unwrap(), None, "which makes room");
    assert!(is_there(&user, second).await, "its log is nowhere else");
    troubled.fill(false);
    sleep(&world.clock, Duration::from_secs(180)).await;
    assert!(!is_there(&user, second).await);
}

#[tokio::test(start_paused = true)]
async fn what_has_not_ended_is_never_removed() {
    let world = World::new();
    let nothing = Retention { jobs_max: Some(0), artifacts_max: Some(0), ..HOURLY };
    let control = world.builder(PLENTY).retention(nothing).artifact_grace(HOUR).start().await.unwrap();
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    hand.next.free = 1;
    let key = put(&world, b"abc").await;
    let running = submit(&user, 1).await;
    let answer = hand.sync().await;
    let token = hand.hold(&answer)[0];
    hand.next.artifacts = vec![attachment(token, "a.txt", key)];
    let ready = submit(&user, 2).await;
    for _ in 0..200 {
        hand.sync().await;
        hand.next.artifacts.clear();
        sleep(&world.clock, Duration::from_secs(60)).await;
        if !is_there(&user, running).await {
            break;
        }
    }
    assert!(is_there(&user, ready).await);
    let view = inspect(&user, running).await;
    assert!(view.conclusion().is_none() && view.artifacts.len() == 1, "{view:?}");
    assert_eq!(world.artifacts.head(key).await.unwrap(), Some(3), "it is named");
}

#[tokio::test(start_paused = true)]
async fn only_the_newest_are_kept_where_their_number_is_limited() {
    let world = World::new();
    let newest = Retention { jobs_max: Some(2), ..Retention::FOREVER };
    let control = world.builder(PLENTY).retention(newest).start().await.unwrap();
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    let mut jobs = Vec::new();
    for number in 1..=5 {
        jobs.push(submit(&user, number).await);
        execute(&mut hand, &[]).await;
        sleep(&world.clock, Duration::from_millis(10)).await;
    }
    sleep(&world.clock, Duration::from_secs(120)).await;
    let mut there = Vec::new();
    for job in &jobs {
        there.push(is_there(&user, *job).await);
    }
    assert_eq!(there, [false, false, false, true, true]);
    assert_eq!(left(&world, &jobs[..3]).await.iter().filter(|kind| **kind == Kind::Payload).count(), 0);
}

#[tokio::test(start_paused = true)]
async fn artifacts_may_go_before_their_job() {
    let world = World::new();
    let brief = Retention { artifacts_for: Some(HOUR), ..Retention::FOREVER };
    let control = world.start(PLENTY).await;
    admin(&control).set_retention(brief).await.unwrap();
    assert_eq!(admin(&control).retention().await.unwrap(), brief);
    let short = Retention { concluded_for: Some(Duration::from_secs(1)), ..brief };
    assert!(matches!(admin(&control).set_retention(short).await, Err(Error::Refused(_))));
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    let job = submit(&user, 1).await;
    execute(&mut hand, &[put(&world, b"abc").await]).await;
    assert_eq!(inspect(&user, job).await.artifacts.len(), 1);
    sleep(&world.clock, HOUR + Duration::from_secs(120)).await;
    assert!(inspect(&user, job).await.artifacts.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_was_cut_short_is_taken_up_again() {
    for commits in 0.. {
        let world = World::new();
        let control = world.start(PLENTY).await;
        let (first, mut hand) = (user(&control), Hand::new(&control, 1));
        let run = RunId::from_bytes([5; 16]);
        let jobs = [submit_in_run(&first, run, 1).await, submit_in_run(&first, run, 2).await];
        let key = put(&world, b"abc").await;
        // More artifacts than are removed in one batch.
        execute(&mut hand, &[key; 80]).await;
        sleep(&world.clock, Duration::from_secs(5)).await;
        control.stop().await.unwrap();
        sleep(&world.clock, HOUR * 2).await;

        let crashing = world.builder(commits + STARTS).retention(HOURLY).start().await.unwrap();
        sleep(&world.clock, Duration::from_secs(2)).await;
        crashing.stop().await.unwrap();
        let is_done = left(&world, &jobs).await.is_empty();
        let control = world.builder(PLENTY).retention(HOURLY).start().await.unwrap();
        sleep(&world.clock, Duration::from_secs(2)).await;
        assert_eq!(left(&world, &jobs).await, [], "after {commits} commits and a restart");
        control.stop().await.unwrap();
        if is_done {
            assert!(commits >= 3, "it is several steps: {commits}");
            return;
        }
    }
}

/// A store in which somebody is faster with the first artifact that is removed.
#[derive(Clone, Debug)]
struct Contended(MemoryStore, Arc<AtomicBool>);

#[async_trait]
impl Store for Contended {
    async fn load(&self, keys: Vec<Key>) -> Result<Vec<Option<Stored>>, StoreError> {
        self.0.load(keys).await
    }
    async fn scan(&self, query: Query) -> Result<Page, StoreError> {
        self.0.scan(query).await
    }
    async fn commit(&self, writes: Vec<Write>) -> Result<Committed, StoreError> {
        let removes =
            |write: &Write| matches!(write, Write::Delete { key, .. } if key.kind == Kind::Artifact);
        match writes.iter().find(|write| removes(write)) {
            Some(Write::Delete { key, .. }) if !self.1.swap(true, Ordering::SeqCst) => {
                Err(StoreError::Conflict(key.clone()))
            }
            _ => self.0.commit(writes).await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_stays_until_everything_that_it_left_is_removed() {
    let world = World::new();
    let contended = Contended(world.store.clone(), Arc::default());
    let builder = ControlPlane::builder(contended.clone()).clock(world.clock.clone());
    let control = builder.artifacts(world.artifacts.clone()).retention(HOURLY).start().await.unwrap();
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    let job = submit(&user, 1).await;
    execute(&mut hand, &[put(&world, b"abc").await; 80]).await;
    sleep(&world.clock, HOUR + Duration::from_secs(300)).await;
    assert!(contended.1.load(Ordering::SeqCst), "somebody was faster");
    assert_eq!(left(&world, &[job]).await, []);
    control.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn bytes_that_are_put_again_have_the_whole_grace_again() {
    let world = World::new();
    let control = world.builder(PLENTY).artifact_grace(HOUR).start().await.unwrap();
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    submit(&user, 1).await;
    let (again, once) = (put(&world, b"abc").await, put(&world, b"xyz").await);
    let report = admin(&control).unnamed_artifacts(None).await.unwrap();
    assert_eq!((report.looked_at, report.unnamed.len()), (2, 2), "a look removes nothing");
    sleep(&world.clock, HOUR - Duration::from_secs(60)).await;
    put(&world, b"abc").await;
    sleep(&world.clock, HOUR / 2).await;
    assert_eq!(world.artifacts.head(once).await.unwrap(), None);
    assert_eq!(world.artifacts.head(again).await.unwrap(), Some(3));
    // Named within the grace, it stays for as long as it is named.
    execute(&mut hand, &[again]).await;
    sleep(&world.clock, HOUR * 10).await;
    assert_eq!(world.artifacts.head(again).await.unwrap(), Some(3));
    assert!(admin(&control).unnamed_artifacts(None).await.unwrap().unnamed.is_empty());
}

/// What a host keeps beside the queue stands in listings as the host likes.
#[tokio::test(start_paused = true)]
async fn a_control_plane_starts_and_prunes_beside_records_of_its_host() {
    let store = MemoryStore::default();
    for (number, entry) in [(1, vec![0, 1]), (2, vec![0xff; 90])] {
        let key = Key::new(TenantId::DEFAULT, Kind::Host(1), vec![number; 8]);
        let indexes = vec![(Index::Listed, entry.into())];
        store
            .commit(vec![Write::Put { key, expected: 0, format: 1, body: "own".into(), indexes }])
            .await
            .unwrap();
    }
    let control = ControlPlane::builder(store).start().await.unwrap();
    control.check_ready().await.unwrap();
    control.stop().await.unwrap();
}
