//! A control plane on a store that is measured, and travellers who call it in this process.

use crate::journey::{self, Traveller, submit};
use anyhow::Context as _;
use runners_core::{
    Caller, ControlPlane, MemoryStore, PoolId, Principal, RunnerId, Scope, TenantId, protocol::SubmitRequest,
    store::Store,
};
use runners_store_sqlite::SqliteStore;
use std::{path::PathBuf, sync::Arc};
use tempfile::TempDir;

/// Which store is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "every bench goes over all of them")]
pub enum Kept {
    /// In memory, gone with the process.
    Memory,
    /// In a SQLite file, durable before every reply.
    Sqlite,
}

impl Kept {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Memory, Self::Sqlite];

    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Sqlite => "sqlite",
        }
    }

    /// Opens an empty store. The directory lives as long as the store is used.
    ///
    /// # Errors
    /// If the disk or SQLite has trouble.
    pub async fn open(self) -> anyhow::Result<(Arc<dyn Store>, Option<TempDir>)> {
        match self {
            Self::Memory => Ok((Arc::new(MemoryStore::default()), None)),
            Self::Sqlite => {
                let directory = directory()?;
                let store = SqliteStore::open(directory.path().join("queue.db")).await?;
                Ok((Arc::new(store), Some(directory)))
            }
        }
    }
}

/// A control plane that is measured.
#[derive(Debug)]
pub struct Bed {
    /// The control plane.
    pub control: ControlPlane,
    _directory: Option<TempDir>,
}

impl Bed {
    /// Starts a control plane on an empty store, on the current runtime.
    ///
    /// # Errors
    /// If the store cannot be opened.
    pub async fn start(kept: Kept) -> anyhow::Result<Self> {
        let (store, directory) = kept.open().await?;
        Self::start_on(store, directory).await
    }

    /// Starts a control plane on an empty store, which is in `directory` if in any.
    ///
    /// # Errors
    /// If the store has trouble.
    pub async fn start_on(store: Arc<dyn Store>, directory: Option<TempDir>) -> anyhow::Result<Self> {
        let control = ControlPlane::builder(store).start().await?;
        Ok(Self { control, _directory: directory })
    }

    /// Travellers that have made themselves known. To be asked for once: their runners have the same
    /// identity each time.
    ///
    /// # Errors
    /// If the control plane does not answer as it should.
    pub async fn travellers(&self, count: usize) -> anyhow::Result<Vec<Traveller<Caller, Caller>>> {
        self.travellers_from(0, count).await
    }

    /// The same, with the runners from this number on: where others have those before it.
    ///
    /// # Errors
    /// As [`travellers`](Self::travellers).
    pub async fn travellers_from(
        &self,
        first: usize,
        count: usize,
    ) -> anyhow::Result<Vec<Traveller<Caller, Caller>>> {
        let mut travellers = Vec::with_capacity(count);
        for number in first..first + count {
            let mut traveller = Traveller::new(self.user(), self.control.caller(runner(number)));
            traveller.arrive().await?;
            travellers.push(traveller);
        }
        Ok(travellers)
    }

    /// A user who may submit.
    #[must_use]
    pub fn user(&self) -> Caller {
        self.control.caller(user())
    }

    /// Submits many jobs, as many in a call as may be.
    ///
    /// # Errors
    /// If one is not accepted.
    pub async fn queue(&self, count: usize) -> anyhow::Result<()> {
        let user = self.user();
        let mut left = count;
        while left > 0 {
            let jobs = left.min(SubmitRequest::JOBS_MAX);
            submit(&user, jobs).await?;
            left -= jobs;
        }
        Ok(())
    }

    /// Measures how jobs travel, `callers` at once.
    ///
    /// # Errors
    /// If anything is refused, fenced or lost.
    pub async fn travel(
        &self,
        callers: usize,
        span: std::time::Duration,
    ) -> anyhow::Result<crate::sample::Sample> {
        journey::travel(self.travellers(callers).await?, span).await
    }
}

/// A user of the default tenant who may submit.
#[must_use]
pub fn user() -> Principal {
    Principal::Api { tenant: TenantId::DEFAULT, scopes: [Scope::Submit, Scope::Read].into() }
}

/// The runner of the default pool with this number.
#[must_use]
pub fn runner(number: usize) -> Principal {
    let mut id = [7; 16];
    id[8..].copy_from_slice(&(number as u64).to_be_bytes());
    Principal::Runner { tenant: TenantId::DEFAULT, pool: PoolId::DEFAULT, runner: RunnerId::from_bytes(id) }
}

/// A new directory on the disk that holds this checkout: the one for temporary files is in memory
/// on many machines, where nothing is durable.
///
/// # Errors
/// If it cannot be made.
pub fn directory() -> anyhow::Result<TempDir> {
    let parent = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/benches");
    std::fs::create_dir_all(&parent).with_context(|| format!("{} cannot be made", parent.display()))?;
    Ok(TempDir::new_in(&parent)?)
}

/// A runtime of one thread, as every measurement in this process has: what is compared with it
/// has one thread beside its writer too.
///
/// # Errors
/// If the system refuses it.
pub fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}
