//! Whose turn it was, grant by grant: nobody is passed over more often than they may be.

use super::Audit;
use crate::{
    rules::eligibility::{Needs, eligible},
    testing::simulation::{
        fleet::{Member, SHARED},
        reader::{Reader, Readers},
        workload::Planned,
    },
    values::{
        event::{Event, EventCursor, EventsOf, Happening},
        id::{JobId, PoolId},
        preference::Fairness,
        runner::Facts,
    },
};
use std::collections::{BTreeMap, BTreeSet};

/// Jobs that take turns together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    pool: PoolId,
    priority: u8,
    needs: Needs,
    /// The fairness key and its weight. In a pool that is shared, the tenant.
    key: Option<(String, u32)>,
}

/// What was ready when something was granted.
#[derive(Debug, Default)]
struct Turns {
    ready: BTreeMap<JobId, Group>,
    /// How often each group with a ready job was passed over.
    passed_over: BTreeMap<Group, u64>,
    groups: BTreeSet<Group>,
}

impl Audit {
    /// Plays through what the tenants' readers have read. All of it must have been told in order, by a
    /// control plane that granted what it meant to.
    pub(in super::super) fn check_turns(&self, readers: &Readers, jobs: &[Planned]) {
        let feeds = readers.all().filter(|reader| reader.of == EventsOf::Tenant);
        let mut events: Vec<(EventCursor, Event)> = feeds.flat_map(Reader::events).collect();
        events.sort_by_key(|(cursor, _)| *cursor);
        let mut turns = Turns::default();
        for (_, event) in events {
            let Some(job) = event.job else { continue };
            let planned = jobs.iter().find(|planned| planned.spec.job == job);
            let group = planned.and_then(|planned| self.group_of(planned));
            match &event.what {
                Happening::Ready { .. } => turns.ready.extend(group.map(|group| (job, group))),
                Happening::Offered { runner, .. } => {
                    let member = self.members.iter().find(|member| member.id == *runner);
                    if let (Some(member), Some(planned)) = (member, planned) {
                        let class = class_of(planned);
                        self.check_turn(&mut turns, job, (member, class), group.as_ref());
                    }
                    turns.end(job);
                }
                _ => turns.end(job),
            }
        }
    }

    /// One job was granted to a runner: all others that were ready for it there were passed over.
    fn check_turn(&self, turns: &mut Turns, job: JobId, to: (&Member, u8), group: Option<&Group>) {
        let (member, class) = to;
        turns.groups.extend(group.cloned());
        // Several may have been passed over as often, and then take turns.
        let bound = Fairness::PASSED_OVER_MAX + turns.groups.len() as u64;
        let facts = Facts {
            kinds: turns.ready.values().map(|group| group.needs.kind.clone()).collect(),
            labels: member.labels.clone(),
            ..Facts::default()
        };
        if let Some(own) = group.and_then(|group| turns.passed_over.remove(group)) {
            let was_due = own >= Fairness::PASSED_OVER_MAX;
            self.checker.count(|count| count.passed_over += u64::from(was_due));
        }
        let others = turns.ready.values().filter(|other| {
            Some(*other) != group
                && (other.pool, other.priority) == (member.pool, class)
                && eligible(&other.needs, member.id, &facts).is_ok()
        });
        for other in others.cloned().collect::<BTreeSet<_>>() {
            let count = turns.passed_over.entry(other.clone()).or_default();
            *count += 1;
            if *count > bound {
                let detail = format!("{other:?} was passed over {count} times, the last time by {job}");
                self.checker.violate("nobody is passed over for ever", None, detail);
            }
        }
    }

    /// With whom a job takes turns, if it waits for nothing but its turn in one pool.
    fn group_of(&self, planned: &Planned) -> Option<Group> {
        let spec = &planned.spec;
        if !spec.fallbacks.is_empty() || !spec.concurrency.is_empty() {
            return None;
        }
        let (pool, key) = if spec.environment.is_some() {
            (SHARED, Some((planned.tenant.to_string(), 1)))
        } else {
            let member = self.members.iter().find(|member| member.pool_name == spec.pool)?;
            (member.pool, spec.fairness.as_ref().map(|fairness| (fairness.key.clone(), fairness.weight)))
        };
        Some(Group { pool, priority: class_of(planned), needs: Needs::of(spec), key })
    }
}

impl Turns {
    /// A job does not wait for its turn any more.
    fn end(&mut self, job: JobId) {
        let Some(group) = self.ready.remove(&job) else { return };
        if !self.ready.values().any(|other| *other == group) {
            self.passed_over.remove(&group);
        }
    }
}

/// The priority that a job has among those of its pool: guests give themselves none.
fn class_of(planned: &Planned) -> u8 {
    if planned.spec.environment.is_some() { 0 } else { planned.spec.priority }
}
