//! A recording on a runner of a pool: a person drives its browser through the live view, this terminal shows
//! the steps and steers, and the flow comes here at the end.

use super::{
    finish, keep,
    steering::{self, HELP, Wish},
};
use crate::{args::FlowRecordArgs, connection::Connection, exit::Exit, interrupts::Interrupts, terminal};
use anyhow::{Context as _, Result, bail};
use futures::StreamExt as _;
use runners_core::{
    ArtifactKey, ArtifactStore as _, Error, Followed, JobHandle, JobOptions, RetryPolicy, TenantId,
    protocol::StateView,
};
use runners_exec_webdriver::{RecordFlow, RecordedFlow, RecordedSteps, SteerRecording};
use serde_json::{Value, json};
use std::{pin::pin, time::Duration};

/// How much longer than the recording its attempt may take: to start the browser, and to end.
const AROUND: Duration = Duration::from_secs(2 * 60);
/// How long it waits for a runner: whoever wants it waits as well.
const QUEUE_TTL: Duration = Duration::from_secs(5 * 60);
/// How long a recording may take to do what it is told.
const STEER_WITHIN: Duration = Duration::from_secs(20);
/// The largest flow that is fetched.
const FLOW_BYTES_MAX: usize = 8 << 20;

pub(super) async fn record(arguments: &FlowRecordArgs, pool: &str) -> Result<Exit> {
    let connection = Connection::new(&arguments.api)?;
    let mut interrupts = Interrupts::listen()?;
    let name = arguments.name.clone().unwrap_or_default();
    let options = JobOptions {
        pool: pool.to_owned(),
        timeout: arguments.time_limit + AROUND,
        queue_ttl: Some(QUEUE_TTL),
        // Nobody does it all again because a browser was lost.
        retry: RetryPolicy::never(),
        title: JobOptions::title_of(if name.is_empty() { &arguments.url } else { &name }),
        ..JobOptions::default()
    };
    let command = RecordFlow {
        name,
        viewport: arguments.viewport,
        engine: arguments.engine,
        time_limit_ms: u64::try_from(arguments.time_limit.as_millis()).ok(),
        ..RecordFlow::at(&arguments.url)
    };
    let submitted = connection.client.submit(&(command, options)).await;
    let job = submitted.map_err(|error| connection.explain(error))?.id();
    let job = connection.patient.job(job);
    let recording = Recording { arguments, connection: &connection, job };
    recording.greet(pool);
    recording.see_through(&mut interrupts).await
}

/// A recording that goes on elsewhere.
struct Recording<'r> {
    arguments: &'r FlowRecordArgs,
    connection: &'r Connection,
    job: JobHandle<RecordedFlow>,
}

