//! Where things lie in a bucket: the names of objects, and what can be read from them.
//!
//! `prefix/tenant/aa/sha256` is an artifact, `…/sha256.removing.…` says that somebody is about to remove
//! it, and `prefix/incoming/tenant/upload` is what was uploaded and not taken over yet.

use runners_core::{ArtifactKey, Digest, TenantId, UploadId};

/// The largest number of bytes in a prefix: a name may have 1,024.
const PREFIX_BYTES_MAX: usize = 512;

/// What follows the name of an artifact that is about to be removed.
const REMOVING: &str = ".removing";

/// The part of a bucket that is ours.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Empty, or ends with a slash.
    prefix: String,
}

impl Place {
    /// Takes a prefix, with or without slashes around it; or tells what is wrong with it.
    pub(crate) fn new(prefix: &str) -> Result<Self, &'static str> {
        let prefix = prefix.trim_matches('/');
        if prefix.is_empty() {
            return Ok(Self { prefix: String::new() });
        }
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.=/".contains(letter);
        if prefix.len() > PREFIX_BYTES_MAX {
            return Err("has more than 512 letters");
        }
        if !prefix.chars().all(is_plain) {
            return Err("may have ASCII letters, digits, `-`, `_`, `.`, `=` and `/` alone");
        }
        // A URL resolves these, and then leads elsewhere.
        if prefix.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            return Err("has a segment that is empty, `.` or `..`");
        }
        Ok(Self { prefix: format!("{prefix}/") })
    }

    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// How the names of a tenant's artifacts begin.
    pub(crate) fn tenant(&self, tenant: TenantId) -> String {
        format!("{}{tenant}/", self.prefix)
    }

    pub(crate) fn artifact(&self, key: ArtifactKey) -> String {
        let digest = key.digest.to_string();
        format!("{}{}/{}/{digest}", self.prefix, key.tenant, &digest[..2])
    }

    /// The mark of one who removes, by what it has drawn: what another has marked is not its own.
    pub(crate) fn removing(&self, key: ArtifactKey, drawn: [u8; 8]) -> String {
        format!("{}{REMOVING}.{:016x}", self.artifact(key), u64::from_be_bytes(drawn))
    }

    /// How the names of a tenant's uploads begin.
    pub(crate) fn incoming(&self, tenant: TenantId) -> String {
        format!("{}incoming/{tenant}/", self.prefix)
    }

    pub(crate) fn upload(&self, tenant: TenantId, upload: UploadId) -> String {
        format!("{}{upload}", self.incoming(tenant))
    }
}

/// Whether an object is a mark of the artifact of this name.
pub(crate) fn is_mark(object: &str, artifact: &str) -> bool {
    object.strip_prefix(artifact).is_some_and(|rest| rest.starts_with(REMOVING))
}

/// The digest in the name of an artifact, if it is one.
pub(crate) fn digest_of(name: &str) -> Option<Digest> {
    name.rsplit('/').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_a_directory_has_too() {
        let key = ArtifactKey { tenant: TenantId::DEFAULT, digest: Digest::of(b"abc") };
        let place = Place::new("/ci/runners/").unwrap();
        let name = place.artifact(key);
        assert_eq!(
            name,
            "ci/runners/tenant_00000000000000000000000000000001/ba/\
             ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(digest_of(&name), Some(key.digest));
        assert_eq!(digest_of(&place.removing(key, [7; 8])), None);
        assert!(is_mark(&place.removing(key, [7; 8]), &name) && !is_mark(&name, &name));
        assert!(Place::new("").unwrap().artifact(key).starts_with("tenant_"));
    }

    #[test]
    fn a_prefix_that_leads_elsewhere_is_refused() {
        for bad in ["a/../b", "..", "a//b", "./a", "a?b", "a b", "ä", &"x".repeat(513)] {
            assert!(Place::new(bad).is_err(), "{bad}");
        }
    }
}
