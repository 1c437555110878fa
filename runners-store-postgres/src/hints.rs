//! What others wrote. Every group of batches leaves a row that says what it touched; who watches reads
//! the rows of the others. A notification only says that there is something to read, so one that is
//! lost, or a connection that was cut, costs a moment and no hint: it is durable nowhere, and where
//! nobody else listens there is none.

use crate::{
    clock::pause,
    connections::{Connections, Parameter, connect},
    key::key_of,
    listeners::{LISTEN, Listeners},
    sql::Statements,
    ways::Ways,
    writer_id::WriterId,
};
use futures::{
    StreamExt as _,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use runners_core::{
    BootTime, Clock as _, Key, SystemClock,
    store::{Hint, StoreSource},
};
use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    error::Error,
    sync::Arc,
    time::Duration,
};
use tokio::sync::{Notify, mpsc};
use tokio_postgres::{Client, Row, types::Type};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How many hints wait for a watcher.
const WAITING_MAX: usize = 1024;

/// How many rows are read at once. Where there are more, everything may have changed.
const ROWS_MAX: i64 = 4096;

/// How long rows are kept.
const KEPT_FOR: Duration = Duration::from_secs(30);

/// How often those are removed that were kept for long enough.
const REMOVE_EVERY: Duration = Duration::from_secs(10);

/// How often rows are looked for that nobody told of.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The same where nobody ever tells.
const LOOK_EVERY_DEAF: Duration = Duration::from_millis(100);

/// How often it is looked whether others listen: those who come say so.
const LISTENERS_EVERY: Duration = Duration::from_secs(10);

/// How long is waited after trouble.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// How far apart notifications are, so that many commits are told of at once.
const TELL_EVERY: Duration = Duration::from_millis(10);

/// Tells others that there is something to read. It waits for no disk: a crash of the server cuts
/// everybody's connection, so that everybody reads.
const TELL: &str = "SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)";

/// What watchers and those who tell have in common.
#[derive(Clone)]
pub(crate) struct Hints {
    pub(crate) connections: Arc<Connections>,
    pub(crate) statements: Arc<Statements>,
    /// Under which name others are told, so that this one does not hear itself.
    pub(crate) listener: Arc<str>,
    /// Whose rows are no news.
    pub(crate) writer: Arc<WriterId>,
    /// None if nobody tells, and it is asked instead.
    pub(crate) listen: Option<Arc<Ways>>,
    /// Told when others may want to hear of something.
    pub(crate) written: Arc<Notify>,
    pub(crate) listeners: Arc<Listeners>,
    pub(crate) stop: CancellationToken,
}

impl Hints {
    /// What others write from now on.
    pub(crate) fn watch(self, spawned: &TaskTracker) -> BoxStream<'static, Hint> {
        let (sender, hints) = mpsc::channel(WAITING_MAX);
        spawned.spawn(self.follow_always(sender));
        let next = |mut hints: mpsc::Receiver<Hint>| async move {
            match hints.recv().await {
                Some(hint) => Some((hint, hints)),
                // A watch does not end, even if its store does.
                None => std::future::pending().await,
            }
        };
        stream::unfold(hints, next).boxed()
    }

    /// Tells others, if there are any, that there is something to read, and then for a moment nothing
    /// more.
    pub(crate) async fn tell(self) {
        let listener = &*self.listener;
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = self.written.notified() => {}
            }
            if self.listeners.are_none() {
                continue;
            }
            let parameters: [Parameter<'_>; 2] =
                [(&self.statements.channel, Type::TEXT), (&listener, Type::TEXT)];
            if let Err(trouble) = self.connections.ask(TELL, &parameters).await {
                // They look by themselves after a while.
                tracing::debug!(?trouble, "others could not be told of what was written");
            }
            pause(TELL_EVERY).await;
        }
    }

    async fn follow_always(self, hints: mpsc::Sender<Hint>) {
        loop {
            let lost = tokio::select! {
                () = self.stop.cancelled() => return,
                () = hints.closed() => Ok(()),
                followed = self.follow(&hints) => followed,
            };
            // Nobody hears now who comes.
            self.listeners.doubt();
            if hints.is_closed() {
                return;
            }
            if let Err(error) = lost {
                tracing::warn!(
                    error = &*error as &dyn Error,
                    "what others write cannot be followed: trying again"
                );
            }
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = hints.closed() => return,
                () = pause(TRY_AGAIN_AFTER) => {}
            }
        }
    }

    /// Follows until the connection that listens is lost. Whatever came before is one hint: all.
    async fn follow(&self, hints: &mpsc::Sender<Hint>) -> Result<(), StoreSource> {
        let heard = Arc::new(Notify::new());
        let mut ear = self.listen(&heard).await?;
        let look_every = if self.listen.is_some() { LOOK_EVERY } else { LOOK_EVERY_DEAF };
        let mut reader = Reader::start(self).await?;
        let mut looked_at = None;
        hints.send(Hint::All).await?;
        loop {
            // Whoever hears of nobody who comes takes others to be there.
            if let Some(process) = ear.process
                && looked_at.is_none_or(|at| reader.read_at.since(at) >= LISTENERS_EVERY)
            {
                looked_at = Some(reader.read_at);
                self.listeners.look(&self.connections, &self.statements, process).await.map_err(told)?;
            }
            tokio::select! {
                () = heard.notified() => {
                    if self.listeners.doubt() {
                        // It has just come, and hears from now on.
                        self.written.notify_one();
                    }
                }
                () = pause(look_every) => {}
                () = &mut ear.carrying => return Err("the connection that listens has ended".into()),
            }
            for hint in reader.read(self).await? {
                hints.send(hint).await?;
            }
        }
    }

    /// Listens, if that is wanted. Whoever accepts and then says nothing is not waited for.
    async fn listen(&self, heard: &Arc<Notify>) -> Result<Ear, StoreSource> {
        let Some(ways) = &self.listen else {
            return Ok(Ear { _client: None, carrying: Box::pin(std::future::pending()), process: None });
        };
        tokio::select! {
            biased;
            listening = self.listen_on(ways, heard) => listening,
            () = pause(2 * self.connections.patience) => Err("nobody answers who would tell of it".into()),
        }
    }

    /// Listens, and tells those who do already.
    async fn listen_on(&self, ways: &Ways, heard: &Arc<Notify>) -> Result<Ear, StoreSource> {
        let listener = &*self.listener;
        let (client, mut carrying) = connect(ways, Arc::clone(heard), Arc::clone(&self.listener)).await?;
        let channel = &self.statements.channel;
        let listening = async {
            let said = client.query_typed(LISTEN, &[(channel, Type::TEXT)]).await?;
            client.batch_execute(&format!("LISTEN \"{channel}\"")).await?;
            client.query_typed(TELL, &[(channel, Type::TEXT), (&listener, Type::TEXT)]).await?;
            said.first().map(|row| row.try_get(0)).transpose()
        };
        let process = tokio::select! {
            listening = listening => listening?,
            () = &mut carrying => return Err("the connection has ended".into()),
        };
        Ok(Ear { _client: Some(client), carrying, process })
    }
}

