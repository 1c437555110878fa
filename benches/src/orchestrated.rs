//! Runs over one HTTP region that answers at once. The region is a process of its own, so that the
//! processor time of this one is the orchestrator's.

use crate::{bed::Kept, stopwatch::Stopwatch};
use anyhow::{Context as _, ensure};
use runners_core::{
    Egress,
    orchestration::{AskedCheck, OrchestrationRequest, Orchestrator},
};
use runners_region_http::HttpRegion;
use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader as AsyncReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// The argument with which this program is the region.
pub const REGION: &str = "--region";

/// The longest that a run is waited for.
const WAIT_MAX: Duration = Duration::from_secs(300);

/// What a region answers to every call: the one check that is asked for has passed.
const REPLY: &str = r#"{"results":[{"name":"up","status":"pass","durationMs":1}]}"#;

/// An orchestrator on a durable store, and its region.
#[derive(Debug)]
pub struct Stage {
    orchestrator: Orchestrator,
    region: Child,
    _directory: Option<TempDir>,
}

/// What one run took.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Took {
    /// From the call that submits it to its end.
    pub elapsed: Duration,
    /// Processor time of this process meanwhile.
    pub used: Duration,
}

impl Stage {
    /// Starts both, on the current runtime.
    ///
    /// # Errors
    /// If the disk, the store or the other process has trouble.
    pub async fn start() -> anyhow::Result<Self> {
        let mut region = Command::new(std::env::current_exe()?).arg(REGION).stdout(Stdio::piped()).spawn()?;
        let mut url = String::new();
        let told = region.stdout.take().context("its output is a pipe")?;
        BufReader::new(told).read_line(&mut url)?;
        let egress = Egress::pushing().allow_network("127.0.0.0/8".parse()?);
        let pushed = HttpRegion::builder("region", url.trim()).egress(egress).build()?;
        let (store, directory) = Kept::Sqlite.open().await?;
        let orchestrator = Orchestrator::builder(store).region("region", pushed).start().await?;
        Ok(Self { orchestrator, region, _directory: directory })
    }

    /// Carries out one run of so many jobs: a check of a page each.
    ///
    /// # Errors
    /// If not every check passed.
    pub async fn run(&self, jobs: u64) -> anyhow::Result<Took> {
        let check = |page| AskedCheck::new("up", format!("https://example.com/{page}")).in_region("region");
        let request = OrchestrationRequest::remote((0..jobs).map(check));
        let client = self.orchestrator.local_client();
        let watch = Stopwatch::start();
        let run = client.submit(&request).await?;
        let summary = client.wait(&run, WAIT_MAX).await?;
        let took = Took { elapsed: watch.elapsed(), used: watch.used() };
        ensure!(summary.summary.passed == jobs, "not all passed: {:?}", summary.summary);
        Ok(took)
    }

    /// Ends both.
    ///
    /// # Errors
    /// If the other process cannot be ended.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.orchestrator.stop().await;
        self.region.kill()?;
        self.region.wait()?;
        Ok(())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // It has ended already where all went well.
        let _ = self.region.kill();
    }
}

/// Is the region: prints its URL, and answers until it is killed.
///
/// # Errors
/// If it cannot listen.
pub async fn serve_region() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        // One that breaks off harms nobody else.
        connections.spawn(async move { drop(answer(stream).await) });
        while connections.try_join_next().is_some() {}
    }
}

/// Answers every request of a connection.
async fn answer(stream: TcpStream) -> anyhow::Result<()> {
    let mut stream = AsyncReader::new(stream);
    let length = REPLY.len();
    let reply = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{REPLY}"
    );
    let (mut line, mut body) = (String::new(), Vec::new());
    loop {
        let mut bytes = 0;
        loop {
            line.clear();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let header = line.trim_end();
            if header.is_empty() {
                break;
            }
            if let Some((name, value)) = header.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                bytes = value.trim().parse()?;
            }
        }
        body.resize(bytes, 0);
        stream.read_exact(&mut body).await?;
        stream.get_mut().write_all(reply.as_bytes()).await?;
    }
}
