//! The floor on PostgreSQL: a queue of one table with `SKIP LOCKED`, written by hand, once with one
//! statement for each step of a job and once with as many steps in a transaction as are waiting.
//!
//! It has no runners, sessions, histories, lanes, limits or idempotent submits.

use crate::{
    journey::PAYLOAD_BYTES,
    sample::{Sample, Travelled},
    stopwatch::{Stopwatch, now},
};
use anyhow::{Context as _, ensure};
use futures::future::join_all;
use runners_core::BootTime;
use runners_store_postgres::tokio_postgres::{self, Client, NoTls, Statement};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{Mutex, mpsc, oneshot},
    task::JoinSet,
};

const SCHEMA: &str = "
    DROP TABLE IF EXISTS floor;
    CREATE TABLE floor (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        state smallint NOT NULL DEFAULT 0,
        ready_at timestamptz NOT NULL DEFAULT now(),
        lease_until timestamptz,
        payload bytea NOT NULL
    ) WITH (fillfactor = 70);
    CREATE INDEX floor_ready ON floor (ready_at, id) WHERE state = 0;";

const SUBMIT: &str = "INSERT INTO floor (payload) SELECT * FROM unnest($1::bytea[])";

const CLAIM: &str = "
    UPDATE floor SET state = 1, lease_until = now() + interval '30 seconds'
    WHERE id IN (
        SELECT id FROM floor WHERE state = 0 ORDER BY ready_at, id LIMIT $1 FOR UPDATE SKIP LOCKED)
    RETURNING id, payload";

const FINISH: &str = "UPDATE floor SET state = 2, lease_until = NULL WHERE id = ANY ($1) AND state = 1";

/// How many connections there are for one statement at a time, and how many write groups.
const CONNECTIONS: usize = 16;
const WRITERS: usize = 2;

/// How many steps one transaction takes at most.
const GROUP_MAX: usize = 1024;

/// A connection with its statements, prepared.
#[derive(Debug)]
struct Ready {
    client: Client,
    submit: Statement,
    claim: Statement,
    finish: Statement,
    _carried: JoinSet<()>,
}

impl Ready {
    async fn connect(url: &str) -> anyhow::Result<Self> {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        let mut carried = JoinSet::new();
        carried.spawn(async move { drop(connection.await) });
        let submit = client.prepare(SUBMIT).await?;
        let claim = client.prepare(CLAIM).await?;
        let finish = client.prepare(FINISH).await?;
        Ok(Self { client, submit, claim, finish, _carried: carried })
    }
}

/// What a caller wants next.
#[derive(Debug)]
enum Ask {
    Submit,
    Claim,
    Finish(i64),
}

type Asked = (Ask, oneshot::Sender<Option<i64>>);

/// Makes the table anew.
///
/// # Errors
/// If the server refuses it.
pub async fn prepare(url: &str) -> anyhow::Result<()> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    let mut carried = JoinSet::new();
    carried.spawn(async move { drop(connection.await) });
    Ok(client.batch_execute(SCHEMA).await?)
}

/// Measures how jobs travel, `callers` at once, each step in a transaction of its own.
///
/// # Errors
/// If the server has trouble.
pub async fn travel_one_by_one(url: &str, callers: usize, span: Duration) -> anyhow::Result<Sample> {
    let connections = join_all((0..CONNECTIONS.min(callers)).map(|_| Ready::connect(url))).await;
    let connections: Vec<_> = connections.into_iter().collect::<Result<_, _>>()?;
    let connections: Vec<_> = connections.into_iter().map(|one| Arc::new(Mutex::new(one))).collect();
    let mut travelling = JoinSet::new();
    let watch = Stopwatch::start();
    let until = now() + span;
    for caller in 0..callers {
        let connection = Arc::clone(&connections[caller % connections.len()]);
        travelling.spawn(async move {
            let mut travelled = Travelled::default();
            let payload = vec![vec![b'x'; PAYLOAD_BYTES]];
            while now() < until {
                let ready = connection.lock().await;
                ready.client.execute(&ready.submit, &[&payload]).await?;
                drop(ready);
                let ready = connection.lock().await;
                let claimed = ready.client.query_opt(&ready.claim, &[&1_i64]).await?;
                drop(ready);
                let job: i64 = claimed.context("there is a job for every claim")?.get(0);
                let ready = connection.lock().await;
                ensure!(ready.client.execute(&ready.finish, &[&vec![job]]).await? == 1, "lost a job");
                travelled.lifecycles += 1;
            }
            Ok::<_, anyhow::Error>(travelled)
        });
    }
    sample(watch, travelling).await
}

