//! The work: a visit that takes a while, logs as it goes, and keeps a journal of what it trusted.
//! And the process that does it, which is a runner like any other.

use super::journal::{Event, Journal};
use anyhow::{Context as _, Result, bail};
use async_trait::async_trait;
use runners_core::{
    Attempt, Clock as _, Command, Fault, JobId, JobResult, Runner, Spool, SystemClock, SystemRandom,
    TenantId, Token, Transport, TransportError,
    protocol::{Reply, Request},
    sleep,
};
use runners_transport_http::{EnrolError, HttpArtifacts, HttpTransport, RunnerCredential, enrol};
use serde::{Deserialize, Serialize};
use std::{env, path::PathBuf, time::Duration};

/// How often a visit logs, and takes note of its trust.
const BEAT: Duration = Duration::from_millis(100);

/// How long a runner waits before it enrols again.
const ENROL_EVERY: Duration = Duration::from_millis(200);

/// Something that takes a while.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Visit {
    pub(crate) millis: u64,
}

/// What came of it, and by which grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Visited {
    pub(crate) job: JobId,
    pub(crate) grant: u64,
    /// How many lines were logged.
    pub(crate) lines: u64,
}

impl Command for Visit {
    const KIND: &'static str = "visit";
    type Result = Visited;
}

impl JobResult for Visited {}

/// Where a runner is posted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Post {
    pub(crate) server: String,
    pub(crate) name: String,
    pub(crate) registration: String,
    pub(crate) state: PathBuf,
    pub(crate) journal: PathBuf,
    pub(crate) slots: u32,
}

impl Post {
    /// The variable that it stands in.
    pub(crate) const VARIABLE: &'static str = "RUNNERS_CHAOS_POST";

    /// None unless this process is a runner of a fleet.
    pub(crate) fn from_environment() -> Result<Option<Self>> {
        let post = env::var(Self::VARIABLE).ok();
        let read = |post: String| serde_json::from_str(&post).context(Self::VARIABLE);
        post.map(read).transpose()
    }
}

/// Serves as a runner until this process is killed.
pub(crate) async fn serve(post: Post) -> Result<()> {
    let spool = Spool::directory(&post.state)?;
    let credential = RunnerCredential::new(spool.clone(), SystemClock::default(), SystemRandom::default());
    let token = credential.current_or_new()?;
    let transport = |token: &Token| HttpTransport::builder(&post.server).token(token.clone()).build();
    let registrant = transport(&Token::from_text(&post.registration))?;
    let enrolled = loop {
        match enrol(&registrant, &post.name, None, &token).await {
            Ok(enrolled) => break enrolled,
            Err(EnrolError::Transport(error)) if error.is_transient() => {
                sleep(&SystemClock::default(), ENROL_EVERY).await;
            }
            Err(error) => return Err(error).context("it was not enrolled"),
        }
    };
    let journal = Journal::open(&post.journal)?;
    let transport = transport(&token)?;
    let runner = Runner::builder(Witness { transport: transport.clone(), journal: journal.clone() })
        .name(&post.name)
        .slots(post.slots)
        .spool(spool)
        .artifacts(enrolled.tenant, HttpArtifacts::new(&transport))
        .executor(move |visit: Visit, attempt: Attempt| {
            let journal = journal.clone();
            async move { execute(visit, &attempt, &journal).await }
        })
        .start();
    bail!("it ended by itself: {}", runner.stopped().await)
}

/// Notes what a runner is refused.
#[derive(Debug)]
struct Witness {
    transport: HttpTransport,
    journal: Journal,
}

#[async_trait]
impl Transport for Witness {
    async fn call(&self, request: Request) -> Result<Reply, TransportError> {
        let reply = self.transport.call(request).await?;
        if let Reply::Answer(answer) = &reply {
            for token in &answer.fenced {
                if let Err(error) = self.journal.refused(*token) {
                    tracing::warn!(?error, "a refusal was not noted");
                }
            }
        }
        Ok(reply)
    }

    fn retries(&self) -> bool {
        self.transport.retries()
    }

    async fn hosts(&self, tenant: TenantId) -> Result<bool, TransportError> {
        self.transport.hosts(tenant).await
    }
}

/// The line of that number in the log of a visit.
pub(crate) fn line(number: u64) -> String {
    format!("line {number}\n")
}

async fn execute(visit: Visit, attempt: &Attempt, journal: &Journal) -> Result<Visited, Fault> {
    let clock = SystemClock::default();
    // What is not written down cannot be judged.
    let unwritten = |error: anyhow::Error| Fault::permanent("journal", error.to_string());
    let note = |event| journal.note(event, attempt).map_err(unwritten);
    note(Event::Started)?;
    let until = clock.boot() + Duration::from_millis(visit.millis);
    let mut lines = 0;
    loop {
        attempt.log(line(lines));
        lines += 1;
        let next = until.min(clock.boot() + BEAT);
        tokio::select! {
            () = attempt.cancelled() => {
                note(Event::Stopped)?;
                return Err(Fault::retryable("stopped", "it was to stop"));
            }
            () = clock.sleep_until(next) => {}
        }
        if clock.boot() >= until {
            break;
        }
        note(Event::Trusts)?;
    }
    note(Event::Ended)?;
    Ok(Visited { job: attempt.job(), grant: attempt.token().grant, lines })
}
