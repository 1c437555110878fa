//! The seam by which a host reads the flows of its tenants' libraries. The core keeps them as bytes.

use std::{collections::BTreeSet, fmt::Debug, sync::Arc};

/// Reads documents before they are kept in a library of flows, and before they are run from it.
///
/// Without one, every document is taken as it is, has no title and needs no secrets.
pub trait FlowReader: Debug + Send + Sync + 'static {
    /// Reads a document: the payload of a command of this kind.
    ///
    /// # Errors
    /// What is wrong with it, for whoever wrote it.
    fn read(&self, kind: &str, document: &[u8]) -> Result<FlowOutline, String>;
}

impl<R: FlowReader + ?Sized> FlowReader for Arc<R> {
    fn read(&self, kind: &str, document: &[u8]) -> Result<FlowOutline, String> {
        (**self).read(kind, document)
    }
}

/// What a document says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "hosts write `FlowOutline { title, ..Default::default() }`")]
pub struct FlowOutline {
    /// What it calls itself.
    pub title: Option<String>,
    /// What it does, step by step, in words for people.
    pub steps: Vec<String>,
    /// The names of the secrets that its runner has to resolve.
    pub secrets: BTreeSet<String>,
}
