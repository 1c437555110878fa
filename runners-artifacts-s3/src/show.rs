//! Reads by somebody else: a URL for one object, which is told to be what we say.

use crate::{act::Act, artifacts::S3Artifacts, error::Trouble};
use runners_core::{
    ArtifactKey,
    protocol::{ReadAs, ReadGrant},
};

/// What an artifact is read as unless it is said.
const OCTETS: &str = "application/octet-stream";

impl S3Artifacts {
    pub(crate) async fn show(&self, key: ArtifactKey, shown: &ReadAs) -> Result<ReadGrant, Trouble> {
        let credentials = self.storage.credentials.current(&*self.storage.clock).await?;
        let name = self.place.artifact(key);
        let media_type = shown.media_type.as_deref().unwrap_or(OCTETS);
        // It is never shown in place: a page that a job left must not run where the storage is.
        let mut disposition = String::from("attachment");
        if let Some(name) = &shown.file_name {
            disposition.push_str("; filename*=UTF-8''");
            for byte in name.bytes() {
                match byte {
                    b'-' | b'.' | b'_' | b'~' => disposition.push(char::from(byte)),
                    _ if byte.is_ascii_alphanumeric() => disposition.push(char::from(byte)),
                    _ => disposition.push_str(&format!("%{byte:02X}")),
                }
            }
        }
        let act = Act::Show { name: &name, media_type, disposition: &disposition };
        let span = ReadGrant::EXPIRES_IN;
        let signed = act.sign(&self.storage.bucket, &credentials, self.storage.now(), span);
        Ok(ReadGrant { url: signed.url, expires_in: span })
    }
}
