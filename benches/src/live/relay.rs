//! A live view over its whole way: a control plane in a process of its own, a runner that connects to it over HTTP, and
//! those who look over WebSockets, many of them in another process.

use crate::{flows::tree, stopwatch::Stopwatch};
use anyhow::{Context as _, bail, ensure};
use async_trait::async_trait;
use bytes::Bytes;
use runners_api::ManagementFace;
use runners_core::{
    Attempt, Client, Clock as _, Command, ControlPlane, Digest, Fault, JobId, MemoryStore, PoolId, Principal,
    Registration, Runner, Scope, SystemClock, TenantId, Token, TokenKind, Transport,
    live::{Frame, FrameError, FrameSource, FrameWish, Frames, Input, Piece, Socket},
    protocol::{EnrolRequest, Reply, Request},
    sleep, websocket,
};
use runners_transport_http::{HttpFace, HttpRelay, HttpTransport, serve};
use serde_json::{Value, json};
use std::{
    future::pending,
    io::{BufRead as _, BufReader},
    process::{Child, ChildStdout, Stdio},
    sync::Arc,
    time::Duration,
};
use tokio::net::TcpListener;

/// The word by which this program becomes the control plane.
pub const RELAY: &str = "relay";
/// The word by which this program becomes many who look: where, by which grant, how many, for how many seconds.
pub const CROWD: &str = "crowd";

const DRAWN: [u8; websocket::KEY_BYTES] = [7; websocket::KEY_BYTES];

#[derive(serde::Serialize, serde::Deserialize)]
struct Show;

impl Command for Show {
    const KIND: &'static str = "show";
    type Result = ();
}

/// A control plane in a process of its own, which ends with this.
#[derive(Debug)]
pub struct Relayed {
    process: Process,
    runners: String,
    api: String,
}

/// One who looks.
#[derive(Debug)]
pub struct Look {
    socket: Socket,
}

/// Many who look, in a process of their own, which ends with this.
#[derive(Debug)]
pub struct Crowd(Process);

/// Shows the same picture, so many times in a second.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "the bench builds it")]
pub struct Steady {
    /// The picture.
    pub frame: Frame,
    /// How often.
    pub per_second: u32,
}

#[derive(Debug)]
struct Process {
    child: Child,
    said: BufReader<ChildStdout>,
}

fn user() -> Token {
    Token::new(TokenKind::Api, [b'u'; Token::RANDOM_BYTES])
}

fn runner() -> Token {
    Token::new(TokenKind::Runner, [b'r'; Token::RANDOM_BYTES])
}

/// Is the control plane, until the process is killed.
///
/// # Errors
/// If it cannot be served.
pub async fn relay() -> anyhow::Result<()> {
    let control = ControlPlane::builder(MemoryStore::default()).start().await?;
    control.admit_api_credential(user().digest(), TenantId::DEFAULT, Scope::ALL).await?;
    let registration = Digest::of(b"registration");
    let admits = Registration::new(TenantId::DEFAULT, PoolId::DEFAULT);
    control.admit_registration(registration, admits).await?;
    let registrant = Principal::Registrant { tenant: TenantId::DEFAULT, registration };
    let enrol =
        Request::Enrol(EnrolRequest { credential: runner().digest(), name: "bench".into(), pool: None });
    let enrolled = control.caller(registrant).call(enrol).await?;
    ensure!(matches!(enrolled, Reply::Enrolled(_)), "{enrolled:?}");
    let callers = {
        let control = control.clone();
        move |principal| Arc::new(control.caller(principal)) as Arc<dyn Transport>
    };
    let face = HttpFace::builder(control.authenticator(), callers).live(control.live()).build();
    let management = ManagementFace::builder(&control, control.authenticator()).build().into_router();
    let (runners, api) = (TcpListener::bind("127.0.0.1:0").await?, TcpListener::bind("127.0.0.1:0").await?);
    println!("http://{} http://{}", runners.local_addr()?, api.local_addr()?);
    let (one, other) = tokio::join!(serve(runners, face, pending()), serve(api, management, pending()));
    one.and(other).context("it is served no longer")
}

