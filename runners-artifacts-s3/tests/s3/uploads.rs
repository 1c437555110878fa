//! Uploads by somebody who has nothing but a grant.

use crate::support::{key, opened, put, read};
use reqwest::{Client, StatusCode};
use runners_artifacts_s3::testing::TestStorage;
use runners_core::{
    ArtifactError, ArtifactKey, ArtifactStore as _, TenantId,
    protocol::{ReadAs, UploadGrant},
};
use std::fs;

async fn upload(grant: &UploadGrant, bytes: &'static [u8]) -> StatusCode {
    let client = Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let mut request = client.put(&grant.url).body(bytes);
    for (name, value) in &grant.headers {
        request = request.header(name, value);
    }
    request.send().await.unwrap().status()
}

#[tokio::test]
async fn what_was_uploaded_is_an_artifact_once_it_is_taken_over() {
    let storage = TestStorage::start().await.unwrap();
    let artifacts = opened(&storage).await;
    let of = key(b"abc");
    let grant = artifacts.grant_upload(of, 3).await.unwrap().unwrap();
    assert!(grant.expires_in <= UploadGrant::EXPIRES_IN_MAX && !format!("{grant:?}").contains("Signature"));
    let early = artifacts.take_upload(of, 3, grant.upload).await;
    assert!(matches!(early, Err(ArtifactError::Missing(_))), "{early:?}");
    assert!(upload(&grant, b"abc").await.is_success());
    assert_eq!(artifacts.head(of).await.unwrap(), None, "it is not there before");
    artifacts.take_upload(of, 3, grant.upload).await.unwrap();
    assert_eq!(read(&artifacts, of).await, b"abc");
    assert_eq!(storage.names().len(), 1, "nothing is left of the upload: {:?}", storage.names());
    let again = artifacts.take_upload(of, 3, grant.upload).await;
    assert!(matches!(again, Err(ArtifactError::Missing(_))), "{again:?}");
}

#[tokio::test]
async fn other_bytes_than_were_granted_are_refused_and_never_become_an_artifact() {
    let storage = TestStorage::start().await.unwrap();
    let artifacts = opened(&storage).await;
    let of = key(b"abc");
    for bytes in [&b"xyz"[..], b"abcd", b"ab"] {
        let grant = artifacts.grant_upload(of, 3).await.unwrap().unwrap();
        assert!(upload(&grant, bytes).await.is_client_error(), "{bytes:?}");
        // Some storages keep what they refuse.
        let taken = artifacts.take_upload(of, 3, grant.upload).await;
        let is_told = matches!(taken, Err(ArtifactError::Mismatch(_) | ArtifactError::Missing(_)));
        assert!(is_told, "{bytes:?}: {taken:?}");
        assert_eq!(artifacts.head(of).await.unwrap(), None);
    }
    assert!(storage.names().is_empty(), "{:?}", storage.names());
}

#[tokio::test]
async fn a_storage_that_tells_no_checksum_is_not_trusted_to_have_checked_one() {
    let storage = TestStorage::start().await.unwrap();
    let artifacts = opened(&storage).await;
    let of = key(b"abc");
    let incoming = storage.files().join("runners/incoming").join(TenantId::DEFAULT.to_string());
    fs::create_dir_all(&incoming).unwrap();
    for (bytes, is_right) in [(b"abc", true), (b"xyz", false)] {
        let grant = artifacts.grant_upload(of, 3).await.unwrap().unwrap();
        // Nothing was said of a checksum when this came there.
        fs::write(incoming.join(grant.upload.to_string()), bytes).unwrap();
        let taken = artifacts.take_upload(of, 3, grant.upload).await;
        assert_eq!(taken.is_ok(), is_right, "{taken:?}");
        assert_eq!(artifacts.head(of).await.unwrap().is_some(), is_right);
        artifacts.delete(of).await.unwrap();
    }
}

#[tokio::test]
async fn a_grant_is_good_for_its_tenant_its_artifact_and_its_time_alone() {
    let storage = TestStorage::start().await.unwrap();
    let artifacts = opened(&storage).await;
    let of = key(b"abc");
    let grant = artifacts.grant_upload(of, 3).await.unwrap().unwrap();
    assert!(upload(&grant, b"abc").await.is_success());
    let elsewhere = ArtifactKey { tenant: TenantId::from_bytes([9; 16]), ..of };
    let taken = artifacts.take_upload(elsewhere, 3, grant.upload).await;
    assert!(matches!(taken, Err(ArtifactError::Missing(_))), "{taken:?}");
    let taken = artifacts.take_upload(key(b"xyz"), 3, grant.upload).await;
    assert!(matches!(taken, Err(ArtifactError::Mismatch(_))), "{taken:?}");
    assert_eq!(artifacts.head(key(b"xyz")).await.unwrap(), None);

    let mut longer = artifacts.grant_upload(of, 3).await.unwrap().unwrap();
    assert!(longer.url.contains("X-Amz-Expires=600"), "{longer:?}");
    longer.url = longer.url.replace("X-Amz-Expires=600", "X-Amz-Expires=6000");
    assert_eq!(upload(&longer, b"abc").await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn too_much_is_refused_before_anything_is_granted_and_nothing_is_where_nothing_may_be() {
    let storage = TestStorage::start().await.unwrap();
    let small = storage.options().bytes_max(2).open().await.unwrap();
    let refused = small.grant_upload(key(b"abc"), 3).await;
    assert!(matches!(refused, Err(ArtifactError::TooLarge { length: 3, limit: 2 })), "{refused:?}");
    let without = storage.options().grant_uploads(false).open().await.unwrap();
    assert!(without.grant_upload(key(b"abc"), 3).await.unwrap().is_none());
    put(&without, b"abc").await.unwrap();
}

#[tokio::test]
async fn a_read_is_granted_for_a_minute_and_told_to_be_what_we_say() {
    let storage = TestStorage::start().await.unwrap();
    assert!(opened(&storage).await.grant_read(key(b"abc"), &ReadAs::default()).await.unwrap().is_none());
    let artifacts = storage.options().grant_reads(true).open().await.unwrap();
    put(&artifacts, b"abc").await.unwrap();
    let shown = ReadAs { media_type: None, file_name: Some("a \"b\".html".to_owned()) };
    let grant = artifacts.grant_read(key(b"abc"), &shown).await.unwrap().unwrap();
    assert!(grant.url.contains("X-Amz-Expires=60&") && !format!("{grant:?}").contains("Signature"));
    let client = Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let read = client.get(&grant.url).send().await.unwrap();
    let header = |name: &str| read.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "application/octet-stream");
    assert_eq!(header("content-disposition"), "attachment; filename*=UTF-8''a%20%22b%22.html");
    assert_eq!(read.bytes().await.unwrap(), &b"abc"[..]);
    let part = client.get(&grant.url).header("range", "bytes=1-1").send().await.unwrap();
    assert_eq!(part.bytes().await.unwrap(), &b"b"[..], "a range may be asked for");
    let as_page = grant.url.replace("octet-stream", "xhtml%2Bxml");
    assert_ne!(as_page, grant.url);
    assert_eq!(client.get(as_page).send().await.unwrap().status(), StatusCode::FORBIDDEN);
}
