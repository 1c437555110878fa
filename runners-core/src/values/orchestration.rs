//! Orchestration as data: one request over many regions, what became of it, and what is told on the
//! way. Member names are those of the orchestrator's wire; what they mean is in the rules.

mod comparison;
mod event;
mod history;
mod issue;
mod options;
mod progress;
mod request;
mod result;
mod summary;

pub use comparison::{ComparedCheck, ComparedRegion};
pub(crate) use event::RunPage;
pub use event::{RunEvent, RunHappening};
pub use history::{History, HistoryFilter, HistoryLine, Rate};
pub use issue::{InvalidRequest, IssueCode, PathPart, RequestIssue};
pub use options::{OrchestrationOptions, RegionPolicy};
pub use progress::{RunFilter, RunLine, RunProgress, RunState, RunStateError};
pub use request::{AskedCheck, OrchestrationMode, OrchestrationRequest};
pub use result::{RegionResult, ResultArtifact, ResultState};
pub use summary::{Finding, RegionJob, RegionTry, RunArtifact, RunSummary, SummaryCounts};
