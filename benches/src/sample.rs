//! What one measurement of some callers gave.

use crate::{figures::percentile, stopwatch::Stopwatch};
use std::time::Duration;
use tokio::task::JoinSet;

/// What one measurement gave.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Sample {
    /// How many jobs have travelled from their submit to their end.
    pub lifecycles: u64,
    /// How long that took.
    pub elapsed: Duration,
    /// How much processor time the process used for it.
    pub used: Duration,
    /// How long each job took from the call that submits it to the reply that offers it.
    pub waits: Vec<Duration>,
}

impl Sample {
    /// Puts together what every caller saw, and ends the measurement.
    #[must_use]
    pub fn of(watch: Stopwatch, callers: impl IntoIterator<Item = Travelled>) -> Self {
        let mut sample =
            Self { lifecycles: 0, elapsed: watch.elapsed(), used: watch.used(), waits: Vec::new() };
        for caller in callers {
            sample.lifecycles += caller.lifecycles;
            sample.waits.extend(caller.waits);
        }
        sample
    }

    /// Has every caller do its part, all at once on the current runtime.
    ///
    /// # Errors
    /// The first error of any of them.
    pub async fn together<C>(callers: impl IntoIterator<Item = C>) -> anyhow::Result<Self>
    where
        C: Future<Output = anyhow::Result<Travelled>> + Send + 'static,
    {
        let callers = callers.into_iter().map(|caller| async move { Ok((caller.await?, ())) });
        Ok(Self::together_with(callers).await?.0)
    }

    /// The same, with what each of them gives back.
    ///
    /// # Errors
    /// The first error of any of them.
    pub async fn together_with<C, B>(callers: impl IntoIterator<Item = C>) -> anyhow::Result<(Self, Vec<B>)>
    where
        C: Future<Output = anyhow::Result<(Travelled, B)>> + Send + 'static,
        B: Send + 'static,
    {
        let mut travelling = JoinSet::new();
        let watch = Stopwatch::start();
        for caller in callers {
            travelling.spawn(caller);
        }
        let (mut travelled, mut given_back) = (Vec::new(), Vec::new());
        while let Some(ended) = travelling.join_next().await {
            let (of_caller, back) = ended??;
            travelled.push(of_caller);
            given_back.push(back);
        }
        Ok((Self::of(watch, travelled), given_back))
    }

    /// Lifecycles in a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.count() / self.elapsed.as_secs_f64()
    }

    /// Microseconds of processor time for a lifecycle, over all threads of the process.
    #[must_use]
    pub fn micros_used(&self) -> f64 {
        self.used.as_secs_f64() * 1e6 / self.count()
    }

    /// Milliseconds from submit to offer that `share` of all jobs took at most.
    #[must_use]
    pub fn wait_millis(&mut self, share: f64) -> f64 {
        percentile(&mut self.waits, share).as_secs_f64() * 1e3
    }

    #[expect(clippy::cast_precision_loss, reason = "no run counts to 2^52")]
    fn count(&self) -> f64 {
        self.lifecycles as f64
    }
}

/// What one caller saw.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Travelled {
    /// How many of its jobs came to their end.
    pub lifecycles: u64,
    /// How long each took from submit to offer.
    pub waits: Vec<Duration>,
}
