//! A recording is steered while it goes on, and nothing that was done is lost when it ends by itself.

use super::{Person, Shared, Stage, Told, Watcher, json, recorded, serve, stop};
use runners_core::{Fault, Verdict};
use runners_exec_webdriver::{
    Aim, Asserted, Browser as _, Ended, Engine, FlowRecorder, RecordFlow, RecordedSteps, SteerRecording,
    Steered,
};
use std::{future::pending, sync::Arc};
use tokio::sync::{mpsc, oneshot};

/// Wants something of a recording, and waits for what it answers.
async fn steer(
    sender: &mpsc::UnboundedSender<Steered>,
    command: SteerRecording,
) -> Result<RecordedSteps, Fault> {
    let (answer, answered) = oneshot::channel();
    sender.send(Steered::new(command, move |steps| drop(answer.send(steps)))).unwrap();
    answered.await.unwrap()
}

#[tokio::test]
async fn steps_are_added_edited_moved_and_taken_back_while_a_flow_is_recorded() {
    let Some(stage) = Stage::open().await else { return };
    let url = serve(&stage);
    let (recorded, person) = recorded(&stage, Engine::Chromium, &url, async |mut person: Person, sender| {
        person.see("document.readyState === 'complete' && document.querySelector('#next')").await;
        person.click("#buy").await;
        person.step("Buy").await;
        let at = person.middle("document.querySelector('#buy')").await;
        let aim = Some(Aim::Point { x: at.0, y: at.1 });
        let text = SteerRecording::Assert { what: Asserted::Text(None), aim: aim.clone() };
        let steps = steer(&sender, text).await.unwrap();
        assert_eq!(steps.steps.last().unwrap().description, "see that \"Buy\" says \"Buy\"");
        let aim = Some(Aim::Selector("#menu".to_owned()));
        steer(&sender, SteerRecording::Assert { what: Asserted::Visible, aim }).await.unwrap();
        steer(&sender, SteerRecording::Assert { what: Asserted::Url, aim: None }).await.unwrap();
        steer(&sender, SteerRecording::Screenshot { name: "shop".to_owned() }).await.unwrap();
        let missing = Some(Aim::Selector("#nowhere".to_owned()));
        let fault = steer(&sender, SteerRecording::Assert { what: Asserted::Visible, aim: missing }).await;
        assert!(fault.unwrap_err().message.contains("nothing matches"));
        let steps = steer(&sender, SteerRecording::List).await.unwrap();
        assert_eq!(steps.total, 7);
        let buy = steps.steps[2].clone();
        let step = SteerRecording::Edit {
            step: buy.id.clone(),
            with: json!({ "type": "hover", "selectors": [["#buy"]] }),
        };
        let steps = steer(&sender, step).await.unwrap();
        assert_eq!(steps.steps[2].step.as_ref().unwrap()["type"], "hover");
        let moved = steer(&sender, SteerRecording::Move { step: buy.id.clone(), to: 6 }).await.unwrap();
        assert_eq!(moved.steps[6].id, buy.id);
        steer(&sender, SteerRecording::Delete { step: buy.id.clone() }).await.unwrap();
        let back = steer(&sender, SteerRecording::Undo).await.unwrap();
        assert_eq!((back.total, &back.steps[6].id), (7, &buy.id));
        stop(&sender);
        person
    })
    .await;
    person.session.close().await;
    let kinds: Vec<_> =
        recorded.flow.flow().steps.iter().map(runners_exec_webdriver::Step::description).collect();
    assert_eq!(
        kinds[2..],
        [
            "see that \"Buy\" says \"Buy\"".to_owned(),
            "see #menu".to_owned(),
            format!("see that the page is at {url}"),
            "take the picture shop".to_owned(),
            "hover over #buy".to_owned(),
        ]
    );
    let (result, _) = stage.replay_flow(super::patient(&recorded)).await.unwrap();
    assert_eq!(result.verdict, Verdict::Passed, "{:?}", result.failure());
    stage.close().await;
}

#[tokio::test]
async fn what_was_done_is_kept_when_a_recording_is_cancelled_or_its_page_is_closed() {
    let Some(stage) = Stage::open().await else { return };
    let url = serve(&stage);
    for is_closed in [false, true] {
        let session = Arc::from(stage.driver.open().await.unwrap());
        let recorder = FlowRecorder::new(Shared(Arc::clone(&session), Engine::Chromium));
        let (watcher, told) = Watcher::new();
        let (cancel, cancelled) = oneshot::channel::<()>();
        let cancelled = async move {
            if cancelled.await.is_err() {
                pending::<()>().await;
            }
        };
        let recording =
            recorder.record(RecordFlow::at(&url), &watcher, futures::stream::pending(), cancelled);
        let mut person = Person { session, told };
        let doing = async {
            person.see("document.readyState === 'complete' && document.querySelector('#next')").await;
            person.click("#buy").await;
            person.step("Buy").await;
            while !matches!(person.told.recv().await.unwrap(), Told::Kept(kept) if kept.contains("Buy")) {}
            if is_closed {
                let close = runners_exec_webdriver::Method::Delete;
                person.call(close, "window", json!(null)).await;
            } else {
                cancel.send(()).unwrap();
            }
            person
        };
        let (recorded, person) = tokio::join!(recording, doing);
        let recorded = recorded.unwrap();
        assert_eq!(recorded.ended, if is_closed { Ended::Closed } else { Ended::Cancelled });
        assert!(recorded.flow.document().contains("setViewport"), "the size is that of the browser");
        assert_eq!(recorded.recorded.len(), 3);
        person.session.close().await;
    }
    stage.close().await;
}

#[tokio::test]
async fn what_cannot_be_recorded_is_told_before_a_browser_starts() {
    let state = tempfile::tempdir().unwrap();
    let mut options = runners_exec_webdriver::DriverOptions::of(Engine::Webkit);
    options.state = Some(state.path().to_path_buf());
    let record = async |recorder: &FlowRecorder, command| {
        let recorded = recorder.record(command, &(), futures::stream::pending(), pending()).await;
        recorded.unwrap_err()
    };
    let webkit = FlowRecorder::new(runners_exec_webdriver::Driver::new(options.clone()));
    let fault = record(&webkit, RecordFlow::at("https://shop.example/")).await;
    assert_eq!(fault.code, "unsupported");
    assert!(fault.message.contains("WebKit"), "{}", fault.message);
    options.engine = Engine::Chromium;
    let chromium = FlowRecorder::new(runners_exec_webdriver::Driver::new(options));
    let fault = record(&chromium, RecordFlow::at("shop")).await;
    assert!(fault.message.contains("not an absolute address"), "{}", fault.message);
    let firefox = RecordFlow { engine: Some(Engine::Firefox), ..RecordFlow::at("https://shop.example/") };
    assert!(record(&chromium, firefox).await.message.contains("firefox is wanted"));
    let link_local = RecordFlow::at("http://169.254.169.254/latest");
    assert_eq!(record(&chromium, link_local).await.code, "not_allowed");
    let narrow = RecordFlow { viewport: Some((10, 800)), ..RecordFlow::at("https://shop.example/") };
    assert!(record(&chromium, narrow).await.message.contains("viewport"));
}
