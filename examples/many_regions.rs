//! One request over many regions in one process: a pool of runners, this process, and a region of your
//! own that happens to be down. What they find becomes one summary, and a run outlives a restart.
//!
//! `cargo run -p runners-examples --example many_regions`

use async_trait::async_trait;
use futures::TryStreamExt as _;
use runners_core::{
    CheckResult, CheckState, ControlPlane, EventCursor, Fault, MemoryStore, RunCheck,
    orchestration::{
        AskedCheck, OrchestrationRequest, Orchestrator, PoolRegion, ProcessRegion, Region, RegionCall,
        RegionError, RegionPolicy, RegionReply, RunHappening,
    },
};
use runners_store_sqlite::SqliteStore;
use std::{sync::Arc, time::Duration};

/// What carries checks out. In earnest it is a `CheckExecutor` over pages, or your own.
async fn look(command: RunCheck, _: runners_core::Attempt) -> Result<CheckResult, Fault> {
    let state = if command.check == "has_title" { CheckState::Passed } else { CheckState::Failed };
    Ok(CheckResult::new(command.check, state, Duration::from_millis(3)))
}

/// A region is anything that answers calls.
#[derive(Debug)]
struct Moon;

#[async_trait]
impl Region for Moon {
    async fn execute(&self, call: RegionCall) -> Result<RegionReply, RegionError> {
        Err(RegionError::broken(format!("nobody lives there who could look at {}", call.url)))
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let control = ControlPlane::builder(MemoryStore::default()).start().await?;
    let runner = control.local_runner("default").executor::<RunCheck>(look).slots(4).start();

    let directory = tempfile::tempdir()?;
    let store = Arc::new(SqliteStore::open(directory.path().join("runs.db")).await?);
    let start = async || {
        Orchestrator::builder(Arc::clone(&store))
            .region("eu", PoolRegion::new(control.local_client(), "default"))
            .region("us", ProcessRegion::new(look))
            .region("moon", Moon)
            .start()
            .await
    };
    let orchestrator = start().await?;

    let mut request = OrchestrationRequest::remote(["eu", "us", "moon"].into_iter().flat_map(|region| {
        ["has_title", "has_footer"].map(|name| AskedCheck::new(name, "https://example.com").in_region(region))
    }));
    request.timeout = Some(Duration::from_secs(60));
    request.options.policy = RegionPolicy::AtLeast(2);
    let run = orchestrator.local_client().submit(&request).await?;

    // What was accepted is in the store: the next orchestrator goes on where this one was.
    orchestrator.stop().await;
    let orchestrator = start().await?;
    let client = orchestrator.local_client();
    let mut events = std::pin::pin!(client.follow(&run, EventCursor::START));
    while let Some((_, event)) = events.try_next().await? {
        if let RunHappening::JobEnded { region, state, number, .. } = event.what {
            println!("{}: {state} in try {number}", region.as_deref().unwrap_or("here"));
        }
    }
    let summary = client.results(&run).await?;
    for check in summary.comparison() {
        let cell = |region: &runners_core::orchestration::ComparedRegion| {
            let state = region.state.map(|state| format!("{state:?}")).unwrap_or_default();
            let finding = region.finding.map(|finding| format!(" ({finding:?})")).unwrap_or_default();
            format!("{} {state}{finding}", region.region.as_deref().unwrap_or("here"))
        };
        println!("{}: {}", check.name, check.regions.iter().map(cell).collect::<Vec<_>>().join(", "));
    }
    println!("{:?}, concluded: {}", summary.summary, summary.conclusion.map_or("nothing", |it| it.words()));

    orchestrator.stop().await;
    runner.drain().await?;
    control.stop().await?;
    Ok(())
}
