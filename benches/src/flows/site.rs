//! The pages of the flow, and the flow.

use crate::stopwatch::now;
use runners_core::{BootTime, SystemClock, sleep};
use serde_json::{Value, json};
use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    sync::mpsc::{self, Receiver, Sender},
    thread,
    time::Duration,
};

const SHOP: &str = include_str!("../../flows/shop.html");
const DONE: &str = include_str!("../../flows/done.html");

/// How often it is looked whether a flow has begun.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// What is typed, in the order of the form.
pub const NAME: &str = "ada lovelace";
/// See [`NAME`].
pub const MAIL: &str = "ada@example.com";
/// See [`NAME`].
pub const NOTE: &str = "leave it at the door";

/// The pages, as they are served.
#[derive(Debug)]
pub struct Site {
    /// Where they are.
    pub origin: String,
    /// When a flow began: its first step asks for the first page.
    begun: Receiver<BootTime>,
}

impl Site {
    /// Serves the pages from a thread of this process for as long as it lives.
    ///
    /// # Errors
    /// If there is no port.
    pub fn serve() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let origin = format!("http://{}", listener.local_addr()?);
        let (begins, begun) = mpsc::channel();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let begins = begins.clone();
                thread::spawn(move || drop(answer(stream, &begins)));
            }
        });
        Ok(Self { origin, begun })
    }

    /// Forgets which flows have begun.
    pub fn forget(&self) {
        self.begun.try_iter().for_each(drop);
    }

    /// Waits until another flow has begun.
    pub async fn another(&self) {
        let clock = SystemClock::default();
        while self.begun.try_recv().is_err() {
            sleep(&clock, LOOK_EVERY).await;
        }
    }

    /// How long one took of the flows that have begun, one after the other, since this was last asked: from the
    /// begin of the first to that of the last. None if there were less than two.
    #[must_use]
    pub fn time_of_one(&self) -> Option<Duration> {
        let begun: Vec<BootTime> = self.begun.try_iter().collect();
        let [first, .., last] = begun[..] else { return None };
        Some(last.since(first) / u32::try_from(begun.len() - 1).ok()?)
    }
}

fn answer(mut stream: TcpStream, begins: &Sender<BootTime>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let (state, body) = match first.split([' ', '?']).nth(1) {
        Some("/") => ("200 OK", SHOP),
        Some("/done") => ("200 OK", DONE),
        _ => ("404 Not Found", ""),
    };
    if body == SHOP {
        let _ = begins.send(now());
    }
    let head = format!("Content-Type: text/html; charset=utf-8\r\nContent-Length: {}", body.len());
    write!(stream, "HTTP/1.1 {state}\r\n{head}\r\nConnection: close\r\n\r\n{body}")
}

/// A flow that waits for something that never comes.
#[must_use]
pub fn endless_flow(origin: &str) -> Value {
    json!({
        "title": "waits for nothing",
        "timeout": 30_000,
        "steps": [
            { "type": "navigate", "url": format!("{origin}/") },
            { "type": "waitForElement", "selectors": [["#never"]], "timeout": 30_000 },
        ],
    })
}

/// The flow, as a recorder writes it.
#[must_use]
pub fn flow(origin: &str) -> Value {
    let click =
        |selector: &str| json!({ "type": "click", "selectors": [[selector]], "offsetX": 5, "offsetY": 5 });
    let change =
        |selector: &str, value: &str| json!({ "type": "change", "selectors": [[selector]], "value": value });
    let mut order = click("#order");
    order["assertedEvents"] = json!([{ "type": "navigation" }]);
    json!({
        "title": "orders a thing",
        "timeout": 30_000,
        "steps": [
            { "type": "navigate", "url": format!("{origin}/") },
            change("#name", NAME),
            change("#mail", MAIL),
            change("#country", "fr"),
            click("#gift"),
            { "type": "hover", "selectors": [["#menu-title"]] },
            click("#wrap"),
            { "type": "waitForElement", "selectors": [["#count"]], "properties": { "textContent": "1" } },
            change("#note", NOTE),
            order,
            { "type": "waitForElement", "selectors": [["h1"]] },
            click("#again"),
        ],
    })
}
