//! The one thread that writes. It takes whatever batches are waiting into one transaction, and
//! answers their callers after COMMIT, so that one wait for the disk serves many.

use crate::{
    apply::{Updates, Writing, apply},
    error::Trouble,
    read::{Ranges, Read},
    recent::Recent,
};
use runners_core::store::{Committed, StoreError, Write};
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

/// How many batches one transaction takes at most.
const GROUP_BATCHES_MAX: usize = 1024;

/// How many bytes of bodies, entries and chunks one transaction takes, but for its last batch.
const GROUP_BYTES_MAX: usize = 16 << 20;

/// What a caller is told of its batch.
pub(crate) type Answer = Result<Committed, StoreError>;

/// A batch on its way to the writer.
pub(crate) struct Batch {
    /// Checked by its caller.
    pub(crate) writes: Vec<Write>,
    pub(crate) answer: oneshot::Sender<Answer>,
}

/// What a writer can be asked.
pub(crate) enum Ask {
    Commit(Batch),
    /// Only of a store in memory, which has one connection.
    Read(Read),
}

/// Writes until there are no more callers.
pub(crate) fn write_all(connection: &Connection, mut asked: mpsc::Receiver<Ask>) {
    let ranges = Ranges::new();
    let mut writing = Writing { updates: Updates::new(), recent: Recent::default() };
    let mut next = None;
    while let Some(ask) = next.take().or_else(|| asked.blocking_recv()) {
        match ask {
            Ask::Read(read) => read.answer(connection, &ranges),
            Ask::Commit(first) => next = commit_group(connection, &mut writing, first, &mut asked),
        }
    }
}

/// Commits a batch and those that wait behind it. Answers with what is to be done next, if it
/// was taken from the queue but does not belong to a group.
fn commit_group(
    connection: &Connection,
    writing: &mut Writing,
    first: Batch,
    asked: &mut mpsc::Receiver<Ask>,
) -> Option<Ask> {
    let mut group = Group { callers: Vec::new(), bytes: 0 };
    let mut left = None;
    let begun = begin(connection, &mut writing.recent);
    let mut outcome = match begun {
        Ok(()) => group.take(connection, writing, first),
        Err(error) => {
            group.callers.push((first.answer, Ok(Committed::default())));
            Err(error)
        }
    };
    while outcome.is_ok() && !group.is_full() {
        match asked.try_recv() {
            Ok(Ask::Commit(batch)) => outcome = group.take(connection, writing, batch),
            Ok(read @ Ask::Read(_)) => {
                left = Some(read);
                break;
            }
            Err(_) => break,
        }
    }
    let outcome = outcome.map_err(Trouble::before_commit).and_then(|()| {
        let committed = connection.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([]));
        committed.map(drop).map_err(Trouble::of_commit)
    });
    if let Err(trouble) = &outcome {
        tracing::warn!(batches = group.callers.len(), ?trouble, "group of batches was not committed");
        roll_back(connection);
        writing.recent.clear();
    }
    group.answer(outcome.as_ref().err());
    left
}

/// The callers of one transaction, with what each will be told if it is committed.
struct Group {
    callers: Vec<(oneshot::Sender<Answer>, Answer)>,
    bytes: usize,
}

impl Group {
    fn is_full(&self) -> bool {
        self.callers.len() >= GROUP_BATCHES_MAX || self.bytes >= GROUP_BYTES_MAX
    }

    fn take(&mut self, connection: &Connection, writing: &mut Writing, batch: Batch) -> rusqlite::Result<()> {
        self.bytes += batch.writes.iter().map(Write::size).sum::<usize>();
        let (applied, trouble) = match apply(connection, writing, batch.writes) {
            Ok(applied) => (applied, Ok(())),
            // Overwritten by the trouble of the group.
            Err(error) => (Ok(Committed::default()), Err(error)),
        };
        self.callers.push((batch.answer, applied));
        trouble
    }

    /// Tells every caller. Trouble is everyone's, refused batches included: what they conflicted
    /// with may have been rolled back. A caller that has gone away is no trouble.
    fn answer(self, trouble: Option<&Trouble>) {
        for (caller, applied) in self.callers {
            let answer = match trouble {
                Some(trouble) => Err(trouble.clone().into()),
                None => applied,
            };
            let _ = caller.send(answer);
        }
    }
}

/// Begins a transaction. What was written before it may have been changed by another program, such
/// as a shell, which the number of the data's version tells.
fn begin(connection: &Connection, recent: &mut Recent) -> rusqlite::Result<()> {
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let version = connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
    recent.keep_if(version);
    Ok(())
}

/// SQLite has rolled back by itself after some errors; then there is nothing left to do.
fn roll_back(connection: &Connection) {
    if !connection.is_autocommit()
        && let Err(error) = connection.execute_batch("ROLLBACK")
    {
        tracing::error!(error = %error, "transaction could not be rolled back");
    }
}
