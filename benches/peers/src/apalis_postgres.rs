//! `apalis-postgres`, by its own queries: what its storage does in a transaction with BEGIN and COMMIT is
//! one statement here. The lock of a fetched job, which can be switched off, and what keeps workers alive
//! are left out.

use crate::{Outcome, PAYLOAD_BYTES, postgres::Queue};
use apalis_core::{
    backend::TaskResult,
    task::{builder::TaskBuilder, status::Status, task_id::TaskId},
    worker::context::WorkerContext,
};
use apalis_postgres::{
    Config, PostgresStorage,
    queries::{fetch_next, handle_results, push_tasks},
};
use sqlx::PgPool;
use std::sync::Arc;

const QUEUE: &str = "peer";

#[derive(Clone)]
pub struct Apalis {
    pool: PgPool,
    workers: Arc<Vec<WorkerContext>>,
}

impl Apalis {
    pub async fn open(pool: PgPool, slots: usize) -> Outcome<Self> {
        PostgresStorage::setup(&pool).await?;
        let workers: Vec<_> = (0..slots).map(|slot| WorkerContext::new(&format!("slot-{slot}"))).collect();
        for worker in &workers {
            // Its own statement takes a type that it keeps to itself.
            let register = "INSERT INTO apalis.workers (id, worker_type, storage_name, layers, last_seen)
                VALUES ($1, $2, 'PgStorage', '', now()) ON CONFLICT DO NOTHING";
            sqlx::query(register).bind(worker.name()).bind(QUEUE).execute(&pool).await?;
        }
        Ok(Self { pool, workers: Arc::new(workers) })
    }
}

impl Queue for Apalis {
    type Job = TaskId;

    async fn submit(&self) -> Outcome<()> {
        let job = TaskBuilder::new(vec![b'x'; PAYLOAD_BYTES]).build();
        Ok(push_tasks(&mut *self.pool.acquire().await?, QUEUE, vec![job]).await?)
    }

    async fn take(&self, slot: usize, count: usize) -> Outcome<Vec<TaskId>> {
        let config = Config::default().queue(QUEUE).batch_size(count);
        let taken = fetch_next(&mut *self.pool.acquire().await?, &config, &self.workers[slot]).await?;
        Ok(taken.iter().filter_map(|job| job.task_id().cloned()).collect())
    }

    async fn end(&self, slot: usize, task_id: TaskId) -> Outcome<()> {
        let result = Ok(serde_json::json!(42));
        let ended = TaskResult { task_id, attempt: 1, status: Status::Done, result };
        let worker = self.workers[slot].name();
        match handle_results(&mut *self.pool.acquire().await?, &[&ended], worker).await? {
            1 => Ok(()),
            _ => Err("a job was lost".into()),
        }
    }

    async fn left(&self) -> Outcome<i64> {
        let count = sqlx::query_scalar("SELECT count(*) FROM apalis.jobs WHERE status <> 'Done'");
        Ok(count.fetch_one(&self.pool).await?)
    }
}