/// A connection that listens, or none.
struct Ear {
    /// Kept: its end would end the connection.
    _client: Option<Client>,
    carrying: BoxFuture<'static, ()>,
    /// The number of its process at the server.
    process: Option<i32>,
}

/// Reads rows, each once: those of transactions that had not ended when it was read last. Transactions end in
/// another order than they begin in, and one that is open for long, wherever on the server, holds up nothing.
struct Reader {
    /// Which transactions had ended when rows were read last.
    snapshot: String,
    read_at: BootTime,
    removed_at: BootTime,
    /// Snapshots, and when each had been taken.
    past: VecDeque<(BootTime, String)>,
}

impl Reader {
    async fn start(hints: &Hints) -> Result<Self, StoreSource> {
        let now = SystemClock::default().boot();
        let rows = hints.connections.ask(&hints.statements.snapshot, &[]).await.map_err(told)?;
        let snapshot = rows.first().ok_or("the server has answered with nothing")?.try_get(0)?;
        Ok(Self { snapshot, read_at: now, removed_at: now, past: VecDeque::new() })
    }

    async fn read(&mut self, hints: &Hints) -> Result<Vec<Hint>, StoreSource> {
        let (began, rows) = loop {
            let (began, writer) = (SystemClock::default().boot(), hints.writer.now());
            let rows = self.ask(hints, &writer).await?;
            // What landed late may be among what was left out as its own.
            if hints.writer.now() == writer {
                break (began, rows);
            }
        };
        let now = SystemClock::default().boot();
        self.snapshot = rows.first().ok_or("the server has answered with nothing")?.try_get(0)?;
        // Whoever slept for long has missed rows that were removed meanwhile.
        let missed = now.since(self.read_at) > KEPT_FOR / 2 || rows.len() as i64 >= ROWS_MAX;
        self.read_at = began;
        let mut told = Told::default();
        for row in rows.iter().filter(|_| !missed) {
            // Where there is nothing, one row has the snapshot alone.
            if row.try_get::<_, Option<i64>>(1)?.is_some() {
                told.add(row)?;
            }
        }
        self.remove(hints, now).await?;
        Ok(if missed { vec![Hint::All] } else { told.into_hints() })
    }

