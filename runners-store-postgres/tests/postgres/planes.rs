//! Several control planes on one database: each job is carried out once, whoever was asked, and one
//! that dies takes nothing with it.

use crate::stage::{Visit, shared, stores, within};
use async_trait::async_trait;
use futures::{
    StreamExt as _,
    future::join_all,
    stream::{self, BoxStream},
};
use runners_core::{
    Attempt, Caller, Clock, Conclusion, ControlPlane, Fault, JobOptions, Key, Kind, PoolId, Principal,
    Runner, RunnerId, TenantId, Transport, TransportError,
    protocol::{Reply, Request},
    store::{Committed, Hint, Page, Query, Store, StoreError, Stored, Write},
};
use runners_store_postgres::PostgresStore;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

const JOBS: u64 = 200;

/// A control plane that can be killed: nothing that it asked for is answered from then on.
struct Plane {
    control: ControlPlane,
    killed: CancellationToken,
    counted: Arc<Counted>,
}

#[derive(Debug, Default)]
struct Counted {
    /// Batches that put a job, and those of them that met another's.
    commits: AtomicUsize,
    conflicts: AtomicUsize,
}

#[derive(Debug)]
struct Mortal {
    store: Arc<PostgresStore>,
    killed: CancellationToken,
    counted: Arc<Counted>,
}

impl Mortal {
    async fn alive<T>(&self, future: impl Future<Output = T>) -> T {
        let answer = future.await;
        if self.killed.is_cancelled() {
            std::future::pending::<()>().await;
        }
        answer
    }
}

#[async_trait]
impl Store for Mortal {
    async fn load(&self, keys: Vec<Key>) -> Result<Vec<Option<Stored>>, StoreError> {
        self.alive(self.store.load(keys)).await
    }

    async fn scan(&self, query: Query) -> Result<Page, StoreError> {
        self.alive(self.store.scan(query)).await
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Committed, StoreError> {
        if self.killed.is_cancelled() {
            std::future::pending::<()>().await;
        }
        let puts_job = |write: &Write| matches!(write, Write::Put { key, .. } if key.kind == Kind::Job);
        let claims = writes.iter().any(puts_job);
        let committed = self.alive(self.store.commit(writes)).await;
        if claims {
            self.counted.commits.fetch_add(1, Ordering::Relaxed);
            let met = usize::from(matches!(committed, Err(StoreError::Conflict(_))));
            self.counted.conflicts.fetch_add(met, Ordering::Relaxed);
        }
        committed
    }

    fn watch(&self) -> BoxStream<'static, Hint> {
        let killed = self.killed.clone();
        let hints = self.store.watch().take_until(async move { killed.cancelled().await });
        hints.chain(stream::pending()).boxed()
    }

    fn clock(&self) -> Option<Arc<dyn Clock>> {
        self.store.clock()
    }
}

async fn planes(count: usize, term: Duration) -> Option<Vec<Plane>> {
    let stores = stores(shared()?, count).await;
    let planes = stores.into_iter().map(|store| async move {
        let (killed, counted) = (CancellationToken::new(), Arc::new(Counted::default()));
        let mortal = Mortal { store, killed: killed.clone(), counted: Arc::clone(&counted) };
        let control = ControlPlane::builder(mortal).term(term).start().await.unwrap();
        Plane { control, killed, counted }
    });
    Some(join_all(planes).await)
}

/// Asks another control plane each time, as a load balancer does; those that were killed answer nothing.
#[derive(Debug)]
struct Roaming {
    planes: Vec<(Caller, CancellationToken)>,
    turn: AtomicUsize,
}

impl Roaming {
    fn of(planes: &[Plane], principal: &Principal) -> Self {
        let caller = |plane: &Plane| (plane.control.caller(principal.clone()), plane.killed.clone());
        Self { planes: planes.iter().map(caller).collect(), turn: AtomicUsize::new(0) }
    }
}

#[async_trait]
impl Transport for Roaming {
    async fn call(&self, request: Request) -> Result<Reply, TransportError> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let (caller, killed) = &self.planes[turn % self.planes.len()];
        tokio::select! {
            biased;
            () = killed.cancelled() => Err(TransportError::Unreachable("connection refused".into())),
            reply = caller.call(request) => reply,
        }
    }
}

/// How often each job was carried out to its end.
type Done = Arc<Mutex<BTreeMap<u64, usize>>>;

