//! What happens to a server as the fleet on it sees it: two control planes, four runners and whoever
//! submits go on as soon as it is there again, no job is lost and none is run twice.

use crate::{
    failures::Proxy,
    stage::{LONG, Visit, options, own, pause, shared, stranger, within},
};
use futures::future::join_all;
use runners_core::{Attempt, Clock as _, ControlPlane, Fault, Runner, SystemClock};
use runners_store_postgres::{PostgresOptions, testing::TestServer};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

const RECOVERY_MAX: Duration = Duration::from_secs(10);

/// How many jobs are under way at once.
const WAITING: u64 = 16;

/// How often each job was executed.
type Executed = Arc<Mutex<BTreeMap<u64, usize>>>;

struct Fleet {
    planes: Vec<ControlPlane>,
    runners: Vec<Runner>,
    executed: Executed,
    /// How many jobs were submitted, and the highest number of those that are done.
    submitted: AtomicU64,
    done: AtomicU64,
}

impl Fleet {
    async fn start(store: PostgresOptions) -> Self {
        let executed = Executed::default();
        let (mut planes, mut runners) = (Vec::new(), Vec::new());
        for _ in 0..2 {
            let store = store.clone().connections(8).open().await.unwrap();
            // What is offered waits for its runner over any outage, and a runner does not wait longer than one.
            let plane = ControlPlane::builder(store).start_within(LONG).spread(Duration::from_millis(100));
            let plane = plane.start().await.unwrap();
            for _ in 0..2 {
                let executed = Arc::clone(&executed);
                let execute = move |Visit(number), _: Attempt| {
                    *executed.lock().unwrap().entry(number).or_default() += 1;
                    async move {
                        pause(20).await;
                        Ok::<_, Fault>(number)
                    }
                };
                runners.push(plane.local_runner("default").slots(4).executor(execute).start());
            }
            planes.push(plane);
        }
        Self { planes, runners, executed, submitted: AtomicU64::new(0), done: AtomicU64::new(0) }
    }

    /// Submits all the time while harm is done, each job to the one and waited for at the other, until all
    /// that was accepted is done.
    async fn goes_on(&self, harm: impl AsyncFnOnce(&Self)) {
        let stop = AtomicBool::new(false);
        let clients: Vec<_> = self.planes.iter().map(ControlPlane::local_client).collect();
        let submitting = join_all((0..WAITING).map(|_| async {
            while !stop.load(Ordering::Relaxed) {
                let number = self.submitted.fetch_add(1, Ordering::Relaxed);
                let at = usize::try_from(number).unwrap() % clients.len();
                let job = clients[at].submit(&Visit(number)).await.unwrap().id();
                let other = &clients[(at + 1) % clients.len()];
                assert_eq!(other.job::<u64>(job).result().await.unwrap(), number);
                self.done.fetch_max(number, Ordering::Relaxed);
            }
        }));
        let harming = async {
            self.recovers().await;
            harm(self).await;
            stop.store(true, Ordering::Relaxed);
        };
        within("the end of every job", futures::future::join(submitting, harming)).await;
        let (accepted, executed) =
            (self.submitted.load(Ordering::Relaxed), self.executed.lock().unwrap().clone());
        println!("{accepted} jobs");
        assert_eq!(executed, (0..accepted).map(|number| (number, 1)).collect());
        for runner in &self.runners {
            within("the end of a runner", runner.drain()).await.unwrap();
        }
        for plane in &self.planes {
            within("the end of a control plane", plane.stop()).await.unwrap();
        }
    }

    /// Waits until a job is done that is submitted from now on; it may not take long.
    async fn recovers(&self) {
        let (clock, submitted) = (SystemClock::default(), self.submitted.load(Ordering::Relaxed));
        let began = clock.boot();
        while self.done.load(Ordering::Relaxed) < submitted {
            pause(10).await;
            assert!(clock.boot().since(began) < RECOVERY_MAX, "nothing is done any more");
        }
        println!("went on after {:?}", clock.boot().since(began));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_go_on_after_a_server_was_restarted_and_after_it_has_crashed() {
    let Some(server) = own(&[]) else { return };
    let fleet = Fleet::start(options(&server)).await;
    fleet
        .goes_on(async |fleet| {
            for harm in [TestServer::stop, TestServer::crash] {
                harm(&server);
                pause(500).await;
                server.start_again();
                fleet.recovers().await;
            }
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_go_on_after_backends_were_ended() {
    let Some(server) = own(&["-c", "fsync=off"]) else { return };
    let stranger = stranger(&server).await;
    let fleet = Fleet::start(options(&server)).await;
    fleet
        .goes_on(async |fleet| {
            for _ in 0..3 {
                stranger.end_all().await;
                fleet.recovers().await;
            }
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_go_on_after_connections_were_cut() {
    let Some(server) = shared() else { return };
    let proxy = Proxy::before(server.socket()).await;
    let fleet = Fleet::start(proxy.options(server)).await;
    fleet
        .goes_on(async |fleet| {
            for _ in 0..3 {
                proxy.cut().await;
                fleet.recovers().await;
            }
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_go_on_after_every_connection_was_in_use() {
    let Some(server) = own(&["-c", "fsync=off"]) else { return };
    let mut stranger = stranger(&server).await;
    let schema = server.fresh_schema();
    let store = PostgresOptions::new(server.url()).schema(&schema).patience(Duration::from_secs(2));
    let fleet = Fleet::start(store).await;
    fleet
        .goes_on(async |fleet| {
            let lock = stranger.client.transaction().await.unwrap();
            lock.batch_execute(&format!("LOCK TABLE {schema}.record IN ACCESS EXCLUSIVE MODE"))
                .await
                .unwrap();
            pause(4000).await;
            lock.rollback().await.unwrap();
            fleet.recovers().await;
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_go_on_after_a_standby_has_taken_over() {
    let Some(primary) = own(&["-c", "fsync=off"]) else { return };
    let standby = match primary.start_standby() {
        Ok(standby) => standby,
        Err(why) => return println!("\nskipped: {why}"),
    };
    crate::failover::synchronous(&primary).await;
    let after = stranger(&standby).await;
    let store = PostgresOptions::new(primary.url_with(&standby)).schema(primary.fresh_schema());
    let fleet = Fleet::start(store).await;
    fleet
        .goes_on(async |fleet| {
            primary.crash();
            after.client.simple_query("SELECT pg_promote()").await.unwrap();
            fleet.recovers().await;
        })
        .await;
}
