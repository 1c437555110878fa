//! Flows of a library, and the documents of their versions.

use super::{Record, Unknown};
use crate::{
    rules::keys,
    values::{
        digest::Digest,
        fleet::flow::{FlowVersion, FlowView},
        id::TenantId,
        key::{Index, Key, Kind},
        opaque::Opaque,
        request::SubmitRequest,
        time::Timestamp,
    },
};
use bytes::{BufMut as _, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

const fn nobody() -> TenantId {
    TenantId::OPERATOR
}

/// A flow, with what is known of its versions.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FlowRecord {
    #[serde(skip, default = "nobody")]
    pub(crate) tenant: TenantId,
    pub(crate) name: String,
    pub(crate) kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) title: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) steps: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) tags: BTreeSet<String>,
    pub(crate) made_at: Timestamp,
    /// The newest.
    pub(crate) newest: FlowVersion,
    /// Those before that are kept, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) older: Vec<FlowVersion>,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

impl FlowRecord {
    pub(crate) fn key_of(tenant: TenantId, name: &str) -> Key {
        Key::new(tenant, Kind::Flow, Bytes::copy_from_slice(&keys::text(&["flow", name])))
    }

    /// The counter of a tenant's flows.
    pub(crate) const fn count(tenant: TenantId) -> Key {
        Key { tenant, kind: Kind::Limit, id: Bytes::from_static(b"flows") }
    }

    /// Every version that is kept, newest first.
    pub(crate) fn versions(&self) -> impl Iterator<Item = &FlowVersion> {
        std::iter::once(&self.newest).chain(self.older.iter().rev())
    }

    /// As it is shown.
    pub(crate) fn view(&self) -> FlowView {
        FlowView {
            name: self.name.clone(),
            kind: self.kind.clone(),
            title: self.title.clone(),
            steps: self.steps,
            description: self.description.clone(),
            tags: self.tags.clone(),
            newest: self.newest.clone(),
            made_at: self.made_at,
        }
    }
}

impl Record for FlowRecord {
    const KIND: Kind = Kind::Flow;
    fn key(&self) -> Key {
        Self::key_of(self.tenant, &self.name)
    }
    fn with_key(mut self, key: &Key) -> Option<Self> {
        self.tenant = key.tenant;
        Some(self)
    }
    fn indexes(&self) -> Vec<(Index, Bytes)> {
        let key = self.key();
        // Documents that are artifacts are kept as long as their versions are.
        let is_artifact = |version: &&FlowVersion| version.length > SubmitRequest::PAYLOAD_BYTES_MAX as u64;
        let artifacts: BTreeSet<_> =
            self.versions().filter(is_artifact).map(|version| version.digest).collect();
        let names = artifacts.into_iter().map(|digest| (Index::Mark, keys::names(&key, digest)));
        let listed = (Index::Listed, keys::listed(&key, 0, self.newest.made_at));
        std::iter::once(listed).chain(names).collect()
    }
}

/// Where the document of a version is kept.
#[derive(Clone, Debug)]
pub(crate) enum Kept {
    /// In its record.
    Here(Opaque),
    /// As an artifact, since it is too large to travel with a job.
    Artifact(Digest),
}

/// The document of a version of a flow. It is written once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FlowVersionRecord {
    #[serde(skip, default = "no_key")]
    key: Key,
    /// The kind of command that it is the payload of.
    pub(crate) kind: String,
    /// Its bytes, unless they are an artifact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) document: Option<Opaque>,
    /// The artifact, which the flow names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) document_artifact: Option<Digest>,
    #[serde(flatten)]
    unknown: Unknown,
}

fn no_key() -> Key {
    Key::new(TenantId::OPERATOR, Kind::FlowVersion, Bytes::new())
}

impl FlowVersionRecord {
    pub(crate) fn new(key: Key, kind: &str, document: Kept) -> Self {
        let (document, document_artifact) = match document {
            Kept::Here(document) => (Some(document), None),
            Kept::Artifact(digest) => (None, Some(digest)),
        };
        Self { key, kind: kind.to_owned(), document, document_artifact, unknown: Unknown::new() }
    }

    pub(crate) fn key_of(tenant: TenantId, name: &str, version: u32) -> Key {
        let mut id = BytesMut::with_capacity(20);
        id.put_slice(&keys::text(&["flow", name]));
        id.put_u32(version);
        Key::new(tenant, Kind::FlowVersion, id.freeze())
    }
}

impl Record for FlowVersionRecord {
    const KIND: Kind = Kind::FlowVersion;
    fn key(&self) -> Key {
        self.key.clone()
    }
    fn with_key(mut self, key: &Key) -> Option<Self> {
        self.key = key.clone();
        Some(self)
    }
}
