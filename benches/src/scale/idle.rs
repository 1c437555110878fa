//! Idle runners over several control planes: what the server of PostgreSQL is asked for them.

use super::usage::Meter;
use crate::crowd::{Crowd, Http, Used};
use futures::future::try_join_all;
use runners_core::{SystemClock, sleep};
use runners_store_postgres::testing::TestServer;
use std::time::Duration;

/// How long control planes that have just started come to rest.
const SETTLING: Duration = Duration::from_secs(5);

/// What runners cost while nothing happens.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Idle {
    /// Statements in a second while there are no runners.
    pub before: f64,
    /// Statements in a second while all of them are parked.
    pub parked: f64,
    /// The commonest of those, with how often each was sent in a second.
    pub commonest: Vec<(f64, String)>,
    /// Memory of all control planes, in bytes.
    pub memory: u64,
    /// Their processor time for each second, in hundredths of a core.
    pub share: f64,
}

/// Parks `runners` at `planes` control planes, over HTTP/2, and watches what the server is asked before
/// and after.
///
/// # Errors
/// If one of them cannot park, or the server does not count statements.
pub async fn watch(
    server: &TestServer,
    planes: usize,
    runners: usize,
    watched: Duration,
) -> anyhow::Result<Idle> {
    let meter = Meter::connect(server).await?;
    anyhow::ensure!(meter.count_statements().await?, "the server does not count statements");
    let schema = server.fresh_schema();
    // One after the other, since each that starts writes who it is.
    let mut crowds = Vec::new();
    for _ in 0..planes {
        crowds.push(Crowd::start_on(&server.url(), &schema)?);
    }
    pause(SETTLING).await;
    let (before, _) = statements(&meter, watched).await?;
    let each = runners.div_ceil(planes);
    let parking = crowds.iter_mut().enumerate().map(|(number, crowd)| {
        let numbers = number * each..((number + 1) * each).min(runners);
        crowd.park_those(numbers, Http::Two)
    });
    try_join_all(parking).await?;
    pause(SETTLING).await;
    let began = used(&mut crowds)?;
    let (parked, commonest) = statements(&meter, watched).await?;
    let ended = used(&mut crowds)?;
    let time: Duration = ended.iter().zip(&began).map(|(ended, began)| ended.time - began.time).sum();
    let memory = ended.iter().map(|used| used.memory).sum();
    let share = time.as_secs_f64() / watched.as_secs_f64() * 100.0;
    Ok(Idle { before, parked, commonest, memory, share })
}

fn used(crowds: &mut [Crowd]) -> anyhow::Result<Vec<Used>> {
    crowds.iter_mut().map(Crowd::used).collect()
}

/// How many statements there are in a second, and which are the commonest.
async fn statements(meter: &Meter, watched: Duration) -> anyhow::Result<(f64, Vec<(f64, String)>)> {
    let before = meter.statements().await?;
    pause(watched).await;
    let mut commonest: Vec<(f64, String)> = meter
        .statements()
        .await?
        .into_iter()
        .map(|(calls, statement)| {
            let earlier = before.iter().find(|(_, other)| *other == statement);
            ((calls - earlier.map_or(0.0, |(calls, _)| *calls)) / watched.as_secs_f64(), statement)
        })
        .filter(|(calls, _)| *calls > 0.0)
        .collect();
    commonest.sort_by(|one, other| other.0.total_cmp(&one.0));
    Ok((commonest.iter().map(|(calls, _)| calls).sum(), commonest))
}

async fn pause(span: Duration) {
    sleep(&SystemClock::default(), span).await;
}
