//! A region that answers what it is told to, byte for byte, and a clock that is moved by hand.

use async_trait::async_trait;
use runners_core::{
    BootTime, Clock, Egress, JobId, Timestamp,
    orchestration::{AskedCheck, Region as _, RegionCall, RegionError, RegionReply},
};
use runners_region_http::{HttpRegion, HttpRegionBuilder};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
    task::JoinSet,
};

/// What the region does with one request.
#[derive(Clone, Debug)]
pub(crate) enum Script {
    /// Writes this and closes.
    Write(Vec<u8>),
    /// Closes without a byte.
    Close,
    /// Writes this and then nothing, until the other end closes.
    Hang(Vec<u8>),
}

/// What arrived.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    pub(crate) line: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

/// What the region saw.
#[derive(Clone, Debug)]
pub(crate) enum Seen {
    Request(Arrived),
    /// The other end closed while it waited.
    HungUp,
}

/// A region on this machine, for as long as this lives.
pub(crate) struct Scripted {
    pub(crate) address: std::net::SocketAddr,
    pub(crate) seen: mpsc::UnboundedReceiver<Seen>,
    _server: JoinSet<()>,
}

/// A reply with a length.
pub(crate) fn reply(code: &str, headers: &str, body: &str) -> Script {
    let length = body.len();
    let text =
        format!("HTTP/1.1 {code}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}");
    Script::Write(text.into_bytes())
}

impl Scripted {
    pub(crate) async fn start(scripts: impl IntoIterator<Item = Script>) -> Self {
        Self::start_on(TcpListener::bind("127.0.0.1:0").await.unwrap(), scripts)
    }

    /// Answers one connection with each script. What it says may need its own address.
    pub(crate) fn start_on(listener: TcpListener, scripts: impl IntoIterator<Item = Script>) -> Self {
        let address = listener.local_addr().unwrap();
        let (tell, seen) = mpsc::unbounded_channel();
        let mut scripts: VecDeque<Script> = scripts.into_iter().collect();
        let server = async move {
            let mut open = JoinSet::new();
            while let Some(script) = scripts.pop_front() {
                let (stream, _) = listener.accept().await.unwrap();
                open.spawn(play(stream, script, tell.clone()));
            }
            open.join_all().await;
        };
        Self { address, seen, _server: [server].into_iter().collect() }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/api/runner", self.address)
    }

    pub(crate) fn region(&self) -> HttpRegionBuilder {
        HttpRegion::builder("eu", self.url()).egress(loopback())
    }

    pub(crate) async fn request(&mut self) -> Arrived {
        match self.seen.recv().await.unwrap() {
            Seen::Request(arrived) => arrived,
            Seen::HungUp => panic!("the other end hung up"),
        }
    }

    /// What a region with this script comes to.
    pub(crate) async fn answers(script: Script) -> Result<RegionReply, RegionError> {
        let server = Self::start([script]).await;
        server.region().build().unwrap().execute(call()).await
    }
}

async fn play(mut stream: TcpStream, script: Script, tell: mpsc::UnboundedSender<Seen>) {
    let arrived = read(&mut stream).await;
    let _ = tell.send(Seen::Request(arrived));
    match script {
        Script::Write(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        Script::Close => {}
        Script::Hang(bytes) => {
            let _ = stream.write_all(&bytes).await;
            // Nothing more comes: this ends when the other end closes.
            let _ = stream.read(&mut [0]).await;
            let _ = tell.send(Seen::HungUp);
        }
    }
}

async fn read(stream: &mut TcpStream) -> Arrived {
    let mut bytes = Vec::new();
    loop {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let mut lines = head.lines();
            let line = lines.next().unwrap().to_owned();
            let header = |line: &str| {
                line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            };
            let headers: BTreeMap<String, String> = lines.filter_map(header).collect();
            let length: usize = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
            if bytes.len() >= end + 4 + length {
                let body = String::from_utf8(bytes[end + 4..].to_vec()).unwrap();
                return Arrived { line, headers, body };
            }
        }
        assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "it was closed in the middle");
    }
}

pub(crate) fn loopback() -> Egress {
    Egress::pushing().allow_network("127.0.0.0/8".parse().unwrap())
}

pub(crate) fn call() -> RegionCall {
    let check = |name| AskedCheck::new(name, "https://shop.example/").with_input("limit", 3);
    let mut call = RegionCall::new(
        "run_1",
        JobId::from_bytes([7; 16]),
        "https://shop.example/",
        vec![check("a"), check("b")],
    );
    call.region = Some("eu".to_owned());
    call
}

/// A clock that stands still until it is moved.
#[derive(Clone, Debug)]
pub(crate) struct HandClock(Arc<watch::Sender<Duration>>);

impl HandClock {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Duration::from_secs(1))))
    }

    pub(crate) fn advance(&self, span: Duration) {
        self.0.send_modify(|now| *now += span);
    }
}

#[async_trait]
impl Clock for HandClock {
    fn wall(&self) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000)
    }
    fn boot(&self) -> BootTime {
        BootTime::from_duration(*self.0.borrow())
    }
    async fn sleep_until(&self, deadline: BootTime) {
        let mut time = self.0.subscribe();
        let _ = time.wait_for(|now| BootTime::from_duration(*now) >= deadline).await;
    }
}
