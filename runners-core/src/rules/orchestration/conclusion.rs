//! What a run comes to: each check of each page is counted over its regions, by the policy of the
//! request, and what comparing the regions tells about each of them.

use super::{course::JobCourse, fan_out::PlannedJob};
use crate::values::{
    orchestration::{Finding, OrchestrationOptions, RegionPolicy, ResultState, RunState, SummaryCounts},
    outcome::Conclusion,
};
use std::collections::BTreeMap;

/// What one check of one page came to in one region, however often it was asked for there: the worst
/// of its results.
pub(super) fn verdicts<'j>(planned: &'j PlannedJob, job: &JobCourse) -> BTreeMap<&'j str, ResultState> {
    let mut verdicts = BTreeMap::new();
    let results = job.last.as_ref().map(|ended| ended.results.as_slice()).unwrap_or_default();
    for (at, asked) in planned.checks.iter().enumerate() {
        let found = results.get(at).map_or(ResultState::Error, |result| result.state);
        let worst = verdicts.entry(asked.name.as_str()).or_insert(found);
        *worst = worse(*worst, found);
    }
    verdicts
}

const fn worse(one: ResultState, other: ResultState) -> ResultState {
    match (one, other) {
        (ResultState::Fail, _) | (_, ResultState::Fail) => ResultState::Fail,
        (ResultState::Error, _) | (_, ResultState::Error) => ResultState::Error,
        (ResultState::Pass, ResultState::Pass) => ResultState::Pass,
    }
}

/// Whether a region counts.
pub(super) fn counts(options: &OrchestrationOptions, planned: &PlannedJob) -> bool {
    planned.region.as_ref().is_none_or(|region| !options.expected_to_fail.contains(region))
}

/// How often a check of a page came to what, over the regions that count.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Votes {
    passed: u32,
    failed: u32,
    errored: u32,
    /// It passed somewhere only in a second try.
    flaky: bool,
}

impl Votes {
    /// Whether those who do not pass are not more than those who do.
    pub(super) const fn is_odd_not_to_pass(self) -> bool {
        self.passed > 0 && self.failed + self.errored <= self.passed
    }

    /// What they come to. What reached no verdict might have passed: only what could not be enough
    /// even then has failed.
    const fn conclusion(self, policy: RegionPolicy) -> Conclusion {
        let all = self.passed + self.failed + self.errored;
        let wanted = match policy {
            RegionPolicy::All => all,
            RegionPolicy::Any => 1,
            RegionPolicy::AtLeast(wanted) => wanted,
        };
        let wanted = if wanted > all { all } else { wanted };
        if self.passed >= wanted {
            if self.flaky { Conclusion::Flaky } else { Conclusion::Passed }
        } else if self.passed + self.errored >= wanted {
            Conclusion::Errored
        } else {
            Conclusion::Failed
        }
    }
}

/// The votes on each check of a page, over its jobs.
pub(super) fn votes<'j>(
    options: &OrchestrationOptions,
    page: impl Iterator<Item = (&'j PlannedJob, &'j JobCourse)>,
) -> BTreeMap<&'j str, Votes> {
    let mut votes: BTreeMap<&str, Votes> = BTreeMap::new();
    for (planned, job) in page.filter(|(planned, _)| counts(options, planned)) {
        for (name, verdict) in verdicts(planned, job) {
            let votes = votes.entry(name).or_default();
            match verdict {
                ResultState::Pass => {
                    votes.passed += 1;
                    votes.flaky |= job.first.is_some();
                }
                ResultState::Fail => votes.failed += 1,
                ResultState::Error => votes.errored += 1,
            }
        }
    }
    votes
}

/// What the votes on all checks of all pages come to. What was stopped can still have failed by what
/// came back before.
pub(super) fn conclusion<'v>(
    policy: RegionPolicy,
    votes: impl Iterator<Item = &'v Votes>,
    state: RunState,
    cancelled: bool,
) -> Conclusion {
    if cancelled {
        return Conclusion::Cancelled;
    }
    let mut worst = Conclusion::Passed;
    for votes in votes {
        let found = votes.conclusion(policy);
        if severity(found) > severity(worst) {
            worst = found;
        }
    }
    match worst {
        Conclusion::Errored if state == RunState::TimedOut => Conclusion::TimedOut,
        worst => worst,
    }
}

const fn severity(conclusion: Conclusion) -> u8 {
    match conclusion {
        Conclusion::Passed => 0,
        Conclusion::Flaky => 1,
        Conclusion::Errored => 2,
        _ => 3,
    }
}

