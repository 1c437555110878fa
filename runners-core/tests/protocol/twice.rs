//! The same call of the management, sent twice at once: the second is answered as a repeat is.

use super::{
    hand::operator,
    management::{admin, refusal},
};
use async_trait::async_trait;
use runners_core::{
    ApiCredentialSpec, ControlPlane, Key, Kind, MemoryStore, PoolId, RegistrationSpec, Scope,
    protocol::RefusalCode,
    store::{Committed, Page, Query, Store, StoreError, Stored, Write},
};

/// A store in which whoever writes what admits somebody lets others look first.
#[derive(Clone, Debug, Default)]
struct Polite(MemoryStore);

#[async_trait]
impl Store for Polite {
    async fn load(&self, keys: Vec<Key>) -> Result<Vec<Option<Stored>>, StoreError> {
        self.0.load(keys).await
    }

    async fn scan(&self, query: Query) -> Result<Page, StoreError> {
        self.0.scan(query).await
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Committed, StoreError> {
        let admits = |kind| matches!(kind, Kind::Registration | Kind::Credential);
        if writes.iter().any(|write| matches!(write, Write::Put { key, .. } if admits(key.kind))) {
            tokio::task::yield_now().await;
        }
        self.0.commit(writes).await
    }
}

async fn control() -> ControlPlane {
    ControlPlane::builder(Polite::default()).start().await.unwrap()
}

#[tokio::test]
async fn a_runner_that_is_removed_twice_at_once_is_removed() {
    let control = control().await;
    let admin = admin(&control);
    let runner = admin.register_runner(PoolId::DEFAULT, "one").await.unwrap().view.id;
    let (one, other) = tokio::join!(admin.remove_runner(runner), admin.remove_runner(runner));
    one.unwrap();
    other.unwrap();
    assert_eq!(refusal(operator(&control).runner(runner).await).code, RefusalCode::NotFound);
}

#[tokio::test]
async fn a_token_that_is_revoked_twice_at_once_is_revoked() {
    let control = control().await;
    let admin = admin(&control);
    let token =
        admin.create_registration(PoolId::DEFAULT, RegistrationSpec::default()).await.unwrap().view.id;
    let revoke = || admin.revoke_registration(PoolId::DEFAULT, token);
    let (one, other) = tokio::join!(revoke(), revoke());
    one.unwrap();
    other.unwrap();
    revoke().await.unwrap();
}

#[tokio::test]
async fn a_credential_that_is_revoked_twice_at_once_is_revoked() {
    let control = control().await;
    let admin = admin(&control);
    let spec = ApiCredentialSpec { name: "ci".into(), scopes: [Scope::Read].into(), expires_in: None };
    let credential = admin.create_api_credential(spec).await.unwrap().view.id;
    let revoke = || admin.revoke_api_credential(credential);
    let (one, other) = tokio::join!(revoke(), revoke());
    one.unwrap();
    other.unwrap();

    let runner = admin.register_runner(PoolId::DEFAULT, "one").await.unwrap().view.id;
    let revoke = || admin.revoke_runner_credentials(runner);
    let (one, other) = tokio::join!(revoke(), revoke());
    one.unwrap();
    other.unwrap();
}
