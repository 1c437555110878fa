//! What keeps a page current, and that a cut loses nothing.

use crate::stage::{Browser, Stage, between};
use futures::StreamExt as _;
use runners_core::{Client, JobOptions};
use std::pin::pin;

/// Reads events until one has the name, and gives its id and its data.
async fn next(stream: reqwest::Response, name: &str) -> (String, String) {
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let mut bytes = pin!(stream.bytes_stream());
    let mut text = String::new();
    loop {
        text.push_str(str::from_utf8(&bytes.next().await.unwrap().unwrap()).unwrap());
        let found = text.split("\n\n").find(|event| event.contains(&format!("event: {name}\n")));
        if let Some(event) = found.filter(|_| text.ends_with("\n\n")) {
            let field =
                |field: &str| event.lines().find_map(|line| line.strip_prefix(field)).unwrap().to_owned();
            return (field("id: "), field("data: "));
        }
    }
}

async fn follow(browser: &Browser, path: &str) -> reqwest::Response {
    browser.get(path).send().await.unwrap()
}

#[tokio::test]
async fn a_page_is_told_of_what_happened_since_it_was_made_and_after_a_cut_goes_on() {
    let stage = Stage::open().await;
    let browser = stage.sign_in(b'a').await;
    let page = browser.page("queue").await;
    let live = between(&page, "data-live=\"./", "\"").to_owned();
    stage.submit("hello", JobOptions::default()).await;
    let (id, _) = next(follow(&browser, &live).await, "changed").await;
    stage.submit("again", JobOptions::default()).await;
    let resumed = browser.get(&live).header("last-event-id", &id).send().await.unwrap();
    let (later, _) = next(resumed, "changed").await;
    assert!(later > id, "{later} is after {id}");
}

#[tokio::test]
async fn a_part_of_a_page_is_the_same_without_the_frame() {
    let stage = Stage::open().await;
    let browser = stage.sign_in(b'a').await;
    stage.submit("hello", JobOptions::default()).await;
    let part = browser.get("queue").header("runners-part", "1").send().await.unwrap().text().await.unwrap();
    assert!(
        part.starts_with("<main") && part.contains("id=\"waiting\"") && !part.contains("<nav aria"),
        "{part}"
    );
}

#[tokio::test]
async fn a_log_is_followed_from_where_the_page_ended() {
    let stage = Stage::open().await;
    let browser = stage.sign_in(b'a').await;
    let runner = stage.runner("one").await;
    let job = stage.submit("hello", JobOptions::default()).await;
    Client::new(stage.control.caller(Stage::everything())).job::<String>(job).wait().await.unwrap();
    let stream = follow(&browser, &format!("jobs/{job}/log/stream?grant=1&from=9")).await;
    let (id, data) = next(stream, "end").await;
    assert_eq!((id.as_str(), data.as_str()), ("1-22", "\"<b>hello</b>\\n\""));
    runner.drain().await.unwrap();
}

#[tokio::test]
async fn what_is_not_there_is_not_followed() {
    let stage = Stage::open().await;
    let job = stage.submit("hello", JobOptions::default()).await;
    let other = stage.sign_in(b'o').await;
    assert_eq!(other.open(&format!("live?job={job}")).await.0, 404);
    assert_eq!(other.open(&format!("jobs/{job}/log/stream")).await.0, 404);
}
