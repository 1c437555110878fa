//! Somebody looks at a job that runs, as a program does, and takes part in it: from `runners dev`, and over https.

use crate::{
    processes::Process,
    secured::certify,
    stage::{Stage, has_browser, page},
};
use reqwest::{Certificate, Client};
use runners_core::{
    SystemClock,
    live::{Piece, Socket},
    sleep, websocket,
};
use serde_json::{Value, json};
use std::time::Duration;

/// The longest that anything here may take: a loaded machine is slow.
const PATIENCE: Duration = Duration::from_secs(60);
/// No white picture has more bytes, and every picture of the page that waits has.
const WHITE_BYTES_MAX: usize = 50_000;
const DRAWN: [u8; websocket::KEY_BYTES] = [7; websocket::KEY_BYTES];
/// A page that waits for a person, and whose picture is larger than a megabyte.
const WAITING: &str = "<body style='margin:0'><h1>waiting</h1><canvas id=c width=1200 height=700></canvas><script>\
    const to = c.getContext('2d'), noise = to.createImageData(1200, 700);\
    for (let at = 0; at < noise.data.length; at += 60000) crypto.getRandomValues(noise.data.subarray(at, at + 60000));\
    for (let at = 3; at < noise.data.length; at += 4) noise.data[at] = 255;\
    to.putImageData(noise, 0, 0);\
    onpointerdown = () => document.querySelector('h1').textContent = 'pressed'</script>";

/// Somebody who uses the API, and looks.
pub(crate) struct Person {
    client: Client,
    pub(crate) url: String,
    token: String,
}

impl Person {
    pub(crate) fn new(stage: &Stage, url: &str, trusted: Option<Certificate>) -> Self {
        let client = Client::builder().no_proxy().http1_only();
        let client = match trusted {
            Some(authority) => client.tls_certs_only([authority]),
            None => client,
        };
        let token = stage.read("runners-data/api-token").trim().to_owned();
        Self { client: client.build().unwrap(), url: url.to_owned(), token }
    }

    /// A grant to look and act, once the job runs.
    pub(crate) async fn grant(&self, job: &str) -> String {
        within(async {
            loop {
                let asked = self.client.post(format!("{}/api/jobs/{job}/views", self.url));
                let asked = asked.bearer_auth(&self.token).header("content-type", "application/json");
                let answer = asked.body(r#"{"access":"control"}"#).send().await.unwrap();
                if answer.status() == 201 {
                    let view: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
                    return view["grant"].as_str().unwrap().to_owned();
                }
                sleep(&SystemClock::default(), Duration::from_millis(50)).await;
            }
        })
        .await
    }

    pub(crate) async fn look(&self, grant: &str) -> Socket {
        let asked = self.client.get(format!("{}/api/live", self.url)).headers(websocket::asking(DRAWN));
        let answer = within(asked.send()).await.unwrap();
        assert_eq!(answer.status(), 101, "the upgrade is carried");
        let mut socket = websocket::connected(answer.upgrade().await.unwrap()).await;
        say(&mut socket, &json!({ "type": "grant", "grant": grant })).await;
        socket
    }
}

pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    let clock = SystemClock::default();
    tokio::select! {
        done = work => done,
        () = sleep(&clock, PATIENCE) => panic!("it takes too long"),
    }
}

async fn say(socket: &mut Socket, message: &Value) {
    socket.send(Piece::Text(message.to_string())).await.unwrap();
}

/// Looks until a picture of the page comes; `None` once the connection is cut. One of what was there before the
/// page is white, and has few bytes: whoever presses then presses on nothing.
pub(crate) async fn picture(socket: &mut Socket) -> Option<()> {
    within(async {
        loop {
            match socket.receive().await.ok()?? {
                Piece::Bytes(bytes) => {
                    let length = u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize;
                    let head: Value = serde_json::from_slice(&bytes[4..4 + length]).unwrap();
                    let shown = json!({ "type": "shown", "number": head["number"] });
                    socket.send(Piece::Text(shown.to_string())).await.ok()?;
                    if bytes.len() > WHITE_BYTES_MAX {
                        return Some(());
                    }
                }
                Piece::Text(text) => {
                    assert!(!text.contains("refused") && !text.contains("\"phase\":\"over\""), "{text}");
                }
                Piece::Ping => {}
            }
        }
    })
    .await
}

