//! What a server of PostgreSQL has done so far: bytes of its log, rows that died, transactions, statements
//! and processor time.

use anyhow::Context as _;
use runners_core::{SystemClock, sleep};
use runners_store_postgres::{
    testing::TestServer,
    tokio_postgres::{self, Client, NoTls},
};
use std::{fs, ops::Sub, time::Duration};
use tokio::task::JoinSet;

/// The library that counts statements, which is loaded when a server starts.
pub const STATEMENTS: &str = "pg_stat_statements";

/// How long a connection that has ended takes at most until the server counts what it did.
const COUNTED_AFTER: Duration = Duration::from_secs(1);

/// Everything a server has done, in every database, or what it did between two moments.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Usage {
    /// Bytes of its write-ahead log.
    pub log: f64,
    /// Versions of rows that were replaced or deleted.
    pub dead: f64,
    /// Transactions that were committed.
    pub commits: f64,
    /// Processor time, of all its processes.
    pub processor: Duration,
}

impl Sub for Usage {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            log: self.log - before.log,
            dead: self.dead - before.dead,
            commits: self.commits - before.commits,
            processor: self.processor.saturating_sub(before.processor),
        }
    }
}

/// A connection that asks a server what it has done.
#[derive(Debug)]
pub struct Meter {
    client: Client,
    postmaster: u32,
    _carried: JoinSet<()>,
}

impl Meter {
    /// Connects.
    ///
    /// # Errors
    /// If the server refuses it.
    pub async fn connect(server: &TestServer) -> anyhow::Result<Self> {
        let (client, connection) = tokio_postgres::connect(&server.url(), NoTls).await?;
        let mut carried = JoinSet::new();
        carried.spawn(async move { drop(connection.await) });
        let sql = "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)";
        let postmaster: String = client.query_one(sql, &[]).await?.get(0);
        Ok(Self { client, postmaster: postmaster.trim().parse()?, _carried: carried })
    }

    /// What the server has done, once every connection that was closed is counted.
    ///
    /// # Errors
    /// If it does not answer, or the system does not tell.
    pub async fn read(&self) -> anyhow::Result<Usage> {
        sleep(&SystemClock::default(), COUNTED_AFTER).await;
        let sql = "SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn)::float8,
                sum(tup_updated + tup_deleted)::float8, sum(xact_commit)::float8
            FROM pg_stat_database";
        let row = self.client.query_one(sql, &[]).await?;
        let (log, dead, commits) = (row.get(0), row.get(1), row.get(2));
        Ok(Usage { log, dead, commits, processor: self.processor()? })
    }

    /// The time of the processes that are there, and of those that have ended.
    fn processor(&self) -> anyhow::Result<Duration> {
        let mut ticks = ticks_of(self.postmaster, true)?;
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", self.postmaster))?;
        for child in children.split_whitespace() {
            // One that ends meanwhile is counted the next time, with those that have ended.
            ticks += ticks_of(child.parse()?, false).unwrap_or_default();
        }
        Ok(Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second()))
    }

    /// Begins to count statements. Whether the server can.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn count_statements(&self) -> anyhow::Result<bool> {
        let sql =
            "SELECT setting LIKE '%' || $1 || '%' FROM pg_settings WHERE name = 'shared_preload_libraries'";
        let can: bool = self.client.query_one(sql, &[&STATEMENTS]).await?.get(0);
        if can {
            self.client.batch_execute(&format!("CREATE EXTENSION IF NOT EXISTS {STATEMENTS}")).await?;
        }
        Ok(can)
    }

    /// How often each statement was sent so far, the commonest first; those of this connection do not count.
    ///
    /// # Errors
    /// If the server does not answer, or does not count.
    pub async fn statements(&self) -> anyhow::Result<Vec<(f64, String)>> {
        let sql = "SELECT sum(calls)::float8 AS calls, query FROM pg_stat_statements(true)
            WHERE query NOT LIKE '%pg_stat_%' GROUP BY query ORDER BY calls DESC";
        let rows = self.client.query(sql, &[]).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }
}

/// The processor time of a process in ticks, or with that of its children that have ended.
fn ticks_of(process: u32, with_ended: bool) -> anyhow::Result<u64> {
    let told = fs::read_to_string(format!("/proc/{process}/stat"))
        .context("processor time of a process is read as Linux tells it")?;
    // Behind the name, which may hold anything but ends with the last parenthesis, the 12th to 15th field.
    let fields = told.rsplit_once(')').context("no name")?.1.split_whitespace();
    fields
        .skip(11)
        .take(if with_ended { 4 } else { 2 })
        .map(|field| field.parse::<u64>().context("no number"))
        .sum()
}
