//! Those who write. Each takes whatever batches are waiting into one group, which is one statement
//! and one transaction, and answers their callers after it, so that one wait for the disk serves many.

use crate::{
    clock::pause,
    connections::Connections,
    error::{Next, Trouble},
    group::Group,
    sql::Statements,
    touched::Touched,
    writer_id::WriterId,
};
use runners_core::{
    Clock as _, SystemClock,
    store::{Committed, StoreError, Write},
};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::sync::{Mutex, Notify, Semaphore, SemaphorePermit, mpsc, oneshot};
use tokio_util::task::TaskTracker;

/// How many batches, writes and bytes one group takes, but for its last batch.
const GROUP_BATCHES_MAX: usize = 256;
const GROUP_WRITES_MAX: usize = 2048;
const GROUP_BYTES_MAX: usize = 8 << 20;

/// How many batches a writer puts aside because they meet one of the group in a record.
const ASIDE_MAX: usize = 1024;

/// How often a group is sent that others were in the way of, and how long is waited in between.
const TRIES_MAX: u32 = 12;
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(2);

/// For how long.
const TRYING_MAX: Duration = Duration::from_secs(3);

/// How many batches go alone at most, of all who write.
const ALONE_MAX: usize = 1024;

/// What a caller is told of its batch.
pub(crate) type Answer = Result<Committed, StoreError>;

/// A batch on its way to a writer.
#[derive(Debug)]
pub(crate) struct Batch {
    /// Checked by its caller.
    pub(crate) writes: Vec<Write>,
    pub(crate) answer: oneshot::Sender<Answer>,
}

/// One of those who write.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    pub(crate) connections: Arc<Connections>,
    pub(crate) statements: Arc<Statements>,
    /// For whom the hints of these batches are no news.
    pub(crate) id: Arc<WriterId>,
    /// Told after each group that others may want to hear of.
    pub(crate) written: Arc<Notify>,
    /// Where batches go alone.
    pub(crate) spawned: TaskTracker,
    pub(crate) alone: Alone,
}

/// What batches that go alone share, so that those that wait for a lock leave connections to everybody else.
#[derive(Clone, Debug)]
pub(crate) struct Alone {
    /// How many of them are sent at once.
    sending: Arc<Semaphore>,
    /// How many there are.
    places: Arc<Semaphore>,
}

impl Alone {
    pub(crate) fn beside(connections: usize) -> Self {
        Self {
            sending: Arc::new(Semaphore::new((connections / 4).max(1))),
            places: Arc::new(Semaphore::new(ALONE_MAX)),
        }
    }
}

impl Writer {
    /// Writes until there are no more callers.
    pub(crate) async fn write_all(self, asked: Arc<Mutex<mpsc::Receiver<Batch>>>) {
        let mut aside = VecDeque::new();
        loop {
            let group = match aside.pop_front() {
                // Another writer may hold the queue for as long as nobody asks for anything.
                Some(first) => match asked.try_lock() {
                    Ok(mut asked) => gather(first, &mut aside, Some(&mut asked)),
                    Err(_) => gather(first, &mut aside, None),
                },
                None => {
                    let mut asked = asked.lock().await;
                    let Some(first) = asked.recv().await else { return };
                    gather(first, &mut aside, Some(&mut asked))
                }
            };
            self.commit(group).await;
        }
    }

    /// Commits a group and tells every caller. Where others are in its way for long, each batch goes
    /// alone and the next group is not kept waiting, so that those that meet nobody are not held up by those that do.
    async fn commit(&self, batches: Vec<Batch>) {
        match self.send(&batches, None).await {
            Err(trouble) if trouble.next == Next::Again && batches.len() > 1 => {
                for batch in batches {
                    self.send_alone(batch).await;
                }
            }
            answered => self.answer(batches, answered),
        }
    }

    async fn send_alone(&self, batch: Batch) {
        let place = Arc::clone(&self.alone.places).acquire_owned().await;
        let writer = self.clone();
        self.spawned.spawn(async move {
            let batch = [batch];
            let answered = writer.send(&batch, Some(&writer.alone.sending)).await;
            writer.answer(batch, answered);
            drop(place);
        });
    }

    /// Tells every caller. One that has gone away is no trouble.
    fn answer(&self, batches: impl IntoIterator<Item = Batch>, answered: Result<Vec<Answer>, Trouble>) {
        match answered {
            Ok(answers) => {
                self.written.notify_one();
                for (batch, answer) in batches.into_iter().zip(answers) {
                    let _ = batch.answer.send(answer);
                }
            }
            Err(trouble) => {
                if trouble.next == Next::Unknown {
                    // Before anybody is told: who then looks in vain hears of it if it lands.
                    self.id.renew();
                }
                let mut told = 0;
                for batch in batches {
                    let _ = batch.answer.send(Err(trouble.clone().into()));
                    told += 1;
                }
                tracing::warn!(batches = told, ?trouble, "batches were not committed");
            }
        }
    }

