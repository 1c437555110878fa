//! A WebDriver at a URL: behind a path, behind a password, and gone.

use crate::{
    life::started_driver,
    stage::{Site, driver_options},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use runners_core::Fault;
use runners_exec_webdriver::{Browser as _, BrowserFlow, Driver, FlowExecutor, OpenError};
use serde_json::{Map, Value, json};
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, mpsc},
    thread,
};

/// What stands before a driver: it lets in who says the word, and takes a path away.
struct Gate {
    /// Its address, without the path.
    address: String,
    /// The first lines of the requests that came through.
    let_in: Arc<Mutex<Vec<String>>>,
}

impl Gate {
    /// A gate before the driver at a port, for requests with this header.
    fn before(driver: String, header: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let let_in = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&let_in);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (driver, header, noted) = (driver.clone(), header.clone(), Arc::clone(&noted));
                thread::spawn(move || pass(&stream, &driver, &header, &noted));
            }
        });
        Self { address, let_in }
    }
}

/// Hands on one request after the other, each over a connection of its own.
fn pass(stream: &TcpStream, driver: &str, wanted: &str, noted: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream);
    loop {
        let Some((first, headers)) = read_head(&mut reader) else { return };
        let length = header(&headers, "content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let mut client = stream;
        if !headers.iter().any(|header| header.eq_ignore_ascii_case(wanted)) {
            let page = "<h1>Who are you?</h1>";
            let head = "HTTP/1.1 401 Unauthorized\r\nContent-Type: text/html";
            write!(client, "{head}\r\nContent-Length: {}\r\n\r\n{page}", page.len()).unwrap();
            continue;
        }
        noted.lock().unwrap().push(first.clone());
        let path = first.replacen(" /wd/hub/", " /", 1);
        let mut server = TcpStream::connect(format!("127.0.0.1:{driver}")).unwrap();
        write!(
            server,
            "{path}\r\nHost: 127.0.0.1:{driver}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
        )
        .unwrap();
        server.write_all(&body).unwrap();
        let mut answers = BufReader::new(server);
        let Some((first, headers)) = read_head(&mut answers) else { return };
        let length = header(&headers, "content-length").unwrap().parse().unwrap();
        let mut body = vec![0; length];
        answers.read_exact(&mut body).unwrap();
        let kind = header(&headers, "content-type").unwrap();
        write!(client, "{first}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n").unwrap();
        client.write_all(&body).unwrap();
    }
}

fn read_head(reader: &mut impl std::io::BufRead) -> Option<(String, Vec<String>)> {
    let mut lines = reader.lines().map_while(Result::ok).map(|line| line.trim_end().to_owned());
    let first = lines.next()?;
    Some((first, lines.take_while(|line| !line.is_empty()).collect()))
}

