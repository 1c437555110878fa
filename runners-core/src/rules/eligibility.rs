//! Whether a runner may take the jobs of a lane, and if not, why.

use crate::values::{
    digest::Digest,
    explanation::Obstacle,
    id::RunnerId,
    job::JobSpec,
    runner::{Facts, Mode},
    time::Timestamp,
};
use std::collections::BTreeSet;

/// What the jobs of a lane ask of a runner.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Needs {
    pub(crate) runner: Option<RunnerId>,
    pub(crate) kind: String,
    pub(crate) wanted: BTreeSet<String>,
    pub(crate) refused: BTreeSet<String>,
}

impl Needs {
    /// What a job asks of a runner.
    pub(crate) fn of(spec: &JobSpec) -> Self {
        Self {
            runner: spec.runner,
            kind: spec.kind.clone(),
            wanted: spec.wanted.clone(),
            refused: spec.refused.clone(),
        }
    }
}

/// Why nothing of a pool is granted to anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closed {
    /// The owner of the pool is suspended.
    Suspended,
    /// The pool is not active.
    Inactive,
}

/// How many jobs each runner of a pool may be granted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Allowance {
    /// Any number unless limited.
    pub(crate) slots: Option<u32>,
    /// Nothing is granted at all.
    pub(crate) closed: Option<Closed>,
}

/// What of a runner's session decides how many jobs it may be offered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Presence {
    /// Why nothing of its pool is granted to anybody.
    pub(crate) closed: Option<Closed>,
    /// An offer was not confirmed in time, and nothing was heard since.
    pub(crate) suspect: bool,
    /// Until when it is offered nothing because it was started again and again.
    pub(crate) held_back_until: Option<Timestamp>,
    pub(crate) mode: Mode,
    /// How many jobs it would start.
    pub(crate) free: usize,
    /// How many it may hold, by the operator's wish or that of its pool.
    pub(crate) limit: Option<usize>,
    pub(crate) held: usize,
    pub(crate) offered: usize,
}

/// The first thing that keeps jobs with these needs from a runner that is present: first what it
/// is, then how it is. Grants go by the same, in two steps: they look at what a runner is only once
/// there is room.
pub(crate) fn first_obstacle(
    needs: &Needs,
    runner: RunnerId,
    facts: &Facts,
    presence: &Presence,
) -> Result<(), Obstacle> {
    eligible(needs, runner, facts)?;
    presence.room().map(drop)
}

/// Whether `runner`, of which these are the facts, may take jobs with these needs.
pub(crate) fn eligible(needs: &Needs, runner: RunnerId, facts: &Facts) -> Result<(), Obstacle> {
    match needs.runner.filter(|pinned| *pinned != runner) {
        Some(to) => Err(Obstacle::Pinned { to }),
        None => suits(needs, facts),
    }
}

/// Whether a runner with these facts may take jobs with these needs, whichever runner it is.
pub(crate) fn suits(needs: &Needs, facts: &Facts) -> Result<(), Obstacle> {
    if !facts.kinds.contains(&needs.kind) {
        return Err(Obstacle::Kind);
    }
    if let Some(label) = needs.wanted.difference(&facts.labels).next() {
        return Err(Obstacle::Wanted { label: label.clone() });
    }
    if let Some(label) = needs.refused.intersection(&facts.labels).next() {
        return Err(Obstacle::Refused { label: label.clone() });
    }
    Ok(())
}

/// The same for all facts that [`suit`](suits) the same jobs: the digest of what is looked at there.
pub(crate) fn alike(facts: &Facts) -> Digest {
    let asked = (&facts.kinds, &facts.labels);
    Digest::of(&serde_json::to_vec(&asked).expect("names are plain data"))
}

impl Presence {
    /// How many more jobs the runner may be offered: one at least.
    pub(crate) fn room(&self) -> Result<usize, Obstacle> {
        match self.closed {
            Some(Closed::Suspended) => return Err(Obstacle::Suspended),
            Some(Closed::Inactive) => return Err(Obstacle::Inactive),
            None => {}
        }
        if self.mode != Mode::Serve {
            return Err(Obstacle::Draining);
        }
        if self.suspect {
            return Err(Obstacle::Suspect);
        }
        if let Some(until) = self.held_back_until {
            return Err(Obstacle::CrashLoop { until });
        }
        let limit = self.limit.map_or(usize::MAX, |limit| limit.saturating_sub(self.held));
        match self.free.min(limit).saturating_sub(self.offered) {
            0 => Err(Obstacle::Full),
            room => Ok(room),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(wanted: &[&str], refused: &[&str]) -> Needs {
        let set = |labels: &[&str]| labels.iter().map(ToString::to_string).collect();
        Needs { runner: None, kind: "visit".into(), wanted: set(wanted), refused: set(refused) }
    }

    fn facts(labels: &[&str]) -> Facts {
        Facts {
            kinds: ["visit".to_owned()].into(),
            labels: labels.iter().map(ToString::to_string).collect(),
            ..Facts::default()
        }
    }

    const RUNNER: RunnerId = RunnerId::from_bytes([1; 16]);

    #[test]
    fn wanted_labels_must_all_be_there_and_refused_ones_must_not() {
        assert_eq!(eligible(&needs(&["gpu"], &["slow"]), RUNNER, &facts(&["gpu", "eu"])), Ok(()));
        let wanted = Err(Obstacle::Wanted { label: "gpu".into() });
        assert_eq!(eligible(&needs(&["eu", "gpu"], &[]), RUNNER, &facts(&["eu"])), wanted);
        let refused = Err(Obstacle::Refused { label: "slow".into() });
        assert_eq!(eligible(&needs(&[], &["slow"]), RUNNER, &facts(&["slow"])), refused);
    }

    #[test]
    fn an_unknown_kind_or_another_pinned_runner_is_not_eligible() {
        let other = Facts { kinds: ["other".to_owned()].into(), ..facts(&[]) };
        assert_eq!(eligible(&needs(&[], &[]), RUNNER, &other), Err(Obstacle::Kind));
        let pinned = Needs { runner: Some(RunnerId::from_bytes([2; 16])), ..needs(&[], &[]) };
        assert_eq!(
            eligible(&pinned, RUNNER, &facts(&[])),
            Err(Obstacle::Pinned { to: RunnerId::from_bytes([2; 16]) })
        );
    }
}
