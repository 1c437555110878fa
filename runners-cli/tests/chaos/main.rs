//! A fleet of real processes, of two tenants and three pools, that are killed and stopped at random
//! for a minute while two clients submit. Then everything that was promised is checked.
//!
//! The runners are this same program, told by the environment what to do. The seed of what happens
//! is printed; `RUNNERS_CHAOS_SEED` and `RUNNERS_CHAOS_SECONDS` choose another one, and another time.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod account;
mod clients;
mod fleet;
mod journal;
mod management;
mod process;
mod verdict;
mod visit;

use crate::{clients::Clients, fleet::Fleet, verdict::Verdict, visit::Post};
use runners_core::{Clock as _, SystemClock};
use std::{env, time::Duration};

/// For how long processes are killed and stopped.
const CHAOS: Duration = Duration::from_secs(60);

#[test]
fn nothing_is_lost_and_nothing_runs_twice_while_processes_are_killed_at_random() {
    let clock = SystemClock::default();
    let drawn = u64::try_from(clock.boot().as_duration().as_nanos() & u128::from(u32::MAX)).unwrap();
    let seed = env::var("RUNNERS_CHAOS_SEED").map_or(drawn, |seed| seed.parse().unwrap());
    let seconds = env::var("RUNNERS_CHAOS_SECONDS").map(|seconds| seconds.parse().unwrap());
    let chaos = seconds.map_or(CHAOS, Duration::from_secs);
    println!("RUNNERS_CHAOS_SEED={seed} for {} s", chaos.as_secs());
    block_on(async {
        let mut chance = fastrand::Rng::with_seed(seed);
        let directory = tempfile::tempdir().unwrap();
        let mut fleet = Fleet::start(directory.path(), &mut chance).await;
        let clients = Clients::start(&fleet.tenants, &fleet.server.url, clock.boot() + chaos, &mut chance);
        fleet.rage(clock.boot() + chaos, &mut chance).await;
        fleet.calm().await;
        let submitted = clients.settle().await;
        let verdict = Verdict::find(&fleet, &submitted).await;
        println!("{verdict}");
        assert!(verdict.problems.is_empty(), "seed {seed}: {:#?}\n{}", verdict.problems, fleet.last_words());
    });
}

#[test]
#[ignore = "a runner of the test above"]
fn runner() {
    let Some(post) = Post::from_environment() else { return };
    block_on(visit::serve(post));
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(future)
}
