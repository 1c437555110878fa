//! What others wrote. Every group of batches leaves a row that says what it touched; who watches reads
//! the rows of the others. A notification only says that there is something to read, so one that is
//! lost, or a connection that was cut, costs a moment and no hint: it is durable nowhere, and where
//! nobody else listens there is none.

use crate::{
    address::Address,
    clock::pause,
    connections::{Connections, Parameter, connect},
    key::key_of,
    listeners::{LISTEN, Listeners},
    sql::Statements,
    tls::Tls,
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
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
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
    pub(crate) id: [u8; 16],
    /// None if nobody tells, and it is asked instead.
    pub(crate) listen: Option<(Address, Tls)>,
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
        let id = hex::encode(self.id);
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = self.written.notified() => {}
            }
            if self.listeners.are_none() {
                continue;
            }
            let parameters: [Parameter<'_>; 2] = [(&self.statements.channel, Type::TEXT), (&id, Type::TEXT)];
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

    /// Listens, if that is wanted, and tells those who do already.
    async fn listen(&self, heard: &Arc<Notify>) -> Result<Ear, StoreSource> {
        let Some((address, tls)) = &self.listen else {
            return Ok(Ear { _client: None, carrying: Box::pin(std::future::pending()), process: None });
        };
        let id = hex::encode(self.id);
        let (client, mut carrying) = connect(address, tls.clone(), Arc::clone(heard), id.clone()).await?;
        let channel = &self.statements.channel;
        let listening = async {
            let said = client.query_typed(LISTEN, &[(channel, Type::TEXT)]).await?;
            client.batch_execute(&format!("LISTEN \"{channel}\"")).await?;
            client.query_typed(TELL, &[(channel, Type::TEXT), (&id, Type::TEXT)]).await?;
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

/// Reads rows, each once. Transactions end in another order than they begin in, so it begins again at
/// the oldest that had not ended, and leaves out what it has seen.
struct Reader {
    /// Every transaction before it had ended when rows were read last.
    horizon: i64,
    seen: HashSet<i64>,
    read_at: BootTime,
    removed_at: BootTime,
    /// Horizons, and when they were read.
    past: VecDeque<(BootTime, i64)>,
}

impl Reader {
    async fn start(hints: &Hints) -> Result<Self, StoreSource> {
        let rows = hints.connections.ask(&hints.statements.horizon, &[]).await.map_err(told)?;
        let horizon = rows.first().ok_or("the server has answered with nothing")?.try_get(0)?;
        let now = SystemClock::default().boot();
        Ok(Self { horizon, seen: HashSet::new(), read_at: now, removed_at: now, past: VecDeque::new() })
    }

    async fn read(&mut self, hints: &Hints) -> Result<Vec<Hint>, StoreSource> {
        let began = SystemClock::default().boot();
        let id = &hints.id[..];
        let parameters: [Parameter<'_>; 3] =
            [(&self.horizon, Type::INT8), (&id, Type::BYTEA), (&ROWS_MAX, Type::INT8)];
        let rows = hints.connections.ask(&hints.statements.hints, &parameters).await.map_err(told)?;
        let horizon = rows.first().ok_or("the server has answered with nothing")?.try_get(0)?;
        // Whoever slept for long has missed rows that were removed meanwhile.
        let missed = began.since(self.read_at) > KEPT_FOR / 2 || rows.len() as i64 >= ROWS_MAX;
        let mut told = Told::default();
        let mut seen = HashSet::new();
        for row in &rows {
            let Some(number) = row.try_get::<_, Option<i64>>(1)? else { continue };
            seen.insert(number);
            if !self.seen.contains(&number) && !missed {
                told.add(row)?;
            }
        }
        (self.horizon, self.seen, self.read_at) = (horizon, seen, began);
        self.remove(hints, began).await?;
        Ok(if missed { vec![Hint::All] } else { told.into_hints() })
    }

    /// Removes what was kept for long enough.
    async fn remove(&mut self, hints: &Hints, now: BootTime) -> Result<(), StoreSource> {
        if now.since(self.removed_at) < REMOVE_EVERY {
            return Ok(());
        }
        self.removed_at = now;
        self.past.push_back((now, self.horizon));
        let mut old = None;
        while let Some((at, horizon)) = self.past.front().copied()
            && now.since(at) >= KEPT_FOR
        {
            old = Some(horizon);
            self.past.pop_front();
        }
        if let Some(horizon) = old {
            hints
                .connections
                .ask(&hints.statements.forget_hints, &[(&horizon, Type::INT8)])
                .await
                .map_err(told)?;
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