    async fn ask(&self, hints: &Hints, writer: &[u8]) -> Result<Vec<Row>, StoreSource> {
        let parameters: [Parameter<'_>; 3] =
            [(&self.snapshot, Type::TEXT), (&writer, Type::BYTEA), (&ROWS_MAX, Type::INT8)];
        hints.connections.ask(&hints.statements.hints, &parameters).await.map_err(told)
    }

    /// Removes what could be seen for long enough. What it is the age of is a snapshot, not a row or the oldest
    /// transaction: a row of a long transaction is young when that ends, and no other waits for it.
    async fn remove(&mut self, hints: &Hints, now: BootTime) -> Result<(), StoreSource> {
        if now.since(self.removed_at) < REMOVE_EVERY {
            return Ok(());
        }
        self.removed_at = now;
        self.past.push_back((now, self.snapshot.clone()));
        let mut old = None;
        while self.past.front().is_some_and(|(at, _)| now.since(*at) >= KEPT_FOR) {
            old = self.past.pop_front();
        }
        if let Some((_, snapshot)) = old {
            let parameters: [Parameter<'_>; 1] = [(&snapshot, Type::TEXT)];
            hints.connections.ask(&hints.statements.forget_hints, &parameters).await.map_err(told)?;
        }
        Ok(())
    }
}

/// What was read, each record once: what happened to it last is all that counts.
#[derive(Default)]
struct Told {
    keys: Vec<Key>,
    heads: HashMap<Key, Heads>,
}

/// The first bytes of what a record stands under in the indexes that hints are of.
#[derive(Default)]
struct Heads {
    lane: Option<Vec<u8>>,
    left: BTreeSet<Vec<u8>>,
    owners: BTreeSet<Vec<u8>>,
}

impl Told {
    fn add(&mut self, row: &Row) -> Result<(), tokio_postgres::Error> {
        type Column<'r> = Vec<Option<&'r [u8]>>;
        let keys: Column<'_> = row.try_get(2)?;
        let (lanes, left_lanes): (Column<'_>, Column<'_>) = (row.try_get(3)?, row.try_get(4)?);
        let (owners, left_owners): (Column<'_>, Column<'_>) = (row.try_get(5)?, row.try_get(6)?);
        for (place, key) in keys.into_iter().enumerate() {
            // One of a kind of a later version concerns nobody here.
            let Some(key) = key.and_then(key_of) else { continue };
            let known = self.heads.entry(key.clone()).or_insert_with(|| {
                self.keys.push(key);
                Heads::default()
            });
            let head = |column: &Column<'_>| column.get(place).copied().flatten().map(<[u8]>::to_vec);
            known.lane = head(&lanes);
            known.left.extend(head(&left_lanes));
            known.owners.extend(head(&owners).into_iter().chain(head(&left_owners)));
        }
        Ok(())
    }

    /// Lanes and owners go before the record that they belong to.
    fn into_hints(mut self) -> Vec<Hint> {
        let mut hints = Vec::new();
        for key in self.keys {
            let Heads { lane, mut left, owners } = self.heads.remove(&key).unwrap_or_default();
            if let Some(lane) = &lane {
                left.remove(lane);
            }
            hints.extend(left.into_iter().map(|head| Hint::Left(head.into())));
            hints.extend(lane.map(|head| Hint::Lane(head.into())));
            hints.extend(owners.into_iter().map(|head| Hint::Owner(head.into())));
            hints.push(Hint::Changed(key));
        }
        hints
    }
}

fn told(trouble: crate::error::Trouble) -> StoreSource {
    Box::new(runners_core::store::StoreError::from(trouble))
}

#[cfg(test)]
#[cfg(all(feature = "testing", unix))]
mod tests {
    use super::*;
    use crate::{PostgresOptions, address::Address, testing::TestServer, tls::Tls};
    use runners_core::{
        Kind, TenantId,
        store::{Store as _, Write},
    };

    fn put(id: &'static str) -> Write {
        let key = Key::new(TenantId::DEFAULT, Kind::Job, id);
        Write::Put { key, expected: 0, format: 1, body: "x".into(), indexes: Vec::new() }
    }

    #[tokio::test]
    async fn what_a_snapshot_showed_is_removed_and_nothing_else_whatever_is_open() {
        let server = match TestServer::shared() {
            Ok(server) => server,
            Err(why) => return println!("\nskipped: {why}"),
        };
        let schema = server.fresh_schema();
        let options = PostgresOptions::new(server.url()).schema(&schema);
        let address = Address::of(&options).unwrap();
        let connections =
            Connections::new(&options, &address, &Tls::of(&options, &address).unwrap()).unwrap();
        let (statements, store) = (Statements::new(&schema), options.open().await.unwrap());
        let mut host = connections.lend().await.unwrap();
        let open = host.transaction().await.unwrap();
        store.commit_in(&open, &[put("begun before")]).await.unwrap();
        store.commit(vec![put("shown")]).await.unwrap();
        let snapshot: String = connections.ask(&statements.snapshot, &[]).await.unwrap()[0].get(0);
        store.commit(vec![put("after")]).await.unwrap();
        open.commit().await.unwrap();
        connections.ask(&statements.forget_hints, &[(&snapshot, Type::TEXT)]).await.unwrap();
        let sql = format!("SELECT keys[1] FROM \"{schema}\".hint ORDER BY number");
        let kept = connections.ask(&sql, &[]).await.unwrap();
        let kept: Vec<Option<Key>> = kept.iter().map(|row| key_of(row.get(0))).collect();
        let key = |id| Some(Key::new(TenantId::DEFAULT, Kind::Job, id));
        assert_eq!(kept, [key("begun before"), key("after")]);
    }
}
