//! A transport that tries again: exponential waits with full jitter, bounded, and only where a
//! repeat is the same request.

use crate::{
    seams::{
        clock::{Clock, SystemClock, sleep},
        random::{Random, SystemRandom, unit},
        transport::{Transport, TransportError, WithinError},
    },
    values::{id::TenantId, reply::Reply, request::Request},
};
use async_trait::async_trait;
use std::{sync::Arc, time::Duration};

/// Repeats a request that met transient trouble, unless it is a sync: the repeat of a sync is a
/// new one with the present state, and its sender makes it.
///
/// The wait before the *n*-th repeat is drawn evenly between nothing and `backoff × 2ⁿ⁻¹`, at
/// most `backoff_max`. What a busy control plane asks for is the least. It is for those who call a
/// transport themselves, as to enrol: a [`Client`](crate::Client) tries again by itself, and leaves
/// it to this one where it is given one.
#[derive(Clone, Debug)]
pub struct Retrying<T> {
    inner: T,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    attempts_max: u32,
    backoff: Duration,
    backoff_max: Duration,
}

impl<T: Transport> Retrying<T> {
    /// Five tries, the second at most 200 ms after the first, and no two more than 10 s apart.
    #[must_use]
    pub fn new(inner: T) -> Self {
        Self {
            inner,
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            attempts_max: 5,
            backoff: Duration::from_millis(200),
            backoff_max: Duration::from_secs(10),
        }
    }

    /// The largest number of tries, the first included. 5 unless said otherwise, at least 1.
    #[must_use]
    pub fn attempts_max(mut self, attempts_max: u32) -> Self {
        self.attempts_max = attempts_max.max(1);
        self
    }

    /// The longest wait before the first repeat, and before any.
    #[must_use]
    pub const fn backoff(mut self, first: Duration, max: Duration) -> Self {
        self.backoff = first;
        self.backoff_max = max;
        self
    }

    /// Waits on `clock`, not on that of the machine.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Draws from `random`, not from the operating system.
    #[must_use]
    pub fn random(mut self, random: impl Random) -> Self {
        self.random = Arc::new(random);
        self
    }

    /// Another transport that is tried again as this one is.
    fn around(&self, inner: Arc<dyn Transport>) -> Arc<dyn Transport> {
        Arc::new(Retrying {
            inner,
            clock: Arc::clone(&self.clock),
            random: Arc::clone(&self.random),
            attempts_max: self.attempts_max,
            backoff: self.backoff,
            backoff_max: self.backoff_max,
        })
    }

    fn wait(&self, failed: u32, error: &TransportError) -> Duration {
        let doublings = failed.saturating_sub(1).min(20);
        let full = self.backoff.saturating_mul(1 << doublings).min(self.backoff_max);
        let drawn = full.mul_f64(unit(&*self.random));
        match error {
            // Those who were told the same spread over `full` after it.
            TransportError::Busy { retry_after } => *retry_after + drawn,
            _ => drawn,
        }
    }
}

#[async_trait]
impl<T: Transport> Transport for Retrying<T> {
    async fn call(&self, request: Request) -> Result<Reply, TransportError> {
        if matches!(request, Request::Sync(_)) {
            return self.inner.call(request).await;
        }
        for failed in 1..self.attempts_max {
            match self.inner.call(request.clone()).await {
                Err(error) if error.is_transient() => sleep(&*self.clock, self.wait(failed, &error)).await,
                ended => return ended,
            }
        }
        self.inner.call(request).await
    }

    fn retries(&self) -> bool {
        true
    }

    fn made_with(&self, token: &str) -> Option<Arc<dyn Transport>> {
        self.inner.made_with(token).map(|inner| self.around(inner))
    }

    async fn hosts(&self, tenant: TenantId) -> Result<bool, TransportError> {
        self.inner.hosts(tenant).await
    }

