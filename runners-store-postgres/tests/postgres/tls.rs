//! TLS to the server: what is encrypted, and what is refused. The authority is the test's own.
#![cfg(feature = "tls")]

use crate::stage::{chain, own, pause, put, stranger, within};
use futures::StreamExt as _;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use runners_core::store::{Hint, Store as _};
use runners_store_postgres::{OpenError, PostgresOptions, PostgresStore, testing::TestServer};

/// An authority, with its certificate in PEM.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Gives a server a certificate for `name` that is good until the end of `year`.
    fn certify(&self, server: &TestServer, name: &str, year: i32) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(year, 12, 31);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        server.put_file("server.crt", &certificate.pem()).unwrap();
        server.put_file("server.key", &key.serialize_pem()).unwrap();
    }
}

/// A loopback address that no other process of this machine listens at: its number is in it.
fn address() -> String {
    let number = std::process::id();
    format!("127.{}.{}.{}", 64 + (number >> 16) % 64, (number >> 8) & 255, 1 + (number & 255) % 254)
}

fn options(name: &str, mode: &str, roots: &str) -> PostgresOptions {
    let url = format!("postgres://postgres@{name}/postgres?hostaddr={}&sslmode={mode}", address());
    PostgresOptions::new(url).root_certificates(roots)
}

/// Opens it as soon as the server has read its settings again.
async fn opened(options: &PostgresOptions) -> PostgresStore {
    loop {
        match options.clone().open().await {
            Ok(store) => return store,
            Err(OpenError::Tls { .. } | OpenError::Unauthorized { .. }) => pause(20).await,
            Err(other) => panic!("{}", chain(&other)),
        }
    }
}

async fn refused(options: PostgresOptions, why: &str) {
    let refused = within("an answer", options.open()).await.unwrap_err();
    assert!(matches!(refused, OpenError::Tls { .. }), "{why}: {refused:?}");
    assert!(refused.to_string().contains("certificate"), "{refused}");
    assert!(chain(&refused).contains("certificate"), "{why}: {}", chain(&refused));
}

#[tokio::test]
async fn everything_is_encrypted_and_a_certificate_that_is_not_in_order_is_refused() {
    let listen = format!("listen_addresses={}", address());
    let Some(server) = own(&["-c", "fsync=off", "-c", &listen]) else { return };
    let (authority, stranger) = (Authority::new(), stranger(&server).await);
    let good = || options("db.example", "require", &authority.pem);
    let without = good().open().await.unwrap_err();
    assert!(matches!(without, OpenError::Tls { .. }), "the server speaks no TLS yet: {without:?}");

    server.allow("local all all trust\nhostssl all all 127.0.0.0/8 trust\n");
    authority.certify(&server, "db.example", 2200);
    let place = server.socket().parent().unwrap().display().to_string();
    for setting in [
        "ssl = on".to_owned(),
        format!("ssl_cert_file = '{place}/server.crt'"),
        format!("ssl_key_file = '{place}/server.key'"),
    ] {
        stranger.client.batch_execute(&format!("ALTER SYSTEM SET {setting}")).await.unwrap();
    }
    stranger.client.simple_query("SELECT pg_reload_conf()").await.unwrap();

    let one = within("TLS", opened(&good())).await;
    let two = good().open().await.unwrap();
    let mut hints = two.watch();
    assert_eq!(within("the first hint", hints.next()).await, Some(Hint::All));
    one.commit(vec![put(1, 0, 10)]).await.unwrap();
    assert!(within("a hint", hints.next()).await.is_some(), "what listens hears");
    let sql = "SELECT count(*) FILTER (WHERE ssl), count(*) FILTER (WHERE NOT ssl)
        FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE client_addr IS NOT NULL";
    let row = stranger.client.query_one(sql, &[]).await.unwrap();
    let (encrypted, plain): (i64, i64) = (row.get(0), row.get(1));
    assert!(encrypted >= 3 && plain == 0, "{encrypted} encrypted, {plain} plain");
    one.close().await;
    two.close().await;

    refused(options("other.example", "require", &authority.pem), "another name").await;
    refused(options("other.example", "prefer", &authority.pem), "another name, if TLS need not be").await;
    refused(options("db.example", "require", &Authority::new().pem), "another authority").await;
    authority.certify(&server, "db.example", 2021);
    stranger.client.simple_query("SELECT pg_reload_conf()").await.unwrap();
    within("the expired certificate", async {
        // The server reads it a moment later.
        while let Ok(store) = good().open().await {
            store.close().await;
        }
    })
    .await;
    refused(good(), "expired").await;
}
