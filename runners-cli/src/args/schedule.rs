//! When and where jobs are executed, and with what they share runners.

use super::groups;
use crate::span::Span;
use anyhow::{Result, bail};
use clap::Args;
use runners_core::{Concurrency, Fairness, Fallback, JobId, JobOptions, Timestamp};
use std::time::Duration;

/// How jobs are scheduled beside the pool and the labels that they name.
#[derive(Debug, Args)]
pub(crate) struct ScheduleArgs {
    /// What goes first: a higher number before a lower one, from 0 to 255 [default: 100].
    #[arg(long, value_name = "NUMBER")]
    pub(crate) priority: Option<u8>,
    /// A label that the runner must not have; may be repeated.
    #[arg(long = "refuse-label", value_name = "LABEL")]
    pub(crate) refused: Vec<String>,
    /// The one runner that may take them, by its id or name.
    #[arg(long, value_name = "RUNNER")]
    pub(crate) on: Option<String>,
    /// When they may start at the earliest: a time such as 2026-01-31T22:00:00Z, or how long from now, such
    /// as 2h.
    #[arg(long, value_name = "TIME", value_parser = start)]
    pub(crate) start_at: Option<Start>,
    /// How long they may wait for their first start before they expire, such as 30m [default: for ever].
    #[arg(long, value_name = "TIME")]
    pub(crate) queue_ttl: Option<Span>,
    /// A further pool whose runners may take what has waited that long, such as spare=5m; may be repeated, in
    /// the order in which the pools are preferred.
    #[arg(long = "fallback", value_name = "POOL=WAIT", value_parser = fallback)]
    pub(crate) fallbacks: Vec<Fallback>,
    /// Share runners fairly between such keys, such as the customer whom it is for; a key of weight 3 has
    /// thrice as many slots as one of weight 1, which is usual. Where there are too few slots to share so, keys
    /// take turns, whatever their weights.
    #[arg(long, value_name = "KEY[=WEIGHT]", value_parser = fairness)]
    pub(crate) fair: Option<Fairness>,
    /// How many jobs with this key are executed at once at most, in all pools; may be repeated.
    #[arg(long = "limit", value_name = "KEY=COUNT", value_parser = concurrency)]
    pub(crate) limits: Vec<Concurrency>,
    /// A key that only one job can have until it has ended: the same flow is not queued twice, and another one
    /// is refused. For one flow.
    #[arg(long, value_name = "KEY")]
    pub(crate) unique: Option<String>,
    /// A job that must have passed before; they join its run. May be repeated, for jobs of one run.
    #[arg(long, value_name = "JOB")]
    pub(crate) after: Vec<JobId>,
}

/// When something may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    At(Timestamp),
    In(Duration),
}

impl ScheduleArgs {
    /// The same as jobs have it, but for the runner, which is found by its name.
    ///
    /// # Errors
    /// What does not go together, for so many jobs.
    pub(crate) fn give(&self, options: JobOptions, jobs: usize, now: Timestamp) -> Result<JobOptions> {
        if jobs > 1 && self.unique.is_some() {
            bail!("--unique is for one flow, and there are {jobs}: submit each with a key of its own");
        }
        check_limits(&self.limits)?;
        check_fallbacks(&self.fallbacks, &options)?;
        if self.after.len() > JobOptions::AFTER_MAX {
            bail!(
                "--after names {} jobs, and the limit is {}: name fewer",
                self.after.len(),
                JobOptions::AFTER_MAX
            );
        }
        Ok(JobOptions {
            priority: self.priority.unwrap_or(options.priority),
            refused: self.refused.iter().cloned().collect(),
            start_at: self.start_at.map(|start| match start {
                Start::At(at) => at,
                Start::In(span) => now + span,
            }),
            queue_ttl: self.queue_ttl.map(|span| span.0),
            fallbacks: self.fallbacks.clone(),
            fairness: self.fair.clone(),
            concurrency: self.limits.clone(),
            unique: self.unique.clone(),
            after: self.after.clone(),
            ..options
        })
    }
}

fn check_limits(limits: &[Concurrency]) -> Result<()> {
    let max = Concurrency::KEYS_MAX;
    if limits.len() > max {
        bail!("--limit names {} keys, and the limit is {max}: name fewer", limits.len());
    }
    for (at, limit) in limits.iter().enumerate() {
        if limits[..at].iter().any(|other| other.key == limit.key) {
            bail!("--limit names {:?} twice: leave one of them out", limit.key);
        }
    }
    Ok(())
}

fn check_fallbacks(fallbacks: &[Fallback], options: &JobOptions) -> Result<()> {
    let max = Fallback::POOLS_MAX;
    if fallbacks.len() > max {
        bail!("--fallback names {} pools, and the limit is {max}: name fewer", fallbacks.len());
    }
    // An environment leads to a pool that only the server knows.
    let first = options.environment.is_none().then_some(&options.pool);
    for (at, fallback) in fallbacks.iter().enumerate() {
        let before = &fallbacks[..at];
        if before.iter().map(|other| &other.pool).chain(first).any(|pool| *pool == fallback.pool) {
            bail!("the pool {:?} is named twice: leave one --fallback out", fallback.pool);
        }
        if before.iter().any(|other| other.after > fallback.after) {
            bail!(
                "--fallback {} waits for a shorter time than the one before it: write them in the order of \
                 their waits",
                fallback.pool
            );
        }
    }
    Ok(())
}

