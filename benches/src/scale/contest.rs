//! This queue beside others, on one server, in turn: how many jobs a second each carries, and what the
//! server does for one.

use super::{
    ours,
    peers::{self, Other},
    skip_locked::{self, Manner},
    usage::{Meter, Usage},
};
use crate::{bed, figures::Spread, peer::Peer};
use runners_store_postgres::testing::TestServer;
use std::{fmt, time::Duration};

/// Who carries jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the bench goes over all of them")]
pub enum Contender {
    /// This queue, with one control plane.
    Ours,
    /// A queue written by hand.
    Floor(Manner),
    /// Another queue.
    Peer(Other),
}

impl Contender {
    /// All of them, in the order in which they are measured.
    pub const ALL: [Self; 5] = [
        Self::Ours,
        Self::Floor(Manner::Batched),
        Self::Floor(Manner::OneByOne),
        Self::Peer(Other::Graphile),
        Self::Peer(Other::Apalis),
    ];

    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ours => "runners",
            Self::Floor(Manner::Batched) => "SKIP LOCKED, batched",
            Self::Floor(Manner::OneByOne) => "SKIP LOCKED, one by one",
            Self::Peer(other) => other.name(),
        }
    }
}

/// How jobs come.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_enums, reason = "the bench goes over both")]
pub enum Jobs {
    /// So many are queued, each by itself, before the first is taken.
    Queued(u64),
    /// For so long the next is submitted where one has ended.
    Paced(Duration),
}

/// What came of one round of one contender.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Round {
    /// Lifecycles in a second.
    pub rate: f64,
    /// Of a burn-down: jobs submitted in a second, and jobs taken and ended.
    pub halves: Option<(f64, f64)>,
    /// How many jobs there were.
    pub lifecycles: f64,
    /// What the server did meanwhile.
    pub usage: Usage,
}

/// Measures one round.
///
/// # Errors
/// If anything fails or is lost.
pub fn round(
    server: &TestServer,
    peer: &Peer,
    contender: Contender,
    slots: usize,
    jobs: Jobs,
) -> anyhow::Result<Round> {
    if let Contender::Peer(other) = contender {
        peers::prepare(peer, other, server, slots)?;
    }
    let runtime = bed::runtime()?;
    let meter = runtime.block_on(Meter::connect(server))?;
    let before = runtime.block_on(meter.read())?;
    let url = server.url();
    let (lifecycles, rate, halves) = match jobs {
        Jobs::Queued(jobs) => {
            let burned = match contender {
                Contender::Ours => runtime.block_on(ours::burn_down(server, slots, jobs))?,
                Contender::Floor(manner) => {
                    runtime.block_on(skip_locked::burn_down(&url, manner, slots, jobs))?
                }
                Contender::Peer(other) => peers::burn_down(peer, other, server, slots, jobs)?,
            };
            (burned.jobs, burned.rate(), Some((burned.filling(), burned.emptying())))
        }
        Jobs::Paced(span) => {
            let (lifecycles, rate) = match contender {
                Contender::Peer(other) => peers::paced(peer, other, server, slots, span)?,
                Contender::Ours | Contender::Floor(_) => {
                    let sample = match contender {
                        Contender::Floor(manner) => {
                            runtime.block_on(skip_locked::paced(&url, manner, slots, span))?
                        }
                        _ => runtime.block_on(ours::paced(server, slots, span))?,
                    };
                    (sample.lifecycles, sample.rate())
                }
            };
            (lifecycles, rate, None)
        }
    };
    let usage = runtime.block_on(meter.read())? - before;
    #[expect(clippy::cast_precision_loss, reason = "no run counts to 2^52")]
    let lifecycles = lifecycles as f64;
    Ok(Round { rate, halves, lifecycles, usage })
}

/// What came of all rounds of one contender, in lines.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "it is made where it is shown")]
pub struct Standing<'r>(pub Contender, pub &'r [Round]);

impl fmt::Display for Standing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(contender, rounds) = self;
        let spread = |of: &dyn Fn(&Round) -> f64| Spread::of(rounds.iter().map(of));
        write!(f, "  {:24} {} lifecycles/s", contender.name(), spread(&|round| round.rate))?;
        if rounds.iter().all(|round| round.halves.is_some()) {
            let half = |of: fn((f64, f64)) -> f64| spread(&|round| round.halves.map_or(0.0, of)).median;
            write!(
                f,
                ", submits {:.0}/s, the rest {:.0}/s",
                half(|halves| halves.0),
                half(|halves| halves.1)
            )?;
        }
        let each = |of: fn(&Usage) -> f64| spread(&|round| of(&round.usage) / round.lifecycles).median;
        write!(
            f,
            "\n  {:24} the server, for each: {:.0} µs of processor, {:.0} bytes of log, {:.1} dead row versions, {:.2} transactions",
            "",
            each(|usage| usage.processor.as_secs_f64() * 1e6),
            each(|usage| usage.log),
            each(|usage| usage.dead),
            each(|usage| usage.commits),
        )
    }
}

/// The rate of one in each round, against that of another in the same.
#[must_use]
pub fn ratio(one: &[Round], other: &[Round]) -> Spread {
    Spread::of(one.iter().zip(other).map(|(one, other)| one.rate / other.rate))
}
