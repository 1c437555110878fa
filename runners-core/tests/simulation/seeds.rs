//! Fixed seeds and fresh ones, each played twice and compared.
//!
//! `RUNNERS_SIMULATION_SEEDS=1000` plays that many fresh seeds, `RUNNERS_SIMULATION_SEED=7` only
//! that one.

use runners_core::{
    Random as _, SystemRandom,
    testing::simulation::{Report, Simulation, Statistics, Violation},
};
use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

/// The fixed seeds are 1 to this, and those that were found.
const FIXED: u64 = 275;
/// Fresh ones that once broke a rule.
const FOUND: [u64; 7] = [
    9_101_425_915_873_851_471,
    11_992_594_104_120_128_526,
    16_386_377_667_603_646_509,
    5_122_504_374_840_626_831,
    3_577_418_264_937_232_411,
    11_469_258_502_591_071_246,
    9_107_526_569_342_646_306,
];
/// As many of them show what is broken, if it is.
const FEW: u64 = 40;
/// How many fresh seeds are played unless said otherwise.
const FRESH: usize = 50;

/// How many drains the fixed seeds have at least. No job is lost by any.
const DRAINS_MIN: u64 = 1000;

/// What happens in no small fleet: the crowd has a test of its own.
const CROWDS: &str = "passed_over";

/// Why a lock is never poisoned.
const NO_PANIC: &str = "nobody panics while holding it";

fn once(seed: u64) -> Result<Report, String> {
    Simulation::varied(seed).run().map_err(|violation: Violation| violation.to_string())
}

/// Plays a seed twice; it must do the same.
fn twice(seed: u64) -> Result<Report, String> {
    let (first, second) = (once(seed)?, once(seed)?);
    if first == second {
        return Ok(first);
    }
    let differs = first.lines.iter().zip(&second.lines).find(|(one, two)| one != two);
    Err(format!("seed {seed} does not do the same twice: {differs:?}"))
}

/// Plays seeds on every core, and adds up what happened.
fn play(seeds: &[u64], one: fn(u64) -> Result<Report, String>) -> Statistics {
    let next = AtomicUsize::new(0);
    let total = Mutex::new(Statistics::default());
    let failed = Mutex::new(Vec::new());
    let threads = thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match one(*seed) {
                        Ok(report) => *total.lock().expect(NO_PANIC) += report.statistics,
                        Err(problem) => failed.lock().expect(NO_PANIC).push((*seed, problem)),
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect(NO_PANIC);
    let seeds: Vec<u64> = failed.iter().map(|(seed, _)| *seed).collect();
    if let Some((seed, problem)) = failed.first() {
        let count = failed.len();
        let others: Vec<&str> = failed.iter().filter_map(|(_, problem)| problem.lines().next()).collect();
        panic!(
            "{count} seeds failed: {seeds:?}\n{others:#?}\nRUNNERS_SIMULATION_SEED={seed} repeats this one:\n{problem}"
        );
    }
    total.into_inner().expect(NO_PANIC)
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

#[test]
fn fixed_seeds_keep_every_rule_and_every_fault_bites() {
    if number("RUNNERS_SIMULATION_SEED").is_some() {
        return;
    }
    let seeds: Vec<u64> = (1..=FIXED).chain(FOUND).collect();
    let statistics = play(&seeds, twice);
    println!("{statistics}");
    let mut never = statistics.named();
    never.retain(|(name, count)| *count == 0 && *name != CROWDS);
    assert!(statistics.drains >= DRAINS_MIN, "only {} drains", statistics.drains);
    assert!(never.is_empty(), "what never happens tests nothing: {never:?}");
}

#[test]
#[ignore = "for the mutants: the fixed seeds are these, and more"]
fn a_few_fixed_seeds_keep_every_rule() {
    let seeds: Vec<u64> = (1..=FEW).collect();
    println!("{}", play(&seeds, once));
}

#[test]
fn fresh_seeds_keep_every_rule() {
    let seeds = match number("RUNNERS_SIMULATION_SEED") {
        Some(seed) => vec![seed],
        None => {
            let count = number("RUNNERS_SIMULATION_SEEDS").map_or(FRESH, |count| count as usize);
            let draw = || {
                let mut bytes = [0; 8];
                SystemRandom::default().fill(&mut bytes);
                u64::from_le_bytes(bytes)
            };
            (0..count).map(|_| draw()).collect()
        }
    };
    println!("fresh seeds: {seeds:?}");
    println!("{}", play(&seeds, twice));
}

/// A fleet of two control planes that know the time of their store this far from each other.
fn apart(seed: u64, span: Duration) -> Result<Report, String> {
    let simulation = Simulation::varied(seed).control_planes(2).clocks_apart(span);
    simulation.run().map_err(|violation: Violation| violation.to_string())
}

#[test]
fn clocks_that_are_further_apart_than_trust_ends_early_are_found_out() {
    let twice_live = (1..=FEW).find_map(|seed| {
        let broken = apart(seed, Duration::from_secs(60)).err()?;
        broken.contains("at most one attempt of a job is live").then_some(seed)
    });
    let seed = twice_live.expect("control planes that disagree by a term end leases that are trusted");
    apart(seed, Duration::from_millis(1900)).unwrap();
}
