//! `graphile_worker`, by the statements of its own worker. What that does beyond them is left out, and so
//! is its option to put completions together, since a slot then goes on before its job's end is durable.

use crate::{Outcome, PAYLOAD_BYTES, postgres::Queue};
use graphile_worker::{Database, Job, JobSpec, WorkerUtils};
use graphile_worker_queries::{
    add_job::single::add_job,
    batch_get_jobs::batch_get_jobs,
    complete_job::complete_job,
    get_job::get_job,
    task_identifiers::{TaskDetails, get_tasks_details},
};
use serde_json::Value;
use sqlx::PgPool;
use std::sync::Arc;

const SCHEMA: &str = "graphile_worker";
const KIND: &str = "visit";

#[derive(Clone)]
pub struct Graphile {
    pool: PgPool,
    database: Database,
    kinds: Arc<TaskDetails>,
    payload: Value,
}

impl Graphile {
    pub async fn open(pool: PgPool) -> Outcome<Self> {
        let database = Database::from(pool.clone());
        WorkerUtils::new(database.clone(), SCHEMA).migrate().await?;
        let kinds = Arc::new(get_tasks_details(&database, SCHEMA, vec![KIND.to_owned()]).await?);
        Ok(Self { pool, database, kinds, payload: "x".repeat(PAYLOAD_BYTES).into() })
    }
}

impl Queue for Graphile {
    type Job = Job;

    async fn submit(&self) -> Outcome<()> {
        add_job(&self.database, SCHEMA, KIND, self.payload.clone(), JobSpec::default(), false).await?;
        Ok(())
    }

    async fn take(&self, slot: usize, count: usize) -> Outcome<Vec<Job>> {
        let slot = format!("slot-{slot}");
        if count == 1 {
            let job = get_job(&self.database, &self.kinds, SCHEMA, &slot, &[], None).await?;
            return Ok(job.into_iter().collect());
        }
        let count = i32::try_from(count)?;
        Ok(batch_get_jobs(&self.database, &self.kinds, SCHEMA, &slot, &[], count, None).await?)
    }

    async fn end(&self, slot: usize, job: Job) -> Outcome<()> {
        Ok(complete_job(&self.database, &job, &format!("slot-{slot}"), SCHEMA).await?)
    }

    async fn left(&self) -> Outcome<i64> {
        let count = sqlx::query_scalar("SELECT count(*) FROM graphile_worker._private_jobs");
        Ok(count.fetch_one(&self.pool).await?)
    }
}
