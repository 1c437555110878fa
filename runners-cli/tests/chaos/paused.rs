//! A control plane that sleeps for longer than a lease is good for, as a machine that is suspended does:
//! what was done meanwhile stands, and what it does when it wakes up is refused.

use async_trait::async_trait;
use runners_core::{
    Attempt, Client, Command, Conclusion, DisconnectPolicy, Fault, FencingToken, JobOptions, Outcome,
    Random as _, RetryPolicy, Runner, SystemClock, SystemRandom, Token, TokenKind, Transport, TransportError,
    protocol::{Reply, Request, StateView},
    sleep,
};
use runners_store_postgres::testing::TestServer;
use runners_transport_http::{HttpTransport, enrol};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, ChildStdout, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::{Notify, watch};

/// How long a lease is good for. The control plane sleeps for as long as it takes until another has lost
/// and rescued what was held there, which is longer.
const TERM: &str = "10s";

/// Nothing takes longer than this, however busy the machine is.
const LONG: Duration = Duration::from_secs(90);

#[derive(serde::Serialize, serde::Deserialize)]
struct Visit;

impl Command for Visit {
    const KIND: &'static str = "visit";
    type Result = String;
}

/// A control plane as a process.
struct Plane {
    child: Child,
    _says: BufReader<ChildStdout>,
    url: String,
}

