//! How checks fared over the runs that are kept.

use super::local::LocalTransport;
use crate::{
    rules::orchestration::history::Counting,
    seams::orchestration::OrchestratorError,
    values::{
        fleet::listing::Paging,
        orchestration::{History, HistoryFilter},
    },
};
use std::time::Duration;

impl LocalTransport {
    /// How checks fared over the newest runs that ended, of those that the filter finds: at most
    /// [`RUNS_MAX`](History::RUNS_MAX) are read.
    pub(super) async fn history(&self, filter: &HistoryFilter) -> Result<History, OrchestratorError> {
        let mut names: Vec<String> = Vec::new();
        let mut paging = Paging { after: None, limit: Paging::LIMIT_MAX };
        let truncated = loop {
            let page = self.list(&filter.runs, &paging).await?;
            let ended = page.items.into_iter().filter(|line| line.progress.state.is_ended());
            names.extend(ended.map(|line| line.progress.run_id));
            if names.len() > History::RUNS_MAX {
                names.truncate(History::RUNS_MAX);
                break true;
            }
            match page.next {
                Some(next) => paging.after = Some(next),
                None => break false,
            }
        };
        let mut counting = Counting::new(filter);
        let mut runs = 0;
        for run in names.iter().rev() {
            match self.wait(run, Duration::ZERO).await {
                Ok(summary) => {
                    counting.add(&summary);
                    runs += 1;
                }
                // It was removed since it was listed.
                Err(OrchestratorError::NotFound { .. } | OrchestratorError::Unfinished { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(History::new(counting.finish(), runs, truncated))
    }
}
