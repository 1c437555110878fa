//! The live view in a real browser: its picture is drawn, and what a person does comes back.

use crate::{
    stage::Stage,
    watch::{PATIENCE, showing, within},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::Client;
use runners_core::{SystemClock, live::Input, sleep, testing::frames::ScriptedFrames};
use serde_json::{Value, json};
use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// How often a page is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A browser for as long as this lives.
pub(crate) struct Chromium {
    driver: Child,
    client: Client,
    session: String,
}

impl Chromium {
    /// Nothing where there is no driver.
    pub(crate) async fn start() -> Option<Self> {
        let driver = Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).spawn();
        let Ok(mut driver) = driver else {
            println!("skipped: there is no chromedriver here");
            return None;
        };
        let said = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = said.map_while(Result::ok).find_map(|line| {
            let (_, rest) = line.split_once("successfully on port ")?;
            rest.trim_end_matches('.').parse::<u16>().ok()
        });
        let url = format!("http://127.0.0.1:{}/session", port.expect("it says where it is"));
        let arguments =
            ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1280,1600"];
        let wanted = json!({ "alwaysMatch": { "browserName": "chrome", "goog:chromeOptions": { "args": arguments } } });
        let client = Client::builder().no_proxy().build().unwrap();
        let mut browser = Self { driver, client, session: url };
        let opened = browser.post("", json!({ "capabilities": wanted })).await;
        browser.session = format!("{}/{}", browser.session, opened["sessionId"].as_str().unwrap());
        Some(browser)
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        let request = self.client.post(format!("{}{path}", self.session)).body(body.to_string());
        let answer = within(request.send()).await.unwrap().text().await.unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert!(answer["value"]["error"].is_null(), "{path}: {answer}");
        answer["value"].clone()
    }

    pub(crate) async fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", json!({ "script": script, "args": [] })).await
    }

    /// Waits until a script says so.
    pub(crate) async fn until(&self, script: &str) -> Value {
        within(async {
            loop {
                let told = self.run(script).await;
                if told != Value::Null && told != json!(false) {
                    return told;
                }
                sleep(&SystemClock::default(), LOOK_EVERY).await;
            }
        })
        .await
    }

    fn end(&self) -> io::Result<()> {
        let rest = self.session.trim_start_matches("http://");
        let (address, path) = rest.split_at(rest.find('/').unwrap());
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "DELETE {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        // It answers once the browser has ended, and keeps the connection.
        stream.read(&mut [0; 64]).map(drop)
    }

    /// Keeps a picture of the page where somebody says.
    pub(crate) async fn keep(&self, name: &str) {
        let Some(to) = std::env::var_os("RUNNERS_PICTURES") else { return };
        let request = self.client.get(format!("{}/screenshot", self.session));
        let answer = request.send().await.unwrap().text().await.unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let picture = STANDARD.decode(answer["value"].as_str().unwrap()).unwrap();
        std::fs::create_dir_all(&to).unwrap();
        std::fs::write(Path::new(&to).join(format!("dashboard-{name}.png")), picture).unwrap();
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // The driver ends its browser when it is asked to, and is gone either way.
        drop(self.end());
        drop(self.driver.kill());
        drop(self.driver.wait());
    }
}

/// A picture of one colour, as large as the page.
pub(crate) fn plain(colour: [u8; 3]) -> Vec<u8> {
    let (width, height) = ScriptedFrames::VIEWPORT;
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&colour.repeat((width * height) as usize)).unwrap();
    writer.finish().unwrap();
    bytes
}

fn shows(colour: [u8; 3]) -> String {
    let [red, green, blue] = colour;
    format!(
        "const canvas = document.querySelector('section[data-live] canvas'); \
         if (!canvas.width) return false; \
         const [r, g, b] = canvas.getContext('2d').getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data; \
         return r === {red} && g === {green} && b === {blue};"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_sees_the_page_and_acts_on_it() {
    let Some(browser) = Chromium::start().await else { return };
    let stage = Stage::open().await;
    let (job, source, runner) = showing(&stage).await;
    source.put(plain([200, 40, 40]));
    let session = stage.sign_in(b'a').await.cookie;
    let (name, value) = session.split_once('=').unwrap();
    browser.post("/url", json!({ "url": stage.url("sign-in") })).await;
    browser.post("/cookie", json!({ "cookie": { "name": name, "value": value } })).await;
    browser.post("/url", json!({ "url": stage.url(&format!("jobs/{job}")) })).await;
    browser.until("return document.querySelector('[data-live-do=look]') !== null").await;
    assert_eq!(source.opened(), 0, "nothing is taken until somebody looks");
    browser.run("document.querySelector('[data-live-do=look]').click()").await;
    browser.until(&shows([200, 40, 40])).await;
    source.put(plain([30, 90, 200]));
    browser.until(&shows([30, 90, 200])).await;
    browser.keep("live-view").await;

    browser.run("document.querySelector('[data-live-do=control]').click()").await;
    browser.until("return document.querySelector('section.is-controlled') !== null").await;
    let canvas = browser
        .post("/element", json!({ "using": "css selector", "value": "section[data-live] canvas" }))
        .await;
    let pointer = json!([
        { "type": "pointerMove", "duration": 0, "x": 0, "y": 0, "origin": canvas },
        { "type": "pointerDown", "button": 0 },
        { "type": "pointerUp", "button": 0 }
    ]);
    let pause = json!({ "type": "pause", "duration": 0 });
    let keys =
        json!([pause, pause, pause, { "type": "keyDown", "value": "a" }, { "type": "keyUp", "value": "a" }]);
    let actions = json!([
        { "type": "pointer", "id": "mouse", "parameters": { "pointerType": "mouse" }, "actions": pointer },
        { "type": "key", "id": "keys", "actions": keys }
    ]);
    browser.post("/actions", json!({ "actions": actions })).await;
    within(async {
        let mut count = 1;
        while !source.inputs(count).await.contains(&Input::KeyUp { key: "a".into() }) {
            count += 1;
        }
    })
    .await;
    let inputs = source.inputs(1).await;
    let middle = |at: f64, whole: u32| (at - f64::from(whole) / 2.0).abs() < 3.0;
    let (width, height) = ScriptedFrames::VIEWPORT;
    assert!(
        inputs.iter().any(|input| matches!(input, Input::PointerDown { x, y, button: 0, clicks: 1 } if middle(*x, width) && middle(*y, height))),
        "{inputs:?}"
    );
    assert!(inputs.contains(&Input::KeyDown { key: "a".into() }), "{inputs:?}");
    browser.keep("live-view-controlled").await;
    browser.run("document.querySelector('[data-live-do=look]').click()").await;
    within(source.until_open(0)).await;
    runner.kill();
}
