//! One container from its start to its end: its log is told, its limits are watched, and what it leaves is
//! collected. Making and removing it is left to those who call.

use crate::{
    anchor::Anchor,
    collect,
    command::ContainerJob,
    companion::Companion,
    container::Container,
    ending::{Hints, Stop, exit_code, without_browser},
    engine::Engine,
    error::EngineError,
    policy::{Admitted, Policy},
    result::ContainerResult,
    room,
    text::TextStream,
    within::within,
};
use bollard::{container::LogOutput, errors::Error as Met, models::ContainerState};
use futures::{FutureExt as _, StreamExt as _, stream::BoxStream};
use runners_core::{Attempt, Fault, sleep};
use std::{
    pin::{Pin, pin},
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// How often the number of processes is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// In how many looks in a row there are as many processes as there may be, until the container is stopped.
const LOOKS_MAX: u32 = 4;
/// How long what it has said may still take to arrive once it has ended.
const LOG_TAIL_WITHIN: Duration = Duration::from_secs(5);
/// How long a container may take to end that was killed.
const KILL_WITHIN: Duration = Duration::from_secs(30);

/// What one container is run with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Course<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) policy: &'a Policy,
    pub(crate) job: &'a ContainerJob,
    pub(crate) admitted: &'a Admitted,
    pub(crate) attempt: &'a Attempt,
    /// The browser beside it, if one was started.
    pub(crate) companion: Option<&'a Companion>,
    /// What keeps its output in memory, if anything does.
    pub(crate) anchor: Option<&'a Anchor>,
}

impl Course<'_> {
    /// Starts a container that was made, and sees it through.
    pub(crate) async fn run(&self, container: &Container) -> Result<ContainerResult, Fault> {
        let clock = &*self.engine.clock;
        let hints = Mutex::new(Hints::default());
        // Before it starts, so that nothing is missed.
        let mut log = pin!(self.follow(container.output().await?, &hints).fuse());
        let began = clock.boot();
        container.start().await?;
        let mut ended = pin!(self.see_through(container));
        let (log_is_whole, ended) = tokio::select! {
            biased;
            ended = &mut ended => (false, ended),
            () = &mut log => (true, ended.await),
        };
        let (stop, state) = ended?;
        let duration = clock.boot().since(began).as_millis();
        if !log_is_whole {
            within(clock, LOG_TAIL_WITHIN, log).await;
        }
        let collected = collect::collect(container, self.job, self.policy, self.attempt).await;
        let mut code = exit_code(stop, &state, self.admitted, self.policy);
        let mut notes = collected.notes;
        if let Some(anchor) = self.anchor {
            notes.extend(anchor.problem().await.unwrap_or_else(|error| Some(error.told())));
        }
        if !matches!(code, Ok(0)) {
            let hinted = |hints: &Hints| hints.notes(self.admitted, self.policy);
            notes.extend(hinted(&hints.lock().unwrap_or_else(PoisonError::into_inner)));
            if let Some(companion) = self.companion
                && let Some(note) = companion.note().await
            {
                code = without_browser(code, stop, &note);
                notes.push(note);
            }
        }
        for note in &notes {
            self.attempt.log(format!("{note}\n"));
        }
        Ok(ContainerResult {
            exit_code: code?,
            duration_ms: u64::try_from(duration).unwrap_or(u64::MAX),
            tests: collected.tests,
            artifacts: collected.artifacts,
            notes: notes.iter().map(|note| self.attempt.redact(note)).collect(),
            ..ContainerResult::default()
        })
    }

    /// Waits until it has ended, and stops it if it has to.
    async fn see_through(
        &self,
        container: &Container,
    ) -> Result<(Option<Stop>, ContainerState), EngineError> {
        let clock = &*self.engine.clock;
        let mut ended = pin!(container.ended());
        let stop = tokio::select! {
            biased;
            state = &mut ended => return state.map(|state| (None, state)),
            () = self.attempt.cancelled() => Stop::Cancelled,
            () = sleep(clock, self.admitted.resources.time) => Stop::Time,
            () = self.watch_processes(container) => Stop::Processes,
            () = room::is_full(self.engine, container, self.job, self.policy) => Stop::Output,
        };
        let state = match stop {
            // While it is asked, it would go on writing.
            Stop::Output => self.kill(container, ended).await?,
            _ => self.stop(container, ended).await?,
        };
        Ok((Some(stop), state))
    }

    /// Has it end by itself, and kills it if it does not.
    async fn stop(
        &self,
        container: &Container,
        mut ended: Pin<&mut impl Future<Output = Result<ContainerState, EngineError>>>,
    ) -> Result<ContainerState, EngineError> {
        let clock = &*self.engine.clock;
        container.signal("SIGTERM").await?;
        if let Some(state) = within(clock, self.policy.stop_within, ended.as_mut()).await {
            return state;
        }
        self.attempt.log("the container did not end when it was told to, and is killed\n");
        self.kill(container, ended).await
    }

    async fn kill(
        &self,
        container: &Container,
        ended: Pin<&mut impl Future<Output = Result<ContainerState, EngineError>>>,
    ) -> Result<ContainerState, EngineError> {
        let clock = &*self.engine.clock;
        container.signal("SIGKILL").await?;
        match within(clock, KILL_WITHIN, ended).await {
            Some(state) => state,
            None => container.state().await,
        }
    }

    /// Tells what it says.
    async fn follow(&self, mut output: BoxStream<'static, Result<LogOutput, Met>>, hints: &Mutex<Hints>) {
        let (mut spoken, mut complained) = (TextStream::default(), TextStream::default());
        let tell = |text: String| {
            if !text.is_empty() {
                hints.lock().unwrap_or_else(PoisonError::into_inner).look(&text);
                self.attempt.log(text);
            }
        };
        while let Some(piece) = output.next().await {
            match piece {
                Ok(LogOutput::StdErr { message }) => tell(complained.take(&message)),
                Ok(piece) => tell(spoken.take(piece.as_ref())),
                Err(error) => {
                    self.attempt.log(format!("\n[the log breaks off here: {error}]\n"));
                    break;
                }
            }
        }
        tell(spoken.finish());
        tell(complained.finish());
    }

    /// Completes once it has had as many processes as it may for a while.
    async fn watch_processes(&self, container: &Container) {
        let mut looks = 0;
        while looks < LOOKS_MAX {
            sleep(&*self.engine.clock, LOOK_EVERY).await;
            let processes = container.processes().await;
            let is_full = processes.is_some_and(|processes| processes >= self.admitted.resources.processes);
            looks = if is_full { looks + 1 } else { 0 };
        }
    }
}
