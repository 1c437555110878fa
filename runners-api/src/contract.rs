//! What the faces of the orchestrator's wire share: its errors, its bodies, and how they are described.

pub(crate) mod body;
pub(crate) mod described;
pub(crate) mod error;
pub(crate) mod form;
