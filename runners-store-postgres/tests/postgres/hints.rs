//! What one store writes, another hears of; whatever is cut, no hint is lost.

use crate::stage::{Stranger, job, options, own, pause, put, shared, stores, stranger, within};
use futures::{StreamExt as _, stream::BoxStream};
use runners_core::{
    Index, Key, Kind, TenantId,
    store::{Hint, Store as _, StoreError, Write},
};
use runners_store_postgres::{
    PostgresStore,
    testing::TestServer,
    tokio_postgres::{self, AsyncMessage, Client, NoTls},
};
use std::{collections::BTreeSet, future::poll_fn, time::Duration};
use tokio::sync::mpsc;

/// Hears until `wanted` has come.
async fn hear(watch: &mut BoxStream<'static, Hint>, wanted: &Hint) -> Vec<Hint> {
    let mut heard = Vec::new();
    within("the hint", async {
        while !matches!(heard.last(), Some(hint) if hint == wanted) {
            heard.push(watch.next().await.expect("a watch does not end"));
        }
    })
    .await;
    heard
}

async fn settle(watch: &mut BoxStream<'static, Hint>) {
    assert_eq!(hear(watch, &Hint::All).await, [Hint::All], "the first hint is that all may have changed");
}

#[tokio::test]
async fn lanes_and_owners_go_before_the_record_they_belong_to_and_own_writes_are_no_news() {
    let Some(server) = shared() else { return };
    let stores = stores(server, 2).await;
    let mut watches = [stores[0].watch(), stores[1].watch()];
    settle(&mut watches[0]).await;
    settle(&mut watches[1]).await;
    let ready = b"lane-of-16-bytes, and what is behind";
    let owned = b"runner 16 bytes!, and what is behind";
    let write = |expected, index, entry: &'static [u8]| Write::Put {
        key: job(1),
        expected,
        format: 1,
        body: "x".into(),
        indexes: vec![(index, entry.into())],
    };
    stores[0].commit(vec![write(0, Index::Ready, ready)]).await.unwrap();
    let (lane, owner) = (Hint::Lane(ready[..16].into()), Hint::Owner(owned[..16].into()));
    assert_eq!(hear(&mut watches[1], &Hint::Changed(job(1))).await, [lane, Hint::Changed(job(1))]);
    stores[0].commit(vec![write(1, Index::Owner, owned)]).await.unwrap();
    let heard = hear(&mut watches[1], &Hint::Changed(job(1))).await;
    let left = Hint::Left(ready[..16].into());
    assert_eq!(heard, [left, owner, Hint::Changed(job(1))], "old lanes are left, new owners are told");
    stores[1].commit(vec![put(2, 0, 1)]).await.unwrap();
    assert_eq!(hear(&mut watches[0], &Hint::Changed(job(2))).await, [Hint::Changed(job(2))]);
}

#[tokio::test]
async fn no_hint_is_lost_while_connections_are_ended() {
    let Some(server) = own(&["-c", "fsync=off"]) else { return };
    let stores = stores(&server, 2).await;
    let stranger = stranger(&server).await;
    let mut watch = stores[1].watch();
    settle(&mut watch).await;
    for round in 0..3 {
        stranger.end_all().await;
        // A commit may meet a connection that has just been ended: it is for the caller to look.
        while stores[0].commit(vec![put(round, 0, 1)]).await.is_err() {
            if stores[0].load(vec![job(round)]).await.is_ok_and(|found| found[0].is_some()) {
                break;
            }
            pause(20).await;
        }
        within("the hint", async {
            loop {
                match watch.next().await.expect("a watch does not end") {
                    Hint::All => break,
                    Hint::Changed(key) if key == job(round) => break,
                    _ => {}
                }
            }
        })
        .await;
    }
}

#[tokio::test]
async fn who_cannot_listen_hears_all_the_same() {
    let Some(server) = shared() else { return };
    let options = options(server).without_listening();
    let (one, two) = (options.clone().open().await.unwrap(), options.open().await.unwrap());
    let mut watch = two.watch();
    settle(&mut watch).await;
    for number in 0..5 {
        one.commit(vec![put(number, 0, 1)]).await.unwrap();
        assert_eq!(hear(&mut watch, &Hint::Changed(job(number))).await, [Hint::Changed(job(number))]);
    }
}

