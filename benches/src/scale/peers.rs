//! Other queues on PostgreSQL, measured by the program in `peers`.

use super::burned::Burned;
use crate::peer::Peer;
use anyhow::Context as _;
use runners_store_postgres::testing::TestServer;
use serde_json::Value;
use std::{path::Path, time::Duration};

/// Another queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the bench goes over all of them")]
pub enum Other {
    /// The queue of Graphile.
    Graphile,
    /// The queue of apalis.
    Apalis,
}

impl Other {
    /// Its name in reports and for the program.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Graphile => "graphile_worker",
            Self::Apalis => "apalis-postgres",
        }
    }
}

/// How many connections each has at most: what a store of ours has.
const CONNECTIONS: &str = "16";

/// Gives it an empty database: the work for that is in no figure.
///
/// # Errors
/// If the program fails.
pub fn prepare(peer: &Peer, other: Other, server: &TestServer, slots: usize) -> anyhow::Result<()> {
    let slots = slots.to_string();
    peer.told(&[other.name(), &server.url(), "prepare", &slots, "0", CONNECTIONS], Path::new(".")).map(drop)
}

/// Queues jobs, each in a statement of its own, and has them taken and ended, `slots` at once.
///
/// # Errors
/// If the program fails.
pub fn burn_down(
    peer: &Peer,
    other: Other,
    server: &TestServer,
    slots: usize,
    jobs: u64,
) -> anyhow::Result<Burned> {
    let arguments = [slots.to_string(), jobs.to_string()];
    let [slots, jobs] = arguments.each_ref().map(String::as_str);
    let told =
        peer.told(&[other.name(), &server.url(), "burn-down", slots, jobs, CONNECTIONS], Path::new("."))?;
    let (filled, emptied) = (seconds(&told, "filled")?, seconds(&told, "emptied")?);
    Ok(Burned { jobs: told["lifecycles"].as_u64().context("the peer told no count")?, filled, emptied })
}

/// Lifecycles in a second, `slots` at once: the next is submitted when one has ended.
///
/// # Errors
/// If the program fails.
pub fn paced(
    peer: &Peer,
    other: Other,
    server: &TestServer,
    slots: usize,
    span: Duration,
) -> anyhow::Result<(u64, f64)> {
    let arguments = [slots.to_string(), span.as_millis().to_string()];
    let [slots, millis] = arguments.each_ref().map(String::as_str);
    let told =
        peer.told(&[other.name(), &server.url(), "paced", slots, millis, CONNECTIONS], Path::new("."))?;
    let lifecycles = told["lifecycles"].as_u64().context("the peer told no count")?;
    let rate = told["per_second"].as_f64().context("the peer told no rate")?;
    Ok((lifecycles, rate))
}

fn seconds(told: &Value, name: &str) -> anyhow::Result<Duration> {
    let seconds = told[name].as_f64().with_context(|| format!("the peer did not tell how long it {name}"))?;
    Ok(Duration::try_from_secs_f64(seconds)?)
}
