//! Writing inside a transaction of the host's: what it does and what it queues is committed together,
//! or gone together.

use crate::{PostgresStore, error::Trouble, group::Group};
use runners_core::{
    ControlPlane, Error, Job, JobId, Kind, TenantId,
    protocol::{RefusalCode, Refused},
    store::{Committed, StoreError, Write},
};
use tokio_postgres::Transaction;

impl PostgresStore {
    /// Queues a job of the tenant `default` inside a transaction of the host's: it is queued once that
    /// is committed, and never was if it is rolled back. Every control plane hears of it then.
    ///
    /// ```no_run
    /// # use runners_core::{Command, ControlPlane, Error};
    /// # use runners_store_postgres::{PostgresStore, tokio_postgres::Client};
    /// # #[derive(serde::Serialize, serde::Deserialize)]
    /// # struct Visit { url: String }
    /// # impl Command for Visit { const KIND: &'static str = "visit"; type Result = (); }
    /// # async fn order(store: &PostgresStore, control: &ControlPlane, database: &mut Client)
    /// # -> Result<(), Box<dyn std::error::Error>> {
    /// let transaction = database.transaction().await?;
    /// transaction.execute("INSERT INTO orders DEFAULT VALUES", &[]).await?;
    /// let visit = Visit { url: "https://shop.example/orders".to_owned() };
    /// let job = store.submit_in(&transaction, control, &visit).await?;
    /// transaction.commit().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::Refused`] when the job is not accepted: the transaction may go on without it. After
    /// [`Error::Store`] it is to be rolled back, and tried again as a whole.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the job queued in the transaction, or not.
    pub async fn submit_in<J: Job>(
        &self,
        transaction: &Transaction<'_>,
        control: &ControlPlane,
        job: &J,
    ) -> Result<JobId, Error> {
        self.submit_in_as(transaction, control, TenantId::DEFAULT, job).await
    }

    /// As [`submit_in`](Self::submit_in), for another tenant.
    ///
    /// # Errors
    /// As [`submit_in`](Self::submit_in).
    pub async fn submit_in_as<J: Job>(
        &self,
        transaction: &Transaction<'_>,
        control: &ControlPlane,
        tenant: TenantId,
        job: &J,
    ) -> Result<JobId, Error> {
        let staged = control.stage(tenant, job).await?;
        match self.commit_in(transaction, &staged.writes).await {
            Ok(_) => Ok(staged.job),
            Err(StoreError::Conflict(key)) if key.kind == Kind::Unique => {
                let problem = "spec.unique: another job has this key: wait for its end, or cancel it";
                Err(Error::Refused(Refused::new(RefusalCode::Conflict, problem)))
            }
            Err(error) => Err(Error::Store(error)),
        }
    }

    /// Applies a batch inside a transaction of the host's: it is committed with that, or gone with it.
    /// Every control plane hears of it once it is committed, the one of this store too.
    ///
    /// The transaction holds the records of the batch until it ends, so it should end soon; whoever raises a
    /// watermark waits for one with a [`Write::Above`]. Watermarks need the isolation level READ COMMITTED. One that
    /// was told of a conflict or an exhausted counter goes on; nothing of the batch was written.
    ///
    /// # Errors
    /// As [`commit`](runners_core::store::Store::commit). After [`StoreError::Unavailable`] and the like the transaction is to be
    /// rolled back, and tried again as a whole.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the batch applied in the transaction as a whole, or not at all.
    pub async fn commit_in(
        &self,
        transaction: &Transaction<'_>,
        writes: &[Write],
    ) -> Result<Committed, StoreError> {
        Write::check_batch(writes)?;
        if writes.is_empty() {
            return Ok(Committed::default());
        }
        let mut group = Group::default();
        group.add(writes);
        // Of nobody here: so the control plane of this store hears of it too.
        let nobody = &[][..];
        let sent = transaction.query_typed(&self.statements.commit, &group.parameters(&nobody)).await;
        let rows = sent.map_err(Trouble::before_commit)?;
        let answers = rows.first().map(|row| group.answers(row)).transpose();
        let answers = answers.map_err(Trouble::before_commit)?;
        let answer = answers.and_then(|mut answers| answers.pop());
        answer.unwrap_or_else(|| Err(Trouble::too_slow(false).into()))
    }
}