    /// Sends a group until nobody is in its way: for long if it is one batch, else until a lock was
    /// waited for in vain. Each time it waits for its `turn`, if it is to take turns.
    async fn send(&self, batches: &[Batch], turn: Option<&Semaphore>) -> Result<Vec<Answer>, Trouble> {
        let mut group = Group::default();
        batches.iter().for_each(|batch| group.add(&batch.writes));
        let id = self.id.now();
        let writer = &id[..];
        let parameters = group.parameters(&writer);
        let began = SystemClock::default().boot();
        let mut tries = 1;
        loop {
            let permit = match turn {
                Some(turn) => Some(self.turn_of(turn).await?),
                None => None,
            };
            let sent = self.connections.commit(&self.statements.commit, &parameters).await;
            drop(permit);
            match sent {
                Ok(rows) => {
                    let answered = rows.first().map(|row| group.answers(row)).transpose();
                    let answered = answered.map_err(Trouble::of_commit)?;
                    return answered.ok_or_else(|| Trouble::too_slow(true));
                }
                Err(trouble)
                    if trouble.next == Next::Again
                        && (batches.len() == 1 || !trouble.is_held)
                        && tries < TRIES_MAX
                        && SystemClock::default().boot().since(began) < TRYING_MAX =>
                {
                    // Those who met go on at different moments.
                    let apart = u32::from(id[(tries % 16) as usize]) % 8 + 1;
                    pause(TRY_AGAIN_AFTER * apart * tries).await;
                }
                Err(trouble) => return Err(trouble),
            }
            tries += 1;
        }
    }

    async fn turn_of<'t>(&self, turn: &'t Semaphore) -> Result<SemaphorePermit<'t>, Trouble> {
        tokio::select! {
            biased;
            permit = turn.acquire() => permit.map_err(|_| Trouble::held()),
            () = pause(self.connections.patience) => Err(Trouble::held()),
        }
    }
}

/// Takes the batches that wait and do not meet those of the group in a record; others are put aside,
/// and keep their order.
fn gather(
    first: Batch,
    aside: &mut VecDeque<Batch>,
    mut asked: Option<&mut mpsc::Receiver<Batch>>,
) -> Vec<Batch> {
    let mut gathering = Gathering::default();
    let mut kept = VecDeque::new();
    let first = gathering.take(first);
    debug_assert!(first.is_none(), "a group takes its first batch");
    while let Some(batch) = aside.pop_front() {
        kept.extend(gathering.take(batch));
    }
    while !gathering.is_full() && kept.len() < ASIDE_MAX {
        let Some(Ok(batch)) = asked.as_mut().map(|asked| asked.try_recv()) else { break };
        kept.extend(gathering.take(batch));
    }
    *aside = kept;
    gathering.batches
}

#[derive(Default)]
struct Gathering {
    batches: Vec<Batch>,
    touched: Touched,
    writes: usize,
    bytes: usize,
}

impl Gathering {
    fn is_full(&self) -> bool {
        self.batches.len() >= GROUP_BATCHES_MAX
            || self.writes >= GROUP_WRITES_MAX
            || self.bytes >= GROUP_BYTES_MAX
    }

    /// Gives a batch back that does not fit.
    fn take(&mut self, batch: Batch) -> Option<Batch> {
        if self.is_full() || !self.touched.admit(&batch.writes) {
            return Some(batch);
        }
        self.writes += batch.writes.len();
        self.bytes += batch.writes.iter().map(Write::size).sum::<usize>();
        self.batches.push(batch);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use runners_core::{Key, Kind, TenantId};

    fn batch(id: usize, expected: u64) -> Batch {
        let key = Key::new(TenantId::DEFAULT, Kind::Job, id.to_be_bytes().to_vec());
        let put = Write::Put { key, expected, format: 1, body: Bytes::new(), indexes: Vec::new() };
        Batch { writes: vec![put], answer: oneshot::channel().0 }
    }

    #[test]
    fn what_meets_a_batch_of_the_group_goes_with_the_next_and_keeps_its_order() {
        let (asks, mut asked) = mpsc::channel(16);
        for (id, expected) in [(1, 1), (2, 0), (1, 2), (2, 1)] {
            asks.try_send(batch(id, expected)).unwrap();
        }
        let mut aside = VecDeque::new();
        let sizes: Vec<usize> = (0..3)
            .map(|turn| {
                let first = aside.pop_front().unwrap_or_else(|| batch(1, turn));
                gather(first, &mut aside, Some(&mut asked)).len()
            })
            .collect();
        assert_eq!(sizes, [2, 2, 1]);
    }

    #[test]
    fn a_group_is_bounded() {
        let (asks, mut asked) = mpsc::channel(2 * GROUP_BATCHES_MAX);
        (0..2 * GROUP_BATCHES_MAX).for_each(|id| asks.try_send(batch(id, 0)).unwrap());
        let group = gather(batch(9999, 0), &mut VecDeque::new(), Some(&mut asked));
        assert_eq!(group.len(), GROUP_BATCHES_MAX);
    }
}