fn header<'h>(headers: &'h [String], name: &str) -> Option<&'h str> {
    headers.iter().find_map(|header| {
        let (found, value) = header.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn capabilities() -> Map<String, Value> {
    let arguments = json!({ "args": ["--headless=new", "--no-sandbox"] });
    Map::from_iter([("goog:chromeOptions".to_owned(), arguments)])
}

async fn visit(driver: &Driver) -> Result<(), Fault> {
    let page = Site::open().serve("/page", "<button id=b>B</button>");
    let steps = json!([
        { "type": "navigate", "url": page },
        { "type": "click", "selectors": ["aria/B"], "offsetX": 1, "offsetY": 1 },
    ]);
    let flow =
        BrowserFlow::parse(&json!({ "title": "t", "timeout": 15_000, "steps": steps }).to_string()).unwrap();
    let result = FlowExecutor::new(driver.clone()).replay(flow, &(), std::future::pending()).await?;
    assert_eq!(result.failure(), None);
    Ok(())
}

#[tokio::test]
async fn a_driver_behind_a_path_and_a_password_is_used_and_the_password_told_nowhere() {
    let state = tempfile::tempdir().unwrap();
    if driver_options(&state).is_none() {
        return;
    }
    let (mut server, port) = started_driver();
    let basic = STANDARD.encode("ada:s@cret word");
    let gate = Gate::before(port.clone(), format!("Authorization: Basic {basic}"));
    let driver = Driver::at(format!("http://ada:s%40cret%20word@{}/wd/hub", gate.address), capabilities());
    visit(&driver).await.unwrap();
    assert!(gate.let_in.lock().unwrap().iter().all(|line| line.contains(" /wd/hub/session")));

    let wrong = Driver::at(format!("http://ada:wr0ng-word@{}/wd/hub", gate.address), capabilities());
    let fault = visit(&wrong).await.unwrap_err();
    assert_eq!((fault.code.as_str(), fault.retryable), ("misconfigured", false), "{fault}");
    assert!(fault.message.contains("does not take these credentials (401)"), "{fault}");
    for told in [format!("{fault}"), format!("{fault:?}"), format!("{wrong:?}"), format!("{driver:?}")] {
        assert!(!["cret", "wr0ng", &basic].iter().any(|secret| told.contains(secret)), "{told}");
    }

    let gate = Gate::before(port, "Authorization: Bearer t0ken".to_owned());
    let driver = Driver::at(format!("http://{}/wd/hub/", gate.address), capabilities());
    let driver = driver.with_header("Authorization", "Bearer t0ken").unwrap();
    visit(&driver).await.unwrap();
    assert!(!format!("{driver:?}").contains("t0ken"));
    server.kill().unwrap();
    server.wait().unwrap();
}

#[tokio::test]
async fn a_session_at_a_url_that_is_dropped_is_closed_there() {
    let state = tempfile::tempdir().unwrap();
    if driver_options(&state).is_none() {
        return;
    }
    let (mut server, port) = started_driver();
    let gate = Gate::before(port, "Authorization: Bearer t0ken".to_owned());
    let driver = Driver::at(format!("http://{}/wd/hub/", gate.address), capabilities());
    let driver = driver.with_header("Authorization", "Bearer t0ken").unwrap();
    drop(driver.open().await.unwrap());
    driver.stop().await;
    let last = gate.let_in.lock().unwrap().last().unwrap().clone();
    assert!(last.starts_with("DELETE /wd/hub/session/"), "{last}");
    server.kill().unwrap();
    server.wait().unwrap();
}

#[tokio::test]
async fn an_address_that_no_driver_can_have_is_refused_by_its_reason() {
    let refused = |url: &'static str| async move {
        match Driver::at(url, Map::new()).open().await {
            Err(OpenError::Misconfigured { message }) => message,
            other => panic!("{other:?}"),
        }
    };
    let told = refused("ftp://ada:s3cret@grid.example/").await;
    assert!(told.contains("ftp is neither http nor https") && !told.contains("s3cret"), "{told}");
    assert!(refused("no address").await.contains("the WebDriver address is not usable"));
}

/// A driver that knows no `webSocketUrl`: its address, and whether that was among what it was asked for.
fn driver_of_old() -> (String, mpsc::Receiver<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (sender, asked) = mpsc::channel();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            while let Some((_, headers)) = read_head(&mut reader) {
                let length = header(&headers, "content-length").and_then(|text| text.parse().ok());
                let mut body = vec![0; length.unwrap_or(0)];
                reader.read_exact(&mut body).unwrap();
                let wants_bidi = String::from_utf8(body).unwrap().contains("webSocketUrl");
                let (state, value) = if wants_bidi {
                    let message = "webSocketUrl is not the name of a known capability";
                    ("400 Bad Request", json!({ "error": "invalid argument", "message": message }))
                } else {
                    ("200 OK", json!({ "sessionId": "old", "capabilities": { "browserName": "firefox" } }))
                };
                let answer = json!({ "value": value }).to_string();
                let length = answer.len();
                let _ = sender.send(wants_bidi);
                write!(stream, "HTTP/1.1 {state}\r\nContent-Length: {length}\r\n\r\n{answer}").unwrap();
            }
        }
    });
    (address, asked)
}

#[tokio::test]
async fn a_driver_that_does_not_know_bidi_is_asked_without_it() {
    let (address, asked) = driver_of_old();
    let wanted = Map::from_iter([("browserName".to_owned(), json!("firefox"))]);
    let session = Driver::at(format!("http://{address}"), wanted).open().await.unwrap();
    assert_eq!([asked.recv(), asked.recv()], [Ok(true), Ok(false)]);
    assert!(session.bidi().is_none() && session.devtools().is_none());
    session.close().await;
}
