//! A fleet of real processes keeps its promises while they are killed, stopped and cut off: on SQLite, and
//! on a PostgreSQL that several servers share.
//!
//! The seed of what happens is printed; `RUNNERS_CHAOS_SEED` and `RUNNERS_CHAOS_SECONDS` choose another
//! one, and another time.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod paused;

use serde_json::Value;
use std::{
    env,
    process::{Command, Output},
};

/// For how long processes are harmed, in seconds.
const SECONDS: &str = "30";

fn chaos(store: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_runners"));
    let seconds = env::var("RUNNERS_CHAOS_SECONDS").unwrap_or_else(|_| SECONDS.to_owned());
    command.args(["chaos", "--json", "--store", store, "--seconds", &seconds]);
    if let Ok(seed) = env::var("RUNNERS_CHAOS_SEED") {
        command.args(["--seed", &seed]);
    }
    command.output().unwrap()
}

/// Every promise was kept, and there was something to keep them against.
fn judge(output: &Output) {
    let progress = String::from_utf8_lossy(&output.stderr);
    println!("{progress}{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(output.status.code(), Some(0), "{progress}");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let number = |told: &Value| told.as_u64().unwrap();
    assert_eq!((number(&told["lost"]), number(&told["twice"])), (0, 0), "{told}");
    assert!(number(&told["jobs"]) > 0 && number(&told["attempts_started"]) > 0, "{told}");
    let done: u64 = told["deeds"].as_object().unwrap().values().map(number).sum();
    assert!(done > 0, "nothing was harmed: {told}");
}

#[test]
fn nothing_is_lost_and_nothing_runs_twice_while_processes_are_killed_at_random() {
    judge(&chaos("sqlite"));
}

#[test]
fn nothing_is_lost_and_nothing_runs_twice_while_servers_that_share_a_database_are_killed_at_random() {
    let output = chaos("postgres");
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(2) && said.contains("there is no PostgreSQL") {
        return println!("\nskipped: there is no PostgreSQL");
    }
    judge(&output);
}

#[test]
fn a_store_that_is_none_is_said_to_be() {
    let output = chaos("queue.db");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("take sqlite, postgres or postgres://USER@HOST/DATABASE"), "{said}");
}