impl Plane {
    fn start(directory: &Path, name: &str, store: &str) -> Self {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_runners"));
        command.args(["server", "--json", "--listen", "127.0.0.1:0", "--no-orchestrator", "--term", TERM]);
        command.args(["--store", store, "--artifacts", "artifacts", "--data", name]);
        command.current_dir(directory).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut says = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while says.read_line(&mut line).unwrap() > 0 {
            let told: serde_json::Value = serde_json::from_str(&line).unwrap();
            if told["event"] == "listening" {
                return Self { child, _says: says, url: told["url"].as_str().unwrap().to_owned() };
            }
            line.clear();
        }
        panic!("a server has ended: {:?}", child.wait());
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).unwrap();
        kill_process(id, signal).unwrap();
    }

    fn client(&self, token: &Token) -> Client {
        let transport = HttpTransport::builder(&self.url).token(token.clone()).build().unwrap();
        Client::builder(transport).build()
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What a runner has told of a finish, and what it was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Finishes {
    sent: Vec<FencingToken>,
    fenced: Vec<FencingToken>,
}

#[derive(Debug)]
struct Witness {
    transport: HttpTransport,
    finishes: watch::Sender<Finishes>,
}

#[async_trait]
impl Transport for Witness {
    async fn call(&self, request: Request) -> Result<Reply, TransportError> {
        if let Request::Sync(sync) = &request {
            let sent = sync.finishes.iter().map(|finish| finish.token);
            self.finishes.send_modify(|finishes| finishes.sent.extend(sent));
        }
        let reply = self.transport.call(request).await?;
        if let Reply::Answer(answer) = &reply {
            self.finishes.send_modify(|finishes| finishes.fenced.extend(&answer.fenced));
        }
        Ok(reply)
    }
}

/// A runner at one control plane alone, which says by whom a visit was made.
struct Visitor {
    runner: Runner,
    finishes: watch::Receiver<Finishes>,
    /// The tokens of its attempts.
    began: Arc<Mutex<Vec<FencingToken>>>,
    starts: Arc<Notify>,
}

impl Visitor {
    /// Its visits last until `leaves`.
    async fn enrol(plane: &Plane, registration: &Token, name: &'static str, leaves: &Arc<Notify>) -> Self {
        let mut random = [0; Token::RANDOM_BYTES];
        SystemRandom::default().fill(&mut random);
        let token = Token::new(TokenKind::Runner, random);
        let at = |token: &Token| HttpTransport::builder(&plane.url).token(token.clone()).build().unwrap();
        enrol(&at(registration), name, None, &token).await.unwrap();
        let (sender, finishes) = watch::channel(Finishes::default());
        let (began, starts) = (Arc::<Mutex<Vec<FencingToken>>>::default(), Arc::new(Notify::new()));
        let (leaves, noted, told) = (Arc::clone(leaves), Arc::clone(&began), Arc::clone(&starts));
        let visit = move |Visit, attempt: Attempt| {
            noted.lock().unwrap().push(attempt.token());
            told.notify_one();
            let leaves = Arc::clone(&leaves);
            async move {
                leaves.notified().await;
                Ok::<_, Fault>(name.to_owned())
            }
        };
        let witness = Witness { transport: at(&token), finishes: sender };
        let runner = Runner::builder(witness).name(name).executor(visit).start();
        Self { runner, finishes, began, starts }
    }
}

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let clock = SystemClock::default();
    tokio::select! {
        done = future => done,
        () = sleep(&clock, LONG) => panic!("{what} did not come within {LONG:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_plane_that_sleeps_for_longer_than_a_lease_wakes_up_fenced() {
    let database = match TestServer::start() {
        Ok(database) => database,
        Err(why) => return println!("\nskipped: {why}"),
    };
    let directory = tempfile::tempdir().unwrap();
    let plane = |name| Plane::start(directory.path(), name, &database.url());
    let (sleeper, watcher) = (plane("sleeper"), plane("watcher"));
    let token = |name| {
        Token::from_text(fs::read_to_string(directory.path().join("sleeper").join(name)).unwrap().trim())
    };
    let (registration, api) = (token("registration-token"), token("api-token"));
    let (never, at_once) = (Arc::new(Notify::new()), Arc::new(Notify::new()));

    // Held through the one that sleeps, by a runner that goes on when it hears nothing from there.
    let first = Visitor::enrol(&sleeper, &registration, "first", &never).await;
    let options = JobOptions {
        on_disconnect: DisconnectPolicy::GoOn { for_: LONG },
        retry: RetryPolicy { backoff: Duration::from_millis(100), ..RetryPolicy::never() },
        ..JobOptions::default()
    };
    let (asks_sleeper, asks_watcher) = (sleeper.client(&api), watcher.client(&api));
    let job = asks_watcher.submit(&(Visit, options)).await.unwrap();
    within("the first attempt", first.starts.notified()).await;
    let stale = first.began.lock().unwrap()[0];
    // Confirmed, so that it is an attempt that is lost.
    within("its confirmation", async {
        while !matches!(job.inspect().await.unwrap().state, StateView::Running { .. }) {
            sleep(&SystemClock::default(), Duration::from_millis(10)).await;
        }
    })
    .await;
    sleeper.signal(Signal::STOP);

    // Meanwhile it is lost, and done by another.
    let second = Visitor::enrol(&watcher, &registration, "second", &at_once).await;
    at_once.notify_one();
    let view = within("the rescue", job.wait()).await.unwrap();
    assert_eq!(view.conclusion(), Some(Conclusion::Passed));

    // What the first came to waits for the one that sleeps, which knows of nothing.
    never.notify_one();
    let mut finishes = first.finishes.clone();
    within("the stale finish", finishes.wait_for(|finishes| finishes.sent.contains(&stale))).await.unwrap();
    sleeper.signal(Signal::CONT);
    within("its refusal", finishes.wait_for(|finishes| finishes.fenced.contains(&stale))).await.unwrap();

    for client in [&asks_sleeper, &asks_watcher] {
        let view = client.inspect(job.id()).await.unwrap();
        let outcomes: Vec<&Outcome> = view.attempts.iter().map(|attempt| &attempt.outcome).collect();
        assert_eq!(outcomes, [&Outcome::Lost, &Outcome::Passed], "{view:?}");
        let result: String = serde_json::from_slice(view.result.as_ref().unwrap().as_bytes()).unwrap();
        assert_eq!(result, "second");
    }
    // And it is of use again: what is asked of it is done by whoever is at it.
    never.notify_one();
    at_once.notify_one();
    let again = asks_sleeper.submit(&Visit).await.unwrap();
    assert_eq!(within("another visit", again.wait()).await.unwrap().conclusion(), Some(Conclusion::Passed));
    first.runner.kill();
    second.runner.kill();
}