/// A transaction that began early and ends late is not passed over.
#[tokio::test]
async fn what_a_long_transaction_has_written_is_heard_once_it_ends() {
    let Some(server) = shared() else { return };
    let stores = stores(server, 2).await;
    let mut watch = stores[1].watch();
    settle(&mut watch).await;
    let mut host = stranger(server).await;
    let transaction = host.client.transaction().await.unwrap();
    stores[0].commit_in(&transaction, &[put(1, 0, 1)]).await.unwrap();
    for number in 10..14 {
        stores[0].commit(vec![put(number, 0, 1)]).await.unwrap();
        hear(&mut watch, &Hint::Changed(job(number))).await;
    }
    transaction.commit().await.unwrap();
    assert_eq!(hear(&mut watch, &Hint::Changed(job(1))).await, [Hint::Changed(job(1))]);
}

/// Rows as commits of another control plane leave them, of one job each.
async fn insert_hints(stranger: &Stranger, schema: &str, jobs: std::ops::Range<i64>) {
    let head = [TenantId::DEFAULT.as_bytes(), &Kind::Job.number().to_be_bytes()[..]].concat();
    let sql = format!(
        "INSERT INTO {schema}.hint (by, keys, lanes, left_lanes, owners, left_owners)
        SELECT 'other', ARRAY[$1::bytea || int8send(n)], none, none, none, none
        FROM (SELECT n, ARRAY[NULL::bytea] AS none FROM generate_series($2::bigint, $3::bigint - 1) AS n) AS all_of"
    );
    stranger.client.execute(&sql, &[&head, &jobs.start, &jobs.end]).await.unwrap();
}

/// The oldest transaction that is open counts in every snapshot, whatever database it is in.
#[tokio::test]
async fn while_a_transaction_is_open_elsewhere_each_hint_is_told_once_and_all_is_not_doubted() {
    let Some(server) = own(&["-c", "fsync=off"]) else { return };
    let schema = server.fresh_schema();
    let options = options(&server).schema(&schema);
    let (one, two) = (options.clone().open().await.unwrap(), options.open().await.unwrap());
    let mut watch = two.watch();
    settle(&mut watch).await;
    let stranger = stranger(&server).await;
    stranger.client.batch_execute("CREATE DATABASE elsewhere").await.unwrap();
    let url = format!("{}elsewhere", server.url().strip_suffix("postgres").unwrap());
    let (mut far, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    let mut carried = tokio::task::JoinSet::new();
    carried.spawn(async move { drop(connection.await) });
    let open = far.transaction().await.unwrap();
    open.execute("SELECT pg_current_xact_id()", &[]).await.unwrap();
    // Together they are more than are read at once.
    let (mut heard, mut wanted) = (Vec::new(), BTreeSet::new());
    for round in 0..7 {
        let (first, last) = (round * 1000, round * 1000 + 999);
        insert_hints(&stranger, &schema, first..last).await;
        let marker = usize::try_from(last).unwrap();
        one.commit(vec![put(marker, 0, 1)]).await.unwrap();
        heard.extend(hear(&mut watch, &Hint::Changed(job(marker))).await);
        wanted.extend((first..=last).map(|number| job(usize::try_from(number).unwrap())));
    }
    let keys: Vec<Key> = heard
        .iter()
        .map(|hint| match hint {
            Hint::Changed(key) => key.clone(),
            other => panic!("{other:?} was told"),
        })
        .collect();
    assert_eq!(keys.len(), wanted.len(), "each is told once");
    assert_eq!(keys.into_iter().collect::<BTreeSet<_>>(), wanted);
    open.rollback().await.unwrap();
}

/// Overhears what stores tell each other, and is none of those who listen.
struct Eavesdropper {
    client: Client,
    mark: String,
    heard: mpsc::UnboundedReceiver<String>,
    _carried: tokio::task::JoinSet<()>,
}

impl Eavesdropper {
    async fn start(server: &TestServer, schema: &str) -> Self {
        let (client, mut connection) = tokio_postgres::connect(&server.url(), NoTls).await.unwrap();
        let (hear, heard) = mpsc::unbounded_channel();
        let mut carried = tokio::task::JoinSet::new();
        carried.spawn(async move {
            while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
                if let AsyncMessage::Notification(told) = message {
                    drop(hear.send(told.payload().to_owned()));
                }
            }
        });
        // The mark has a channel of its own: a store that heard it would take it for another's.
        let mark = format!("{schema}_mark");
        client.batch_execute(&format!("LISTEN \"{schema}_hints\"; LISTEN \"{mark}\"")).await.unwrap();
        Self { client, mark, heard, _carried: carried }
    }

    /// Whether anything is told while a store commits often enough to have told of it.
    async fn hears(&mut self, store: &PostgresStore, number: &mut usize) -> bool {
        for _ in 0..20 {
            *number += 1;
            store.commit(vec![put(*number, 0, 1)]).await.unwrap();
            pause(5).await;
        }
        // What was told before this has been heard by then.
        self.client.query("SELECT pg_notify($1, 'mark')", &[&self.mark]).await.unwrap();
        let mut others = 0;
        while self.heard.recv().await.expect("it is connected") != "mark" {
            others += 1;
        }
        others > 0
    }
}

