//! The live view on the page of a job.

use crate::stage::{Browser, Stage, client};
use reqwest::Response;
use runners_core::{
    Attempt, Command, Fault, JobId, SystemClock,
    live::{Piece, Socket},
    sleep,
    testing::frames::ScriptedFrames,
    websocket,
};
use std::{sync::Arc, time::Duration};

/// The longest that anything here may take: a loaded machine is slow.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
const DRAWN: [u8; websocket::KEY_BYTES] = [7; websocket::KEY_BYTES];

#[derive(serde::Serialize, serde::Deserialize)]
struct Show;

impl Command for Show {
    const KIND: &'static str = "show";
    type Result = ();
}

pub(crate) async fn showing(stage: &Stage) -> (JobId, ScriptedFrames, runners_core::Runner) {
    let source = ScriptedFrames::default();
    let shown = source.clone();
    let show = move |_: Show, attempt: Attempt| {
        let shown = shown.clone();
        async move {
            attempt.show(Arc::new(shown));
            attempt.cancelled().await;
            Ok::<_, Fault>(())
        }
    };
    let runner = stage.control.local_runner("default").executor(show).start();
    let job = stage.control.local_client().submit(&Show).await.unwrap().id();
    (job, source, runner)
}

pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    let clock = SystemClock::default();
    tokio::select! {
        done = work => done,
        () = sleep(&clock, PATIENCE) => panic!("it takes too long"),
    }
}

/// The page of a job, once it shows that it runs.
async fn page(browser: &Browser, job: JobId) -> String {
    within(async {
        loop {
            let page = browser.page(&format!("jobs/{job}")).await;
            if page.contains("class=\"live-view\"") {
                return page;
            }
            sleep(&SystemClock::default(), Duration::from_millis(5)).await;
        }
    })
    .await
}

async fn asked(browser: &Browser, job: JobId, site: &str) -> Response {
    let request = browser.get(&format!("jobs/{job}/watch")).headers(websocket::asking(DRAWN));
    within(request.header("sec-fetch-site", site).send()).await.unwrap()
}

async fn connected(browser: &Browser, job: JobId) -> Socket {
    let answer = asked(browser, job, "same-origin").await;
    assert_eq!(answer.status(), 101);
    websocket::connected(answer.upgrade().await.unwrap()).await
}

/// Reads until a message holds all of these.
async fn told(socket: &mut Socket, wanted: &[&str]) {
    within(async {
        loop {
            let text = match socket.receive().await.unwrap().expect("it goes on") {
                Piece::Text(text) => text,
                Piece::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                Piece::Ping => continue,
            };
            if wanted.iter().all(|wanted| text.contains(wanted)) {
                return;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn whoever_is_signed_in_sees_what_the_attempt_shows_and_may_do_as_much_as_they_may() {
    let stage = Stage::open().await;
    let (job, source, runner) = showing(&stage).await;
    source.put("a picture");
    let (all, reads) = (stage.sign_in(b'a').await, stage.sign_in(b'r').await);
    let shown = page(&all, job).await;
    assert!(
        shown.contains(&format!("data-live=\"../jobs/{job}/watch\"")) && shown.contains("assets/live.js"),
        "{shown}"
    );
    let (mut acts, mut looks) = (connected(&all, job).await, connected(&reads, job).await);
    told(&mut acts, &["a picture"]).await;
    told(&mut looks, &["a picture"]).await;
    acts.send(Piece::Text(r#"{"type":"take_control"}"#.into())).await.unwrap();
    told(&mut acts, &[r#""control":"you""#, r#""may_control":true"#, r#""viewers":2"#]).await;
    told(&mut looks, &[r#""control":"another""#, r#""may_control":false"#]).await;
    assert!(page(&reads, job).await.contains("Relay: live, 2 looking."));
    runner.kill();
}

#[tokio::test]
async fn a_live_view_is_shown_on_pages_of_ours_to_those_who_are_signed_in() {
    let stage = Stage::open().await;
    let (job, _source, runner) = showing(&stage).await;
    let browser = stage.sign_in(b'a').await;
    page(&browser, job).await;
    for site in ["cross-site", "same-site", "none"] {
        assert_eq!(asked(&browser, job, site).await.status(), 403, "{site}");
    }
    assert_eq!(browser.open(&format!("jobs/{job}/watch")).await.0, 403, "no browser says nothing");
    let other = stage.sign_in(b'o').await;
    told(&mut connected(&other, job).await, &["refused", "not_found"]).await;
    let nobody = client().get(stage.url(&format!("jobs/{job}/watch"))).headers(websocket::asking(DRAWN));
    assert_eq!(within(nobody.send()).await.unwrap().status(), 303, "to the sign-in");
    runner.kill();
}
