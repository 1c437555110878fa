//! One server and nine runners as processes, and what is done to them.

use crate::{
    account::{Account, Pool},
    journal::{self, Trust},
    management::{self, Management},
    process::Process,
    visit::Post,
};
use runners_core::{BootTime, Clock as _, SystemClock};
use rustix::process::Signal;
use std::{
    env, fmt, fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// How many runners each pool has.
const RUNNERS_PER_POOL: usize = 3;

/// How often a runner is started from the same state: once more within a minute would be a crash
/// loop, which is held back.
const STARTS_MAX: u32 = 2;

/// The ports among which one is chosen: systems give these to nobody who asks for any port.
const PORTS: std::ops::Range<u16> = 20_000..30_000;

/// How long a lease is good for. Some runners are stopped for longer.
const TERM: &str = "4s";

/// A fleet, while it lives.
#[derive(Debug)]
pub(crate) struct Fleet {
    pub(crate) server: Server,
    pub(crate) tenants: Vec<Account>,
    runners: Vec<Runner>,
    pub(crate) deeds: Deeds,
}

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) url: String,
    directory: PathBuf,
    process: Process,
    continue_at: Option<BootTime>,
}

#[derive(Debug)]
struct Runner {
    post: Post,
    /// How often the state it has now was started from.
    starts: u32,
    process: Process,
    continue_at: Option<BootTime>,
    /// The journals of its earlier processes, and when those were dead.
    past: Vec<(PathBuf, BootTime)>,
}

/// What was done to processes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Deeds {
    pub(crate) runners_killed: u32,
    pub(crate) runners_replaced: u32,
    pub(crate) runners_stopped: u32,
    pub(crate) servers_killed: u32,
    pub(crate) servers_stopped: u32,
}

impl Fleet {
    /// Starts a server with two tenants, and the runners of their three pools.
    pub(crate) async fn start(directory: &Path, chance: &mut fastrand::Rng) -> Self {
        let server = Server::start(directory, free_port(chance)).await;
        let token = |name: &str| fs::read_to_string(directory.join("data").join(name)).unwrap();
        let operator = Management::new(&server.url, &token("operator-token"));
        let acme = Account::made_by(&operator, "acme").await;
        let tenants = vec![
            Account::open(&server.url, "default", &token("api-token"), &["near", "far"]).await,
            Account::open(&server.url, "acme", &acme, &["lab"]).await,
        ];
        let mut runners = Vec::new();
        for Pool { name, registration } in tenants.iter().flat_map(|tenant| &tenant.pools) {
            for number in 1..=RUNNERS_PER_POOL {
                let name = format!("{name}-{number}");
                let state = directory.join(&name).join("state-1");
                let journal = directory.join(&name).join("journal-1");
                fs::create_dir_all(directory.join(&name)).unwrap();
                let (server, registration) = (server.url.clone(), registration.clone());
                runners.push(Runner::start(Post { server, name, registration, state, journal, slots: 2 }));
            }
        }
        Self { server, tenants, runners, deeds: Deeds::default() }
    }

    /// Kills, stops and continues at random until then.
    pub(crate) async fn rage(&mut self, until: BootTime, chance: &mut fastrand::Rng) {
        let clock = SystemClock::default();
        let mut next = clock.boot();
        while clock.boot() < until {
            let waking = self.runners.iter().filter_map(|runner| runner.continue_at);
            let event = waking.chain(self.server.continue_at).chain([next]).min().unwrap_or(next);
            clock.sleep_until(event).await;
            self.awake(clock.boot());
            if clock.boot() >= next {
                self.act(chance).await;
                next = clock.boot() + Duration::from_millis(chance.u64(150..900));
            }
        }
    }

    /// Continues everything, and sees to it that everything runs.
    pub(crate) async fn calm(&mut self) {
        for runner in &mut self.runners {
            runner.awake();
        }
        self.server.awake();
        assert!(management::is_ready(&self.server.url).await, "{}", self.last_words());
    }

    /// What the attempts of every process trusted, and whose journals tell so.
    pub(crate) fn trusts(&self) -> Vec<Trust> {
        let present = self.runners.iter().map(|runner| (&runner.post.journal, None));
        let past = self.runners.iter().flat_map(|runner| &runner.past);
        let all = past.map(|(path, died)| (path, Some(*died))).chain(present);
        all.flat_map(|(path, died)| journal::trusts(&journal::read(path), died)).collect()
    }

    /// Which processes have ended by themselves, which none should.
    pub(crate) fn ended(&mut self) -> Vec<String> {
        let runners = self.runners.iter_mut().map(|runner| (runner.post.name.as_str(), &mut runner.process));
        let all = runners.chain([("server", &mut self.server.process)]);
        all.filter_map(|(name, process)| Some(format!("{name} has ended by itself: {}", process.ended()?)))
            .collect()
    }

