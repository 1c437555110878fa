//! What the tests have in common: a server, records to write, and what can be done to a server.

use runners_core::{
    Index, Key, Kind, SystemClock, TenantId, sleep,
    store::{Store, Write},
};
use runners_store_postgres::{
    PostgresOptions, PostgresStore,
    testing::TestServer,
    tokio_postgres::{self, NoTls},
};
use std::{sync::Arc, time::Duration};

/// Nothing takes longer than this, however busy the machine is.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// The server that the tests share. Where there is none, it says so.
pub(crate) fn shared() -> Option<&'static TestServer> {
    TestServer::shared().inspect_err(|why| println!("\nskipped: {why}")).ok()
}

/// A server for one test, which may stop it.
pub(crate) fn own(settings: &[&str]) -> Option<TestServer> {
    TestServer::start_with(settings).inspect_err(|why| println!("\nskipped: {why}")).ok()
}

pub(crate) fn options(server: &TestServer) -> PostgresOptions {
    PostgresOptions::new(server.url()).schema(server.fresh_schema())
}

/// Several stores on one schema, as several control planes have them.
pub(crate) async fn stores(server: &TestServer, count: usize) -> Vec<Arc<PostgresStore>> {
    let options = options(server).connections(8);
    let mut stores = Vec::new();
    for _ in 0..count {
        stores.push(Arc::new(options.clone().open().await.unwrap()));
    }
    stores
}

/// Somebody else who is connected, with what carries the connection while this is kept.
pub(crate) struct Stranger {
    pub(crate) client: tokio_postgres::Client,
    _carried: tokio::task::JoinSet<()>,
}

pub(crate) async fn stranger(server: &TestServer) -> Stranger {
    let (client, connection) = tokio_postgres::connect(&server.url(), NoTls).await.unwrap();
    let mut carried = tokio::task::JoinSet::new();
    carried.spawn(async move { drop(connection.await) });
    Stranger { client, _carried: carried }
}

impl Stranger {
    /// Ends every other connection of this database.
    pub(crate) async fn end_all(&self) {
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'";
        self.client.simple_query(sql).await.unwrap();
    }
}

/// Waits for what has to come.
///
/// # Panics
/// If it does not come within a minute.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let clock = SystemClock::default();
    tokio::select! {
        done = future => done,
        () = sleep(&clock, LONG) => panic!("{what} did not come within {LONG:?}"),
    }
}

pub(crate) async fn pause(millis: u64) {
    sleep(&SystemClock::default(), Duration::from_millis(millis)).await;
}

pub(crate) fn job(number: usize) -> Key {
    Key::new(TenantId::DEFAULT, Kind::Job, number.to_be_bytes().to_vec())
}

pub(crate) fn put(number: usize, expected: u64, bytes: usize) -> Write {
    let key = job(number);
    let indexes = vec![(Index::Listed, key.id.clone())];
    Write::Put { key, expected, format: 1, body: vec![7; bytes].into(), indexes }
}

pub(crate) async fn versions(store: &dyn Store, numbers: std::ops::Range<usize>) -> Vec<u64> {
    let loaded = store.load(numbers.map(job).collect()).await.unwrap();
    loaded.into_iter().map(|found| found.map_or(0, |stored| stored.version)).collect()
}

/// Every cause in the chain, as a log would show it.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Work of no kind in particular.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Visit(pub(crate) u64);

impl runners_core::Command for Visit {
    const KIND: &'static str = "visit";
    type Result = u64;
}
