//! Events that are cut on their way.

use crate::stage::{LONG, Mishap, Stage, everywhere};
use futures::TryStreamExt as _;
use runners_core::{EventCursor, orchestration::RunHappening};

#[tokio::test]
async fn wherever_events_are_cut_each_comes_once_and_in_order() {
    let stage = Stage::open().await;
    let client = stage.client();
    let run = client.submit(&everywhere("opens", &["eu", "us"])).await.unwrap();
    client.wait(&run, LONG).await.unwrap();
    let here = stage.orchestrator.local_client();
    let expected: Vec<_> = here.follow(&run, EventCursor::START).try_collect().await.unwrap();
    assert_eq!(expected.len(), 5);
    for bytes in [0, 1, 5, 100, 250, 400, 700, 1000] {
        stage.called();
        stage.mishaps([Mishap::Cut(bytes), Mishap::Code(503, "busy"), Mishap::Cut(bytes)]);
        let told: Vec<_> = client.follow(&run, EventCursor::START).try_collect().await.unwrap();
        assert_eq!(told, expected, "cut after {bytes} bytes");
        assert!(stage.called().len() >= 3, "cut after {bytes} bytes");
    }
}

#[tokio::test]
async fn what_happens_is_told_when_it_happens() {
    let stage = Stage::open().await;
    let client = stage.client();
    let run = client.submit(&everywhere("opens", &["slow"])).await.unwrap();
    let mut events = client.follow(&run, EventCursor::START);
    let (_, first) = events.try_next().await.unwrap().unwrap();
    assert!(matches!(first.what, RunHappening::JobStarted { .. }), "{first:?}");
    client.cancel(&run).await.unwrap();
    let rest: Vec<_> = events.try_collect().await.unwrap();
    assert!(matches!(rest.last().unwrap().1.what, RunHappening::RunEnded { .. }), "{rest:?}");
}