    /// The last that the processes have said.
    pub(crate) fn last_words(&self) -> String {
        let runners = self.runners.iter().map(|runner| (runner.post.name.as_str(), &runner.process));
        let all = runners.chain([("server", &self.server.process)]);
        all.map(|(name, process)| format!("--- {name}\n{}\n", process.said())).collect()
    }

    fn awake(&mut self, now: BootTime) {
        let is_due = |at: Option<BootTime>| at.is_some_and(|at| at <= now);
        for runner in self.runners.iter_mut().filter(|runner| is_due(runner.continue_at)) {
            runner.awake();
        }
        if is_due(self.server.continue_at) {
            self.server.awake();
        }
    }

    async fn act(&mut self, chance: &mut fastrand::Rng) {
        let ended = self.ended();
        assert!(ended.is_empty(), "{ended:?}\n{}", self.last_words());
        let now = SystemClock::default().boot();
        let chosen = chance.usize(0..self.runners.len());
        let runner = &mut self.runners[chosen];
        match chance.u8(0..100) {
            0..40 => {
                let replaced = runner.starts >= STARTS_MAX || chance.bool();
                runner.kill_and_start(replaced);
                self.deeds.runners_killed += 1;
                self.deeds.runners_replaced += u32::from(replaced);
            }
            // Some for longer than a lease is good for.
            40..85 if runner.continue_at.is_none() => {
                let long = chance.u8(0..3) == 0;
                let millis = if long { chance.u64(5000..10_000) } else { chance.u64(100..2000) };
                runner.process.signal(Signal::STOP);
                runner.continue_at = Some(now + Duration::from_millis(millis));
                self.deeds.runners_stopped += 1;
            }
            85..93 => {
                self.server.kill_and_start().await;
                self.deeds.servers_killed += 1;
            }
            93..100 if self.server.continue_at.is_none() => {
                self.server.process.signal(Signal::STOP);
                self.server.continue_at = Some(now + Duration::from_millis(chance.u64(100..3000)));
                self.deeds.servers_stopped += 1;
            }
            _ => {}
        }
    }
}

impl Server {
    async fn start(directory: &Path, port: u16) -> Self {
        let url = format!("http://127.0.0.1:{port}");
        let process = Self::process(directory, &url);
        let server = Self { url, directory: directory.to_owned(), process, continue_at: None };
        assert!(management::is_ready(&server.url).await, "{}", server.process.said());
        server
    }

    fn process(directory: &Path, url: &str) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runners"));
        let listen = url.trim_start_matches("http://");
        command.args(["server", "--data", "data", "--json", "--listen", listen, "--term", TERM]);
        Process::start(command_in(command, directory), &directory.join("server.out"))
    }

    /// Kills it, and starts it again. Does not wait until it is there.
    async fn kill_and_start(&mut self) {
        self.process.kill();
        self.continue_at = None;
        self.process = Self::process(&self.directory, &self.url);
        assert!(management::is_ready(&self.url).await, "{}", self.process.said());
    }

    fn awake(&mut self) {
        if self.continue_at.take().is_some() {
            self.process.signal(Signal::CONT);
        }
    }
}

impl Runner {
    fn start(post: Post) -> Self {
        let process = Self::process(&post);
        Self { post, starts: 1, process, continue_at: None, past: Vec::new() }
    }

    fn process(post: &Post) -> Process {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "runner", "--ignored", "--nocapture", "--test-threads=1"]);
        command.env(Post::VARIABLE, serde_json::to_string(post).unwrap());
        Process::start(command, &post.journal.with_file_name("output"))
    }

    /// Kills it, and starts it again: from its state, or as a new one in its place.
    fn kill_and_start(&mut self, replaced: bool) {
        self.process.kill();
        let died = SystemClock::default().boot();
        self.continue_at = None;
        let number = self.past.len() + 2;
        let journal = self.post.journal.with_file_name(format!("journal-{number}"));
        self.past.push((std::mem::replace(&mut self.post.journal, journal), died));
        self.starts += 1;
        if replaced {
            self.post.state = self.post.state.with_file_name(format!("state-{number}"));
            self.starts = 1;
        }
        self.process = Self::process(&self.post);
    }

    fn awake(&mut self) {
        if self.continue_at.take().is_some() {
            self.process.signal(Signal::CONT);
        }
    }
}

impl fmt::Display for Deeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "runners killed and restarted  {:>6}", self.runners_killed - self.runners_replaced)?;
        writeln!(f, "runners killed and replaced   {:>6}", self.runners_replaced)?;
        writeln!(f, "runners stopped and continued {:>6}", self.runners_stopped)?;
        writeln!(f, "servers killed and restarted  {:>6}", self.servers_killed)?;
        writeln!(f, "servers stopped and continued {:>6}", self.servers_stopped)
    }
}

fn command_in(mut command: Command, directory: &Path) -> Command {
    command.current_dir(directory).env("RUST_LOG", "warn");
    command
}

/// A port that nobody listens at.
fn free_port(chance: &mut fastrand::Rng) -> u16 {
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    std::iter::repeat_with(|| chance.u16(PORTS)).find(free).unwrap()
}
