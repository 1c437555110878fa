//! Prints what a queue in PostgreSQL carries, beside a loop with `SKIP LOCKED` written by hand, in the same
//! run on the same server, which it starts by itself on the disk of this checkout. `ROUNDS` and `SECONDS`
//! say how often and for how long.

use anyhow::{Context as _, anyhow};
use runners_benches::{
    bed::{Bed, directory, runtime},
    figures::Spread,
    sample::Sample,
    scale,
};
use runners_core::{SystemClock, sleep};
use runners_store_postgres::{
    PostgresOptions,
    testing::TestServer,
    tokio_postgres::{self, NoTls},
};
use std::{sync::Arc, time::Duration};
use tokio::task::JoinSet;

const CALLERS: [usize; 3] = [16, 64, 256];

fn main() -> anyhow::Result<()> {
    let number = |name: &str, usual: u64| match std::env::var(name) {
        Ok(text) => text.parse().with_context(|| format!("{name} is a number")),
        Err(_) => Ok(usual),
    };
    let (rounds, span) = (number("ROUNDS", 5)?, Duration::from_secs(number("SECONDS", 5)?));
    let place = directory()?;
    let parent = place.path().parent().context("a directory has a parent")?;
    let settings = ["-c", "shared_buffers=256MB", "-c", "max_wal_size=4GB"];
    let server = TestServer::start_below(parent, &settings).map_err(|why| anyhow!(why))?;
    runtime()?.block_on(async {
        for callers in CALLERS {
            measure(&server, callers, rounds, span).await?;
        }
        Ok(())
    })
}

async fn measure(server: &TestServer, callers: usize, rounds: u64, span: Duration) -> anyhow::Result<()> {
    println!("\n# {callers} callers, {rounds} rounds of {} s, durable, one process", span.as_secs());
    let (mut ours, mut batched, mut single) = (Vec::new(), Vec::new(), Vec::new());
    let mut written = Written::default();
    for _ in 0..rounds {
        let watch = Server::connect(server).await?;
        ours.push(runners(server, callers, span).await?);
        written.add(watch.written().await?, ours.last().map_or(0, |sample| sample.lifecycles));
        scale::prepare(&server.url()).await?;
        batched.push(scale::travel_batched(&server.url(), callers, span).await?);
        scale::prepare(&server.url()).await?;
        single.push(scale::travel_one_by_one(&server.url(), callers, span).await?);
    }
    let rates = |samples: &[Sample]| Spread::of(samples.iter().map(Sample::rate));
    println!("  runners                 {} lifecycles/s", rates(&ours));
    println!("  SKIP LOCKED, batched    {} lifecycles/s", rates(&batched));
    println!("  SKIP LOCKED, one by one {} lifecycles/s", rates(&single));
    let share = ours.iter().zip(&batched).map(|(ours, floor)| ours.rate() / floor.rate());
    println!("  of the batched floor    {}", Spread::of(share));
    let micros = Spread::of(ours.iter().map(Sample::micros_used));
    println!("  processor time here     {micros} us a lifecycle");
    println!("  {}", written.told());
    Ok(())
}

async fn runners(server: &TestServer, callers: usize, span: Duration) -> anyhow::Result<Sample> {
    let options = PostgresOptions::new(server.url()).schema(server.fresh_schema());
    let store = Arc::new(options.open().await?);
    let kept = Arc::clone(&store);
    let bed = Bed::start_on(store, None).await?;
    let sample = bed.travel(callers, span).await?;
    bed.control.stop().await?;
    kept.close().await;
    Ok(sample)
}

/// What the server has written and left behind.
struct Server {
    client: tokio_postgres::Client,
    carried: JoinSet<()>,
    begun: i64,
}

/// Bytes of its log, and rows that are dead.
#[derive(Default)]
struct Written {
    log: i64,
    dead: i64,
    lifecycles: u64,
}

impl Written {
    fn add(&mut self, (log, dead): (i64, i64), lifecycles: u64) {
        self.log += log;
        self.dead += dead;
        self.lifecycles += lifecycles;
    }

    #[expect(clippy::cast_precision_loss, reason = "no run counts to 2^52")]
    fn told(&self) -> String {
        let each = |count: i64| count as f64 / self.lifecycles as f64;
        format!("{:.0} bytes of log and {:.2} dead rows a lifecycle", each(self.log), each(self.dead))
    }
}

impl Server {
    async fn connect(server: &TestServer) -> anyhow::Result<Self> {
        let (client, connection) = tokio_postgres::connect(&server.url(), NoTls).await?;
        let mut carried = JoinSet::new();
        carried.spawn(async move { drop(connection.await) });
        let mut this = Self { client, carried, begun: 0 };
        this.begun = this.log().await?;
        Ok(this)
    }

    async fn log(&self) -> anyhow::Result<i64> {
        let row = self.client.query_one("SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint", &[]).await?;
        Ok(row.get(0))
    }

    /// What was written since, and how many rows died in the newest schema, vacuumed or not.
    async fn written(mut self) -> anyhow::Result<(i64, i64)> {
        let log = self.log().await? - self.begun;
        // The server counts with a delay.
        sleep(&SystemClock::default(), Duration::from_secs(2)).await;
        let sql = "SELECT coalesce(sum(n_tup_upd + n_tup_del), 0)::bigint FROM pg_stat_user_tables
            WHERE schemaname = (SELECT schemaname FROM pg_stat_user_tables WHERE schemaname LIKE 'test_%'
                ORDER BY length(schemaname) DESC, schemaname DESC LIMIT 1)";
        let dead = self.client.query_one(sql, &[]).await?.get(0);
        drop(self.client);
        self.carried.shutdown().await;
        Ok((log, dead))
    }
}
