//! How a queue on PostgreSQL is measured: at its best, by its own statements, without its polling. Each
//! step is one statement, committed and answered by itself.

use crate::{Outcome, travelled};
use serde_json::{Value, json};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _,
    postgres::{PgConnectOptions, PgPool, PgPoolOptions},
};
use std::{
    str::FromStr as _,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// Longer than any run: a connection that waits for another is slow, not broken.
const PATIENCE: Duration = Duration::from_secs(600);

/// How many jobs a slot takes at once where many wait: it ends each by itself.
const TAKEN_MAX: usize = 10;

/// The database of the queue that is measured.
const DATABASE: &str = "peer";

/// A queue, empty at first.
pub trait Queue: Clone + Send + Sync + 'static {
    /// A job that was taken.
    type Job: Send;

    /// Submits one job.
    fn submit(&self) -> impl Future<Output = Outcome<()>> + Send;
    /// Takes so many jobs at most, for a slot.
    fn take(&self, slot: usize, count: usize) -> impl Future<Output = Outcome<Vec<Self::Job>>> + Send;
    /// Ends a job that a slot has taken.
    fn end(&self, slot: usize, job: Self::Job) -> impl Future<Output = Outcome<()>> + Send;
    /// How many jobs have not ended.
    fn left(&self) -> impl Future<Output = Outcome<i64>> + Send;
}

/// How jobs come.
#[derive(Clone, Copy)]
pub enum Jobs {
    /// So many are queued before any is taken.
    Queued(u64),
    /// For so long the next is submitted where one has ended.
    Paced(Duration),
}

/// Makes the database anew, with nothing in it.
pub async fn make_anew(url: &str) -> Outcome<()> {
    let mut first = PgConnectOptions::from_str(url)?.disable_statement_logging().connect().await?;
    first.execute(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)"))).await?;
    first.execute(AssertSqlSafe(format!("CREATE DATABASE {DATABASE}"))).await?;
    Ok(first.close().await?)
}

/// A pool on the database. All of its connections are there before anything counts.
pub async fn open(url: &str, connections: u32) -> Outcome<PgPool> {
    let options = PgConnectOptions::from_str(url)?.disable_statement_logging().database(DATABASE);
    let pool = PgPoolOptions::new().max_connections(connections).min_connections(connections);
    Ok(pool.acquire_timeout(PATIENCE).connect_with(options).await?)
}

/// Measures it, with so many slots at once.
pub async fn measure(queue: impl Queue, slots: usize, jobs: Jobs) -> Outcome<Value> {
    let told = match jobs {
        Jobs::Queued(jobs) => burn_down(&queue, slots, jobs.div_ceil(slots as u64)).await?,
        Jobs::Paced(span) => paced(&queue, slots, span).await?,
    };
    match queue.left().await? {
        0 => Ok(told),
        left => Err(format!("{left} jobs have not ended").into()),
    }
}

async fn burn_down(queue: &impl Queue, slots: usize, each: u64) -> Outcome<Value> {
    let (filled, _) = together(slots, |_| {
        let queue = queue.clone();
        async move {
            for _ in 0..each {
                queue.submit().await?;
            }
            Ok(each)
        }
    })
    .await?;
    let (emptied, lifecycles) = together(slots, |slot| {
        let queue = queue.clone();
        async move {
            let mut ended = 0;
            loop {
                let taken = queue.take(slot, TAKEN_MAX).await?;
                if taken.is_empty() {
                    return Ok(ended);
                }
                for job in taken {
                    queue.end(slot, job).await?;
                    ended += 1;
                }
            }
        }
    })
    .await?;
    let (filled, emptied) = (filled.as_secs_f64(), emptied.as_secs_f64());
    Ok(json!({ "lifecycles": lifecycles, "filled": filled, "emptied": emptied }))
}

async fn paced(queue: &impl Queue, slots: usize, span: Duration) -> Outcome<Value> {
    let until = Instant::now() + span;
    let (elapsed, lifecycles) = together(slots, |slot| {
        let queue = queue.clone();
        async move {
            let mut ended = 0;
            while Instant::now() < until {
                queue.submit().await?;
                // Another transaction may hold the last one for a moment.
                let job = loop {
                    if let Some(job) = queue.take(slot, 1).await?.pop() {
                        break job;
                    }
                };
                queue.end(slot, job).await?;
                ended += 1;
            }
            Ok(ended)
        }
    })
    .await?;
    Ok(travelled(lifecycles, elapsed))
}

/// Has every slot do its part. How long that took, and how many jobs it was.
async fn together<P>(slots: usize, part: impl Fn(usize) -> P) -> Outcome<(Duration, u64)>
where
    P: Future<Output = Outcome<u64>> + Send + 'static,
{
    let begun = Instant::now();
    let mut running = JoinSet::new();
    for slot in 0..slots {
        running.spawn(part(slot));
    }
    let mut jobs = 0;
    while let Some(ended) = running.join_next().await {
        jobs += ended??;
    }
    Ok((begun.elapsed(), jobs))
}
