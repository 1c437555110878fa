//! Whether a runner may take the jobs of a lane, and if not, why.

use crate::{
    rules::record::LaneRecord,
    values::{id::RunnerId, runner::Facts},
};

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

/// Whether `runner`, of which these are the facts, may take the jobs of `lane`.
pub(crate) fn eligible(lane: &LaneRecord, runner: RunnerId, facts: &Facts) -> Result<(), Ineligible> {
    if lane.runner.is_some_and(|pinned| pinned != runner) {
        return Err(Ineligible::Pinned);
    }
    suits(lane, facts)
}

/// Whether a runner with these facts may take the jobs of `lane`, whichever runner it is.
pub(crate) fn suits(lane: &LaneRecord, facts: &Facts) -> Result<(), Ineligible> {
    if !facts.kinds.contains(&lane.kind) {
        return Err(Ineligible::Kind);
    }
    if let Some(label) = lane.wanted.difference(&facts.labels).next() {
        return Err(Ineligible::Wanted(label.clone()));
    }
    if let Some(label) = lane.refused.intersection(&facts.labels).next() {
        return Err(Ineligible::Refused(label.clone()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        rules::record::Unknown,
        values::id::{LaneId, PoolId, TenantId},
    };

    fn lane(wanted: &[&str], refused: &[&str]) -> LaneRecord {
        let set = |labels: &[&str]| labels.iter().map(ToString::to_string).collect();
        LaneRecord {
            tenant: TenantId::DEFAULT,
            id: LaneId::from_bytes([0; 16]),
            pool: PoolId::from_bytes([0; 16]),
            kind: "visit".into(),
            wanted: set(wanted),
            refused: set(refused),
            runner: None,
            unknown: Unknown::new(),
        }
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
        assert_eq!(eligible(&lane(&["gpu"], &["slow"]), RUNNER, &facts(&["gpu", "eu"])), Ok(()));
        let wanted = Err(Ineligible::Wanted("gpu".into()));
        assert_eq!(eligible(&lane(&["eu", "gpu"], &[]), RUNNER, &facts(&["eu"])), wanted);
        let refused = Err(Ineligible::Refused("slow".into()));
        assert_eq!(eligible(&lane(&[], &["slow"]), RUNNER, &facts(&["slow"])), refused);
    }

    #[test]
    fn an_unknown_kind_or_another_pinned_runner_is_not_eligible() {
        let other = Facts { kinds: ["other".to_owned()].into(), ..facts(&[]) };
        assert_eq!(eligible(&lane(&[], &[]), RUNNER, &other), Err(Ineligible::Kind));
        let pinned = LaneRecord { runner: Some(RunnerId::from_bytes([2; 16])), ..lane(&[], &[]) };
        assert_eq!(eligible(&pinned, RUNNER, &facts(&[])), Err(Ineligible::Pinned));
    }
}
