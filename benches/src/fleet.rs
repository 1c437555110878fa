//! Real runners with executors that do nothing, and a real client.

use crate::{
    bed::{Bed, Kept},
    stopwatch::{Stopwatch, now},
    wire::{USER_TOKEN, Wire, runner_token},
};
use anyhow::ensure;
use runners_core::{Attempt, Client, Clock as _, Command, Fault, Runner, SystemClock, sleep};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::sync::mpsc;

/// Tells when it was made.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Visit {
    sent_nanos: u64,
}

impl Command for Visit {
    const KIND: &'static str = "visit";
    type Result = ();
}

fn visit() -> Visit {
    let nanos = now().as_duration().as_nanos();
    Visit { sent_nanos: u64::try_from(nanos).expect("no machine is up for five hundred years") }
}

/// Has `runners` of one slot execute `jobs` that do nothing, in one process over a SQLite file.
/// The time from the first submit to the last result.
///
/// # Errors
/// If a job does not pass.
pub async fn execute(kept: Kept, runners: usize, jobs: usize) -> anyhow::Result<Duration> {
    let bed = Bed::start(kept).await?;
    let fleet: Vec<Runner> = (0..runners)
        .map(|_| {
            let executor = async |_: Visit, _: Attempt| Ok::<_, Fault>(());
            bed.control.local_runner("default").slots(1).executor(executor).start()
        })
        .collect();
    let client = bed.control.local_client();
    let watch = Stopwatch::start();
    let visits = vec![visit(); jobs];
    let mut handles = Vec::with_capacity(jobs);
    for visits in visits.chunks(runners_core::protocol::SubmitRequest::JOBS_MAX) {
        handles.extend(client.submit_all(visits).await?);
    }
    for handle in handles {
        handle?.result().await?;
    }
    let elapsed = watch.elapsed();
    for runner in fleet {
        runner.stop(Duration::ZERO).await;
    }
    bed.control.stop().await?;
    Ok(elapsed)
}

/// How long each of `count` jobs takes from the client's call to its executor, over HTTP, with
/// idle runners: one job every `every`.
///
/// # Errors
/// If a job is not accepted or not started.
pub async fn start_waits(wire: &Wire, count: usize, every: Duration) -> anyhow::Result<Vec<Duration>> {
    let (started, mut starts) = mpsc::unbounded_channel();
    let runners: Vec<Runner> = (0..RUNNERS)
        .map(|number| {
            let started = started.clone();
            let executor = move |visit: Visit, _: Attempt| {
                let sent = Duration::from_nanos(visit.sent_nanos);
                let wait = now().as_duration().saturating_sub(sent);
                let told = started.send(wait).is_ok();
                async move { if told { Ok(()) } else { Err(Fault::permanent("gone", "nobody measures")) } }
            };
            Ok(Runner::builder(wire.client(&runner_token(number))?).slots(1).executor(executor).start())
        })
        .collect::<anyhow::Result<_>>()?;
    let client = Client::new(wire.client(USER_TOKEN)?);
    // The first ones open connections, and find the runners parked or not.
    for _ in 0..WARM_UP {
        client.submit(&visit()).await?.result().await?;
        starts.recv().await;
    }
    let mut waits = Vec::with_capacity(count);
    for _ in 0..count {
        let begun = SystemClock::default().boot();
        client.submit(&visit()).await?;
        let wait = starts.recv().await;
        ensure!(wait.is_some(), "the runners have ended");
        waits.extend(wait);
        let left = every.saturating_sub(now().since(begun));
        sleep(&SystemClock::default(), left).await;
    }
    for runner in runners {
        runner.stop(Duration::ZERO).await;
    }
    Ok(waits)
}

/// How many runners wait for jobs.
const RUNNERS: usize = 4;
const WARM_UP: usize = 20;
