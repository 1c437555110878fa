//! A server that is lost, and its standby that takes its place: the URL names both, and that is all.

use crate::{
    failures::{recovery, write_through},
    stage::{job, own, pause, put, stranger, within},
};
use runners_core::{ControlPlane, store::Store as _};
use runners_store_postgres::{PostgresOptions, testing::TestServer};
use std::{sync::Arc, time::Duration};

/// How long it may take from the promotion until something is written there.
const RECOVERY_MAX: Duration = Duration::from_secs(10);

/// From now on what is acknowledged is on both, which is what an operator chooses who wants to lose nothing.
pub(crate) async fn synchronous(primary: &TestServer) {
    let stranger = stranger(primary).await;
    stranger.client.batch_execute("ALTER SYSTEM SET synchronous_standby_names = '*'").await.unwrap();
    stranger.client.simple_query("SELECT pg_reload_conf()").await.unwrap();
    within("the standby", async {
        let sql = "SELECT FROM pg_stat_replication WHERE sync_state = 'sync'";
        while stranger.client.query(sql, &[]).await.unwrap().is_empty() {
            pause(20).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_that_is_promoted_takes_over_and_nothing_acknowledged_is_lost() {
    let Some(primary) = own(&["-c", "fsync=off"]) else { return };
    let standby = match primary.start_standby() {
        Ok(standby) => standby,
        Err(why) => return println!("\nskipped: {why}"),
    };
    synchronous(&primary).await;
    let store = PostgresOptions::new(primary.url_with(&standby)).schema(primary.fresh_schema());
    let store = Arc::new(store.open().await.unwrap());
    let after = stranger(&standby).await;
    write_through(&store, async {
        pause(100).await;
        primary.crash();
        after.client.simple_query("SELECT pg_promote()").await.unwrap();
        let took = recovery(&store, 2_000_000).await;
        println!("written again {took:?} after the promotion");
        assert!(took < RECOVERY_MAX, "{took:?}");
    })
    .await;
    let recovering = after.client.query_one("SELECT pg_is_in_recovery()", &[]).await.unwrap();
    assert!(!recovering.get::<_, bool>(0), "it is the standby that has answered");
    store.close().await;
}

#[tokio::test]
async fn a_standby_alone_is_refused_until_it_is_promoted() {
    let Some(primary) = own(&["-c", "fsync=off"]) else { return };
    let schema = primary.fresh_schema();
    let options = |url| PostgresOptions::new(url).schema(&schema);
    let store = Arc::new(options(primary.url()).open().await.unwrap());
    store.commit(vec![put(1, 0, 1)]).await.unwrap();
    let standby = match primary.start_standby() {
        Ok(standby) => standby,
        Err(why) => return println!("\nskipped: {why}"),
    };
    store.close().await;
    primary.stop();
    let both = || options(primary.url_with(&standby)).open();
    let refused = within("an answer", both()).await;
    assert!(refused.is_err(), "nothing is written to a server that only reads");
    let promoted = stranger(&standby).await;
    promoted.client.simple_query("SELECT pg_promote()").await.unwrap();
    let store = Arc::new(within("an answer", both()).await.unwrap());
    assert!(store.load(vec![job(1)]).await.unwrap()[0].is_some());
    let control = ControlPlane::builder(Arc::clone(&store)).start().await.unwrap();
    control.check_ready().await.unwrap();
    control.stop().await.unwrap();
    store.close().await;
}