/// What comparing the regions of its page tells about a job that ended.
pub(super) fn finding(
    options: &OrchestrationOptions,
    planned: &PlannedJob,
    job: &JobCourse,
    votes: &BTreeMap<&str, Votes>,
) -> Option<Finding> {
    job.last.as_ref()?;
    let verdicts = verdicts(planned, job);
    let passes = verdicts.values().all(|verdict| *verdict == ResultState::Pass);
    if !counts(options, planned) {
        return Some(if passes { Finding::UnexpectedPass } else { Finding::ExpectedToFail });
    }
    if passes {
        return job.first.is_some().then_some(Finding::Flaky);
    }
    let not_passed = || verdicts.iter().filter(|(_, verdict)| **verdict != ResultState::Pass);
    let passes_elsewhere = |name: &str| votes.get(name).is_some_and(|votes| votes.passed > 0);
    if not_passed().any(|(name, _)| passes_elsewhere(name)) {
        let failed = verdicts.values().any(|verdict| *verdict == ResultState::Fail);
        let told = if failed { Finding::BrokenHere } else { Finding::RegionDown };
        return job.first.is_some().then_some(told);
    }
    let fails_in_all =
        |name: &str| votes.get(name).is_some_and(|votes| votes.failed > 1 && votes.errored == 0);
    not_passed().any(|(name, _)| fails_in_all(name)).then_some(Finding::BrokenEverywhere)
}

/// Counts every check that was asked for once. Those that have no result yet are only in the total.
pub(super) fn summary<'j>(jobs: impl Iterator<Item = (&'j PlannedJob, &'j JobCourse)>) -> SummaryCounts {
    let mut counts = SummaryCounts::default();
    for (planned, job) in jobs {
        counts.total += planned.checks.len() as u64;
        for result in job.last.iter().flat_map(|ended| &ended.results) {
            match result.state {
                ResultState::Pass => counts.passed += 1,
                ResultState::Fail => counts.failed += 1,
                ResultState::Error => counts.errored += 1,
            }
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reached_no_verdict_is_neither_a_pass_nor_a_failure() {
        use Conclusion::{Errored, Failed, Passed};
        use RegionPolicy::{All, Any, AtLeast};
        let table = [
            ((3, 0, 0), All, Passed),
            ((2, 1, 0), All, Failed),
            ((2, 0, 1), All, Errored),
            ((1, 1, 1), All, Failed),
            ((1, 2, 0), Any, Passed),
            ((0, 2, 1), Any, Errored),
            ((0, 3, 0), Any, Failed),
            ((2, 1, 0), AtLeast(2), Passed),
            ((1, 1, 1), AtLeast(2), Errored),
            ((1, 2, 0), AtLeast(2), Failed),
            ((1, 0, 0), AtLeast(2), Passed),
            ((0, 0, 0), All, Passed),
            ((0, 0, 0), Any, Passed),
        ];
        for ((passed, failed, errored), policy, expected) in table {
            let votes = Votes { passed, failed, errored, flaky: false };
            assert_eq!(votes.conclusion(policy), expected, "{votes:?} by {policy:?}");
        }
    }

    #[test]
    fn a_run_is_as_bad_as_its_worst_check() {
        let votes = |passed, failed, errored, flaky| Votes { passed, failed, errored, flaky };
        let of =
            |votes: &[Votes], state, cancelled| conclusion(RegionPolicy::All, votes.iter(), state, cancelled);
        let (good, flaky) = (votes(1, 0, 0, false), votes(1, 0, 0, true));
        let (failed, errored) = (votes(0, 1, 0, false), votes(0, 0, 1, false));
        assert_eq!(of(&[good], RunState::Completed, false), Conclusion::Passed);
        assert_eq!(of(&[good, flaky], RunState::Completed, false), Conclusion::Flaky);
        assert_eq!(of(&[flaky, errored], RunState::Failed, false), Conclusion::Errored);
        assert_eq!(of(&[errored, failed, good], RunState::Failed, false), Conclusion::Failed);
        assert_eq!(of(&[good, errored], RunState::TimedOut, false), Conclusion::TimedOut);
        assert_eq!(of(&[failed, errored], RunState::TimedOut, false), Conclusion::Failed);
        assert_eq!(of(&[good], RunState::Failed, true), Conclusion::Cancelled);
    }
}
