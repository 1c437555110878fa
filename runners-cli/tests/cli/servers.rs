//! The control plane as a process: its tokens, its queue, its stop.

use crate::{
    processes::Process,
    stage::{Stage, has_browser},
};
use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
};

#[cfg(unix)]
#[test]
fn the_first_start_writes_tokens_that_only_their_owner_can_read() {
    let stage = Stage::new();
    let (server, _) = stage.server();
    for (name, prefix) in [("registration-token", "rreg_"), ("api-token", "rapi_")] {
        let path = stage.path("runners-data").join(name);
        assert_eq!(crate::stage::mode(&path), 0o600, "{name}");
        let text = stage.read(&format!("runners-data/{name}"));
        assert!(text.starts_with(prefix) && text.trim().len() == prefix.len() + 64, "{name}");
        assert!(!server.said().contains(text.trim()), "{name} was printed");
    }
    assert_eq!(crate::stage::mode(&stage.path("runners-data")), 0o700);
    assert_no_token_is_in_the_database(&stage);
}

#[test]
fn the_database_of_dev_has_no_token_either() {
    if !has_browser() {
        return;
    }
    let stage = Stage::new();
    let dev = Process::start(stage.command(&["dev", "--json", "--listen", "127.0.0.1:0"]));
    // The runner is enrolled by now, with a credential of its own.
    dev.wait_for("connected");
    assert_no_token_is_in_the_database(&stage);
}

/// Neither the text of a token stands in the database, nor the secret that it spells.
fn assert_no_token_is_in_the_database(stage: &Stage) {
    let files = fs::read_dir(stage.path("runners-data")).unwrap().map(|entry| entry.unwrap().path());
    let databases = files.filter(|path| path.to_string_lossy().contains(".db"));
    let bytes: Vec<u8> = databases.flat_map(|path| fs::read(path).unwrap()).collect();
    let has = |searched: &[u8]| bytes.windows(searched.len()).any(|window| window == searched);
    assert!(has(b"default"), "not even the pool is in {} bytes", bytes.len());
    for prefix in ["rreg_", "rapi_", "rcrd_"] {
        assert!(!has(prefix.as_bytes()), "{prefix}… is in the database");
    }
    for name in ["registration-token", "api-token", "operator-token"] {
        let text = stage.read(&format!("runners-data/{name}"));
        let (_, spelt) = text.trim().split_once('_').unwrap();
        let pairs = (0..spelt.len()).step_by(2).map(|at| &spelt[at..at + 2]);
        let secret: Vec<u8> = pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
        assert!(!has(spelt.as_bytes()) && !has(&secret), "the {name} is in the database");
    }
}

#[test]
fn the_output_for_people_says_what_to_do_next_and_no_token() {
    let stage = Stage::new();
    let mut server = Process::start(stage.command(&["server", "--listen", "127.0.0.1:0"]));
    let listens = server.wait_for_line("listens on");
    let url = listens.split_whitespace().last().unwrap();
    assert!(server.wait_for_line("a runner").contains(&format!("runners run -s {url}")));
    server.wait_for_line("Ctrl-C");
    let said = server.said();
    assert!(said.contains("runners-data/api-token"), "{said}");
    assert!(!said.contains("rreg_") && !said.contains("rapi_"), "{said}");
    server.terminate();
    assert_eq!(server.wait(), Some(0));
    assert!(server.said().ends_with("stopped\n"), "{}", server.said());
}

#[test]
fn a_restart_keeps_tokens_and_jobs() {
    let stage = Stage::new();
    let (mut server, url) = stage.server();
    let tokens = || (stage.read("runners-data/registration-token"), stage.read("runners-data/api-token"));
    let before = tokens();
    let flow = stage.flow("flow.json", "http://localhost/", "x");
    let submitted = stage.run(&["submit", &flow, "--json", "-s", &url]);
    submitted.expect(0, "");
    let job = submitted.json()["jobs"][0]["job"].as_str().unwrap().to_owned();
    server.terminate();
    assert_eq!(server.wait(), Some(0));

    let (_server, url) = stage.server();
    assert_eq!(tokens(), before);
    let told = stage.run(&["job", &job, "-s", &url]);
    told.expect(0, "");
    assert!(told.stdout().contains("ready since"), "{}", told.stdout());
    stage.run(&["cancel", &job, "-s", &url]).expect(0, "");
    let told = stage.run(&["job", &job, "-s", &url, "--json"]).json();
    assert_eq!(told["state"]["concluded"]["conclusion"], "cancelled", "{told}");
}

#[test]
fn a_second_server_on_the_same_data_is_refused_by_name() {
    let stage = Stage::new();
    let (server, url) = stage.server();
    let address = url.strip_prefix("http://").unwrap();
    stage.run(&["server", "--listen", "127.0.0.1:0"]).expect(2, &format!("process {}", server.id()));
    stage.run(&["server", "--data", "other", "--listen", address]).expect(2, "choose another --listen");
}

#[test]
fn a_token_of_another_server_is_told_as_such() {
    let stage = Stage::new();
    let (_server, url) = stage.server();
    let flow = stage.flow("flow.json", "http://localhost/", "x");
    let strange = format!("rapi_{}", "7".repeat(64));
    stage.run(&["submit", &flow, "-s", &url, "-t", &strange]).expect(2, "does not know this token");
    let absent = format!("runner_{}", "7".repeat(32));
    stage.run(&["ping", &absent, "-s", &url]).expect(2, "there is no runner");
    stage.run(&["submit", &flow, "-s", &url, "--pool", "nowhere"]).expect(2, "nowhere");
}

/// What is answered to a GET, head and body.
pub(crate) fn get(url: &str, path: &str, token: &str) -> String {
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let credential = format!("Authorization: Bearer {token}");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n{credential}\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_management_api_is_served_beside_the_runners_calls() {
    let stage = Stage::new();
    let (_server, url) = stage.server();
    let token = stage.read("runners-data/api-token");
    let pools = get(&url, "/api/self-hosted/pools", token.trim());
    assert!(pools.starts_with("HTTP/1.1 200") && pools.contains(r#""name":"default""#), "{pools}");
    assert!(get(&url, "/api/self-hosted/pools", "nobody").starts_with("HTTP/1.1 401"));
    assert!(get(&url, "/api/docs", "").contains("text/html"));
    for probe in ["/readyz", "/api/readyz"] {
        assert!(get(&url, probe, "").contains(r#""status":"ready""#), "{probe}");
    }
    assert!(get(&url, "/api/healthz", "").contains(r#""status":"alive""#));
    assert!(get(&url, "/healthz", "").ends_with("\r\n\r\nok\n"), "it is the protocol's own");
    assert!(get(&url, "/readyz/more", "").starts_with("HTTP/1.1 404"));
}
