//! The film of a job: its page, and its player in a real browser, while it is filmed and after.

use crate::{
    browser::{Chromium, plain},
    stage::{Browser, Stage},
    watch::within,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use runners_core::{Attempt, Command, Fault, JobId, Runner, SystemClock, TenantId, sleep};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::sync::Notify;

const RED: [u8; 3] = [200, 40, 40];
const BLUE: [u8; 3] = [30, 90, 200];
const GREEN: [u8; 3] = [20, 150, 60];

#[derive(serde::Serialize, serde::Deserialize)]
struct Perform;

impl Command for Perform {
    const KIND: &'static str = "perform";
    type Result = ();
}

fn part(frames: &[(u64, [u8; 3])]) -> Value {
    let frames =
        frames.iter().map(|(at, colour)| json!({ "at_ms": at, "png": STANDARD.encode(plain(*colour)) }));
    json!({ "version": 1, "frames": frames.collect::<Vec<_>>() })
}

/// What a film tells of that was heard, first with a request that is under way, and then with another line.
fn heard(is_more: bool) -> Value {
    let mut said = vec![json!({ "at_ms": 2_100, "level": "warning", "text": "so <far>", "step": 2 })];
    let mut request =
        json!({ "at_ms": 1_950, "method": "GET", "url": "https://example.com/basket", "step": 2 });
    if is_more {
        said.push(json!({ "at_ms": 4_100, "level": "info", "text": "and more", "step": 2 }));
        (request["status"], request["took_ms"]) = (json!(503), json!(3.0));
    }
    let absent = "https://example.com/absent";
    let absent =
        json!({ "at_ms": 200, "method": "GET", "url": absent, "error": "net::ERR_FAILED", "took_ms": 31.5 });
    json!({ "console": said, "requests": [absent, request], "left_out": 7 })
}

fn index(parts: &Value, duration_ms: u64, ended: bool) -> Value {
    let steps = json!([
        { "index": 0, "at_ms": 100, "description": "go to <b>the shop</b>" },
        { "index": 1, "at_ms": 1_900, "description": "click \"buy\"" },
    ]);
    json!({
        "version": 1, "duration_ms": duration_ms, "ended": ended, "parts": parts, "steps": steps,
        "left_out": false, "heard": heard(duration_ms > 4_000),
    })
}

/// A job that leaves one part of its film, tells more of what is heard once it is told to, and leaves the rest with
/// everything else once it is told to again.
async fn filmed(stage: &Stage) -> (JobId, Arc<Notify>, Runner) {
    let go_on = Arc::new(Notify::new());
    let told = Arc::clone(&go_on);
    let perform = move |_: Perform, attempt: Attempt| {
        let told = Arc::clone(&told);
        async move {
            let leave = async |name: &str, value: Value| {
                attempt.attach(name, "application/json", value.to_string().into_bytes()).await.unwrap();
            };
            let first = json!({ "name": "film/0000.json", "from_ms": 0, "frames": 2 });
            let second = json!({ "name": "film/0001.json", "from_ms": 5_000, "frames": 1 });
            leave("film/0000.json", part(&[(0, RED), (2_000, BLUE)])).await;
            leave("film/index.json", index(&json!([first]), 4_000, false)).await;
            told.notified().await;
            leave("film/index.json", index(&json!([first]), 4_500, false)).await;
            told.notified().await;
            leave("film/0001.json", part(&[(5_000, GREEN)])).await;
            let mut said = heard(true)["console"].take();
            let last = json!({ "at_ms": 5_100, "level": "error", "text": "<img src=x onerror=alert(1)>" });
            said.as_array_mut().unwrap().push(last);
            leave("console.json", json!({ "version": 1, "entries": said, "left_out": 0 })).await;
            let entry = |at: u64, path: &str, response: Value| {
                let request = json!({ "method": "GET", "url": format!("https://example.com/{path}") });
                json!({ "time": 3, "_at_ms": at, "request": request, "response": response })
            };
            let absent = entry(200, "absent", json!({ "status": 0, "_error": "net::ERR_FAILED" }));
            let entries = [absent, entry(1_950, "basket", json!({ "status": 503 }))];
            leave("network.har", json!({ "log": { "entries": entries } })).await;
            leave("film/index.json", index(&json!([first, second]), 6_000, true)).await;
            Ok::<_, Fault>(())
        }
    };
    let runner = stage.control.local_runner("default");
    let runner = runner.artifacts(TenantId::DEFAULT, stage.artifacts.clone()).executor(perform).start();
    let job = stage.control.local_client().submit(&Perform).await.unwrap().id();
    (job, go_on, runner)
}

/// The page of a film, once it holds a text.
async fn holding(browser: &Browser, job: JobId, text: &str) -> String {
    within(async {
        loop {
            let (code, page) = browser.open(&format!("jobs/{job}/film")).await;
            if code == 200 && page.contains(text) {
                return page;
            }
            sleep(&SystemClock::default(), Duration::from_millis(5)).await;
        }
    })
    .await
}

#[tokio::test]
async fn a_film_has_its_steps_console_and_requests_on_one_clock() {
    let stage = Stage::open().await;
    let browser = stage.sign_in(b'r').await;
    let (job, go_on, runner) = filmed(&stage).await;
    let page = holding(&browser, job, "data-film=").await;
    assert!(page.contains("go to &lt;b&gt;the shop"), "{page}");
    assert!(!page.contains("data-over") && page.contains("live?job="), "it goes on");
    let order = |page: &str| -> Vec<String> {
        page.split("data-film-at=\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
    };
    assert_eq!(order(&page), ["100", "200", "1900", "1950", "2100"], "console and requests as well");
    assert!(page.contains("under way") && page.contains("net::ERR_FAILED") && page.contains("so &lt;far"));
    assert!(page.contains("7 earlier ones are under Requests and Console once"), "{page}");
    go_on.notify_one();
    let page = holding(&browser, job, "and more").await;
    assert!(page.contains("503") && !page.contains("under way") && !page.contains("data-over"), "{page}");
    go_on.notify_one();
    let page = holding(&browser, job, "data-over").await;
    assert_eq!(order(&page), ["100", "200", "1900", "1950", "2100", "4100", "5100"], "each of them once");
    assert!(!page.contains("earlier ones"), "all of it was left");
    assert!(page.contains("503") && page.contains("https://example.com/basket"));
    assert!(page.contains("&lt;img src=x") && !page.contains("<img"), "what others say is no markup");
    let shown = browser.page(&format!("jobs/{job}")).await;
    assert!(shown.contains(&format!("jobs/{job}/film\">Film</a>")), "the page of the job leads there");
    assert_eq!(stage.sign_in(b'o').await.open(&format!("jobs/{job}/film")).await.0, 404);
    let (code, none) = browser.open(&format!("jobs/{}/film", JobId::from_bytes([1; 16]))).await;
    assert_eq!(code, 404, "{none}");
    runner.kill();
}

fn shows(colour: [u8; 3]) -> String {
    let [red, green, blue] = colour;
    format!(
        "const canvas = document.querySelector('.film canvas'); \
         const [r, g, b] = canvas.getContext('2d').getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data; \
         return r === {red} && g === {green} && b === {blue};"
    )
}

fn seek(at: u64) -> String {
    format!(
        "const range = document.querySelector('.film input'); range.value = {at}; \
         range.dispatchEvent(new Event('input'));"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_plays_a_film_while_it_is_made_and_after() {
    let Some(browser) = Chromium::start().await else { return };
    let stage = Stage::open().await;
    let (job, go_on, runner) = filmed(&stage).await;
    let person = stage.sign_in(b'r').await;
    holding(&person, job, "data-film=").await;
    browser.sign_in(&stage, &person.cookie).await;
    browser.post("/url", json!({ "url": stage.url(&format!("jobs/{job}/film")) })).await;
    browser.until(&shows(RED)).await;
    browser.run(&seek(2_500)).await;
    browser.until(&shows(BLUE)).await;
    let told = browser.run("return document.querySelector('.film-state').textContent").await;
    assert_eq!(told, "Step 2: click \"buy\". It is being filmed.");
    let marked =
        browser.run("return document.querySelector('[data-film-at][aria-current]').dataset.filmAt").await;
    assert_eq!(marked, "2100");
    browser.keep("film-running").await;
    browser.run("document.querySelector('[data-film-at=\"1950\"]').focus()").await;
    go_on.notify_one();
    browser.until("return document.querySelector('[data-film-at=\"4100\"]') !== null").await;
    let focused = browser.run("return document.activeElement.dataset.filmAt").await;
    assert_eq!(focused, "1950", "whoever walks the list is not lost when it grows");
    browser.run("document.querySelector('[data-film-at=\"4100\"]').click()").await;
    browser.until("return document.querySelector('.film output').textContent.startsWith('0:04.1')").await;
    go_on.notify_one();
    browser.until("return document.querySelector('.film input').max === '6000'").await;
    browser.until("return document.querySelector('[data-film-at=\"5100\"]') !== null").await;
    browser.run("document.querySelector('[data-film-at=\"5100\"]').click()").await;
    browser.until(&shows(GREEN)).await;
    browser.until("return document.querySelector('[data-film-do=newest]') === null").await;
    browser.keep("film").await;

    browser.run("document.querySelector('.film canvas').focus()").await;
    for (key, colour) in [("\u{e011}", RED), ("\u{e014}", RED), ("\u{e014}", BLUE)] {
        let press = json!([{ "type": "keyDown", "value": key }, { "type": "keyUp", "value": key }]);
        browser
            .post("/actions", json!({ "actions": [{ "type": "key", "id": "keys", "actions": press }] }))
            .await;
        browser.until(&shows(colour)).await;
    }
    browser.run("document.querySelector('.film select').value = '8'").await;
    browser.run("document.querySelector('[data-film-do=play]').click()").await;
    browser.until("return document.querySelector('.film output').textContent.startsWith('0:06.0')").await;
    browser.until(&shows(GREEN)).await;
    browser.until("return document.querySelector('[data-film-do=play]').textContent === 'Play'").await;
    browser.run("document.querySelector('[data-kind=request]').click()").await;
    let hidden = "return getComputedStyle(document.querySelector('.moments .request')).display === 'none'";
    assert_eq!(browser.run(hidden).await, true);
    browser.narrow_and_dark().await;
    let wide = "return document.documentElement.scrollWidth <= document.documentElement.clientWidth";
    assert_eq!(browser.run(wide).await, true, "it fits on a phone");
    browser.keep("film-narrow").await;
    runner.kill();
}
