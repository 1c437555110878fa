//! The actors: the control plane, the runner and the client, over the seams.

pub(crate) mod records;
