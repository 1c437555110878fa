//! The store itself: hands batches to the writer thread and questions to the readers, and ends
//! them. Knows no SQL.

use crate::{
    error::{Closed, OpenError},
    open::{Opened, open_file, open_in_memory},
    options::SqliteOptions,
    owner::Owner,
    read::{Read, read_all},
    writer::{Ask, Batch, write_all},
};
use async_trait::async_trait;
use runners_core::{
    Key,
    store::{Committed, Page, Query, Store, StoreError, Stored, Write},
};
use std::{
    convert::Infallible,
    fmt,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};
use tokio::sync::{mpsc, oneshot};

/// How many batches, and how many questions, wait at a thread before their callers wait too.
const QUEUE_MAX: usize = 1024;

/// A [`Store`] in one SQLite file, or in memory.
///
/// Dropping it lets its threads finish what they were asked; [`close`](Self::close) also waits
/// for that. The file has an owner until then.
pub struct SqliteStore {
    /// None once closed.
    threads: Mutex<Option<Threads>>,
    name: Box<str>,
}

impl SqliteStore {
    /// Opens a file with the default [`SqliteOptions`], or makes a new one. Its directory must
    /// exist.
    ///
    /// # Errors
    /// See [`OpenError`]; its variants say what to do.
    ///
    /// # Cancel safety
    /// Dropping the future leaves a file that can be opened again, once the opening has ended.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::open_with(SqliteOptions::default(), path.as_ref()).await
    }

    /// Makes a store in memory, gone when it is dropped. It reads and writes on one thread.
    ///
    /// # Errors
    /// [`OpenError::Unavailable`] if there is no memory or thread left.
    pub async fn in_memory() -> Result<Self, OpenError> {
        let name = Path::new(":memory:");
        let opened = on_thread(name, open_in_memory).await?;
        Self::start(opened, name)
    }

    pub(crate) async fn open_with(options: SqliteOptions, path: &Path) -> Result<Self, OpenError> {
        let owned = path.to_owned();
        let opened = on_thread(path, move || open_file(&options, &owned)).await?;
        Self::start(opened, path)
    }

    /// Takes nothing more, carries out what was asked before, and waits for the threads. Then
    /// the file has no owner. Closing twice is the same as once.
    ///
    /// # Cancel safety
    /// Dropping the future stops only the waiting.
    pub async fn close(&self) {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Threads { asks, reads, mut ended, handles }) = threads else { return };
        drop((asks, reads));
        // Every thread drops its end when it is done, so joining does not wait.
        ended.recv().await;
        for handle in handles {
            if handle.join().is_err() {
                tracing::error!(store = %self.name, "thread of the store has panicked");
            }
        }
    }

    fn start(opened: Opened, path: &Path) -> Result<Self, OpenError> {
        let failed = |error| OpenError::from_io(path.to_owned(), error);
        let Opened { owner, writer, readers } = opened;
        let (asks, asked) = mpsc::channel(QUEUE_MAX);
        let (ending, ended) = mpsc::channel(1);
        let mut threads = Threads { asks, reads: None, ended, handles: Vec::new() };
        // The file is released when the last thread has closed its connection.
        let owner: Arc<Option<Owner>> = Arc::new(owner);
        let kept = Kept { owner: Arc::clone(&owner), ending: ending.clone() };
        threads
            .spawn("sqlite-writer", move || {
                write_all(&writer, asked);
                drop(writer);
                drop(kept);
            })
            .map_err(failed)?;
        if !readers.is_empty() {
            let (reads, questions) = mpsc::channel(QUEUE_MAX);
            threads.reads = Some(reads);
            let questions = Arc::new(Mutex::new(questions));
            for reader in readers {
                let questions = Arc::clone(&questions);
                let kept = Kept { owner: Arc::clone(&owner), ending: ending.clone() };
                threads
                    .spawn("sqlite-reader", move || {
                        read_all(&reader, &questions);
                        drop(reader);
                        drop(kept);
                    })
                    .map_err(failed)?;
            }
        }
        Ok(Self { threads: Mutex::new(Some(threads)), name: path.display().to_string().into() })
    }

    async fn ask_writer(&self, ask: Ask) -> Result<(), StoreError> {
        let asks = {
            let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
            threads.as_ref().ok_or_else(closed)?.asks.clone()
        };
        asks.send(ask).await.map_err(|_| closed())
    }

    async fn ask_reader(&self, read: Read) -> Result<(), StoreError> {
        let reads = {
            let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
            threads.as_ref().ok_or_else(closed)?.reads.clone()
        };
        match reads {
            Some(reads) => reads.send(read).await.map_err(|_| closed()),
            None => self.ask_writer(Ask::Read(read)).await,
        }
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SqliteStore").field(&self.name).finish()
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn load(&self, keys: Vec<Key>) -> Result<Vec<Option<Stored>>, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.ask_reader(Read::Load(keys, answer)).await?;
        answered.await.map_err(|_| closed())?
    }

    async fn scan(&self, query: Query) -> Result<Page, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.ask_reader(Read::Scan(query, answer)).await?;
        answered.await.map_err(|_| closed())?
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Committed, StoreError> {
        Write::check_batch(&writes)?;
        if writes.is_empty() {
            return Ok(Committed::default());
        }
        let (answer, answered) = oneshot::channel();
        self.ask_writer(Ask::Commit(Batch { writes, answer })).await?;
        // A writer that vanished with the batch in hand may have committed it.
        answered.await.map_err(|_| StoreError::Unknown(Box::new(Closed)))?
    }
}

struct Threads {
    asks: mpsc::Sender<Ask>,
    /// None in memory.
    reads: Option<mpsc::Sender<Read>>,
    ended: mpsc::Receiver<Infallible>,
    handles: Vec<JoinHandle<()>>,
}

impl Threads {
    fn spawn(&mut self, name: &str, body: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
        self.handles.push(thread::Builder::new().name(name.into()).spawn(body)?);
        Ok(())
    }
}

/// What a thread holds while it lives, dropped in this order.
struct Kept {
    #[expect(dead_code, reason = "held for its drop")]
    owner: Arc<Option<Owner>>,
    #[expect(dead_code, reason = "held for its drop")]
    ending: mpsc::Sender<Infallible>,
}

fn closed() -> StoreError {
    StoreError::Unavailable(Box::new(Closed))
}

/// Opens on a thread of its own, because it waits for the disk and for locks.
async fn on_thread(
    path: &Path,
    open: impl FnOnce() -> Result<Opened, OpenError> + Send + 'static,
) -> Result<Opened, OpenError> {
    let (answer, answered) = oneshot::channel();
    let spawned = thread::Builder::new().name("sqlite-open".into()).spawn(move || {
        // A caller that has gone away drops what was opened.
        let _ = answer.send(open());
    });
    spawned.map_err(|error| OpenError::from_io(path.to_owned(), error))?;
    let unavailable = |_| OpenError::Unavailable { path: path.to_owned(), source: Box::new(Closed) };
    answered.await.map_err(unavailable)?
}