/// Presses on the page that is looked at. While the runner is cut off nothing is kept for later, so it is done again.
pub(crate) async fn press(socket: &mut Socket) {
    say(socket, &json!({ "type": "take_control" })).await;
    let mut number = 0;
    for kind in ["pointer_down", "pointer_up"] {
        let input = json!({ "type": kind, "x": 30, "y": 30, "button": 0 });
        loop {
            say(socket, &json!({ "type": "input", "number": number, "input": input })).await;
            number += 1;
            let told = done(socket).await;
            // The flow may have ended after the first.
            if kind == "pointer_up" || !told.contains("problem") {
                break;
            }
            assert!(told.contains("is not connected") || told.contains("connection was cut"), "{told}");
            picture(socket).await.expect("the runner comes back");
        }
    }
}

/// What came of an input.
async fn done(socket: &mut Socket) -> String {
    within(async {
        loop {
            if let Some(Piece::Text(text)) = socket.receive().await.unwrap()
                && text.contains("\"done\"")
            {
                return text;
            }
        }
    })
    .await
}

/// Queues a flow that passes once somebody has pressed on its page.
pub(crate) fn waiting(stage: &Stage, url: &str, more: &[&str]) -> String {
    let pressed = "document.body.innerText.includes('pressed')";
    let mut steps = vec![json!({ "type": "navigate", "url": page(WAITING) })];
    // A step waits half a minute at the most, and a loaded machine takes longer.
    let later = [20_000, 40_000, 60_000].map(|passed| format!("{pressed} || performance.now() > {passed}"));
    for expression in later.into_iter().chain([pressed.to_owned()]) {
        steps.push(json!({ "type": "waitForExpression", "expression": expression }));
    }
    let flow = json!({ "title": "waiting", "timeout": 30_000, "steps": steps });
    stage.write("waiting.json", flow.to_string());
    let submitted = stage.run(&[&["submit", "waiting.json", "--json", "-s", url], more].concat()).json();
    submitted["jobs"][0]["job"].as_str().unwrap().to_owned()
}

pub(crate) async fn passes(stage: &Stage, url: &str, job: &str, more: &[&str]) {
    within(async {
        loop {
            let told = stage.run(&[&["job", job, "--json", "-s", url], more].concat()).json();
            if let Some(ended) = told["state"].get("concluded") {
                assert_eq!(ended["conclusion"], "passed", "{told}");
                return;
            }
            sleep(&SystemClock::default(), Duration::from_millis(50)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_runner_of_dev_shows_what_it_does() {
    if !has_browser() {
        return;
    }
    let stage = Stage::new();
    let dev = Process::start(stage.command(&["dev", "--json", "--listen", "127.0.0.1:0"]));
    let url = dev.wait_for("listening")["url"].as_str().unwrap().to_owned();
    dev.wait_for("connected");
    let person = Person::new(&stage, &url, None);
    let job = waiting(&stage, &url, &[]);
    let mut look = person.look(&person.grant(&job).await).await;
    assert!(picture(&mut look).await.is_some());
    press(&mut look).await;
    passes(&stage, &url, &job, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_view_travels_over_https_with_an_authority_of_ones_own() {
    if !has_browser() {
        return;
    }
    let stage = Stage::new();
    certify(&stage, "localhost");
    let secured = ["--tls-cert", "server.pem", "--tls-key", "server.key"];
    let listen = [&["server", "--json", "--listen", "127.0.0.1:0"], &secured[..]].concat();
    let server = Process::start(stage.command(&listen));
    let url = server.wait_for("listening")["url"].as_str().unwrap().replace("127.0.0.1", "localhost");
    let more = |token: &'static str| ["--ca-file", "authority.pem", "--token-file", token];
    let run =
        [&["run", "--json", "-s", &url, "--name", "tester"], &more("runners-data/registration-token")[..]];
    let runner = Process::start(stage.command(&run.concat()));
    runner.wait_for("connected");
    let more = more("runners-data/api-token");
    let job = waiting(&stage, &url, &more);
    let authority = Certificate::from_pem(stage.read("authority.pem").as_bytes()).unwrap();
    let person = Person::new(&stage, &url, Some(authority));
    let mut look = person.look(&person.grant(&job).await).await;
    assert!(picture(&mut look).await.is_some());
    press(&mut look).await;
    passes(&stage, &url, &job, &more).await;
}
