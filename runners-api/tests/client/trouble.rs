//! What is in between goes wrong.

use crate::stage::{LONG, Mishap, Stage, everywhere};
use runners_core::{
    Paging,
    orchestration::{OrchestratorError, RunFilter},
};
use std::{error::Error as _, time::Duration};

#[tokio::test]
async fn what_was_put_off_or_lost_is_asked_again_and_a_submit_is_one_run() {
    let stage = Stage::open().await;
    let client = stage.client();
    for mishap in [Mishap::Code(503, "busy"), Mishap::Code(502, "<html>"), Mishap::Lost, Mishap::Cut(4)] {
        stage.mishaps([mishap, mishap]);
        let run = client.submit(&everywhere("opens", &["eu"])).await.unwrap();
        assert_eq!(stage.called().len(), 3, "{mishap:?}");
        client.wait(&run, LONG).await.unwrap();
        let runs = client.list(&RunFilter::default(), &Paging::default()).await.unwrap().items;
        assert_eq!((runs.len(), &runs[0].progress.run_id), (1, &run), "{mishap:?}");
        stage.mishaps([mishap]);
        client.delete(&run).await.unwrap();
        stage.called();
    }
}

#[tokio::test]
async fn patience_has_an_end_that_names_the_trouble() {
    let stage = Stage::open().await;
    let client = stage.builder("all").patience(Duration::ZERO).build().unwrap().into_client();
    stage.mishaps([Mishap::Code(503, "busy")]);
    let error = client.progress("x").await.unwrap_err();
    assert!(matches!(error, OrchestratorError::Unreachable(_)), "{error:?}");
    assert!(error.source().unwrap().to_string().contains("503"), "{error:?}");
    assert_eq!(stage.called().len(), 1);
}

#[tokio::test]
async fn a_retry_after_beyond_the_patience_is_not_waited_for() {
    let stage = Stage::open().await;
    stage.orchestrator.stop().await;
    // A face whose orchestrator stops asks to come again after some seconds.
    let patience = Duration::from_secs(2);
    let client = stage.builder("all").patience(patience).build().unwrap().into_client();
    let error = client.submit(&everywhere("opens", &["eu"])).await.unwrap_err();
    assert!(matches!(error, OrchestratorError::Unreachable(_)), "{error:?}");
    assert_eq!(stage.called().len(), 1);
}

#[tokio::test]
async fn whatever_is_no_orchestrator_is_told_at_once() {
    let stage = Stage::open().await;
    let client = stage.client();
    for (code, page) in
        [(404, "<html>"), (200, "<html>sign in</html>"), (302, ""), (401, "<html>"), (200, "{}")]
    {
        stage.mishaps([Mishap::Code(code, page)]);
        let error = client.progress("x").await.unwrap_err();
        assert!(matches!(error, OrchestratorError::Unexpected { .. }), "{code} {page}: {error:?}");
        assert_eq!(stage.called().len(), 1, "{code} {page}");
    }
    stage.mishaps([Mishap::Code(200, "<html>sign in</html>")]);
    let followed = futures::TryStreamExt::try_next(&mut client.follow("x", Default::default())).await;
    assert!(matches!(followed, Err(OrchestratorError::Unexpected { .. })), "{followed:?}");
}