fn roaming_runner(planes: &[Plane], number: u8, done: &Done) -> Runner {
    let runner = RunnerId::from_bytes([number; 16]);
    let principal = Principal::Runner { tenant: TenantId::DEFAULT, pool: PoolId::DEFAULT, runner };
    let done = Arc::clone(done);
    Runner::builder(Roaming::of(planes, &principal))
        .slots(4)
        .park_for(Duration::from_secs(2))
        .executor(move |Visit(number), _: Attempt| {
            *done.lock().unwrap().entry(number).or_default() += 1;
            async move { Ok::<_, Fault>(number) }
        })
        .start()
}

#[tokio::test(flavor = "multi_thread")]
async fn runners_and_clients_talk_to_any_control_plane_and_each_job_is_carried_out_once() {
    let Some(planes) = planes(4, Duration::from_secs(180)).await else { return };
    let done = Done::default();
    let runners: Vec<Runner> = (1..=4).map(|number| roaming_runner(&planes, number, &done)).collect();
    let clients: Vec<_> = planes.iter().map(|plane| plane.control.local_client()).collect();
    let jobs = (0..JOBS).map(|number| {
        let (submits, waits) = (&clients[number as usize % 4], &clients[(number as usize + 1) % 4]);
        async move {
            let job = submits.submit(&Visit(number)).await.unwrap().id();
            waits.job::<u64>(job).result().await.unwrap()
        }
    });
    let results = within("every result", join_all(jobs)).await;
    assert_eq!(results, (0..JOBS).collect::<Vec<_>>());
    assert_eq!(*done.lock().unwrap(), (0..JOBS).map(|number| (number, 1)).collect());
    for runner in &runners {
        within("the end of a runner", runner.drain()).await.unwrap();
    }
    for plane in &planes {
        let count = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        println!("{} commits, {} conflicts", count(&plane.counted.commits), count(&plane.counted.conflicts));
        within("the end of a control plane", plane.control.stop()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_plane_that_is_killed_takes_nothing_with_it() {
    let Some(planes) = planes(2, Duration::from_secs(8)).await else { return };
    let done = Done::default();
    let runners: Vec<Runner> = (1..=2).map(|number| roaming_runner(&planes, number, &done)).collect();
    let (mortal, survivor) = (planes[0].control.local_client(), planes[1].control.local_client());
    // What was accepted by the one that dies is known by its id alone.
    let mut jobs = Vec::new();
    for number in 0..JOBS {
        if number == JOBS / 2 {
            planes[0].killed.cancel();
        }
        let client = if number < JOBS / 2 && number % 2 == 0 { &mortal } else { &survivor };
        jobs.push(client.submit(&Visit(number)).await.unwrap().id());
    }
    let views = jobs.iter().map(|job| survivor.job::<u64>(*job));
    let views: Vec<_> = views.collect();
    let concluded =
        within("every conclusion", join_all(views.iter().map(runners_core::JobHandle::wait))).await;
    for view in concluded {
        assert_eq!(view.unwrap().conclusion(), Some(Conclusion::Passed));
    }
    let done = done.lock().unwrap().clone();
    assert_eq!(done.len(), JOBS as usize);
    for runner in runners {
        runner.kill();
    }
    within("the end of a control plane", planes[1].control.stop()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_finds_its_way_to_a_runner_at_another_control_plane() {
    let Some(planes) = planes(2, Duration::from_secs(8)).await else { return };
    let started = Arc::new(Notify::new());
    let runner = {
        let started = Arc::clone(&started);
        planes[1].control.local_runner("default").executor(move |Visit(_), attempt: Attempt| {
            started.notify_one();
            async move {
                attempt.cancelled().await;
                Err::<u64, _>(Fault::permanent("cancelled", "as it was asked"))
            }
        })
    }
    .start();
    let client = planes[0].control.local_client();
    let job = client.submit(&(Visit(1), JobOptions::default())).await.unwrap();
    within("the start", started.notified()).await;
    job.cancel().await.unwrap();
    let view = within("the end", job.wait()).await.unwrap();
    assert_eq!(view.conclusion(), Some(Conclusion::Cancelled));
    within("the end of the runner", runner.drain()).await.unwrap();
    for plane in &planes {
        plane.control.stop().await.unwrap();
    }
}
