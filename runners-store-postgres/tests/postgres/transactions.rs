//! What a host queues in its own transaction is committed with it, or gone with it.

use crate::stage::{Visit, options, shared, stranger, within};
use runners_core::{Attempt, ControlPlane, Error, JobOptions};
use std::sync::Arc;

#[tokio::test]
async fn a_job_is_queued_when_the_transaction_commits_and_not_before() {
    let Some(server) = shared() else { return };
    let store = Arc::new(options(server).open().await.unwrap());
    let control = ControlPlane::builder(Arc::clone(&store)).start().await.unwrap();
    let runner = control.local_runner("default").executor(async |Visit(n), _: Attempt| Ok(n + 1)).start();
    let mut host = stranger(server).await;
    host.client.batch_execute("CREATE TABLE IF NOT EXISTS orders (number bigint)").await.unwrap();

    let transaction = host.client.transaction().await.unwrap();
    transaction.batch_execute("INSERT INTO orders VALUES (1)").await.unwrap();
    let gone = store.submit_in(&transaction, &control, &Visit(1)).await.unwrap();
    transaction.rollback().await.unwrap();

    let transaction = host.client.transaction().await.unwrap();
    transaction.batch_execute("INSERT INTO orders VALUES (2)").await.unwrap();
    let job = store.submit_in(&transaction, &control, &Visit(2)).await.unwrap();
    let client = control.local_client();
    let absent = client.job::<u64>(job).inspect().await;
    assert!(matches!(absent, Err(Error::Refused(_))), "{absent:?}");
    transaction.commit().await.unwrap();

    let result = within("the result", client.job::<u64>(job).result()).await;
    assert_eq!(result.unwrap(), 3);
    let absent = client.job::<u64>(gone).inspect().await;
    assert!(matches!(absent, Err(Error::Refused(_))), "{absent:?}");
    let orders = host.client.query("SELECT number FROM orders", &[]).await.unwrap();
    assert_eq!(orders.iter().map(|row| row.get::<_, i64>(0)).collect::<Vec<_>>(), [2]);
    runner.drain().await.unwrap();
    control.stop().await.unwrap();
}

#[tokio::test]
async fn a_refused_job_leaves_the_transaction_as_it_was() {
    let Some(server) = shared() else { return };
    let store = Arc::new(options(server).open().await.unwrap());
    let control = ControlPlane::builder(Arc::clone(&store)).start().await.unwrap();
    let mut host = stranger(server).await;
    let unique = |n| (Visit(n), JobOptions { unique: Some("one".to_owned()), ..JobOptions::default() });
    control.local_client().submit(&unique(1)).await.unwrap();
    let transaction = host.client.transaction().await.unwrap();
    let refused = store.submit_in(&transaction, &control, &unique(2)).await.unwrap_err();
    assert!(matches!(refused, Error::Refused(_)), "{refused:?}");
    let nowhere = (Visit(3), JobOptions { pool: "nowhere".to_owned(), ..JobOptions::default() });
    let refused = store.submit_in(&transaction, &control, &nowhere).await.unwrap_err();
    assert!(matches!(refused, Error::Refused(_)), "{refused:?}");
    let job = store.submit_in(&transaction, &control, &Visit(4)).await.unwrap();
    transaction.commit().await.unwrap();
    control.local_client().job::<u64>(job).inspect().await.unwrap();
    control.stop().await.unwrap();
}
