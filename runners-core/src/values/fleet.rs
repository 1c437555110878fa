//! What is managed: pools and runners, as they are asked for and as they are shown, and the pages
//! in which they are listed. What may be done to them, and by whom, is left to the control plane's
//! management.

pub(crate) mod access;
pub(crate) mod audit;
pub(crate) mod environment;
pub(crate) mod flow;
pub(crate) mod job;
pub(crate) mod listing;
pub(crate) mod pool;
pub(crate) mod presence;
pub(crate) mod retention;
pub(crate) mod run;
pub(crate) mod runner;
pub(crate) mod summary;
pub(crate) mod tenant;
