//! A fleet of fifty runners in simulated time, with crashes, suspends and a bad network, to test
//! an executor of your own: minutes of trouble pass in seconds, and a seed repeats them.
//!
//! `cargo run -p runners-examples --example simulation -- 7`

use anyhow::Result;
use runners_core::{
    prelude::*,
    testing::simulation::{Chaos, Simulation},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

/// Reserves a room. Another attempt may have done so before it was lost.
#[derive(serde::Serialize, serde::Deserialize)]
struct Reserve {
    room: usize,
}

impl Command for Reserve {
    const KIND: &'static str = "reserve";
    type Result = usize;
}

const ROOMS: usize = 120;
const RUNNERS: u8 = 50;

fn main() -> Result<()> {
    let seed = std::env::args().nth(1).map_or(Ok(1), |seed| seed.parse())?;
    let begun: Arc<Vec<AtomicU32>> = Arc::new((0..ROOMS).map(|_| AtomicU32::new(0)).collect());
    let counting = begun.clone();
    let report = Simulation::new(seed)
        .runners(RUNNERS)
        .control_planes(2)
        .chaos(Chaos { strokes: Some(Duration::from_secs(1)), ..Chaos::wild(Duration::from_secs(120)) })
        // The executor under test is made for every start of a runner, on that runner's machine.
        .executor(move |machine| {
            let (machine, begun) = (machine.clone(), counting.clone());
            move |Reserve { room }, attempt: Attempt| {
                let (machine, begun) = (machine.clone(), begun.clone());
                async move {
                    begun[room].fetch_add(1, Ordering::Relaxed);
                    tokio::select! {
                        () = runners_core::sleep(&machine, Duration::from_secs(20)) => Ok(room),
                        () = attempt.cancelled() => Err(Fault::retryable("stopped", "told to stop")),
                    }
                }
            }
        })
        .jobs((0..ROOMS).map(|room| Reserve { room }))
        .run()?;

    let passed = report.conclusions.values().filter(|conclusion| conclusion.is_passed()).count();
    let again = begun.iter().filter(|count| count.load(Ordering::Relaxed) > 1).count();
    println!(
        "seed {seed}: {passed} of {ROOMS} rooms were reserved, {again} of them by more than one attempt"
    );
    println!("{}", report.statistics);
    assert_eq!(report.conclusions.len(), ROOMS, "every job that was accepted has ended");
    assert!(again > 0, "nothing went wrong: take another seed");
    Ok(())
}