    async fn within(&self, named: &str) -> Result<(TenantId, Arc<dyn Transport>), WithinError> {
        let (tenant, inner) = self.inner.within(named).await?;
        Ok((tenant, self.around(inner)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::{
        id::JobId,
        reply::Cancelled,
        request::{CancelRequest, CancelTarget},
        time::{BootTime, Timestamp},
    };
    use std::sync::Mutex;

    #[derive(Debug, Default)]
    struct Failing {
        calls: Mutex<u32>,
        failures: u32,
        retry_after: Option<Duration>,
        terminal: bool,
    }

    #[async_trait]
    impl Transport for Failing {
        async fn call(&self, _request: Request) -> Result<Reply, TransportError> {
            let mut calls = self.calls.lock().unwrap();
            *calls += 1;
            match (*calls <= self.failures, self.retry_after) {
                (false, _) => Ok(Reply::Cancelled(Cancelled { jobs: 1 })),
                (true, _) if self.terminal => Err(TransportError::Unauthorized("no".into())),
                (true, Some(retry_after)) => Err(TransportError::Busy { retry_after }),
                (true, None) => Err(TransportError::Unreachable("cut".into())),
            }
        }
    }

    /// Notes every wait, and does not wait.
    #[derive(Debug, Default)]
    struct Noting(Mutex<Vec<Duration>>);

    #[async_trait]
    impl Clock for Noting {
        fn wall(&self) -> Timestamp {
            Timestamp::default()
        }
        fn boot(&self) -> BootTime {
            BootTime::default()
        }
        async fn sleep_until(&self, deadline: BootTime) {
            self.0.lock().unwrap().push(deadline.as_duration());
        }
    }

    #[derive(Debug)]
    struct Always(u8);

    impl Random for Always {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    fn request() -> Request {
        Request::Cancel(CancelRequest { target: CancelTarget::Job(JobId::from_bytes([1; 16])) })
    }

    async fn waits(inner: Failing, chance: u8) -> (Vec<Duration>, u32, bool) {
        let (inner, clock) = (Arc::new(inner), Arc::new(Noting::default()));
        let retrying = Retrying::new(inner.clone()).clock(clock.clone()).random(Always(chance));
        let passed = retrying.call(request()).await.is_ok();
        let (waits, calls) = (clock.0.lock().unwrap().clone(), *inner.calls.lock().unwrap());
        (waits, calls, passed)
    }

    #[tokio::test]
    async fn waits_double_with_full_jitter() {
        let failing = || Failing { failures: 3, ..Failing::default() };
        let (longest, calls, passed) = waits(failing(), 0xff).await;
        assert!(passed && calls == 4);
        let rounded: Vec<u128> = longest.iter().map(|wait| wait.as_micros().div_ceil(1000)).collect();
        assert_eq!(rounded, [200, 400, 800]);
        let (shortest, ..) = waits(failing(), 0).await;
        assert_eq!(shortest, [Duration::ZERO; 3]);
    }

    #[tokio::test]
    async fn tries_are_bounded_and_the_last_error_is_told() {
        let (waits, calls, passed) = waits(Failing { failures: 99, ..Failing::default() }, 0).await;
        assert_eq!((waits.len(), calls, passed), (4, 5, false));
    }

    #[tokio::test]
    async fn what_a_busy_control_plane_asks_for_is_the_least() {
        let retry_after = Duration::from_secs(7);
        let busy = Failing { failures: 1, retry_after: Some(retry_after), ..Failing::default() };
        assert_eq!(waits(busy, 0).await.0, [retry_after]);
    }

    #[tokio::test]
    async fn a_terminal_error_is_told_at_once() {
        let (waits, calls, passed) =
            waits(Failing { failures: 9, terminal: true, ..Failing::default() }, 0).await;
        assert_eq!((waits.len(), calls, passed), (0, 1, false));
    }

    /// Says whose changes they are.
    #[derive(Debug)]
    struct Caller(Failing);

    #[async_trait]
    impl Transport for Caller {
        async fn call(&self, request: Request) -> Result<Reply, TransportError> {
            self.0.call(request).await
        }
        fn made_with(&self, token: &str) -> Option<Arc<dyn Transport>> {
            let failing = Failing { failures: 2, ..Failing::default() };
            (token == "known").then(|| Arc::new(Self(failing)) as Arc<dyn Transport>)
        }
    }

    #[tokio::test]
    async fn what_is_made_with_a_token_is_passed_on_and_tried_again_too() {
        let clock = Arc::new(Noting::default());
        let transport = Retrying::new(Caller(Failing::default())).clock(clock.clone());
        assert!(transport.made_with("other").is_none());
        let made = transport.made_with("known").expect("it is passed on");
        let request =
            Request::Cancel(CancelRequest { target: CancelTarget::Job(JobId::from_bytes([1; 16])) });
        assert!(made.retries() && made.call(request).await.is_ok());
        assert_eq!(clock.0.lock().unwrap().len(), 2);
    }
}
