//! The handle of a submitted job, typed by the result of its command.

use super::{Client, Followed};
use crate::{
    actors::error::Error,
    values::{
        command::Command,
        id::JobId,
        outcome::Conclusion,
        reply::{JobView, Reply},
        request::{Request, WaitRequest},
        result::JobResult,
    },
};
use futures::Stream;
use std::{fmt, marker::PhantomData, time::Duration};

/// How long one wait is held back by the control plane.
const WAIT: Duration = Duration::from_secs(20);

/// A submitted job. Dropping it does not cancel the job.
pub struct JobHandle<R> {
    client: Client,
    job: JobId,
    result: PhantomData<fn() -> R>,
}

impl<R: JobResult> JobHandle<R> {
    pub(super) const fn new(client: Client, job: JobId) -> Self {
        Self { client, job, result: PhantomData }
    }

    /// The job.
    #[must_use]
    pub const fn id(&self) -> JobId {
        self.job
    }

    /// Waits until the job has ended, and answers its result. A failed verdict is a result too: ask
    /// [`JobResult::verdict`].
    ///
    /// # Errors
    /// [`Error::Concluded`] when it ended without a verdict, [`Error::ResultMissing`] when it has a verdict but
    /// its result cannot be fetched, [`Error::Malformed`] when the result is of another type, or as [`Error`]
    /// says.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn result(&self) -> Result<R, Error> {
        let view = self.wait().await?;
        match view.conclusion() {
            Some(Conclusion::Passed | Conclusion::Flaky | Conclusion::Failed) => {}
            Some(conclusion) => {
                let fault = view.fault().cloned();
                return Err(Error::Concluded { job: self.job, conclusion, fault });
            }
            None => return Err(Error::Unexpected("wait")),
        }
        let bytes = self.client.result_bytes(&view).await?;
        serde_json::from_slice(bytes.as_bytes())
            .map_err(|error| Error::Malformed { what: "result", source: error.into() })
    }

    /// Waits until the job has ended, in whatever way, and answers its state with its result, fault and
    /// artifacts.
    ///
    /// # Errors
    /// As [`Error`] says.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn wait(&self) -> Result<JobView, Error> {
        loop {
            let request = WaitRequest { job: self.job, park_for: WAIT };
            match self.client.ask(Request::Wait(request)).await? {
                Reply::Job(view) if view.conclusion().is_some() => return Ok(*view),
                Reply::Job(_) => {}
                _ => return Err(Error::Unexpected("wait")),
            }
        }
    }

    /// How the job is now.
    ///
    /// # Errors
    /// As [`Error`] says.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn inspect(&self) -> Result<JobView, Error> {
        self.client.inspect(self.job).await
    }

    /// Cancels the job. Completes when that is recorded, not when the job has stopped. Answers `false` if the
    /// job had ended already.
    ///
    /// # Errors
    /// As [`Error`] says.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the job told to stop or not.
    pub async fn cancel(&self) -> Result<bool, Error> {
        self.client.cancel(self.job).await
    }

    /// Sends a command to the attempt of the job that runs now. As [`Client::signal`].
    ///
    /// # Errors
    /// As [`Client::signal`].
    ///
    /// # Cancel safety
    /// Dropping the future leaves the signal sent or not; its answer is lost.
    pub async fn signal<C: Command>(&self, command: &C, expires_in: Duration) -> Result<C::Result, Error> {
        self.client.signal(self.job, command, expires_in).await
    }

    /// What happens to the job, as it happens: states, progress and log text, until it has ended.
    /// An error ends the stream.
    pub fn follow(&self) -> impl Stream<Item = Result<Followed, Error>> + Send + use<R> {
        super::follow::follow(self.client.clone(), self.job)
    }
}

impl<R> Clone for JobHandle<R> {
    fn clone(&self) -> Self {
        Self { client: self.client.clone(), job: self.job, result: PhantomData }
    }
}

impl<R> fmt::Debug for JobHandle<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JobHandle").field(&self.job).finish()
    }
}
