//! What is asked over HTTP is answered as it is in process.

use crate::stage::{LONG, PICTURE, Stage, everywhere};
use futures::TryStreamExt as _;
use runners_core::{
    Conclusion, Digest, EventCursor, Paging, TenantId,
    orchestration::{
        HistoryFilter, OrchestratorClient, OrchestratorError, RunEvent, RunFilter, RunHappening, RunState,
    },
};
use std::time::Duration;

/// A program that knows nothing of where the orchestrator is. It answers what it was told.
async fn program(client: OrchestratorClient) -> Vec<String> {
    let mut told = Vec::new();
    let mut request = everywhere("fails", &["eu", "us"]);
    request.tags = vec!["nightly & more".to_owned()];
    let run = client.submit(&request).await.unwrap();
    let summary = client.wait(&run, LONG).await.unwrap();
    assert_eq!(client.results(&run).await.unwrap(), summary);
    assert_eq!(client.partial_results(&run).await.unwrap(), summary);
    told.push(format!("{:?} {:?} {:?}", summary.state, summary.summary, summary.conclusion));
    let progress = client.progress(&run).await.unwrap();
    told.push(format!("{} {} {}", progress.total_jobs, progress.completed_jobs, progress.failed_jobs));

    let events: Vec<(EventCursor, RunEvent)> =
        client.follow(&run, EventCursor::START).try_collect().await.unwrap();
    assert!(matches!(events.last().unwrap().1.what, RunHappening::RunEnded { .. }));
    let rest: Vec<_> = client.follow(&run, events[1].0).try_collect().await.unwrap();
    assert_eq!(rest, events[2..]);
    let none: Vec<_> = client.follow(&run, events.last().unwrap().0).try_collect().await.unwrap();
    assert_eq!(none, []);
    told.push(format!("{} events", events.len()));

    let filter =
        RunFilter { tags: request.tags.clone(), state: Some(RunState::Completed), ..RunFilter::default() };
    let first = client.list(&filter, &Paging { limit: 1, after: None }).await.unwrap();
    assert_eq!(first.items[0].progress, progress);
    let next = client.list(&filter, &Paging { limit: 1, after: first.next }).await.unwrap();
    told.push(format!("{} {:?}", next.items.len(), next.next));
    let filter = HistoryFilter {
        runs: filter,
        check: Some("fails".to_owned()),
        by_region: true,
        ..HistoryFilter::default()
    };
    let history = client.history(&filter).await.unwrap();
    told.push(serde_json::to_string(&history).unwrap());

    let open = client.submit(&everywhere("opens", &["eu", "slow"])).await.unwrap();
    // Once its first event is told, it is known to be running.
    client.follow(&open, EventCursor::START).try_next().await.unwrap();
    told.push(problem(client.results(&open).await, &open));
    told.push(problem(client.delete(&open).await, &open));
    told.push(problem(client.wait(&open, Duration::from_millis(50)).await, &open));
    let cancelled = client.cancel(&open).await.unwrap();
    assert_eq!((cancelled.state, cancelled.conclusion), (RunState::Failed, Some(Conclusion::Cancelled)));
    assert_eq!(client.cancel(&open).await.unwrap(), cancelled);
    for run in [open, run] {
        client.delete(&run).await.unwrap();
        told.push(problem(client.progress(&run).await, &run));
    }
    told
}

/// What went wrong, whatever the run was called.
fn problem<T: std::fmt::Debug>(answered: Result<T, OrchestratorError>, run: &str) -> String {
    format!("{:?}", answered.unwrap_err()).replace(run, "RUN")
}

#[tokio::test]
async fn a_program_is_told_the_same_wherever_its_orchestrator_is() {
    let stage = Stage::open().await;
    let here = program(stage.orchestrator.local_client()).await;
    assert_eq!(program(stage.client()).await, here);
    assert!(here.len() >= 10, "{here:?}");
}

