//! The simulated fleet and its checker with this store behind the control planes: what they are answered
//! is what a store in memory answers, call by call, and every rule holds.

use crate::stage::{options, shared};
use async_trait::async_trait;
use futures::stream::BoxStream;
use runners_core::{
    Key, MemoryStore,
    store::{Committed, Hint, Page, Query, Store, StoreError, Stored, Write},
    testing::simulation::{Report, Simulation, Statistics},
};
use runners_store_postgres::PostgresStore;
use std::{
    fmt::Debug,
    mem::discriminant,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};
use tokio::runtime::{Handle, Runtime};

/// Fixed seeds of the simulation: one control plane and two, with hosted jobs and pruning and without, a
/// bad network, a bad store, and strokes.
const SEEDS: [u64; 4] = [1, 2, 6, 12];

/// How many calls were made, so that nobody takes a simulation that asked nothing for one that went well.
static CALLS: AtomicU64 = AtomicU64::new(0);
const CALLS_MIN: u64 = 10_000;

/// A store on PostgreSQL beside one in memory, which is asked the same and must answer the same. What was
/// written is told by the one in memory, since simulated time does not wait for a server to tell.
#[derive(Debug)]
struct Twins {
    postgres: PostgresStore,
    memory: MemoryStore,
    runtime: Handle,
}

impl Twins {
    fn empty(runtime: &Handle) -> Self {
        let open = options(shared().unwrap()).open();
        let postgres = wait(runtime, open).unwrap();
        Self { postgres, memory: MemoryStore::default(), runtime: runtime.clone() }
    }
}

/// Waits for a server without simulated time passing: the thread of the simulation stands still.
fn wait<T: Send>(runtime: &Handle, future: impl Future<Output = T> + Send) -> T {
    CALLS.fetch_add(1, Ordering::Relaxed);
    thread::scope(|scope| scope.spawn(|| runtime.block_on(future)).join().unwrap())
}

fn same<T: Debug + PartialEq>(
    asked: &str,
    answers: (Result<T, StoreError>, Result<T, StoreError>),
) -> Result<T, StoreError> {
    let is_same = match &answers {
        (Ok(one), Ok(other)) => one == other,
        // Of several conflicts, either may name another.
        (Err(one), Err(other)) => discriminant(one) == discriminant(other),
        _ => false,
    };
    assert!(is_same, "to {asked} PostgreSQL and a store in memory answer {answers:#?}");
    answers.0
}

#[async_trait]
impl Store for Twins {
    async fn load(&self, keys: Vec<Key>) -> Result<Vec<Option<Stored>>, StoreError> {
        let asked = format!("{keys:?}");
        let answer = wait(&self.runtime, self.postgres.load(keys.clone()));
        same(&asked, (answer, self.memory.load(keys).await))
    }

    async fn scan(&self, query: Query) -> Result<Page, StoreError> {
        let asked = format!("{query:?}");
        let answer = wait(&self.runtime, self.postgres.scan(query.clone()));
        same(&asked, (answer, self.memory.scan(query).await))
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Committed, StoreError> {
        let asked = format!("{writes:?}");
        let answer = wait(&self.runtime, self.postgres.commit(writes.clone()));
        same(&asked, (answer, self.memory.commit(writes).await))
    }

    fn watch(&self) -> BoxStream<'static, Hint> {
        self.memory.watch()
    }
}

#[test]
fn fixed_seeds_keep_every_rule_on_a_server_and_do_what_they_do_in_memory() {
    if shared().is_none() {
        return;
    }
    let runtime = Runtime::new().unwrap();
    let mut total = Statistics::default();
    for seed in SEEDS {
        let handle = runtime.handle().clone();
        let played = |simulation: Simulation| -> Report {
            simulation.run().unwrap_or_else(|violation| panic!("seed {seed}: {violation}"))
        };
        let on_server = Simulation::varied(seed).store(move || Arc::new(Twins::empty(&handle)));
        let report = played(on_server);
        assert_eq!(report.trace, played(Simulation::varied(seed)).trace, "seed {seed}");
        total += report.statistics;
    }
    let calls = CALLS.load(Ordering::Relaxed);
    println!("{total}\n{calls} calls of the store");
    assert!(calls > CALLS_MIN, "only {calls} calls");
}
