//! Following events on a real server: what is under way elsewhere is waited for, and nothing longer.

use crate::stage::{Visit, options, shared, stores, stranger, within};
use futures::future::join;
use runners_core::{
    ControlPlane, EventCursor, EventsOf, Key, Kind, Principal, Scope, SystemClock, TenantId, sleep,
    store::{Page, Query, Store, StoreError, Write},
};
use std::{pin::pin, sync::Arc, time::Duration};

/// Far more than it takes, and less than what was once waited for.
const SOON: Duration = Duration::from_secs(8);

fn mark() -> Key {
    Key::new(TenantId::DEFAULT, Kind::Limit, "mark")
}

fn told(number: u64) -> Vec<Write> {
    let stream = Key::new(TenantId::DEFAULT, Kind::Events, "told");
    let append = Write::Append { stream, at: number, bytes: "x".into() };
    vec![append, Write::Above { watermark: mark(), number }]
}

async fn read(store: &dyn Store) -> Vec<u64> {
    let stream = Key::new(TenantId::DEFAULT, Kind::Events, "told");
    match store.scan(Query::Stream { stream, from: 0, bytes_max: 4096 }).await.unwrap() {
        Page::Chunks { chunks, .. } => chunks.into_iter().map(|(at, _)| at).collect(),
        other => panic!("a stream is answered with chunks, not {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_control_plane_tells_is_read_at_another_soon() {
    let Some(server) = shared() else { return };
    let mut planes = Vec::new();
    for store in stores(server, 2).await {
        planes.push(ControlPlane::builder(store).start().await.unwrap());
    }
    let principal = Principal::Api { tenant: TenantId::DEFAULT, scopes: [Scope::Read].into() };
    let viewer = planes[1].management(principal);
    let mut after = EventCursor::START;
    for number in 0..3 {
        let client = planes[0].local_client();
        let reading = viewer.events(EventsOf::Tenant, after, SOON);
        let (page, job) = join(reading, async { client.submit(&Visit(number)).await.unwrap() }).await;
        let page = page.unwrap();
        assert_eq!(page.events.first().and_then(|(_, event)| event.job), Some(job.id()));
        after = page.next;
    }
    for plane in planes {
        plane.stop().await.unwrap();
    }
}

#[tokio::test]
async fn what_is_told_at_once_stands_in_few_rows() {
    const TOLD: u64 = 60;
    let Some(server) = shared() else { return };
    let store = options(server).open().await.unwrap();
    let tell = |first| {
        let stream = Key::new(TenantId::DEFAULT, Kind::Events, "told");
        store.commit(vec![Write::AppendLines { stream, first, count: 1, bytes: "x\n".into() }])
    };
    for told in futures::future::join_all((0..TOLD).map(tell)).await {
        told.unwrap();
    }
    let rows = read(&store).await.len();
    assert!(rows <= 8, "{TOLD} lines stand in {rows} rows");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_raises_a_watermark_waits_for_what_was_let_through() {
    let Some(server) = shared() else { return };
    let stores = stores(server, 2).await;
    let (mut host, looking) = (stranger(server).await, stranger(server).await);
    let transaction = host.client.transaction().await.unwrap();
    stores[0].commit_in(&transaction, &told(5)).await.unwrap();
    let mut raising = pin!(stores[1].commit(vec![Write::Raise { watermark: mark(), to: 7 }]));
    let waits = async {
        let waits =
            "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND NOT granted
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        while looking.client.query(waits, &[]).await.unwrap().is_empty() {}
    };
    tokio::select! {
        biased;
        raised = &mut raising => panic!("it was not waited for: {raised:?}"),
        () = within("a wait", waits) => {}
    }
    let landing = async {
        // Whoever comes now does not wait for long behind it.
        stores[0].commit(told(6)).await.unwrap();
        assert_eq!(read(&*stores[1]).await, [6]);
        transaction.commit().await.unwrap();
    };
    let (raised, ()) = within("the watermark", join(raising, landing)).await;
    raised.unwrap();
    assert_eq!(read(&*stores[1]).await, [5, 6]);
    for store in &stores {
        let refused = store.commit(told(7)).await;
        assert!(matches!(refused, Err(StoreError::Below { at: 7, .. })), "{refused:?}");
        store.commit(vec![Write::Raise { watermark: mark(), to: 7 }]).await.unwrap();
    }
}

#[tokio::test]
async fn no_batch_is_let_through_by_what_an_old_snapshot_shows() {
    let Some(server) = shared() else { return };
    let store = Arc::new(options(server).open().await.unwrap());
    let mut host = stranger(server).await;
    let transaction = host.client.build_transaction();
    let level = runners_store_postgres::tokio_postgres::IsolationLevel::RepeatableRead;
    let transaction = transaction.isolation_level(level).start().await.unwrap();
    transaction.batch_execute("SELECT 1").await.unwrap();
    store.commit(vec![Write::Raise { watermark: mark(), to: 7 }]).await.unwrap();
    let refused = store.commit_in(&transaction, &told(5)).await;
    assert!(matches!(refused, Err(StoreError::Broken(_))), "{refused:?}");
    transaction.rollback().await.unwrap();
    assert!(read(&*store).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_tell_and_few_who_read_miss_nothing_between_two_stores() {
    const TOLD: u64 = 400;
    let Some(server) = shared() else { return };
    let stores = stores(server, 2).await;
    let clock = SystemClock::default();
    let tell = async |at: usize, number: u64| {
        // Spread over the time in which it is read.
        sleep(&clock, Duration::from_millis(number / 2)).await;
        match stores[at].commit(told(number)).await {
            Ok(_) => Some(number),
            Err(StoreError::Below { .. }) => None,
            Err(trouble) => panic!("{trouble:?}"),
        }
    };
    let telling = futures::future::join_all((1..=TOLD).map(|number| tell((number % 2) as usize, number)));
    let reading = async {
        let mut seen = Vec::new();
        for to in (20..=TOLD).step_by(20) {
            let store = &stores[(to / 20 % 2) as usize];
            store.commit(vec![Write::Raise { watermark: mark(), to }]).await.unwrap();
            let found = read(&**store).await.into_iter().filter(|at| *at <= to);
            seen.push((to, found.collect::<Vec<_>>()));
        }
        seen
    };
    let (told, seen) = within("all of it", join(telling, reading)).await;
    let stands: Vec<u64> = told.into_iter().flatten().collect();
    assert_eq!(read(&*stores[0]).await, stands);
    for (to, seen) in seen {
        let below: Vec<u64> = stands.iter().copied().filter(|at| *at <= to).collect();
        assert_eq!(seen, below, "raised to {to}");
    }
}
