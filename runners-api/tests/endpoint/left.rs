//! What checks left: named in their results, and read by whoever may have them carried out.

use crate::stage::{PICTURE, Stage, read};
use async_trait::async_trait;
use futures::StreamExt as _;
use runners_core::{
    ArtifactKey, ArtifactStore as _, Authenticate, AuthenticateError, Digest, MemoryArtifacts, Principal,
    Scope, TenantId,
};
use serde_json::json;

const OTHER: TenantId = TenantId::from_bytes([7; 16]);

#[derive(Debug)]
struct Accounts;

#[async_trait]
impl Authenticate for Accounts {
    async fn authenticate(&self, token: &str) -> Result<Principal, AuthenticateError> {
        let (tenant, scope) = match token {
            "submitter" => (TenantId::DEFAULT, Scope::Submit),
            "reader" => (TenantId::DEFAULT, Scope::Read),
            "other" => (OTHER, Scope::Submit),
            _ => return Err(AuthenticateError::Unknown),
        };
        Ok(Principal::Api { tenant, scopes: [scope].into() })
    }
}

async fn put(store: &MemoryArtifacts, tenant: TenantId, bytes: &'static [u8]) -> Digest {
    let digest = Digest::of(bytes);
    let whole = futures::stream::iter([Ok(bytes.into())]).boxed();
    store.put(ArtifactKey { tenant, digest }, bytes.len() as u64, whole).await.unwrap();
    digest
}

#[tokio::test]
async fn what_a_call_left_is_read_by_whoever_may_call_for_its_tenant_and_nothing_else_is() {
    let store = MemoryArtifacts::default();
    let stage = Stage::keeping(&store, |builder| builder.authenticate(Accounts)).await;
    let secret = put(&store, TenantId::DEFAULT, b"what somebody else keeps in the same store").await;
    put(&store, OTHER, PICTURE).await;
    let digest = Digest::of(PICTURE);
    let get = |path: &str, token: &str| stage.get(path).bearer_auth(token);
    let path = format!("/artifacts/{digest}");
    assert_eq!(read(get(&path, "submitter")).await.0, 404, "no call has left it yet");
    let (_, answer) = read(stage.post(&json!({ "runners": ["echoes"] })).bearer_auth("submitter")).await;
    let left = json!({
        "name": "shots/end.png", "digest": digest, "length": PICTURE.len(), "mediaType": "image/png",
        "url": format!("artifacts/{digest}"),
    });
    assert_eq!(answer["results"][0]["artifacts"], json!([left]), "{answer}");

    let whole = get(&path, "submitter").send().await.unwrap();
    assert_eq!(
        (whole.status().as_u16(), &whole.headers()["content-disposition"]),
        (200, &"attachment".parse().unwrap())
    );
    assert_eq!(whole.bytes().await.unwrap(), PICTURE);
    let part = get(&path, "submitter").header("range", "bytes=2-3").send().await.unwrap();
    assert_eq!((part.status().as_u16(), &part.bytes().await.unwrap()[..]), (206, &PICTURE[2..4]));
    assert_eq!(read(get(&path, "submitter").header("range", "bytes=99-")).await.0, 416);

    for (token, code) in [("reader", 403), ("other", 404), ("nobody", 401)] {
        assert_eq!(read(get(&path, token)).await.0, code, "{token}");
    }
    for path in [format!("/artifacts/{secret}"), "/artifacts/shot.png".to_owned()] {
        let (code, answer) = read(get(&path, "submitter")).await;
        assert_eq!((code, &answer["code"]), (404, &json!("NOT_FOUND")), "{path}: {answer}");
    }
}

#[tokio::test]
async fn a_repeat_of_a_call_offers_what_the_first_left() {
    let stage = Stage::keeping(&MemoryArtifacts::default(), |builder| builder).await;
    let ask = || stage.post(&json!({ "runners": ["echoes"] })).header("idempotency-key", "job-1");
    let (first, second) = (read(ask()).await, read(ask()).await);
    assert_eq!(first, second);
    let path = format!("/{}", second.1["results"][0]["artifacts"][0]["url"].as_str().unwrap());
    assert_eq!(stage.get(&path).send().await.unwrap().bytes().await.unwrap(), PICTURE);
}

#[tokio::test]
async fn without_its_store_nothing_is_offered() {
    let stage = Stage::plain().await;
    let (_, answer) = stage.execute(json!({ "runners": ["echoes"] })).await;
    assert!(answer["results"][0].get("artifacts").is_none(), "{answer}");
    assert_eq!(read(stage.get(&format!("/artifacts/{}", Digest::of(PICTURE)))).await.0, 404);
}
