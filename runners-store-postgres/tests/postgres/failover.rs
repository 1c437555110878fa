//! A server that is lost, and its standby that takes its place: the URL names both, and that is all.

use crate::{
    failures::{recovery, write_through},
    stage::{own, pause, stranger, within},
};
use runners_store_postgres::PostgresOptions;
use std::{sync::Arc, time::Duration};

/// How long it may take from the promotion until something is written there.
const RECOVERY_MAX: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_that_is_promoted_takes_over_and_nothing_acknowledged_is_lost() {
    let Some(primary) = own(&["-c", "fsync=off"]) else { return };
    let standby = match primary.start_standby() {
        Ok(standby) => standby,
        Err(why) => return println!("\nskipped: {why}"),
    };
    // What is acknowledged is on both, which is what an operator chooses who wants to lose nothing.
    let before = stranger(&primary).await;
    before.client.batch_execute("ALTER SYSTEM SET synchronous_standby_names = '*'").await.unwrap();
    before.client.simple_query("SELECT pg_reload_conf()").await.unwrap();
    within("the standby", async {
        let sql = "SELECT FROM pg_stat_replication WHERE sync_state = 'sync'";
        while before.client.query(sql, &[]).await.unwrap().is_empty() {
            pause(20).await;
        }
    })
    .await;
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
