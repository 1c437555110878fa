//! How many bytes a tenant may keep as artifacts: counted before they come, and given back.

use super::{
    crashing::{PLENTY, STARTS, World},
    hand::{inspect, submit_with, user},
    troubled::Troubled,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use runners_core::{
    ArtifactError, ArtifactKey, ArtifactStore, Attempt, ByteStream, Clock as _, Command, Conclusion,
    ControlPlane, Digest, JobId, JobOptions, Management, Principal, Retention, TenantId, Transport as _,
    protocol::{ReadLogRequest, Reply, Request, StateView},
    sleep,
};
use std::{sync::Arc, time::Duration};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn operator(control: &ControlPlane) -> Management {
    control.management(Principal::Operator)
}

fn key(bytes: &[u8]) -> ArtifactKey {
    ArtifactKey { tenant: TenantId::DEFAULT, digest: Digest::of(bytes) }
}

fn whole(bytes: &'static [u8]) -> ByteStream {
    stream::iter([Ok(Bytes::from_static(bytes))]).boxed()
}

async fn put(store: &dyn ArtifactStore, bytes: &'static [u8]) -> Result<(), ArtifactError> {
    store.put(key(bytes), bytes.len() as u64, whole(bytes)).await
}

async fn used(control: &ControlPlane) -> u64 {
    operator(control).within(TenantId::DEFAULT).unwrap().artifact_use().await.unwrap().bytes
}

async fn with_quota(world: &World, bytes: u64) -> ControlPlane {
    world.builder(PLENTY).artifact_quota(bytes).artifact_grace(HOUR).start().await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_is_refused_before_its_first_byte_with_limit_use_and_what_to_do() {
    let world = World::new();
    let control = with_quota(&world, 10).await;
    let store = control.artifacts();
    put(&store, b"1234567").await.unwrap();
    let bytes = stream::poll_fn(|_| panic!("a byte was asked for although it does not fit")).boxed();
    let refused = store.put(key(b"abcd"), 4, bytes).await.unwrap_err();
    assert!(matches!(refused, ArtifactError::OverQuota { length: 4, used: 7, limit: 10 }), "{refused:?}");
    let told = refused.to_string();
    assert!(
        told.contains("of 4 bytes") && told.contains("quota of 10") && told.contains("7 are used"),
        "{told}"
    );
    assert!(told.contains("keep less, or ask the operator for more"), "{told}");
    put(&store, b"abc").await.unwrap();
    put(&store, b"1234567").await.unwrap();
    assert_eq!(used(&control).await, 10, "the same bytes count once");
    store.delete(key(b"1234567")).await.unwrap();
    assert_eq!(used(&control).await, 3, "what is removed is given back");
    put(&store, b"abcd").await.unwrap();
    assert_eq!(used(&control).await, 7);
}

#[tokio::test(start_paused = true)]
async fn what_fails_is_cut_or_is_dropped_is_given_back() {
    let world = World::new();
    let control = with_quota(&world, 10).await;
    let store = control.artifacts();
    let wrong = store.put(key(b"abc"), 3, whole(b"xyz")).await;
    assert!(matches!(wrong, Err(ArtifactError::Mismatch(_))), "{wrong:?}");
    assert_eq!(used(&control).await, 0);
    let cut = stream::iter([Ok(Bytes::from_static(b"a")), Err("cut".into())]).boxed();
    assert!(store.put(key(b"abc"), 3, cut).await.is_err());
    assert_eq!(used(&control).await, 0);
    {
        let dropped = store.put(key(b"abc"), 3, stream::pending().boxed());
        futures::pin_mut!(dropped);
        while used(&control).await == 0 {
            assert!(futures::poll!(dropped.as_mut()).is_pending());
        }
        assert_eq!(used(&control).await, 3, "it counts while it is under way");
    }
    while used(&control).await > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn of_many_puts_at_once_no_more_are_taken_than_fit() {
    let world = World::new();
    // Two control planes on one store.
    let planes = [with_quota(&world, 50).await, with_quota(&world, 50).await];
    let texts: Vec<Bytes> = (0..40_u8).map(|number| Bytes::from(vec![number; 5])).collect();
    let puts = texts.iter().enumerate().map(|(at, bytes)| {
        let store = planes[at % 2].artifacts();
        let piece = stream::iter([Ok(bytes.clone())]).boxed();
        async move { store.put(key(bytes), 5, piece).await }
    });
    let done = futures::future::join_all(puts).await;
    let taken = done.iter().filter(|put| put.is_ok()).count();
    let refused = done.iter().filter(|put| matches!(put, Err(ArtifactError::OverQuota { .. }))).count();
    assert_eq!((taken, refused), (10, 30), "{done:?}");
    assert_eq!(used(&planes[0]).await, 50);
    let stored = world.artifacts.list(TenantId::DEFAULT, None, 100).await.unwrap();
    assert_eq!(stored.iter().map(|one| one.length).sum::<u64>(), 50);
}

#[tokio::test(start_paused = true)]
async fn whoever_puts_and_removes_the_same_at_once_leaves_what_is_there_counted() {
    let world = World::new();
    let planes = [with_quota(&world, 50).await, with_quota(&world, 50).await];
    for round in 0..20 {
        let acts = (0..6).map(|act| {
            let store = planes[act % 2].artifacts();
            async move {
                for _ in 0..round {
                    tokio::task::yield_now().await;
                }
                if act < 3 { put(&store, b"abc").await } else { store.delete(key(b"abc")).await }
            }
        });
        for done in futures::future::join_all(acts).await {
            done.unwrap();
        }
        let there = world.artifacts.head(key(b"abc")).await.unwrap();
        assert_eq!(used(&planes[0]).await, there.unwrap_or(0), "round {round}");
    }
}

#[tokio::test(start_paused = true)]
async fn wherever_a_control_plane_dies_what_is_there_is_counted_in_the_end() {
    for commits in 0.. {
        let world = World::new();
        let crashing = world.builder(STARTS + commits).artifact_quota(100).start().await.unwrap();
        let store = crashing.artifacts();
        let put_first = put(&store, b"abc").await;
        let put_next = put(&store, b"longer").await;
        let removed = store.delete(key(b"abc")).await;
        crashing.stop().await.unwrap();

        let control = with_quota(&world, 100).await;
        // What was announced counts for a day; what is listed is counted in the next look.
        sleep(&world.clock, DAY + HOUR).await;
        // Nothing names them, so the grace is over as well.
        let stored = world.artifacts.list(TenantId::DEFAULT, None, 100).await.unwrap();
        assert_eq!(stored, []);
        assert_eq!(used(&control).await, 0, "after {commits} commits");
        control.stop().await.unwrap();
        if put_first.is_ok() && put_next.is_ok() && removed.is_ok() {
            assert!(commits >= 5, "it is several steps: {commits}");
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_put_past_it_or_before_anybody_counted_is_counted_soon() {
    let world = World::new();
    put(&world.artifacts, b"abc").await.unwrap();
    let control = world.builder(PLENTY).artifact_grace(DAY).start().await.unwrap();
    sleep(&world.clock, Duration::from_secs(60)).await;
    assert_eq!(used(&control).await, 3);
}

#[tokio::test(start_paused = true)]
async fn the_operator_says_how_much_a_tenant_may_keep_and_nobody_else() {
    let world = World::new();
    let control = with_quota(&world, 3).await;
    let (tenant, store) = (TenantId::DEFAULT, control.artifacts());
    let view = operator(&control).set_artifact_quota(tenant, Some(8)).await.unwrap();
    assert_eq!((view.artifacts.quota, view.artifacts.is_own), (Some(8), true));
    put(&store, b"12345678").await.unwrap();
    let view = operator(&control).set_artifact_quota(tenant, None).await.unwrap();
    assert_eq!((view.artifacts.quota, view.artifacts.bytes, view.artifacts.is_own), (Some(3), 8, false));
    assert!(view.artifacts.is_used_up());
    let refused = put(&store, b"x").await;
    assert!(matches!(refused, Err(ArtifactError::OverQuota { length: 1, used: 8, limit: 3 })), "{refused:?}");
    let admin = Principal::Api { tenant, scopes: runners_core::Scope::ALL.into() };
    let refused = control.management(admin).set_artifact_quota(tenant, Some(9)).await.unwrap_err();
    assert!(refused.to_string().contains("operator"), "{refused}");
    let refused = operator(&control).set_artifact_quota(tenant, Some(u64::MAX)).await.unwrap_err();
    assert!(refused.to_string().contains("9223372036854775807"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn the_pieces_of_an_upload_count_and_are_removed_after_a_day() {
    let world = World::new();
    let control = with_quota(&world, 10).await;
    let store = control.artifacts();
    assert_eq!(store.upload_offset(key(b"0123456789"), 10).await.unwrap(), Some(0));
    assert_eq!(used(&control).await, 10, "all of it was announced");
    assert_eq!(store.append(key(b"0123456789"), 10, 0, whole(b"0123")).await.unwrap(), 4);
    assert!(matches!(put(&store, b"x").await, Err(ArtifactError::OverQuota { .. })));
    sleep(&world.clock, DAY - HOUR).await;
    assert_eq!(store.append(key(b"0123456789"), 10, 4, whole(b"45")).await.unwrap(), 6, "another day");
    sleep(&world.clock, DAY - HOUR).await;
    assert_eq!(world.artifacts.upload_offset(key(b"0123456789"), 10).await.unwrap(), Some(6));
    sleep(&world.clock, HOUR * 2).await;
    assert_eq!(world.artifacts.upload_offset(key(b"0123456789"), 10).await.unwrap(), Some(0), "swept");
    assert_eq!(used(&control).await, 0);
    assert_eq!(store.append(key(b"0123456789"), 10, 0, whole(b"0123456789")).await.unwrap(), 10);
    assert_eq!(used(&control).await, 10);
}

#[tokio::test(start_paused = true)]
async fn what_retention_removes_is_given_back() {
    let world = World::new();
    let hourly = Retention { concluded_for: Some(HOUR), ..Retention::FOREVER };
    let control = world.builder(PLENTY).retention(hourly).artifact_grace(HOUR).artifact_quota(100).start();
    let control = control.await.unwrap();
    let runner = control.local_runner("default").executor(attaching).start();
    let job = control.local_client().submit(&Attach).await.unwrap();
    assert!(job.result().await.unwrap().0);
    assert!(used(&control).await >= 7);
    sleep(&world.clock, HOUR * 4).await;
    assert_eq!(used(&control).await, 0);
    runner.drain().await.unwrap();
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Attach;

impl Command for Attach {
    const KIND: &'static str = "attach";
    type Result = Attached;
}

/// Whether it could be attached. The work itself has passed.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Attached(bool);
impl runners_core::JobResult for Attached {}

async fn attaching(_: Attach, attempt: Attempt) -> Result<Attached, runners_core::Fault> {
    Ok(Attached(attempt.attach("shot.png", "image/png", &b"picture"[..]).await.is_ok()))
}

/// A store that tells who wants to put into it, and keeps nothing.
#[derive(Debug)]
struct NoRoom;

#[async_trait]
impl ArtifactStore for NoRoom {
    async fn put(&self, _: ArtifactKey, _: u64, _: ByteStream) -> Result<(), ArtifactError> {
        panic!("bytes came although there is no room for them")
    }
    async fn get(
        &self,
        key: ArtifactKey,
        _: Option<std::ops::Range<u64>>,
    ) -> Result<ByteStream, ArtifactError> {
        Err(ArtifactError::Missing(key.digest))
    }
    async fn head(&self, _: ArtifactKey) -> Result<Option<u64>, ArtifactError> {
        Ok(None)
    }
    async fn delete(&self, _: ArtifactKey) -> Result<(), ArtifactError> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_else_that_is_due_waits_for_an_artifact_store_that_does_not_answer() {
    let world = World::new();
    let troubled = Troubled::of(&world);
    let plane = world.builder(PLENTY).artifacts(troubled.clone());
    let control = plane.artifact_quota(100).start().await.unwrap();
    assert_eq!(control.artifacts().upload_offset(key(b"0123456789"), 10).await.unwrap(), Some(0));
    let later = JobOptions { start_at: Some(world.clock.wall() + DAY + HOUR), ..JobOptions::default() };
    let (user, job) = (user(&control), JobId::from_bytes([7; 16]));
    submit_with(&user, 7, later).await;
    troubled.silence(true);
    // After a day the upload is due; an hour later the job.
    sleep(&world.clock, DAY + HOUR * 2).await;
    let state = inspect(&user, job).await.state;
    assert!(matches!(state, StateView::Ready { .. }), "{state:?}");
    troubled.silence(false);
    control.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_artifacts_do_not_fit_keeps_its_verdict_and_says_which_are_missing_and_why() {
    let world = World::new();
    let plane = ControlPlane::builder(world.store.clone()).clock(world.clock.clone());
    let control = plane.artifacts(Arc::new(NoRoom)).artifact_quota(3).start().await.unwrap();
    let runner = control.local_runner("default").executor(attaching).start();
    let client = control.local_client();
    let job = client.submit(&Attach).await.unwrap();
    let ended = job.wait().await.unwrap();
    assert_eq!(ended.conclusion(), Some(Conclusion::Passed));
    assert_eq!(ended.attempts[0].missing, ["shot.png"]);
    let asked = ReadLogRequest { job: job.id(), grant: None, from: 0, park_for: Duration::ZERO };
    let Reply::Log(log) = user(&control).call(Request::ReadLog(asked)).await.unwrap() else {
        panic!("a log was asked for");
    };
    let log: Vec<u8> = log.chunks.iter().flat_map(|chunk| chunk.bytes.as_bytes().to_vec()).collect();
    let log = String::from_utf8(log).unwrap();
    assert!(log.contains("shot.png") && log.contains("quota of 3"), "{log}");
    runner.drain().await.unwrap();
}

#[cfg(feature = "testing")]
mod suite {
    async fn make() -> impl super::ArtifactStore {
        let world = super::World::new();
        super::with_quota(&world, runners_core::ArtifactUse::QUOTA_MAX).await.artifacts()
    }
    runners_core::artifact_suite!(make);
}