/// Reads `POOL=WAIT`.
fn fallback(text: &str) -> Result<Fallback, String> {
    let malformed = || "write POOL=WAIT, such as spare=5m, or spare=0s for at once".to_owned();
    let (pool, wait) = text.rsplit_once('=').filter(|(pool, _)| !pool.is_empty()).ok_or_else(malformed)?;
    let wait = if wait == "0s" { Duration::ZERO } else { groups::time(wait)? };
    Ok(Fallback::new(pool, wait))
}

/// Reads `KEY` or `KEY=WEIGHT`.
fn fairness(text: &str) -> Result<Fairness, String> {
    let max = Fairness::WEIGHT_MAX;
    let malformed = || format!("write KEY or KEY=WEIGHT with a weight from 1 to {max}, such as acme=3");
    let (key, weight) = text.rsplit_once('=').unwrap_or((text, "1"));
    let weight = weight.parse().ok().filter(|weight| (1..=max).contains(weight)).ok_or_else(malformed)?;
    if key.is_empty() { Err(malformed()) } else { Ok(Fairness { key: key.to_owned(), weight }) }
}

/// Reads `KEY=COUNT`.
fn concurrency(text: &str) -> Result<Concurrency, String> {
    let malformed = || "write KEY=COUNT with a count of at least 1, such as shop.example=2".to_owned();
    let (key, max) = text.rsplit_once('=').filter(|(key, _)| !key.is_empty()).ok_or_else(malformed)?;
    let max = max.parse().ok().filter(|max| *max >= 1).ok_or_else(malformed)?;
    Ok(Concurrency::new(key, max))
}

/// Reads a time, or how long from now.
fn start(text: &str) -> Result<Start, String> {
    if let Ok(Span(span)) = text.parse() {
        return Ok(Start::In(span));
    }
    let at = text.parse::<jiff::Timestamp>().ok().and_then(|at| u64::try_from(at.as_millisecond()).ok());
    let malformed =
        || "write a time such as 2026-01-31T22:00:00Z, or how long from now, such as 2h".to_owned();
    at.map(|at| Start::At(Timestamp::from_millis(at))).ok_or_else(malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none() -> ScheduleArgs {
        ScheduleArgs {
            priority: None,
            refused: Vec::new(),
            on: None,
            start_at: None,
            queue_ttl: None,
            fallbacks: Vec::new(),
            fair: None,
            limits: Vec::new(),
            unique: None,
            after: Vec::new(),
        }
    }

    #[test]
    fn what_is_written_of_a_schedule_is_read_with_its_limits() {
        assert_eq!(fallback("spare=5m"), Ok(Fallback::new("spare", Duration::from_secs(300))));
        assert_eq!(fallback("spare=0s"), Ok(Fallback::new("spare", Duration::ZERO)));
        assert_eq!(fairness("acme"), Ok(Fairness::new("acme")));
        assert_eq!(fairness("a=b=3"), Ok(Fairness { key: "a=b".into(), weight: 3 }));
        assert_eq!(concurrency("shop=2"), Ok(Concurrency::new("shop", 2)));
        assert_eq!(start("2h"), Ok(Start::In(Duration::from_secs(7200))));
        assert_eq!(start("1970-01-01T00:00:01+00:00"), Ok(Start::At(Timestamp::from_millis(1000))));
        for bad in ["spare", "=5m", "spare=5", "spare=169h"] {
            assert!(fallback(bad).is_err(), "{bad}");
        }
        for bad in ["", "=1", "acme=0", "acme=101", "acme=x"] {
            assert!(fairness(bad).is_err(), "{bad}");
        }
        for bad in ["shop", "=1", "shop=0", "shop=-1"] {
            assert!(concurrency(bad).is_err(), "{bad}");
        }
        for bad in ["", "soon", "2026-01-31", "1969-12-31T00:00:00Z"] {
            assert!(start(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_does_not_go_together_is_refused_before_anything_is_sent() {
        let problem = |schedule: &ScheduleArgs, jobs| {
            let given = schedule.give(JobOptions::default(), jobs, Timestamp::from_millis(0));
            given.unwrap_err().to_string()
        };
        let unique = ScheduleArgs { unique: Some("nightly".into()), ..none() };
        assert!(problem(&unique, 2).contains("--unique is for one flow, and there are 2"));
        assert!(unique.give(JobOptions::default(), 1, Timestamp::from_millis(0)).is_ok());
        let twice = ScheduleArgs { limits: vec![Concurrency::new("a", 1); 2], ..none() };
        assert!(problem(&twice, 1).contains("--limit names \"a\" twice"));
        let back = |pool: &str, seconds| Fallback::new(pool, Duration::from_secs(seconds));
        let own = ScheduleArgs { fallbacks: vec![back("default", 1)], ..none() };
        assert!(problem(&own, 1).contains("the pool \"default\" is named twice"));
        let order = ScheduleArgs { fallbacks: vec![back("a", 2), back("b", 1)], ..none() };
        assert!(problem(&order, 1).contains("--fallback b waits for a shorter time"));
    }

    #[test]
    fn what_is_not_said_is_as_it_is_usually() {
        let given = none().give(JobOptions::default(), 3, Timestamp::from_millis(5)).unwrap();
        assert_eq!(given, JobOptions::default());
        let later = ScheduleArgs { start_at: Some(Start::In(Duration::from_millis(7))), ..none() };
        let given = later.give(JobOptions::default(), 1, Timestamp::from_millis(5)).unwrap();
        assert_eq!(given.start_at, Some(Timestamp::from_millis(12)));
    }
}
