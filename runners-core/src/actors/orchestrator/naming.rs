//! What runs leave: artifacts are named for as long as the run is kept that left them, so that nobody
//! collects them, and read by their run.

use super::{Shared, local::LocalTransport};
use crate::{
    actors::records::Batch,
    rules::{
        keys,
        record::{ArtifactRecord, OrchestrationRecord, Record as _, Unknown},
    },
    seams::{
        artifact::{ArtifactError, ArtifactKey},
        orchestration::{ArtifactBytes, OrchestratorError},
        store::StoreError,
    },
    values::{
        digest::Digest,
        id::JobId,
        key::{Index, Key},
        lease::FencingToken,
        orchestration::ResultArtifact,
    },
};
use std::{collections::BTreeMap, ops::Range};

/// How many artifacts are named, or not named any more, in one batch.
const NAMES_PER_BATCH: usize = 256;
/// How often it is tried to name what somebody else is naming.
const TRIES_MAX: u32 = 3;

impl Shared {
    /// Names what a run has left. What is named already stays so.
    pub(super) async fn name_artifacts(
        &self,
        run: &OrchestrationRecord,
        left: &[ResultArtifact],
    ) -> Result<(), StoreError> {
        let names: BTreeMap<Digest, &ResultArtifact> = left.iter().map(|left| (left.digest, left)).collect();
        let names: Vec<ArtifactRecord> = names.into_values().map(|left| self.name(run, left)).collect();
        for names in names.chunks(NAMES_PER_BATCH) {
            let mut tries = 1;
            while let Err(error) = self.put_missing(names).await {
                let is_contended = matches!(error, StoreError::Conflict(_) | StoreError::Unknown(_));
                if !is_contended || tries >= TRIES_MAX {
                    return Err(error);
                }
                tries += 1;
            }
        }
        Ok(())
    }

    async fn put_missing(&self, names: &[ArtifactRecord]) -> Result<(), StoreError> {
        let there = self.records.load_all::<ArtifactRecord>(names.iter().map(ArtifactRecord::key).collect());
        let mut batch = Batch::new();
        for (name, there) in names.iter().zip(there.await?) {
            if there.is_none() {
                batch.put(0, name);
            }
        }
        self.records.commit(batch).await.map(drop)
    }

    /// Names nothing for a run any more.
    pub(super) async fn unname_artifacts(&self, run: &OrchestrationRecord) -> Result<(), StoreError> {
        let prefix = keys::parent_prefix(run.tenant, &keys::artifacts_of(token(run).job));
        let named = self.records.tenant(run.tenant).all::<ArtifactRecord>(Index::Parent, prefix).await?;
        for named in named.chunks(NAMES_PER_BATCH) {
            let mut batch = Batch::new();
            named.iter().for_each(|found| batch.delete(found.record.key(), found.version));
            self.records.commit(batch).await?;
        }
        Ok(())
    }

    fn name(&self, run: &OrchestrationRecord, left: &ResultArtifact) -> ArtifactRecord {
        ArtifactRecord {
            tenant: run.tenant,
            token: token(run),
            name: left.digest.to_string(),
            digest: left.digest,
            length: left.length,
            media_type: left.media_type.clone(),
            attached_at: self.now(),
            role: None,
            unknown: Unknown::new(),
        }
    }
}

impl LocalTransport {
    /// Reads what a run has left, or a part of it.
    pub(super) async fn read(
        &self,
        run: &str,
        digest: Digest,
        range: Option<Range<u64>>,
    ) -> Result<ArtifactBytes, OrchestratorError> {
        let found = self.record(run).await?.record;
        let none = || OrchestratorError::NoArtifact { run: run.to_owned(), digest };
        let store = self.shared.artifacts.as_ref().ok_or_else(none)?;
        let key = Key::new(
            self.tenant,
            ArtifactRecord::KIND,
            keys::of_artifact(token(&found), &digest.to_string()),
        );
        let named =
            self.shared.records.load::<ArtifactRecord>(key).await.map_err(OrchestratorError::Store)?;
        named.ok_or_else(none)?;
        let key = ArtifactKey { tenant: self.tenant, digest };
        let length = store.head(key).await.map_err(OrchestratorError::Artifact)?.ok_or_else(none)?;
        match store.get(key, range).await {
            Ok(bytes) => Ok(ArtifactBytes { length, bytes }),
            Err(ArtifactError::Missing(_)) => Err(none()),
            Err(error) => Err(OrchestratorError::Artifact(error)),
        }
    }
}

/// What stands for the run where others have the job and the grant that left something.
fn token(run: &OrchestrationRecord) -> FencingToken {
    FencingToken { job: JobId::from_bytes(*run.seed.as_bytes()), grant: 0 }
}
