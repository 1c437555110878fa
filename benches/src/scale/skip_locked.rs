//! The floor on PostgreSQL: a queue of one table with `SKIP LOCKED`, written by hand, once with one
//! statement for each step of a job and once with as many steps in a transaction as are waiting.
//!
//! It has no runners, sessions, histories, lanes, limits or idempotent submits.

use super::burned::{Burned, ended, share_of};
use crate::{
    journey::PAYLOAD_BYTES,
    sample::{Sample, Travelled},
    stopwatch::now,
};
use anyhow::{Context as _, ensure};
use futures::future::join_all;
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

/// How steps become transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the bench goes over both")]
pub enum Manner {
    /// As many steps in a transaction as are waiting.
    Batched,
    /// Each in a transaction of its own.
    OneByOne,
}

/// Queues jobs, each answered by itself, and has them taken and ended, `slots` at once.
///
/// # Errors
/// If the server has trouble.
pub async fn burn_down(url: &str, manner: Manner, slots: usize, jobs: u64) -> anyhow::Result<Burned> {
    let floor = Floor::open(url, manner, slots).await?;
    let each = share_of(jobs, slots);
    let filling = floor.slots(slots).map(|slot| async move {
        for _ in 0..each {
            slot.submit().await?;
        }
        Ok(ended(each))
    });
    let filled = Sample::together(filling).await?;
    let emptying = floor.slots(slots).map(|slot| async move {
        for _ in 0..each {
            slot.finish(slot.claim().await?).await?;
        }
        Ok(ended(each))
    });
    let emptied = Sample::together(emptying).await?;
    floor.close().await?;
    Ok(Burned::of(&filled, &emptied))
}

/// Lets jobs travel, `slots` at once: the next is submitted when one has ended.
///
/// # Errors
/// If the server has trouble.
pub async fn paced(url: &str, manner: Manner, slots: usize, span: Duration) -> anyhow::Result<Sample> {
    let floor = Floor::open(url, manner, slots).await?;
    let until = now() + span;
    let travelling = floor.slots(slots).map(|slot| async move {
        let mut travelled = Travelled::default();
        while now() < until {
            let sent = now();
            slot.submit().await?;
            let job = slot.claim().await?;
            travelled.waits.push(now().since(sent));
            slot.finish(job).await?;
            travelled.lifecycles += 1;
        }
        Ok(travelled)
    });
    let sample = Sample::together(travelling).await?;
    floor.close().await?;
    Ok(sample)
}

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

/// The queue, empty at first.
struct Floor {
    ways: Vec<Slot>,
    writers: JoinSet<anyhow::Result<()>>,
}

impl Floor {
    async fn open(url: &str, manner: Manner, slots: usize) -> anyhow::Result<Self> {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        let mut carried = JoinSet::new();
        carried.spawn(async move { drop(connection.await) });
        client.batch_execute(SCHEMA).await?;
        let mut writers = JoinSet::new();
        let ways = match manner {
            Manner::Batched => {
                let (asks, asked) = mpsc::channel::<Asked>(GROUP_MAX);
                let asked = Arc::new(Mutex::new(asked));
                for _ in 0..WRITERS {
                    writers.spawn(write_all(Ready::connect(url).await?, Arc::clone(&asked)));
                }
                vec![Slot::Batched(asks)]
            }
            Manner::OneByOne => {
                let connected = join_all((0..CONNECTIONS.min(slots)).map(|_| Ready::connect(url))).await;
                let connected = connected.into_iter().collect::<Result<Vec<_>, _>>()?;
                connected.into_iter().map(|one| Slot::OneByOne(Arc::new(Mutex::new(one)))).collect()
            }
        };
        Ok(Self { ways, writers })
    }

    fn slots(&self, count: usize) -> impl Iterator<Item = Slot> {
        self.ways.iter().cycle().take(count).cloned()
    }

    async fn close(mut self) -> anyhow::Result<()> {
        drop(self.ways);
        while let Some(ended) = self.writers.join_next().await {
            ended??;
        }
        Ok(())
    }
}

/// One who submits, claims and finishes, one after the other.
#[derive(Clone)]
enum Slot {
    Batched(mpsc::Sender<Asked>),
    OneByOne(Arc<Mutex<Ready>>),
}

impl Slot {
    async fn submit(&self) -> anyhow::Result<()> {
        match self {
            Self::Batched(asks) => ask(asks, Ask::Submit).await.map(drop),
            Self::OneByOne(ready) => {
                let ready = ready.lock().await;
                ready.client.execute(&ready.submit, &[&vec![vec![b'x'; PAYLOAD_BYTES]]]).await?;
                Ok(())
            }
        }
    }

    /// Claims a job, of which there is one: another transaction may hold the last one for a moment.
    async fn claim(&self) -> anyhow::Result<i64> {
        loop {
            let claimed = match self {
                Self::Batched(asks) => ask(asks, Ask::Claim).await?,
                Self::OneByOne(ready) => {
                    let ready = ready.lock().await;
                    let row = ready.client.query_opt(&ready.claim, &[&1_i64]).await?;
                    row.map(|row| row.get(0))
                }
            };
            if let Some(job) = claimed {
                return Ok(job);
            }
        }
    }

    async fn finish(&self, job: i64) -> anyhow::Result<()> {
        match self {
            Self::Batched(asks) => ask(asks, Ask::Finish(job)).await.map(drop),
            Self::OneByOne(ready) => {
                let ready = ready.lock().await;
                ensure!(ready.client.execute(&ready.finish, &[&vec![job]]).await? == 1, "lost a job");
                Ok(())
            }
        }
    }
}

/// What a slot wants next.
#[derive(Debug)]
enum Ask {
    Submit,
    Claim,
    Finish(i64),
}

type Asked = (Ask, oneshot::Sender<Option<i64>>);

async fn ask(asks: &mpsc::Sender<Asked>, ask: Ask) -> anyhow::Result<Option<i64>> {
    let (answer, answered) = oneshot::channel();
    asks.send((ask, answer)).await.ok().context("the writer has ended")?;
    answered.await.context("the writer has ended")
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
