//! The corpus in `tests/corpus`: flows, the pages they are for, and a server that is told what those
//! pages saw.

use runners_exec_webdriver::BrowserFlow;
use serde_json::Value;
use std::{
    collections::{BTreeMap, HashMap},
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Mutex},
    thread,
};

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus");
/// What stands in the files for the origin of the server, and for another of the same server.
const ORIGIN: &str = "http://ORIGIN";
const OTHER: &str = "http://OTHER";

/// The corpus, served.
pub(crate) struct Corpus {
    origin: String,
    other: String,
    names: Vec<String>,
    seen: Arc<Mutex<HashMap<String, String>>>,
}

impl Corpus {
    pub(crate) fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (origin, other) = (format!("http://127.0.0.1:{port}"), format!("http://localhost:{port}"));
        let entries = fs::read_dir(DIRECTORY).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> =
            entries.filter_map(|name| name.to_str()?.strip_suffix(".json").map(str::to_owned)).collect();
        names.sort();
        let seen = Arc::default();
        let corpus = Self { origin, other, names, seen: Arc::clone(&seen) };
        let pages = corpus.pages();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (pages, seen) = (Arc::clone(&pages), Arc::clone(&seen));
                thread::spawn(move || answer(stream, &pages, &seen));
            }
        });
        corpus
    }

    /// The names of all flows.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// A flow as it is written.
    pub(crate) fn document(&self, name: &str) -> Value {
        let text = fs::read_to_string(Path::new(DIRECTORY).join(format!("{name}.json"))).unwrap();
        serde_json::from_str(&self.filled(&text)).unwrap()
    }

    pub(crate) fn flow(&self, name: &str) -> BrowserFlow {
        BrowserFlow::parse(&self.document(name).to_string()).unwrap()
    }

    /// What the pages of a flow saw, page by page; nothing if the flow did not come to its end.
    pub(crate) fn taken(&self, name: &str) -> Option<String> {
        let log = self.seen.lock().unwrap().remove(&format!("/log/{name}"))?;
        let pages: BTreeMap<String, Vec<String>> = serde_json::from_str(&log).unwrap();
        let lines =
            pages.iter().flat_map(|(page, lines)| lines.iter().map(move |line| format!("{page} {line}")));
        Some(lines.collect::<Vec<_>>().join("\n").replace(&self.origin, ORIGIN).replace(&self.other, OTHER))
    }

    fn filled(&self, text: &str) -> String {
        text.replace(ORIGIN, &self.origin).replace(OTHER, &self.other)
    }

    /// Every page by its path, with what writes down what it sees.
    fn pages(&self) -> Arc<HashMap<String, String>> {
        let recorder = fs::read_to_string(Path::new(DIRECTORY).join("recorder.js")).unwrap();
        let entries = fs::read_dir(DIRECTORY).unwrap().map(|entry| entry.unwrap().path());
        let pages = entries.filter(|path| path.extension().is_some_and(|kind| kind == "html")).map(|path| {
            let body = self.filled(&fs::read_to_string(&path).unwrap());
            let name = path.file_stem().unwrap().to_str().unwrap();
            let head = format!("<!doctype html><title>{name}</title><style>body {{ margin: 8px }}</style>");
            (format!("/{name}"), format!("{head}<script>{recorder}</script><body>{body}"))
        });
        Arc::new(pages.collect())
    }
}

/// Answers one request: a page, or what a page has to tell.
fn answer(mut stream: TcpStream, pages: &HashMap<String, String>, seen: &Mutex<HashMap<String, String>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut first, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let line = line.trim();
        if line.is_empty() {
            break;
        }
        if let Some(told) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = told.trim().parse().unwrap();
        }
        if first.is_empty() {
            line.clone_into(&mut first);
        }
    }
    let path = first.split([' ', '?']).nth(1).unwrap_or("/").to_owned();
    let (state, body) = if first.starts_with("POST ") {
        let mut log = vec![0; length];
        reader.read_exact(&mut log).unwrap();
        seen.lock().unwrap().insert(path, String::from_utf8(log).unwrap());
        ("200 OK", "")
    } else {
        pages.get(&path).map_or(("404 Not Found", ""), |page| ("200 OK", &**page))
    };
    let head = format!("Content-Type: text/html; charset=utf-8\r\nContent-Length: {}", body.len());
    let _ = write!(stream, "HTTP/1.1 {state}\r\n{head}\r\nConnection: close\r\n\r\n{body}");
}
