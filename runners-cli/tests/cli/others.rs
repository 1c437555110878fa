//! What others run: a region that is called over HTTP, and a WebDriver without a browser. Both count
//! what they are asked, and can be held back.

use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex},
    thread,
};

/// Answers this many questions at once, and the others when it is opened.
#[derive(Debug)]
pub(crate) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    left: usize,
    asked: Vec<String>,
    passed: BTreeSet<String>,
}

impl Gate {
    pub(crate) fn after(left: usize) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State { left, asked: Vec::new(), passed: BTreeSet::new() }),
            changed: Condvar::new(),
        })
    }

    pub(crate) fn open() -> Arc<Self> {
        Self::after(usize::MAX)
    }

    /// Lets everything through from now on.
    pub(crate) fn lift(&self) {
        self.state.lock().unwrap().left = usize::MAX;
        self.changed.notify_all();
    }

    /// How often this was asked.
    pub(crate) fn count(&self, what: &str) -> usize {
        self.state.lock().unwrap().asked.iter().filter(|asked| *asked == what).count()
    }

    fn pass(&self, what: &str) {
        let mut state = self.state.lock().unwrap();
        state.asked.push(what.to_owned());
        // What is asked again, for what was answered is lost, takes nobody's place.
        while state.left == 0 && !state.passed.contains(what) {
            state = self.changed.wait(state).unwrap();
        }
        if state.passed.insert(what.to_owned()) {
            state.left -= 1;
        }
    }
}

/// A region whose checks do as their names say: `good` passes, `bad` fails, `hangs` never answers. Each
/// call is counted by its page.
pub(crate) fn region(gate: &Arc<Gate>) -> String {
    let gate = Arc::clone(gate);
    serve(move |request| {
        let body = request.body;
        let asked = body["json"].as_object().map_or(&body, |_| &body["json"]);
        gate.pass(asked["url"].as_str().unwrap_or_default());
        let one = |check: &Value| match check["name"].as_str().unwrap() {
            "good" => json!({ "name": "good", "status": "pass", "durationMs": 12 }),
            "bad" => json!({ "name": "bad", "status": "fail", "errorMessage": "no cart,\n::set-env::x" }),
            other => json!({ "name": other, "status": "error", "errorMessage": "never heard of it" }),
        };
        let checks = asked["runners"].as_array().unwrap();
        if checks.iter().any(|check| check["name"] == "hangs") {
            loop {
                thread::park();
            }
        }
        json!({ "results": checks.iter().map(one).collect::<Vec<_>>() })
    })
}

/// A WebDriver whose every page has loaded as soon as it was gone to. Each navigation is counted by its
/// page.
pub(crate) fn webdriver(gate: &Arc<Gate>) -> String {
    let (gate, sessions) = (Arc::clone(gate), Mutex::new(Vec::<(usize, String)>::new()));
    serve(move |request| {
        let mut parts = request.path.trim_matches('/').split('/').skip(1);
        let session = parts.next().and_then(|number| number.parse::<usize>().ok());
        let Some(session) = session else {
            let mut sessions = sessions.lock().unwrap();
            sessions.push((0, "about:blank".to_owned()));
            return json!({ "value": { "sessionId": (sessions.len() - 1).to_string(), "capabilities": {} } });
        };
        let value = match (request.method.as_str(), parts.collect::<Vec<_>>().join("/").as_str()) {
            ("POST", "url") => {
                let url = request.body["url"].as_str().unwrap().to_owned();
                gate.pass(&url);
                let went = &mut sessions.lock().unwrap()[session];
                *went = (went.0 + 1, url);
                Value::Null
            }
            ("POST", "execute/async") => {
                let (document, url) = sessions.lock().unwrap()[session].clone();
                json!({ "document": document, "navigations": 0, "url": url, "loaded": true, "hidden": false,
                    "trouble": null, "title": "A page", "labels": [] })
            }
            ("GET", "window/handles") => json!(["main"]),
            ("GET", "window") => json!("main"),
            _ => Value::Null,
        };
        json!({ "value": value })
    })
}

struct Request {
    method: String,
    path: String,
    body: Value,
}

/// Answers requests by JSON for as long as the tests run, and tells the URL.
fn serve(answer: impl Fn(Request) -> Value + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            thread::spawn(move || answer_one(stream, &*answer));
        }
    });
    url
}

/// Whoever has gone away meanwhile is told nothing.
fn answer_one(mut stream: TcpStream, answer: &dyn Fn(Request) -> Value) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = serde_json::from_slice(&body).unwrap_or_default();
    let body = answer(Request { method, path, body }).to_string();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
    write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).ok()
}