#[tokio::test]
async fn one_that_is_alone_tells_nobody_and_tells_as_soon_as_another_listens() {
    let Some(server) = shared() else { return };
    let (schema, mut number) = (server.fresh_schema(), 0);
    let options = options(server).schema(&schema);
    let one = options.clone().open().await.unwrap();
    let mut watch = one.watch();
    settle(&mut watch).await;
    let mut eavesdropper = Eavesdropper::start(server, &schema).await;
    within("silence", async { while eavesdropper.hears(&one, &mut number).await {} }).await;
    let two = options.open().await.unwrap();
    let mut others = two.watch();
    settle(&mut others).await;
    within("what is told", async { while !eavesdropper.hears(&one, &mut number).await {} }).await;
    let last = Hint::Changed(job(number));
    assert_eq!(hear(&mut others, &last).await.last(), Some(&last));
    drop(others);
    two.close().await;
    within("silence", async { while eavesdropper.hears(&one, &mut number).await {} }).await;
}

/// From now on whatever is to be durable waits for a standby of this name, which is not there; for none if it
/// is empty.
async fn wait_for_standby(stranger: &Stranger, name: &str) {
    let set = format!("ALTER SYSTEM SET synchronous_standby_names = '{name}'");
    stranger.client.batch_execute(&set).await.unwrap();
    stranger.client.simple_query("SELECT pg_reload_conf()").await.unwrap();
    within("the setting", async {
        let sql = "SELECT current_setting('synchronous_standby_names') = $1";
        while !stranger.client.query_one(sql, &[&name]).await.unwrap().get::<_, bool>(0) {
            pause(20).await;
        }
    })
    .await;
}

/// What waits for a standby is seen only once that has answered, or nobody waits for it any more.
#[tokio::test]
async fn a_commit_that_lands_after_it_was_given_up_is_news_to_its_own_store() {
    let Some(server) = own(&["-c", "fsync=off"]) else { return };
    let store = options(&server).patience(Duration::from_millis(500)).open().await.unwrap();
    let mut watch = store.watch();
    settle(&mut watch).await;
    let stranger = stranger(&server).await;
    wait_for_standby(&stranger, "nobody").await;
    let given_up = within("an answer", store.commit(vec![put(1, 0, 1)])).await;
    assert!(matches!(given_up, Err(StoreError::Unknown(_))), "{given_up:?}");
    assert_eq!(store.load(vec![job(1)]).await.unwrap(), [None], "it has not landed yet");
    wait_for_standby(&stranger, "").await;
    assert_eq!(hear(&mut watch, &Hint::Changed(job(1))).await, [Hint::Changed(job(1))]);
}

#[tokio::test]
async fn who_tells_others_waits_for_no_disk() {
    let Some(server) = own(&["-c", "fsync=off"]) else { return };
    let stores = stores(&server, 2).await;
    wait_for_standby(&stranger(&server).await, "nobody").await;
    // Each tells the other that it listens.
    settle(&mut stores[0].watch()).await;
    settle(&mut stores[1].watch()).await;
}
