//! A crowd of idle runners: a server in a process of its own, and runners in a few others, so that
//! memory and processor time are the server's alone and no process runs out of descriptors.

use crate::{
    bed::{self, Bed, Kept},
    journey::{Traveller, submit},
    lean::Lean,
    wire::{USER_TOKEN, face, runner_token},
};
use anyhow::{Context as _, bail};
use async_trait::async_trait;
use futures::stream::BoxStream;
use runners_core::{
    Clock, Key, SystemClock, sleep,
    store::{Committed, Hint, Page, Query, Store, StoreError, Stored, Write},
};
use runners_store_postgres::PostgresOptions;
use runners_transport_http::Server;
use std::{
    fs,
    io::{BufRead, BufReader, Write as _},
    net::SocketAddr,
    ops::Range,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::mpsc};

/// The first argument of a process that is one of the crowd, or its server.
pub const CHILD: &str = "--child";

/// How many runners one process plays.
const RUNNERS_PER_PROCESS: usize = 2_500;
/// How many of them share a connection over HTTP/2.
const STREAMS: usize = 1_000;
/// How long it takes a crowd to be parked, once all of it is known.
const SETTLING: Duration = Duration::from_secs(3);
/// More than the largest crowd.
const CONNECTIONS_MAX: usize = 15_000;

/// How runners are connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "every bench goes over all of them")]
pub enum Http {
    /// A connection for each.
    One,
    /// Many on a connection.
    Two,
}

/// What a server has used so far.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Used {
    /// Bytes of memory that are resident.
    pub memory: u64,
    /// Processor time, on all threads.
    pub time: Duration,
    /// How many batches it has committed.
    pub commits: u64,
}

/// A server, and the runners that are parked at it.
#[derive(Debug)]
pub struct Crowd {
    server: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
    address: SocketAddr,
    runners: Vec<Child>,
    told: mpsc::UnboundedSender<String>,
    waits: mpsc::UnboundedReceiver<String>,
}

