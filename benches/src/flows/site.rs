//! The pages of the flow, and the flow.

use serde_json::{Value, json};
use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    thread,
};

const SHOP: &str = include_str!("../../flows/shop.html");
const DONE: &str = include_str!("../../flows/done.html");

/// What is typed, in the order of the form.
pub const NAME: &str = "ada lovelace";
/// See [`NAME`].
pub const MAIL: &str = "ada@example.com";
/// See [`NAME`].
pub const NOTE: &str = "leave it at the door";

/// Serves the pages from a thread of this process for as long as it lives; answers their origin.
///
/// # Errors
/// If there is no port.
pub fn serve() -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let origin = format!("http://{}", listener.local_addr()?);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || drop(answer(stream)));
        }
    });
    Ok(origin)
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let (state, body) = match first.split([' ', '?']).nth(1) {
        Some("/") => ("200 OK", SHOP),
        Some("/done") => ("200 OK", DONE),
        _ => ("404 Not Found", ""),
    };
    let head = format!("Content-Type: text/html; charset=utf-8\r\nContent-Length: {}", body.len());
    write!(stream, "HTTP/1.1 {state}\r\n{head}\r\nConnection: close\r\n\r\n{body}")
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
