//! An engine of the tests' own, which answers as they say: what a real one does only now and then.

use crate::engine::{Engine, EngineAddress, EngineVersion};
use bollard::{API_DEFAULT_VERSION, Docker};
use runners_core::testing::clock::SimClock;
use std::{fmt::Debug, sync::Arc};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream},
    sync::{mpsc, watch},
    task::JoinSet,
};

/// How it answers a request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// With a code and a body.
    Say(u16, &'static str),
    /// It breaks off.
    HangUp,
    /// As the answer says, once the engine is released.
    Held(u16, &'static str),
}

/// An engine that answers as it is told.
#[derive(Debug)]
pub(crate) struct FakeEngine {
    pub(crate) engine: Engine,
    /// What it was asked for, such as `DELETE /containers/a`, in that order.
    pub(crate) asked: mpsc::UnboundedReceiver<String>,
    release: watch::Sender<bool>,
    _home: TempDir,
    _connections: JoinSet<()>,
}

impl FakeEngine {
    /// Starts one. `answer` is given what it is asked for, without the version of the API and its parameters.
    pub(crate) fn start(mut answer: impl FnMut(&str) -> Answer + Send + 'static) -> Self {
        let home = tempfile::tempdir().expect("a directory can be made");
        let path = home.path().join("engine.sock");
        let listener = UnixListener::bind(&path).expect("its directory is there");
        let (tell, asked) = mpsc::unbounded_channel();
        let (release, released) = watch::channel(false);
        let mut connections = JoinSet::new();
        connections.spawn(async move {
            let mut held = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let mut stream = BufReader::new(stream);
                let Some(request) = read(&mut stream).await else { continue };
                let answer = answer(&request);
                let _ = tell.send(request);
                let mut released = released.clone();
                held.spawn(async move {
                    match answer {
                        Answer::Say(code, body) => say(stream, code, body).await,
                        Answer::HangUp => {}
                        Answer::Held(code, body) => {
                            let _ = released.wait_for(|is_so| *is_so).await;
                            say(stream, code, body).await;
                        }
                    }
                });
            }
        });
        let docker = Docker::connect_with_unix(&path.to_string_lossy(), 1 << 20, API_DEFAULT_VERSION)
            .expect("it is a socket");
        let version =
            EngineVersion { name: "docker".to_owned(), version: "0".to_owned(), interface: (1, 41) };
        let clock = Arc::new(SimClock::new());
        let engine = Engine { docker, address: EngineAddress::Socket(path), version, clock };
        Self { engine, asked, release, _home: home, _connections: connections }
    }

    /// Gives the answers that were held.
    pub(crate) fn release(&self) {
        self.release.send_replace(true);
    }

    /// Waits until it is asked for this, and passes over what is asked before.
    pub(crate) async fn is_asked(&mut self, request: &str) {
        while self.asked.recv().await.expect("it listens") != request {}
    }

    /// Everything that it was asked since it was last looked at.
    pub(crate) fn all_asked(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.asked.try_recv().ok()).collect()
    }
}

/// What is asked for, once the whole of it was read.
async fn read(stream: &mut BufReader<UnixStream>) -> Option<String> {
    let (mut request, mut length) = (String::new(), 0);
    stream.read_line(&mut request).await.ok()?;
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).await.ok()?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().ok()?;
        }
    }
    stream.read_exact(&mut vec![0; length]).await.ok()?;
    let (method, path) = request.split_once(' ')?;
    let path = path.split([' ', '?']).next()?;
    let path = path.strip_prefix("/v").and_then(|path| path.split_once('/')).map_or(path, |(_, path)| path);
    Some(format!("{method} /{}", path.trim_start_matches('/')))
}

async fn say(mut stream: BufReader<UnixStream>, code: u16, body: &str) {
    let head = format!(
        "HTTP/1.1 {code} -\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        if code == 204 { 0 } else { body.len() }
    );
    // Who asked may have gone.
    let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
}
