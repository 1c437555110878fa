//! Flows of a tenant's library: documents with names, of which older versions are kept.

use crate::values::{digest::Digest, fleet::audit::Author, opaque::Opaque, time::Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A flow, as it is to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "callers write `FlowSpec { tags, ..FlowSpec::new(document) }`")]
pub struct FlowSpec {
    /// The kind of command that its document is the payload of: [`FlowSpec::KIND`] unless said
    /// otherwise.
    pub kind: String,
    /// What it is for. At most [`FlowSpec::DESCRIPTION_BYTES_MAX`].
    pub description: Option<String>,
    /// Words to find it by. At most [`FlowSpec::TAGS_MAX`].
    pub tags: BTreeSet<String>,
    /// What a runner is given, byte by byte. At most [`FlowSpec::DOCUMENT_BYTES_MAX`].
    pub document: Opaque,
}

impl FlowSpec {
    /// The kind of command that a recorded flow is.
    pub const KIND: &str = "browser_flow";
    /// The largest number of bytes in a document: 4 MiB. One that is too large to travel with a job, over
    /// [`PAYLOAD_BYTES_MAX`](crate::protocol::SubmitRequest::PAYLOAD_BYTES_MAX), is kept as an artifact.
    pub const DOCUMENT_BYTES_MAX: usize = 4 << 20;
    /// How many flows a tenant has at most.
    pub const COUNT_MAX: u32 = 10_000;
    /// How many versions of a flow are kept, the newest.
    pub const VERSIONS_MAX: usize = 20;
    /// The largest number of tags.
    pub const TAGS_MAX: usize = 16;
    /// The largest number of bytes in a description.
    pub const DESCRIPTION_BYTES_MAX: usize = 2_000;

    /// A recorded flow, without description and tags.
    pub fn new(document: impl Into<Opaque>) -> Self {
        Self {
            kind: Self::KIND.to_owned(),
            description: None,
            tags: BTreeSet::new(),
            document: document.into(),
        }
    }
}

/// Which flows are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "callers write `FlowFilter { tag, ..Default::default() }`")]
pub struct FlowFilter {
    /// Those whose name, title or description has this text, in letters of any case.
    pub text: Option<String>,
    /// Those with this tag.
    pub tag: Option<String>,
}

/// A flow of the library, without its document.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlowView {
    /// What it is called: unique within its tenant.
    pub name: String,
    /// The kind of command that its document is the payload of.
    pub kind: String,
    /// What its document calls itself, if that could be read.
    pub title: Option<String>,
    /// How many steps it has, if that could be read.
    pub steps: Option<u32>,
    /// What it is for.
    pub description: Option<String>,
    /// Words to find it by.
    pub tags: BTreeSet<String>,
    /// The newest version.
    pub newest: FlowVersion,
    /// When its first version was made.
    pub made_at: Timestamp,
}

/// A version of a flow, without its document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "faces of other protocols take it apart")]
pub struct FlowVersion {
    /// Its number, from 1.
    pub version: u32,
    /// The SHA-256 of its document.
    pub digest: Digest,
    /// How many bytes its document has.
    pub length: u64,
    /// When it was made.
    pub made_at: Timestamp,
    /// Who made it.
    #[serde(default)]
    pub author: Author,
}

/// A version of a flow, with its document.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlowDocument {
    /// The flow, as it is now.
    pub flow: FlowView,
    /// Which version the document is.
    pub version: FlowVersion,
    /// What it does, step by step, in words for people; nothing unless the host can read it.
    pub steps: Vec<String>,
    /// What a runner is given, byte by byte.
    pub document: Opaque,
}