/// Is many who look.
///
/// # Errors
/// If one of them does not see anything.
pub async fn crowd(arguments: &[String]) -> anyhow::Result<()> {
    let [api, grant, count, seconds] = arguments else { bail!("where, grant, count, seconds") };
    let (count, seconds): (u32, u32) = (count.parse()?, seconds.parse()?);
    let mut looks = Vec::new();
    for _ in 0..count {
        let mut look = Look::at(api, grant).await?;
        look.picture().await?;
        looks.push(look);
    }
    println!("ready");
    let clock = SystemClock::default();
    let until = clock.boot() + Duration::from_secs(seconds.into());
    let seen = looks.iter_mut().map(|look| async {
        let mut seen = 0_u32;
        while clock.boot() < until {
            let over = std::pin::pin!(clock.sleep_until(until));
            match futures::future::select(std::pin::pin!(look.picture()), over).await {
                futures::future::Either::Left((picture, _)) => drop(picture?),
                futures::future::Either::Right(_) => break,
            }
            seen += 1;
        }
        anyhow::Ok(seen)
    });
    let seen: u32 = futures::future::try_join_all(seen).await?.into_iter().sum();
    println!("{}", f64::from(seen) / f64::from(count) / f64::from(seconds));
    Ok(())
}

impl Relayed {
    /// Starts it.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start() -> anyhow::Result<Self> {
        let mut process = Process::start(&[RELAY])?;
        let said = process.line()?;
        let (runners, api) = said.trim().split_once(' ').context("it says where it is")?;
        Ok(Self { runners: runners.to_owned(), api: api.to_owned(), process })
    }

    /// The processor time that it has used.
    #[must_use]
    pub fn used(&self) -> Duration {
        self.process.used()
    }

    /// A runner here whose attempts show a source until it is killed.
    ///
    /// # Errors
    /// If there is no transport.
    pub fn runner(&self, source: Arc<dyn FrameSource>) -> anyhow::Result<Runner> {
        let transport = HttpTransport::builder(&*self.runners).token(runner()).build()?;
        let relay = HttpRelay::new(&transport);
        let show = move |_: Show, attempt: Attempt| {
            let source = Arc::clone(&source);
            async move {
                attempt.show(source);
                attempt.cancelled().await;
                Ok::<_, Fault>(())
            }
        };
        Ok(Runner::builder(transport).relay(relay).executor(show).start())
    }

    /// Queues a job that shows the source of a runner, and asks for a grant to control it until it runs.
    ///
    /// # Errors
    /// If there is none.
    pub async fn grant(&self) -> anyhow::Result<String> {
        let transport = HttpTransport::builder(&*self.runners).token(user()).build()?;
        let job: JobId = Client::new(transport).submit(&Show).await?.id();
        let client = reqwest::Client::builder().no_proxy().build()?;
        loop {
            let asked = client.post(format!("{}/jobs/{job}/views", self.api)).bearer_auth(user().expose());
            let asked = asked.header("content-type", "application/json").body(r#"{"access":"control"}"#);
            let answer = asked.send().await?;
            if answer.status() == 201 {
                let view: Value = serde_json::from_slice(&answer.bytes().await?)?;
                return Ok(view["grant"].as_str().context("a grant")?.to_owned());
            }
            ensure!(answer.status() == 409, "{}", answer.text().await?);
            sleep(&SystemClock::default(), Duration::from_millis(20)).await;
        }
    }

    /// Begins to look.
    ///
    /// # Errors
    /// If there is no connection.
    pub async fn look(&self, grant: &str) -> anyhow::Result<Look> {
        Look::at(&self.api, grant).await
    }

    /// Has many look in a process of their own. To be [awaited](Crowd::ready).
    ///
    /// # Errors
    /// If it does not start.
    pub fn crowd(&self, grant: &str, count: usize, span: Duration) -> anyhow::Result<Crowd> {
        let (count, seconds) = (count.to_string(), span.as_secs().to_string());
        Process::start(&[CROWD, &self.api, grant, &count, &seconds]).map(Crowd)
    }

    /// The processor time of this process and its browsers, without those of the live view.
    #[must_use]
    pub fn used_here(&self, crowd: &Crowd) -> Duration {
        tree::used(std::process::id()).saturating_sub(self.used() + crowd.0.used())
    }
}

