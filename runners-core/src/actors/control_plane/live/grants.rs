//! The key by which grants are signed: drawn once, and kept in the store for every control plane of it.

use crate::{
    actors::{control_plane::Plane, records::Batch},
    rules::record::{LiveKeyRecord, Unknown},
    seams::store::StoreError,
};

/// How many bytes the key has.
const KEY_BYTES: usize = 32;

impl Plane {
    /// The key that signs grants of live views.
    pub(crate) async fn live_key(&self) -> Result<&[u8], StoreError> {
        self.live.key.get_or_try_init(|| self.read_live_key()).await.map(Vec::as_slice)
    }

    async fn read_live_key(&self) -> Result<Vec<u8>, StoreError> {
        if let Some(key) = self.kept_live_key().await? {
            return Ok(key);
        }
        let mut key = [0; KEY_BYTES];
        self.random.fill(&mut key);
        let mut batch = Batch::new();
        batch.put(0, &LiveKeyRecord { key: hex::encode(key), unknown: Unknown::new() });
        match self.records.commit(batch).await {
            Ok(_) => Ok(key.to_vec()),
            // Another control plane was faster.
            Err(StoreError::Conflict(_)) => self.kept_live_key().await?.ok_or_else(unavailable),
            Err(error) => Err(error),
        }
    }

    async fn kept_live_key(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.records.load::<LiveKeyRecord>(LiveKeyRecord::KEY).await?;
        let decode = |found: LiveKeyRecord| hex::decode(found.key).map_err(|_| unavailable());
        found.map(|found| decode(found.record)).transpose()
    }
}

fn unavailable() -> StoreError {
    StoreError::Unavailable("the key that signs grants of live views is not readable".into())
}
