//! The rules: pure functions and plain records. They take the time and chance they need as
//! arguments, call no seam, and know no actor.

pub(crate) mod admission;
pub(crate) mod attempts;
pub(crate) mod capacity;
pub(crate) mod crash_loop;
pub(crate) mod credential;
#[cfg(feature = "egress")]
pub(crate) mod egress;
pub(crate) mod eligibility;
pub(crate) mod flow;
pub(crate) mod history;
pub(crate) mod hosting;
pub(crate) mod job;
pub(crate) mod keys;
pub(crate) mod lifecycle;
pub(crate) mod live;
pub(crate) mod log;
#[cfg(feature = "orchestrator")]
pub(crate) mod orchestration;
pub(crate) mod ownership;
pub(crate) mod precedence;
pub(crate) mod record;
pub(crate) mod redaction;
pub(crate) mod repeat;
pub(crate) mod retention;
pub(crate) mod schedule;
pub(crate) mod settlement;
pub(crate) mod signature;
pub(crate) mod submission;
pub(crate) mod view_grant;
pub(crate) mod webhook;
pub(crate) mod window;