#[tokio::test]
async fn what_is_wrong_is_told_the_same_wherever_the_orchestrator_is() {
    let stage = Stage::open().await;
    let mut told = Vec::new();
    for (name, client) in [("here", stage.orchestrator.local_client()), ("there", stage.client())] {
        let mut wrong = Vec::new();
        // What only the orchestrator itself knows is wrong.
        let mut local = everywhere("opens", &["eu"]);
        local.mode = runners_core::orchestration::OrchestrationMode::Local;
        wrong.push(problem(client.submit(&local).await, "-"));
        wrong.push(problem(client.submit(&everywhere("", &["eu"])).await, "-"));
        let mut named = everywhere("opens", &["eu"]);
        named.run_id = Some(format!("night/1 {name}?"));
        let run = client.submit(&named).await.unwrap();
        assert_eq!(client.submit(&named).await.unwrap(), run);
        client.wait(&run, LONG).await.unwrap();
        assert_eq!(client.progress(&run).await.unwrap().run_id, run);
        named.tags = vec!["another".to_owned()];
        wrong.push(problem(client.submit(&named).await, &run));
        wrong.push(problem(client.cancel("nobody").await, "-"));
        wrong.push(
            problem(client.list(&RunFilter::default(), &Paging { limit: 501, after: None }).await, "-")
                .replace("Refused { code: Invalid, detail: ", ""),
        );
        let page = client.list(&RunFilter::default(), &Paging { limit: 1, after: None }).await.unwrap();
        let elsewhere = RunFilter { state: Some(RunState::Failed), ..RunFilter::default() };
        if let Some(after) = page.next {
            let page = client.list(&elsewhere, &Paging { after: Some(after), ..Paging::default() }).await;
            assert!(matches!(page, Err(OrchestratorError::Refused(_))), "{page:?}");
        }
        let error = client.follow("nobody", EventCursor::START).try_next().await;
        wrong.push(problem(error, "-"));
        let open = everywhere("opens", &["slow"]);
        let runs = [client.submit(&open).await.unwrap(), client.submit(&open).await.unwrap()];
        wrong.push(problem(client.submit(&open).await, "-"));
        for run in runs {
            client.cancel(&run).await.unwrap();
        }
        told.push(wrong);
    }
    // A limit is looked at by the face before it comes to the rules.
    let limits = told.iter_mut().map(|wrong| wrong.remove(4)).collect::<Vec<_>>();
    assert!(limits.iter().all(|told| told.contains("must be from 1 to 500")), "{limits:?}");
    assert_eq!(told[1], told[0]);
}

#[tokio::test]
async fn what_a_credential_is_not_good_for_is_denied() {
    let stage = Stage::open().await;
    let run = stage.client().submit(&everywhere("opens", &["eu"])).await.unwrap();
    for token in ["reader", "nobody"] {
        let client = stage.builder(token).build().unwrap().into_client();
        let denied = client.cancel(&run).await;
        assert!(matches!(denied, Err(OrchestratorError::Denied { .. })), "{token}: {denied:?}");
    }
    let reader = stage.builder("reader").build().unwrap().into_client();
    reader.wait(&run, LONG).await.unwrap();
    let operator = |tenant| stage.builder("operator").tenant(tenant).build().unwrap().into_client();
    operator(TenantId::DEFAULT).progress(&run).await.unwrap();
    let foreign = operator(TenantId::from_bytes([9; 16])).progress(&run).await;
    assert!(matches!(foreign, Err(OrchestratorError::NotFound { .. })), "{foreign:?}");
}

#[tokio::test]
async fn what_a_run_has_left_is_read_as_in_process() {
    let stage = Stage::open().await;
    let there = stage.client();
    let run = there.submit(&everywhere("leaves", &["eu"])).await.unwrap();
    let summary = there.wait(&run, LONG).await.unwrap();
    let left = summary.artifacts().next().unwrap().artifact;
    for client in [there, stage.orchestrator.local_client()] {
        for (range, expected) in [
            (None, PICTURE),
            (Some(0..7), PICTURE),
            (Some(2..4), &PICTURE[2..4]),
            (Some(4..100), &PICTURE[4..]),
            (Some(3..3), b""),
        ] {
            let read = client.read_artifact(&run, left.digest, range.clone()).await.unwrap();
            let bytes: Vec<_> = read.bytes.try_collect().await.unwrap();
            assert_eq!((read.length, bytes.concat()), (left.length, expected.to_vec()), "{range:?}");
        }
        let missing = client.read_artifact(&run, Digest::of(b"x"), None).await.unwrap_err();
        assert!(matches!(missing, OrchestratorError::NoArtifact { .. }), "{missing:?}");
    }
}
