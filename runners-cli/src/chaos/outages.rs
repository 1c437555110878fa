//! How long a fleet is out of reach, as a client sees it that asks all the time whether it is ready.

use super::management;
use anyhow::Result;
use runners_core::{BootTime, Clock as _, SystemClock, sleep};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::task::JoinSet;

/// How often it is asked.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// How long an answer is waited for: a server that is stopped gives none.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// Every time that nothing was answered, until something was again.
#[derive(Debug)]
pub(crate) struct Outages {
    spans: Arc<Mutex<Vec<Duration>>>,
    _asking: JoinSet<()>,
}

impl Outages {
    pub(crate) fn watch(url: &str) -> Result<Self> {
        let spans = Arc::<Mutex<Vec<Duration>>>::default();
        let client = management::client(Some(ANSWER_WITHIN))?;
        let mut asking = JoinSet::new();
        asking.spawn(ask_always(client, url.to_owned(), Arc::clone(&spans)));
        Ok(Self { spans, _asking: asking })
    }

    /// Those that have ended, the shortest first.
    pub(crate) fn ended(&self) -> Vec<Duration> {
        let mut spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner).clone();
        spans.sort_unstable();
        spans
    }
}

async fn ask_always(client: reqwest::Client, url: String, spans: Arc<Mutex<Vec<Duration>>>) {
    let clock = SystemClock::default();
    let mut since: Option<BootTime> = None;
    loop {
        let asked = clock.boot();
        if management::answers(&client, &url).await {
            if let Some(since) = since.take() {
                let span = clock.boot().since(since);
                spans.lock().unwrap_or_else(PoisonError::into_inner).push(span);
            }
        } else {
            since.get_or_insert(asked);
        }
        sleep(&clock, ASK_EVERY).await;
    }
}
