//! What one store writes, another hears of; whatever is cut, no hint is lost.

use crate::stage::{job, options, pause, put, shared, stores, stranger, within};
use futures::{StreamExt as _, stream::BoxStream};
use runners_core::{
    Index,
    store::{Hint, Store as _, Write},
};

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
    assert_eq!(hear(&mut watches[1], &Hint::Changed(job(1))).await, [lane.clone(), Hint::Changed(job(1))]);
    stores[0].commit(vec![write(1, Index::Owner, owned)]).await.unwrap();
    let heard = hear(&mut watches[1], &Hint::Changed(job(1))).await;
    assert_eq!(heard, [lane, owner, Hint::Changed(job(1))], "old lanes are left, new owners are told");
    stores[1].commit(vec![put(2, 0, 1)]).await.unwrap();
    assert_eq!(hear(&mut watches[0], &Hint::Changed(job(2))).await, [Hint::Changed(job(2))]);
}

#[tokio::test]
async fn no_hint_is_lost_while_connections_are_ended() {
    let Some(server) = crate::stage::own(&["-c", "fsync=off"]) else { return };
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