impl Crowd {
    /// Starts a server on an empty SQLite file, which nobody is connected to.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start() -> anyhow::Result<Self> {
        Self::start_with(&["serve"])
    }

    /// Starts a server on a schema of PostgreSQL, which others may share.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start_on(url: &str, schema: &str) -> anyhow::Result<Self> {
        Self::start_with(&["serve", url, schema])
    }

    fn start_with(arguments: &[&str]) -> anyhow::Result<Self> {
        let mut server = child(arguments, Stdio::piped())?;
        let asks = server.stdin.take().context("its input was asked for")?;
        let mut answers = BufReader::new(server.stdout.take().context("its output was asked for")?);
        let address = line(&mut answers)?.parse().context("it did not say where it listens")?;
        let (told, waits) = mpsc::unbounded_channel();
        Ok(Self { server, asks, answers, address, runners: Vec::new(), told, waits })
    }

    /// Has so many runners connect and park.
    ///
    /// # Errors
    /// If one of them cannot.
    pub async fn park(&mut self, runners: usize, http: Http) -> anyhow::Result<()> {
        self.park_those(0..runners, http).await
    }

    /// The same with the runners that have these numbers, where others have the rest.
    ///
    /// # Errors
    /// If one of them cannot.
    pub async fn park_those(&mut self, numbers: Range<usize>, http: Http) -> anyhow::Result<()> {
        for first in numbers.clone().step_by(RUNNERS_PER_PROCESS) {
            let count = RUNNERS_PER_PROCESS.min(numbers.end - first);
            let http = if http == Http::Two { "2" } else { "1" };
            let arguments = [self.address.to_string(), first.to_string(), count.to_string()];
            let [address, first_text, count_text] = arguments.each_ref().map(String::as_str);
            let mut child = child(&["park", address, first_text, count_text, http], Stdio::null())?;
            let output = child.stdout.take().context("its output was asked for")?;
            self.runners.push(child);
            let told = self.told.clone();
            thread::spawn(move || {
                BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| told.send(line))
            });
            if self.waits.recv().await.as_deref() != Some("known") {
                bail!("runners {first} and on could not connect");
            }
        }
        sleep(&SystemClock::default(), SETTLING).await;
        Ok(())
    }

    /// What the server has used so far.
    ///
    /// # Errors
    /// If it does not answer, or the system does not tell.
    pub fn used(&mut self) -> anyhow::Result<Used> {
        writeln!(self.asks, "report")?;
        let commits = line(&mut self.answers)?.parse()?;
        let process = format!("/proc/{}", self.server.id());
        let facts = fs::read_to_string(format!("{process}/status"))
            .context("memory and processor time of a process are read as Linux tells them")?;
        let resident = facts.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes: u64 = resident.context("no VmRSS")?.trim().trim_end_matches(" kB").parse()?;
        let schedule = fs::read_to_string(format!("{process}/schedstat"))?;
        let mut time =
            schedule.split_whitespace().next().context("no time")?.parse().map(Duration::from_nanos)?;
        for thread in fs::read_dir(format!("{process}/task"))?.flatten() {
            if thread.file_name().to_string_lossy() != self.server.id().to_string() {
                let schedule = fs::read_to_string(thread.path().join("schedstat"))?;
                let nanos = schedule.split_whitespace().next().context("no time")?.parse()?;
                time += Duration::from_nanos(nanos);
            }
        }
        Ok(Used { memory: kibibytes << 10, time, commits })
    }

    /// Submits so many jobs in one call, and waits until each was offered: how long each took.
    ///
    /// # Errors
    /// If one is not accepted, or a runner has ended.
    pub async fn wake(&mut self, user: &Lean, jobs: usize) -> anyhow::Result<Vec<Duration>> {
        submit(user, jobs).await?;
        let mut waits = Vec::with_capacity(jobs);
        while waits.len() < jobs {
            let told = self.waits.recv().await.context("the runners have ended")?;
            waits.push(Duration::from_nanos(told.parse().with_context(|| told.clone())?));
        }
        Ok(waits)
    }

    /// A user on a connection of its own.
    ///
    /// # Errors
    /// If the server cannot be reached.
    pub async fn user(&self) -> anyhow::Result<Lean> {
        Ok(Lean::connect(self.address).await?.with_token(USER_TOKEN))
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for child in self.runners.iter_mut().chain([&mut self.server]) {
            // One that has ended already is as good.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn child(arguments: &[&str], input: Stdio) -> anyhow::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(CHILD).args(arguments).stdin(input).stdout(Stdio::piped());
    Ok(command.spawn()?)
}

fn line(from: &mut impl BufRead) -> anyhow::Result<String> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

/// Does what a process of the crowd was started for.
///
/// # Errors
/// If anything goes wrong: its parent sees that it has ended.
pub fn child_main(arguments: &[String]) -> anyhow::Result<()> {
    match arguments {
        [verb] if verb == "serve" => bed::runtime()?.block_on(async {
            let (store, directory) = Kept::Sqlite.open().await?;
            serve(store, directory).await
        }),
        [verb, url, schema] if verb == "serve" => bed::runtime()?.block_on(async {
            serve(Arc::new(PostgresOptions::new(url).schema(schema).open().await?), None).await
        }),
        [verb, address, first, count, http] if verb == "park" => {
            let (first, count): (usize, usize) = (first.parse()?, count.parse()?);
            bed::runtime()?.block_on(park(address.parse()?, first..first + count, http == "2"))
        }
        other => bail!("no child does {other:?}"),
    }
}

/// Says where it listens, and then, for each line it reads, how many batches it has committed.
async fn serve(store: Arc<dyn Store>, directory: Option<TempDir>) -> anyhow::Result<()> {
    let counting = Arc::new(Counting { store, commits: AtomicU64::new(0) });
    let bed = Bed::start_on(Arc::clone(&counting) as Arc<dyn Store>, directory).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    thread::spawn(move || {
        for _ in std::io::stdin().lines().map_while(Result::ok) {
            println!("{}", counting.commits.load(Ordering::Relaxed));
        }
    });
    let server = Server::new(listener).connections_max(CONNECTIONS_MAX);
    Ok(server.serve(face(bed.control.clone()), std::future::pending()).await?)
}

/// Plays runners. Says when all of them are known, and then how long each job took to reach one.
async fn park(address: SocketAddr, numbers: Range<usize>, http2: bool) -> anyhow::Result<()> {
    let mut travellers = Vec::with_capacity(numbers.len());
    let mut shared = None;
    for (place, number) in numbers.enumerate() {
        let connection = if http2 {
            if place % STREAMS == 0 {
                shared = Some(Lean::connect_http2(address).await?);
            }
            shared.clone().context("the first of them has connected")?
        } else {
            Lean::connect(address).await?
        };
        let mut traveller =
            Traveller::new(connection.with_token(USER_TOKEN), connection.with_token(runner_token(number)));
        traveller.arrive().await?;
        travellers.push(traveller);
    }
    println!("known");
    let mut waiting = tokio::task::JoinSet::new();
    for mut traveller in travellers {
        waiting.spawn(async move { traveller.wait_for_jobs(|wait| println!("{}", wait.as_nanos())).await });
    }
    match waiting.join_next().await {
        Some(ended) => ended?,
        None => Ok(()),
    }
}

/// A store that counts what is committed.
#[derive(Debug)]
struct Counting {
    store: Arc<dyn Store>,
    commits: AtomicU64,
}

#[async_trait]
impl Store for Counting {
    async fn load(&self, keys: Vec<Key>) -> Result<Vec<Option<Stored>>, StoreError> {
        self.store.load(keys).await
    }
    async fn scan(&self, query: Query) -> Result<Page, StoreError> {
        self.store.scan(query).await
    }
    async fn commit(&self, writes: Vec<Write>) -> Result<Committed, StoreError> {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.store.commit(writes).await
    }
    fn watch(&self) -> BoxStream<'static, Hint> {
        self.store.watch()
    }
    fn clock(&self) -> Option<Arc<dyn Clock>> {
        self.store.clock()
    }
}
