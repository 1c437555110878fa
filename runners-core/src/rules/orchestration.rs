//! Orchestration: what a request must be like, which jobs it becomes, and what their answers come
//! to. Everything here is a function of what stands in the records.

mod comparison;
pub(crate) mod conclusion;
pub(crate) mod course;
pub(crate) mod fan_out;
pub(crate) mod history;
pub(crate) mod reply;
#[cfg(feature = "report")]
mod report;
mod request;
mod shape;
