//! Whether a runner may take the jobs of a lane, and if not, why.

use crate::values::{id::RunnerId, job::JobSpec, runner::Facts};
use std::collections::BTreeSet;

/// The first predicate that fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ineligible {
    /// The lane is pinned to another runner.
    Pinned,
    /// The runner cannot execute the kind.
    Kind,
    /// It lacks a label that is wanted.
    Wanted(String),
    /// It has a label that is refused.
    Refused(String),
}

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

/// Whether `runner`, of which these are the facts, may take jobs with these needs.
pub(crate) fn eligible(needs: &Needs, runner: RunnerId, facts: &Facts) -> Result<(), Ineligible> {
    if needs.runner.is_some_and(|pinned| pinned != runner) {
        return Err(Ineligible::Pinned);
    }
    suits(needs, facts)
}

/// Whether a runner with these facts may take jobs with these needs, whichever runner it is.
pub(crate) fn suits(needs: &Needs, facts: &Facts) -> Result<(), Ineligible> {
    if !facts.kinds.contains(&needs.kind) {
        return Err(Ineligible::Kind);
    }
    if let Some(label) = needs.wanted.difference(&facts.labels).next() {
        return Err(Ineligible::Wanted(label.clone()));
    }
    if let Some(label) = needs.refused.intersection(&facts.labels).next() {
        return Err(Ineligible::Refused(label.clone()));
    }
    Ok(())
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
        let wanted = Err(Ineligible::Wanted("gpu".into()));
        assert_eq!(eligible(&needs(&["eu", "gpu"], &[]), RUNNER, &facts(&["eu"])), wanted);
        let refused = Err(Ineligible::Refused("slow".into()));
        assert_eq!(eligible(&needs(&[], &["slow"]), RUNNER, &facts(&["slow"])), refused);
    }

    #[test]
    fn an_unknown_kind_or_another_pinned_runner_is_not_eligible() {
        let other = Facts { kinds: ["other".to_owned()].into(), ..facts(&[]) };
        assert_eq!(eligible(&needs(&[], &[]), RUNNER, &other), Err(Ineligible::Kind));
        let pinned = Needs { runner: Some(RunnerId::from_bytes([2; 16])), ..needs(&[], &[]) };
        assert_eq!(eligible(&pinned, RUNNER, &facts(&[])), Err(Ineligible::Pinned));
    }
}