impl Recording<'_> {
    async fn see_through(&self, interrupts: &mut Interrupts) -> Result<Exit> {
        let mut lines = steering::lines();
        let mut following = pin!(self.job.follow());
        let (mut is_running, mut is_stopping, mut log) = (false, false, Vec::new());
        loop {
            tokio::select! {
                followed = following.next() => match followed {
                    Some(Ok(Followed::State(StateView::Running { .. }))) if !is_running => {
                        is_running = true;
                        self.note("a runner has it, and opens the page");
                    }
                    Some(Ok(Followed::Log { bytes, .. })) => {
                        log.extend_from_slice(bytes.as_bytes());
                        self.print_lines(&mut log);
                    }
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(self.connection.explain(error)),
                    None => return self.fetch().await,
                },
                Some(line) = lines.recv() => self.tell(&line).await,
                () = interrupts.next() => {
                    if is_stopping {
                        self.note(&format!("{} is left to itself: {} has the flow", self.job.id(), self.page()));
                        return Ok(Exit::CouldNotRun);
                    }
                    is_stopping = true;
                    self.stop(is_running).await;
                }
            }
        }
    }

    fn page(&self) -> String {
        format!("{}/dashboard/record/{}", self.connection.server.trim_end_matches('/'), self.job.id())
    }

    fn greet(&self, pool: &str) {
        let (job, page) = (self.job.id(), self.page());
        if self.arguments.json {
            let queued = json!({ "event": "queued", "job": job, "pool": pool, "page": page });
            return terminal::print_json(&queued);
        }
        terminal::note(format!("{job} waits for a runner of the pool {pool} that can record"));
        // On a line of its own, where the fewest terminals break it.
        terminal::note(format!("drive its browser here:\n{page}"));
        terminal::note("`help` shows what this terminal can tell it; Ctrl-C ends it and keeps the flow");
    }

    /// Prints the whole lines of a log, and leaves what is none yet.
    fn print_lines(&self, log: &mut Vec<u8>) {
        while let Some(end) = log.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = log.drain(..=end).collect();
            self.print(String::from_utf8_lossy(&line).trim_end());
        }
    }

    /// A line of the log: a step with its number, or a note.
    fn print(&self, line: &str) {
        let numbered = line.trim_start().split_once("  ");
        let step = numbered.and_then(|(number, step)| Some((number.parse::<usize>().ok()?, step)));
        match (step, self.arguments.json) {
            (Some((number, step)), true) => {
                terminal::print_json(&json!({ "event": "step", "number": number, "step": step }));
            }
            (Some(_), false) => terminal::print(line),
            (None, _) => self.note(line),
        }
    }

    fn note(&self, text: &str) {
        if self.arguments.json {
            terminal::print_json(&json!({ "event": "note", "text": text }));
        } else {
            terminal::note(text);
        }
    }

    /// Does what somebody has written. What is wrong with it is told, and ends nothing.
    async fn tell(&self, line: &str) {
        if let Err(problem) = self.carry_out(line).await {
            self.note(&problem);
        }
    }

    async fn carry_out(&self, line: &str) -> Result<(), String> {
        let command = match Wish::read(line)? {
            Wish::Help => {
                self.note(HELP);
                return Ok(());
            }
            Wish::Steer(command) => command,
            Wish::Delete(number) => SteerRecording::Delete { step: self.step(number).await? },
            Wish::Move(number, to) => SteerRecording::Move { step: self.step(number).await?, to: to - 1 },
        };
        let steps = self.send(&command).await?;
        // What is added tells of itself, in the log.
        if matches!(
            command,
            SteerRecording::Stop | SteerRecording::Assert { .. } | SteerRecording::Screenshot { .. }
        ) {
            return Ok(());
        }
        let before = steps.total.saturating_sub(steps.steps.len());
        if before > 0 {
            self.note(&format!("… {} before", terminal::count(before, "step")));
        }
        for step in &steps.steps {
            self.print(&format!("{:>3}  {}", step.index + 1, step.description));
        }
        Ok(())
    }

    async fn send(&self, command: &SteerRecording) -> Result<RecordedSteps, String> {
        let sent = self.connection.client.signal(self.job.id(), command, STEER_WITHIN).await;
        sent.map_err(|error| match error {
            Error::SignalFault(fault) => fault.message,
            error => terminal::chain(&self.connection.explain(error)),
        })
    }

    /// The id of the step that has a number now.
    async fn step(&self, number: usize) -> Result<String, String> {
        let steps = self.send(&SteerRecording::List).await?;
        let found = steps.steps.into_iter().find(|step| step.index + 1 == number);
        found.map(|step| step.id).ok_or_else(|| format!("there is no step {number}: `list` shows them"))
    }

    async fn stop(&self, is_running: bool) {
        self.note("the recording ends; once more leaves it to itself");
        let is_told = is_running && self.send(&SteerRecording::Stop).await.is_ok();
        // One that has not begun has nobody to tell.
        if !is_told && let Err(error) = self.job.cancel().await {
            self.note(&terminal::chain(&self.connection.explain(error)));
        }
    }

    /// Has the flow, once it has ended.
    async fn fetch(&self) -> Result<Exit> {
        match self.job.result().await {
            Ok(recorded) => finish(self.arguments, &recorded),
            Err(Error::Concluded { conclusion, fault, .. }) => {
                let why = fault.map_or_else(|| conclusion.words().to_owned(), |fault| fault.message);
                self.keep_rest(&why).await
            }
            Err(error) => Err(self.connection.explain(error)),
        }
    }

    /// What was recorded until it ended otherwise than it should is kept all the same.
    async fn keep_rest(&self, why: &str) -> Result<Exit> {
        let view = self.job.inspect().await.map_err(|error| self.connection.explain(error))?;
        let Some(left) = view.artifacts.iter().rev().find(|one| one.name == RecordFlow::ARTIFACT) else {
            bail!("nothing was recorded: {why}; `runners jobs explain {}` may tell more", self.job.id());
        };
        let key = ArtifactKey { tenant: TenantId::DEFAULT, digest: left.digest };
        let told = "the flow could not be fetched";
        let mut pieces = self.connection.artifacts.get(key, None).await.context(told)?;
        let mut bytes = Vec::new();
        while let Some(piece) = pieces.next().await {
            bytes.extend_from_slice(&piece.map_err(|error| anyhow::anyhow!(error)).context(told)?);
            if bytes.len() > FLOW_BYTES_MAX {
                bail!("the flow has more than {FLOW_BYTES_MAX} bytes: `runners artifacts get` fetches it");
            }
        }
        let mut flow: Value = serde_json::from_slice(&bytes).context("what was kept is no flow")?;
        let steps = flow["steps"].as_array_mut().into_iter().flatten();
        let count = steps.filter_map(Value::as_object_mut).map(plain).count();
        let file = keep(&self.arguments.output, &format!("{flow:#}\n"))?;
        let (file, steps) = (file.display(), terminal::count(count, "step"));
        self.note(&format!("{file}: {steps}, until the recording ended otherwise than it should: {why}"));
        Ok(Exit::CouldNotRun)
    }
}

/// A step without what only the recording knows.
fn plain(step: &mut serde_json::Map<String, Value>) {
    step.remove("id");
    step.remove("description");
}
