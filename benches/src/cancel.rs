//! How long a cancel takes to reach the executor, over HTTP.

use crate::{
    stopwatch::now,
    wire::{USER_TOKEN, Wire, runner_token},
};
use anyhow::Context as _;
use runners_core::{Attempt, Client, Command, Fault, Runner};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::sync::mpsc;

/// Goes on until it is told to stop.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Endless;

impl Command for Endless {
    const KIND: &'static str = "endless";
    type Result = ();
}

/// How long each of `count` jobs takes from the client's cancel to its executor, one after the
/// other.
///
/// # Errors
/// If a job is not accepted, started or stopped.
pub async fn cancel_waits(wire: &Wire, count: usize) -> anyhow::Result<Vec<Duration>> {
    let (told, mut heard) = mpsc::unbounded_channel();
    let executor = move |_: Endless, attempt: Attempt| {
        let told = told.clone();
        async move {
            let _ = told.send(now());
            attempt.cancelled().await;
            let _ = told.send(now());
            Ok::<_, Fault>(())
        }
    };
    let runner = Runner::builder(wire.client(&runner_token(0))?).slots(1).executor(executor).start();
    let client = Client::new(wire.client(USER_TOKEN)?);
    let mut waits = Vec::with_capacity(count);
    for _ in 0..count {
        let job = client.submit(&Endless).await?;
        heard.recv().await.context("the runner has ended")?;
        let asked = now();
        job.cancel().await?;
        waits.push(heard.recv().await.context("the runner has ended")?.since(asked));
        // A cancelled job has no result; it has ended, which is what is waited for.
        let _ = job.result().await;
    }
    runner.stop(Duration::ZERO).await;
    Ok(waits)
}
