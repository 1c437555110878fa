//! The orchestrator over scripted regions, on simulated time.

mod artifacts;
mod bad_regions;
mod found;
mod measures;
mod regions;
mod restart;
mod runs;
mod secrets;
mod stopping;
mod undriven;
mod waiting;

use super::*;
use crate::{
    seams::{
        orchestration::OrchestratorError,
        region::{RegionCall, RegionError, RegionReply},
        store::MemoryStore,
    },
    testing::{clock::SimClock, random::SeededRandom},
    values::orchestration::{AskedCheck, OrchestrationRequest, RegionResult, ResultState, RunSummary},
};
use async_trait::async_trait;
use futures::{FutureExt as _, future::BoxFuture};
use std::sync::{
    PoisonError,
    atomic::{AtomicUsize, Ordering},
};

type Answered = Result<RegionReply, RegionError>;
type Script = dyn Fn(RegionCall) -> BoxFuture<'static, Answered> + Send + Sync;

/// A region that answers as it is told, and remembers what it was asked. Clones are the same region.
#[derive(Clone)]
struct Scripted {
    script: Arc<Script>,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    /// The key of each call, in order.
    keys: Mutex<Vec<String>>,
    under_way: AtomicUsize,
    most: AtomicUsize,
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scripted")
    }
}

impl Scripted {
    fn new<F>(script: impl Fn(RegionCall) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Answered> + Send + 'static,
    {
        Self { script: Arc::new(move |call| script(call).boxed()), seen: Arc::default() }
    }

    /// Answers every check alike, at once.
    fn answering(state: ResultState) -> Self {
        Self::new(move |call| async move { Ok(all(&call, state)) })
    }

    /// Answers every check with a pass, after a time.
    fn after(clock: &SimClock, span: Duration) -> Self {
        let clock = clock.clone();
        Self::new(move |call| {
            let clock = clock.clone();
            async move {
                crate::seams::clock::sleep(&clock, span).await;
                Ok(all(&call, ResultState::Pass))
            }
        })
    }

    /// Never answers.
    fn hanging() -> Self {
        Self::new(|_| std::future::pending())
    }

    fn keys(&self) -> Vec<String> {
        self.seen.keys.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn most(&self) -> usize {
        self.seen.most.load(Ordering::SeqCst)
    }
}

/// Counts down however a call ends.
struct UnderWay(Arc<Seen>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Region for Scripted {
    async fn execute(&self, call: RegionCall) -> Answered {
        self.seen.keys.lock().unwrap_or_else(PoisonError::into_inner).push(call.idempotency_key());
        let under_way = self.seen.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.seen.most.fetch_max(under_way, Ordering::SeqCst);
        let _under_way = UnderWay(Arc::clone(&self.seen));
        (self.script)(call).await
    }
}

/// The same result for every check of a call.
fn all(call: &RegionCall, state: ResultState) -> RegionReply {
    let results = call.checks.iter().map(|asked| RegionResult::new(asked.name.clone(), state));
    results.collect::<Vec<_>>().into()
}

fn builder(store: impl Store, clock: &SimClock) -> OrchestratorBuilder {
    Orchestrator::builder(store).clock(clock.clone()).random(SeededRandom::new(7))
}

async fn start(regions: &[(&str, &Scripted)], clock: &SimClock) -> Orchestrator {
    start_on(MemoryStore::default(), regions, clock).await
}

async fn start_on(store: impl Store, regions: &[(&str, &Scripted)], clock: &SimClock) -> Orchestrator {
    let add = |builder: OrchestratorBuilder, (name, region): &(&str, &Scripted)| {
        builder.region(*name, (*region).clone())
    };
    regions.iter().fold(builder(store, clock), add).start().await.unwrap()
}

/// One check of one page in each region.
fn everywhere(regions: &[&str]) -> OrchestrationRequest {
    let asked = |region: &&str| AskedCheck::new("up", "https://a.example").in_region(*region);
    OrchestrationRequest::remote(regions.iter().map(asked))
}

/// One check of so many pages in one region.
fn pages(region: &str, count: usize) -> OrchestrationRequest {
    let asked = |page| AskedCheck::new("up", format!("https://a.example/{page}")).in_region(region);
    OrchestrationRequest::remote((0..count).map(asked))
}

const LONG: Duration = Duration::from_secs(24 * 3600);

/// Carries a request out to its end.
async fn ended(client: &OrchestratorClient, request: &OrchestrationRequest) -> RunSummary {
    let run = client.submit(request).await.unwrap();
    client.wait(&run, LONG).await.unwrap()
}
