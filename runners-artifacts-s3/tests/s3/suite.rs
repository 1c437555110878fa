//! The conformance suite of artifact stores, below a prefix and in the whole bucket.

use async_trait::async_trait;
use runners_artifacts_s3::{S3Artifacts, S3Credentials, S3Options, testing::TestStorage};
use runners_core::{ArtifactError, ArtifactKey, ArtifactStore, ByteStream, Digest, StoredArtifact, TenantId};
use std::ops::Range;

/// A store and the storage that lives as long as it.
#[derive(Debug)]
struct Kept(S3Artifacts, #[expect(dead_code, reason = "ends when dropped")] TestStorage);

#[async_trait]
impl ArtifactStore for Kept {
    async fn put(&self, key: ArtifactKey, length: u64, bytes: ByteStream) -> Result<(), ArtifactError> {
        self.0.put(key, length, bytes).await
    }
    async fn get(&self, key: ArtifactKey, range: Option<Range<u64>>) -> Result<ByteStream, ArtifactError> {
        self.0.get(key, range).await
    }
    async fn head(&self, key: ArtifactKey) -> Result<Option<u64>, ArtifactError> {
        self.0.head(key).await
    }
    async fn delete(&self, key: ArtifactKey) -> Result<(), ArtifactError> {
        self.0.delete(key).await
    }
    async fn list(
        &self,
        tenant: TenantId,
        after: Option<Digest>,
        limit: usize,
    ) -> Result<Vec<StoredArtifact>, ArtifactError> {
        self.0.list(tenant, after, limit).await
    }
    async fn delete_unless_put(&self, key: ArtifactKey, stamp: u64) -> Result<bool, ArtifactError> {
        self.0.delete_unless_put(key, stamp).await
    }
}

mod below_a_prefix {
    use super::*;

    async fn make() -> Kept {
        let storage = TestStorage::start().await.unwrap();
        Kept(storage.options().open().await.unwrap(), storage)
    }
    runners_core::artifact_suite!(make);
}

mod in_the_whole_bucket {
    use super::*;

    async fn make() -> Kept {
        let storage = TestStorage::start().await.unwrap();
        let options = S3Options::new(format!("s3://{}", TestStorage::BUCKET))
            .endpoint(storage.endpoint())
            .credentials(S3Credentials::new(TestStorage::KEY, TestStorage::SECRET));
        Kept(options.open().await.unwrap(), storage)
    }
    runners_core::artifact_suite!(make);
}
