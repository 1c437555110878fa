//! The store itself: hands batches to those who write and questions to the pool, and ends them all.
//! Knows no SQL.

use crate::{
    OpenError, PostgresOptions,
    address::Address,
    clock::ServerClock,
    connections::Connections,
    error::Closed,
    hints::Hints,
    read,
    reader::{Load, READERS, Reader, load},
    schema::Schema,
    sql::Statements,
    tls::Tls,
    ways::Ways,
    writer::{Alone, Batch, Writer},
    writer_id::{self, WriterId},
};
use async_trait::async_trait;
use futures::stream::BoxStream;
use runners_core::{
    Clock, Key,
    store::{Committed, Hint, Page, Query, Store, StoreError, Stored, Write},
};
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::{mpsc, oneshot};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How many batches, and how many loads, wait for those who carry them out before their callers wait too.
const QUEUE_MAX: usize = 1024;

/// The ways to those who write and those who load.
#[derive(Clone)]
struct Asks {
    commits: mpsc::Sender<Batch>,
    loads: mpsc::Sender<Load>,
}

/// A [`Store`] in a schema of a PostgreSQL database, which any number of control planes share.
///
/// Dropping it lets it finish what it was asked; [`close`](Self::close) also waits for that. It lives
/// on the runtime that it was opened on.
pub struct PostgresStore {
    connections: Arc<Connections>,
    pub(crate) statements: Arc<Statements>,
    clock: Arc<ServerClock>,
    hints: Hints,
    /// None once closed.
    asks: Mutex<Option<Asks>>,
    spawned: TaskTracker,
    stop: CancellationToken,
    name: Box<str>,
}

impl PostgresStore {
    /// Connects with the default [`PostgresOptions`], and takes the schema to its newest version.
    ///
    /// # Errors
    /// See [`OpenError`]; its variants say what to do.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the schema as it was, or at its newest version.
    pub async fn open(url: impl Into<String>) -> Result<Self, OpenError> {
        Self::open_with(PostgresOptions::new(url)).await
    }

    pub(crate) async fn open_with(options: PostgresOptions) -> Result<Self, OpenError> {
        let address = Address::of(&options)?;
        let tls = Tls::of(&options, &address)?;
        let listen = match Address::to_listen(&options)? {
            Some(address) => {
                let tls = Tls::of(&options, &address)?;
                Some(Arc::new(Ways::new(&address, tls, options.patience)))
            }
            None => None,
        };
        let schema = Schema::of(&options, &address)?;
        let connections = Arc::new(Connections::new(&options, &address, &tls)?);
        schema.prepare(&connections).await?;
        let clock = Arc::new(ServerClock::default());
        clock.settle(&connections).await.map_err(|error| OpenError::Unavailable {
            database: address.name.clone(),
            source: Box::new(error),
        })?;
        let statements = Arc::new(Statements::new(&schema.name));
        let stop = CancellationToken::new();
        let hints = Hints {
            connections: Arc::clone(&connections),
            statements: Arc::clone(&statements),
            listener: hex::encode(writer_id::drawn()).into(),
            writer: Arc::new(WriterId::fresh()),
            listen,
            written: Arc::default(),
            listeners: Arc::default(),
            stop: stop.clone(),
        };
        let name = format!("{} in {}", schema.name, address.name).into();
        let (commits, committed) = mpsc::channel(QUEUE_MAX);
        let (loads, loaded) = mpsc::channel(QUEUE_MAX);
        let asks = Asks { commits, loads };
        let spawned = TaskTracker::new();
        let store =
            Self { connections, statements, clock, hints, asks: Mutex::new(Some(asks)), spawned, stop, name };
        store.start(&options, committed, loaded);
        Ok(store)
    }

    fn start(&self, options: &PostgresOptions, asked: mpsc::Receiver<Batch>, loads: mpsc::Receiver<Load>) {
        let loads = Arc::new(tokio::sync::Mutex::new(loads));
        for _ in 0..READERS {
            let (connections, statements) = (Arc::clone(&self.connections), Arc::clone(&self.statements));
            self.spawned.spawn(Reader { connections, statements }.read_all(Arc::clone(&loads)));
        }
        let asked = Arc::new(tokio::sync::Mutex::new(asked));
        let alone = Alone::beside(options.connections);
        for _ in 0..options.writers {
            let writer = Writer {
                connections: Arc::clone(&self.connections),
                statements: Arc::clone(&self.statements),
                id: Arc::clone(&self.hints.writer),
                written: Arc::clone(&self.hints.written),
                spawned: self.spawned.clone(),
                alone: alone.clone(),
            };
            self.spawned.spawn(writer.write_all(Arc::clone(&asked)));
        }
        self.spawned.spawn(self.hints.clone().tell());
        let (clock, connections) = (Arc::clone(&self.clock), Arc::clone(&self.connections));
        let stop = self.stop.clone();
        self.spawned.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = clock.follow(&connections) => {}
            }
        });
    }

    /// Takes nothing more, carries out what was asked before, and closes every connection. Closing
    /// twice is the same as once.
    ///
    /// # Cancel safety
    /// Dropping the future stops only the waiting.
    pub async fn close(&self) {
        drop(self.asks.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.stop.cancel();
        self.spawned.close();
        self.spawned.wait().await;
        self.connections.close();
    }

    fn asks(&self) -> Result<Asks, StoreError> {
        let asks = self.asks.lock().unwrap_or_else(PoisonError::into_inner);
        asks.clone().ok_or_else(|| StoreError::Unavailable(Box::new(Closed)))
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PostgresStore").field(&self.name).finish()
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn load(&self, keys: Vec<Key>) -> Result<Vec<Option<Stored>>, StoreError> {
        load(self.asks()?.loads, keys).await
    }

    async fn scan(&self, query: Query) -> Result<Page, StoreError> {
        read::scan(&self.connections, &self.statements, query).await
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Committed, StoreError> {
        Write::check_batch(&writes)?;
        if writes.is_empty() {
            return Ok(Committed::default());
        }
        let (answer, answered) = oneshot::channel();
        let asked = self.asks()?.commits.send(Batch { writes, answer }).await;
        asked.map_err(|_| StoreError::Unavailable(Box::new(Closed)))?;
        answered.await.unwrap_or_else(|_| {
            // A writer that vanished with the batch in hand may have committed it.
            self.hints.writer.renew();
            Err(StoreError::Unknown(Box::new(Closed)))
        })
    }

    fn watch(&self) -> BoxStream<'static, Hint> {
        self.hints.clone().watch(&self.spawned)
    }

    fn clock(&self) -> Option<Arc<dyn Clock>> {
        Some(Arc::clone(&self.clock) as Arc<dyn Clock>)
    }
}