/// The same with as many steps in a transaction as are waiting.
///
/// # Errors
/// If the server has trouble.
pub async fn travel_batched(url: &str, callers: usize, span: Duration) -> anyhow::Result<Sample> {
    let (asks, asked) = mpsc::channel::<Asked>(GROUP_MAX);
    let asked = Arc::new(Mutex::new(asked));
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        writers.spawn(write_all(Ready::connect(url).await?, Arc::clone(&asked)));
    }
    let mut travelling = JoinSet::new();
    let watch = Stopwatch::start();
    let until = now() + span;
    for _ in 0..callers {
        travelling.spawn(travel_until(asks.clone(), until));
    }
    let sample = sample(watch, travelling).await?;
    drop(asks);
    while let Some(ended) = writers.join_next().await {
        ended??;
    }
    Ok(sample)
}

async fn sample(
    watch: Stopwatch,
    mut travelling: JoinSet<anyhow::Result<Travelled>>,
) -> anyhow::Result<Sample> {
    let mut travelled = Vec::new();
    while let Some(ended) = travelling.join_next().await {
        travelled.push(ended??);
    }
    Ok(Sample::of(watch, travelled))
}

async fn travel_until(asks: mpsc::Sender<Asked>, until: BootTime) -> anyhow::Result<Travelled> {
    let ask = async |ask| {
        let (answer, answered) = oneshot::channel();
        asks.send((ask, answer)).await.ok().context("the writer has ended")?;
        answered.await.context("the writer has ended")
    };
    let mut travelled = Travelled::default();
    while now() < until {
        ask(Ask::Submit).await?;
        // Another transaction may hold the last one for a moment.
        let job = loop {
            if let Some(job) = ask(Ask::Claim).await? {
                break job;
            }
        };
        ask(Ask::Finish(job)).await?;
        travelled.lifecycles += 1;
    }
    Ok(travelled)
}

async fn write_all(mut ready: Ready, asked: Arc<Mutex<mpsc::Receiver<Asked>>>) -> anyhow::Result<()> {
    loop {
        let mut group = Vec::new();
        if asked.lock().await.recv_many(&mut group, GROUP_MAX).await == 0 {
            return Ok(());
        }
        let (mut submits, mut claims, mut finishes, mut jobs) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (ask, answer) in group {
            match ask {
                Ask::Submit => submits.push(answer),
                Ask::Claim => claims.push(answer),
                Ask::Finish(job) => {
                    jobs.push(job);
                    finishes.push(answer);
                }
            }
        }
        let payloads = vec![vec![b'x'; PAYLOAD_BYTES]; submits.len()];
        let wanted = i64::try_from(claims.len())?;
        let Ready { client, submit, claim, finish, .. } = &mut ready;
        let transaction = client.transaction().await?;
        // Sent at once, one behind the other.
        let (submitted, ended, claimed) = futures::join!(
            async {
                if payloads.is_empty() { Ok(0) } else { transaction.execute(&*submit, &[&payloads]).await }
            },
            async { if jobs.is_empty() { Ok(0) } else { transaction.execute(&*finish, &[&jobs]).await } },
            async { if wanted == 0 { Ok(Vec::new()) } else { transaction.query(&*claim, &[&wanted]).await } },
        );
        submitted?;
        ensure!(ended? == jobs.len() as u64, "lost a job");
        let claimed = claimed?;
        transaction.commit().await?;
        let mut claimed = claimed.into_iter().map(|row| row.get(0));
        // A caller that has gone away does not want to know.
        for answer in submits.into_iter().chain(finishes) {
            let _ = answer.send(None);
        }
        for answer in claims {
            let _ = answer.send(claimed.next());
        }
    }
}
