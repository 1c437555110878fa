//! A machine whose interfaces change while a browser is used. This is a program of its own: a change is noticed by
//! every browser of the machine, and what others are loading then is interrupted, too.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use runners_core::{Clock as _, SystemClock, Verdict};
use runners_exec_webdriver::{Browser as _, BrowserFlow, Driver, DriverOptions, Replay, ReplayOptions};
use serde_json::json;
use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    process::Command,
    thread,
    time::Duration,
};

/// How long a browser may take until it connects.
const CONNECTS_WITHIN: Duration = Duration::from_secs(30);

/// An interface of this machine, of a network in which nobody answers; it goes when this is dropped.
struct Interface {
    name: String,
}

impl Interface {
    const ANOTHER: &str = "10.213.78.9";

    /// Nothing, and why, if this machine does not let us.
    fn comes() -> Result<Self, String> {
        let (name, peer) = (format!("rc{}", std::process::id()), format!("rp{}", std::process::id()));
        ip(&format!("link add {name} type veth peer name {peer}"))?;
        let this = Self { name };
        ip(&format!("address add 10.213.78.1/24 dev {}", this.name))?;
        ip(&format!("link set {peer} up"))?;
        ip(&format!("link set {} up", this.name))?;
        Ok(this)
    }

    /// Gives it another address, at which this machine then answers.
    fn changes(name: &str) -> Result<(), String> {
        ip(&format!("address add {}/32 dev {name}", Self::ANOTHER))
    }
}

impl Drop for Interface {
    fn drop(&mut self) {
        let _ = ip(&format!("link delete {}", self.name));
    }
}

fn ip(arguments: &str) -> Result<(), String> {
    let done = Command::new("ip").args(arguments.split(' ')).output().map_err(|error| error.to_string())?;
    if done.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&done.stderr).into_owned()) }
}

/// Whether somebody on this machine is connecting to a port, and is not connected.
fn is_connecting(port: u16) -> bool {
    const SYN_SENT: &str = "02";
    let sockets = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let port = format!(":{port:04X}");
    sockets.lines().any(|line| {
        let mut fields = line.split_ascii_whitespace().skip(2);
        fields.next().is_some_and(|remote| remote.ends_with(&port)) && fields.next() == Some(SYN_SENT)
    })
}

/// Answers the first request for a page.
fn serve_once(listener: &TcpListener) {
    for mut stream in listener.incoming().flatten() {
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line).unwrap();
        if line.starts_with("GET /page ") {
            let page = "<!doctype html><title>It is here</title>";
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}", page.len());
            return write!(stream, "{head}\r\n\r\n{page}").unwrap();
        }
    }
}

#[tokio::test]
async fn a_page_is_loaded_although_interfaces_of_the_machine_come_and_go() {
    let mut options = DriverOptions::default();
    if let Err(error) = options.check() {
        return println!("skipped: {error}");
    }
    let interface = match Interface::comes() {
        Ok(interface) => interface,
        Err(why) => return println!("skipped: no interface can be made here: {why}"),
    };
    let state = tempfile::tempdir().unwrap();
    options.state = Some(state.path().to_path_buf());
    let driver = Driver::new(options).with_egress(None);
    let session = driver.open().await.unwrap();
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let name = interface.name.clone();
    let served = thread::spawn(move || {
        let until = SystemClock::default().boot() + CONNECTS_WITHIN;
        while !is_connecting(port) {
            assert!(SystemClock::default().boot() < until, "nobody connects to {port}");
            thread::yield_now();
        }
        Interface::changes(&name).unwrap();
        serve_once(&listener);
    });
    let steps = json!([
        { "type": "navigate", "url": format!("http://{}:{port}/page", Interface::ANOTHER) },
        { "type": "waitForExpression", "expression": "document.title === 'It is here'" },
    ]);
    let flow =
        BrowserFlow::parse(&json!({ "title": "t", "timeout": 15_000, "steps": steps }).to_string()).unwrap();
    let replay = Replay::new(flow, ReplayOptions::default());
    let result = replay.run(&*session, &(), std::future::pending()).await.unwrap();
    assert_eq!(result.verdict, Verdict::Passed, "{:?}", result.failure());
    served.join().unwrap();
    session.close().await;
    driver.stop().await;
}
