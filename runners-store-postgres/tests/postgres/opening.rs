//! What is said when a database cannot be opened, and that it says what to do.

use crate::stage::{chain, options, own, put, shared, stranger, versions, within};
use runners_core::{
    Index,
    store::{Page, Query, Store as _},
};
use runners_store_postgres::{OpenError, PostgresOptions, PostgresStore};
use std::sync::Arc;

#[tokio::test]
async fn a_schema_is_set_up_once_however_many_come_first() {
    let Some(server) = shared() else { return };
    let options = options(server);
    let all = (0..8).map(|_| options.clone().open());
    let stores = within("the schema", futures::future::join_all(all)).await;
    let stores: Vec<PostgresStore> = stores.into_iter().map(Result::unwrap).collect();
    stores[0].commit(vec![put(0, 0, 10)]).await.unwrap();
    assert_eq!(versions(&stores[7], 0..2).await, [1, 0]);
    for store in &stores {
        store.close().await;
    }
}

#[tokio::test]
async fn two_deployments_in_one_database_are_apart() {
    let Some(server) = shared() else { return };
    let (one, two) = (options(server).open().await.unwrap(), options(server).open().await.unwrap());
    one.commit(vec![put(0, 0, 10)]).await.unwrap();
    assert_eq!(versions(&two, 0..1).await, [0]);
}

/// A later release that runs beside this one may have added a kind.
#[tokio::test]
async fn records_of_a_kind_that_is_not_known_are_left_out_and_hide_nothing() {
    let Some(server) = shared() else { return };
    let schema = server.fresh_schema();
    let store = PostgresOptions::new(server.url()).schema(&schema).open().await.unwrap();
    for (number, kind) in ["7ff0", "7ff0", "7ff0", "0001", "7ff0", "0002", "7ff0"].into_iter().enumerate() {
        let key = format!("{}{kind}{number:02x}", "01".repeat(16));
        let sql = format!(
            "INSERT INTO {schema}.record (key, version, format, body, due)
            VALUES ('\\x{key}', 1, 1, '', '\\x{number:02x}')"
        );
        stranger(server).await.client.simple_query(&sql).await.unwrap();
    }
    for (limit, expected) in [(1, 1), (2, 2), (3, 2), (100, 2)] {
        let Page::Rows { rows, .. } = store.scan(Query::range(Index::Due, &b""[..], limit)).await.unwrap()
        else {
            panic!("rows")
        };
        assert_eq!(rows.len(), expected, "{limit}");
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused_with_both_versions() {
    let Some(server) = shared() else { return };
    let schema = server.fresh_schema();
    let options = PostgresOptions::new(server.url()).schema(&schema);
    options.clone().open().await.unwrap().close().await;
    let stranger = stranger(server).await;
    stranger.client.simple_query(&format!("UPDATE {schema}.runners_schema SET version = 99")).await.unwrap();
    let refused = options.open().await.unwrap_err();
    assert!(matches!(refused, OpenError::NewerSchema { found: 99, known: 1, .. }), "{refused:?}");
    assert!(refused.to_string().contains("upgrade this program"), "{refused}");
}

#[tokio::test]
async fn another_applications_schema_is_left_alone() {
    let Some(server) = shared() else { return };
    let schema = server.fresh_schema();
    let stranger = stranger(server).await;
    stranger
        .client
        .batch_execute(&format!("CREATE SCHEMA {schema}; CREATE TABLE {schema}.theirs ()"))
        .await
        .unwrap();
    let refused = PostgresOptions::new(server.url()).schema(&schema).open().await.unwrap_err();
    assert!(matches!(refused, OpenError::Foreign { .. }), "{refused:?}");
    let sql = format!("SELECT FROM pg_tables WHERE schemaname = '{schema}'");
    assert_eq!(stranger.client.query(&sql, &[]).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_name_that_could_be_a_statement_is_no_schema() {
    for name in ["", "Queue", "a-b", "a\"; DROP TABLE x; --", "1a", "pg_mine", &"a".repeat(41)] {
        let refused =
            PostgresOptions::new("postgres://me@localhost/x").schema(name).open().await.unwrap_err();
        assert!(matches!(refused, OpenError::SchemaName { .. }), "{name}: {refused:?}");
    }
}

#[tokio::test]
async fn what_is_missing_is_said_to_be() {
    let Some(server) = shared() else { return };
    let refused = |url: String| async move { PostgresStore::open(url).await.unwrap_err() };
    let error = refused(format!("{}nowhere", server.url().trim_end_matches("postgres"))).await;
    assert!(matches!(error, OpenError::NoDatabase { .. }), "{error:?}");
    assert!(error.to_string().contains("createdb"), "{error}");
    let error = refused(server.url().replace("postgres@", "nobody-here@")).await;
    assert!(matches!(error, OpenError::Unauthorized { .. }), "{error:?}");
    let error = refused(server.url().replace("pg-", "pg-nowhere-")).await;
    assert!(matches!(error, OpenError::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains("start PostgreSQL"), "{error}");
}

#[tokio::test]
async fn a_database_where_transactions_see_the_past_is_refused() {
    let Some(server) = shared() else { return };
    let stranger = stranger(server).await;
    for sql in [
        "CREATE DATABASE isolated",
        "ALTER DATABASE isolated SET default_transaction_isolation = 'repeatable read'",
    ] {
        stranger.client.batch_execute(sql).await.unwrap();
    }
    let url = format!("{}isolated", server.url().trim_end_matches("postgres"));
    let refused = PostgresStore::open(url).await.unwrap_err();
    assert!(
        matches!(&refused, OpenError::Isolation { found, .. } if found == "repeatable read"),
        "{refused:?}"
    );
    assert!(refused.to_string().contains("set default_transaction_isolation"), "{refused}");
}

#[tokio::test]
async fn a_user_who_may_not_set_up_is_told_what_to_grant() {
    let Some(server) = shared() else { return };
    let stranger = stranger(server).await;
    stranger
        .client
        .batch_execute("CREATE ROLE visitor LOGIN; REVOKE CREATE ON DATABASE postgres FROM PUBLIC")
        .await
        .unwrap();
    let schema = server.fresh_schema();
    let url = server.url().replace("postgres@", "visitor@");
    let refused = PostgresOptions::new(url).schema(&schema).open().await.unwrap_err();
    assert!(matches!(refused, OpenError::Forbidden { .. }), "{refused:?}");
    assert!(refused.to_string().contains("GRANT CREATE"), "{refused}");
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_not_repeated() {
    let Some(server) = own(&["-c", "fsync=off"]) else { return };
    let stranger = stranger(&server).await;
    stranger
        .client
        .batch_execute(
            "CREATE ROLE keeper LOGIN PASSWORD 'right'; GRANT CREATE ON DATABASE postgres TO keeper",
        )
        .await
        .unwrap();
    server.stop();
    server.allow("local all keeper scram-sha-256\nlocal all all trust\n");
    server.start_again();
    let url = server.url().replace("postgres@", "keeper@");
    let wrong = PostgresOptions::new(&url).password("hush-hush").open().await.unwrap_err();
    assert!(matches!(wrong, OpenError::Unauthorized { .. }), "{wrong:?}");
    let told = format!("{wrong:?} {}", chain(&wrong));
    assert!(!told.contains("hush"), "{told}");
    let none = PostgresOptions::new(&url).open().await.unwrap_err();
    assert!(matches!(none, OpenError::Unauthorized { .. }), "{none:?}");
    let store = Arc::new(PostgresOptions::new(&url).password("right").open().await.unwrap());
    assert!(!format!("{store:?}").contains("right"));
}