impl Look {
    async fn at(api: &str, grant: &str) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().no_proxy().build()?;
        let answer = client.get(format!("{api}/live")).headers(websocket::asking(DRAWN)).send().await?;
        ensure!(answer.status() == 101, "{}", answer.text().await?);
        let mut look = Self { socket: websocket::connected(answer.upgrade().await?).await };
        look.say(json!({ "type": "grant", "grant": grant })).await?;
        Ok(look)
    }

    /// Tells the relay something.
    ///
    /// # Errors
    /// If the connection is over.
    pub async fn say(&mut self, message: Value) -> anyhow::Result<()> {
        Ok(self.socket.send(Piece::Text(message.to_string())).await?)
    }

    /// Does something to the page; whoever does must have control.
    ///
    /// # Errors
    /// If the connection is over.
    pub async fn input(&mut self, number: u64, input: &Input) -> anyhow::Result<()> {
        self.say(json!({ "type": "input", "number": number, "input": input })).await
    }

    /// The next picture, acknowledged.
    ///
    /// # Errors
    /// If the view is over.
    pub async fn picture(&mut self) -> anyhow::Result<Bytes> {
        loop {
            match self.socket.receive().await?.context("the view is over")? {
                Piece::Bytes(bytes) => {
                    let length = u32::from_be_bytes(*bytes.first_chunk().context("a head")?) as usize;
                    let head: Value = serde_json::from_slice(bytes.get(4..4 + length).context("a head")?)?;
                    self.say(json!({ "type": "shown", "number": head["number"] })).await?;
                    return Ok(bytes.slice(4 + length..));
                }
                Piece::Text(text) => {
                    let is_over = text.contains(r#""phase":"over""#) || text.contains(r#""refused""#);
                    ensure!(!is_over, "{text}");
                }
                Piece::Ping => {}
            }
        }
    }
}

impl Crowd {
    /// Waits until all of them see something.
    ///
    /// # Errors
    /// If one does not.
    pub fn ready(&mut self) -> anyhow::Result<()> {
        let said = self.0.line()?;
        ensure!(said.trim() == "ready", "{said}");
        Ok(())
    }

    /// How many pictures each of them got in a second, once their time is over.
    ///
    /// # Errors
    /// If one of them was cut off.
    pub fn seen(mut self) -> anyhow::Result<f64> {
        self.0.line()?.trim().parse().context("they say how many")
    }
}

impl Process {
    fn start(arguments: &[&str]) -> anyhow::Result<Self> {
        let mut command = std::process::Command::new(std::env::current_exe()?);
        let mut child = command.args(arguments).stdout(Stdio::piped()).spawn()?;
        let said = BufReader::new(child.stdout.take().context("it says something")?);
        Ok(Self { child, said })
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        self.said.read_line(&mut line)?;
        Ok(line)
    }

    fn used(&self) -> Duration {
        tree::used(self.child.id())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[async_trait]
impl FrameSource for Steady {
    async fn open(&self, _: FrameWish) -> Result<Box<dyn Frames>, FrameError> {
        Ok(Box::new(Showing { steady: self.clone(), watch: Stopwatch::start(), given: 0 }))
    }

    async fn input(&self, _: Input) -> Result<(), FrameError> {
        Ok(())
    }
}

#[derive(Debug)]
struct Showing {
    steady: Steady,
    watch: Stopwatch,
    given: u32,
}

#[async_trait]
impl Frames for Showing {
    async fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        let due = Duration::from_secs(1) / self.steady.per_second * self.given;
        sleep(&SystemClock::default(), due.saturating_sub(self.watch.elapsed())).await;
        self.given += 1;
        Ok(Some(self.steady.frame.clone()))
    }
}
