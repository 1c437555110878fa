//! The order in which the lanes of a pool are granted: priority, then fair share, then turns, then age.
//!
//! Lanes that ask the same of a runner lie in one bay, so that a runner is compared with what is
//! asked and not with every lane. Only lanes whose first job might be granted are in here: one
//! that is empty or held back by a limit costs nothing.

use crate::{
    rules::eligibility::{Needs, eligible},
    values::{
        id::{LaneId, RunnerId},
        key::Key,
        preference::Fairness,
        runner::Facts,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The lanes of a pool whose first job might be granted.
#[derive(Clone, Debug, Default)]
pub(super) struct Order {
    /// By the runner that they are pinned to, if they are.
    bays: BTreeMap<Option<RunnerId>, BTreeMap<Arc<Needs>, Bay>>,
    /// How many grants there were.
    turn: u64,
}

/// Lanes that ask the same of a runner.
#[derive(Clone, Debug, Default)]
struct Bay {
    /// By 255 − priority.
    classes: BTreeMap<u8, Class>,
}

#[derive(Clone, Debug, Default)]
struct Class {
    groups: BTreeMap<Option<ShareId>, Group>,
    /// Share, when they were granted last, ready since, group: with little room, no share differs for
    /// long, and those with equal ones take turns.
    by_share: BTreeSet<(u64, u64, u64, ShareId)>,
    /// When they were granted last, ready since, group.
    by_turn: BTreeSet<(u64, u64, Option<ShareId>)>,
}

/// The lanes of one fairness key, or those without.
#[derive(Clone, Debug, Default)]
struct Group {
    /// Ready since, lane.
    heads: BTreeSet<(u64, LaneId)>,
    share: u64,
    turn: u64,
}

/// A fairness key's counter in the pool, and its weight.
pub(super) type ShareId = (Key, u32);

/// The place of a lane's first job: 255 − priority, ready since, lane.
pub(super) type Head = (u8, u64, LaneId);

/// The best lanes of a bay, by each of the reasons to go first.
#[derive(Debug)]
struct Candidate {
    class: u8,
    /// Granted longest ago, if that is too long.
    passed_over: Option<(u64, u64, LaneId)>,
    /// With the least share, and among those granted longest ago.
    shared: Option<(u64, u64, u64, LaneId)>,
    /// Without a key.
    plain: Option<(u64, LaneId)>,
}

/// How much one running job of a key with weight 1 counts.
const SHARE_OF_ONE: u64 = 1 << 20;

impl Order {
    /// Puts a lane where its first job belongs.
    pub(super) fn insert(&mut self, needs: &Arc<Needs>, head: Head, share: Option<(ShareId, i64)>) {
        let turn = self.turn;
        let bay = self.bays.entry(needs.runner).or_default().entry(Arc::clone(needs)).or_default();
        let class = bay.classes.entry(head.0).or_default();
        let (id, running) = share.map_or((None, 0), |(id, running)| (Some(id), running));
        class.change(&id, |group| {
            if group.heads.is_empty() {
                group.turn = turn;
            }
            group.share = id.as_ref().map_or(0, |(_, weight)| share_of(running, *weight));
            group.heads.insert((head.1, head.2));
        });
    }

    /// Takes a lane out.
    pub(super) fn remove(&mut self, needs: &Arc<Needs>, head: Head, share: Option<&ShareId>) {
        let Some(bays) = self.bays.get_mut(&needs.runner) else { return };
        let Some(bay) = bays.get_mut(needs) else { return };
        if let Some(class) = bay.classes.get_mut(&head.0) {
            class.change(&share.cloned(), |group| {
                group.heads.remove(&(head.1, head.2));
            });
            if class.groups.is_empty() {
                bay.classes.remove(&head.0);
            }
        }
        if bay.classes.is_empty() {
            bays.remove(needs);
        }
        if bays.is_empty() {
            self.bays.remove(&needs.runner);
        }
    }

    /// A fairness key has as many jobs running now.
    pub(super) fn set_share(&mut self, key: &Key, running: i64) {
        for bay in self.bays.values_mut().flat_map(BTreeMap::values_mut) {
            for class in bay.classes.values_mut() {
                let of_key = (Some((key.clone(), 0)))..=(Some((key.clone(), u32::MAX)));
                let ids: Vec<_> = class.groups.range(of_key).map(|(id, _)| id.clone()).collect();
                for id in ids {
                    let weight = id.as_ref().map_or(1, |(_, weight)| *weight);
                    class.change(&id, |group| group.share = share_of(running, weight));
                }
            }
        }
    }

    /// The lane whose first job a runner is given next. One that is `closed` is passed over for others
    /// of its priority, and for no others.
    pub(super) fn best(&self, runner: RunnerId, facts: &Facts, closed: &BTreeSet<LaneId>) -> Option<LaneId> {
        let bays = [None, Some(runner)].into_iter().filter_map(|pinned| self.bays.get(&pinned));
        let suited = bays.flatten().filter(|(needs, _)| eligible(needs, runner, facts).is_ok());
        self.best_of(suited.map(|(_, bay)| bay), closed)
    }

    /// The lane whose first job goes before all others, whoever is given it.
    pub(super) fn first(&self) -> Option<LaneId> {
        self.best_of(self.bays.values().flat_map(BTreeMap::values), &BTreeSet::new())
    }

    fn best_of<'a>(
        &'a self,
        bays: impl Iterator<Item = &'a Bay>,
        closed: &BTreeSet<LaneId>,
    ) -> Option<LaneId> {
        let candidates = bays.filter_map(|bay| bay.candidate(self.turn, closed));
        candidates.reduce(Candidate::or).and_then(|best| best.lane())
    }

    /// A job of a lane is being granted: it is the others' turn.
    pub(super) fn granted(&mut self, needs: &Arc<Needs>, class: u8, share: Option<&ShareId>) {
        self.turn += 1;
        let turn = self.turn;
        let bay = self.bays.get_mut(&needs.runner).and_then(|bays| bays.get_mut(needs));
        if let Some(class) = bay.and_then(|bay| bay.classes.get_mut(&class)) {
            class.change(&share.cloned(), |group| group.turn = turn);
        }
    }

    /// Every lane in here.
    pub(super) fn lanes(&self) -> impl Iterator<Item = LaneId> + '_ {
        let bays = self.bays.values().flat_map(BTreeMap::values);
        let groups = bays.flat_map(|bay| bay.classes.values()).flat_map(|class| class.groups.values());
        groups.flat_map(|group| group.heads.iter().map(|(_, lane)| *lane))
    }
}

impl Bay {
    fn candidate(&self, turn: u64, closed: &BTreeSet<LaneId>) -> Option<Candidate> {
        let (class, groups) = self.classes.first_key_value()?;
        let first = |id: &Option<ShareId>| {
            let heads = groups.groups.get(id)?.heads.iter();
            heads.copied().find(|(_, lane)| !closed.contains(lane))
        };
        let longest = groups.by_turn.iter().find_map(|(last, _, id)| {
            let (since, lane) = first(id)?;
            Some((*last, since, lane))
        });
        let longest = longest.filter(|(last, ..)| turn - last >= Fairness::PASSED_OVER_MAX);
        let least = groups.by_share.iter().find_map(|(share, turn, _, id)| {
            let (since, lane) = first(&Some(id.clone()))?;
            Some((*share, *turn, since, lane))
        });
        let plain = first(&None);
        Some(Candidate { class: *class, passed_over: longest, shared: least, plain })
    }
}

impl Class {
    /// Changes a group and puts it where it belongs then.
    fn change(&mut self, id: &Option<ShareId>, change: impl FnOnce(&mut Group)) {
        let mut group = self.groups.remove(id).unwrap_or_default();
        if let Some((since, _)) = group.heads.first() {
            self.by_turn.remove(&(group.turn, *since, id.clone()));
            if let Some(id) = id {
                self.by_share.remove(&(group.share, group.turn, *since, id.clone()));
            }
        }
        change(&mut group);
        let Some((since, _)) = group.heads.first() else { return };
        self.by_turn.insert((group.turn, *since, id.clone()));
        if let Some(id) = id {
            self.by_share.insert((group.share, group.turn, *since, id.clone()));
        }
        self.groups.insert(id.clone(), group);
    }
}

impl Candidate {
    fn or(self, other: Self) -> Self {
        match self.class.cmp(&other.class) {
            std::cmp::Ordering::Less => self,
            std::cmp::Ordering::Greater => other,
            std::cmp::Ordering::Equal => Self {
                class: self.class,
                passed_over: least(self.passed_over, other.passed_over),
                shared: least(self.shared, other.shared),
                plain: least(self.plain, other.plain),
            },
        }
    }

    fn lane(&self) -> Option<LaneId> {
        let passed_over = self.passed_over.map(|(_, _, lane)| lane);
        let shared = self.shared.map(|(.., since, lane)| (since, lane));
        passed_over.or_else(|| least(shared, self.plain).map(|(_, lane)| lane))
    }
}

fn least<T: Ord>(one: Option<T>, two: Option<T>) -> Option<T> {
    one.into_iter().chain(two).min()
}

fn share_of(running: i64, weight: u32) -> u64 {
    u64::try_from(running).unwrap_or(0) * SHARE_OF_ONE / u64::from(weight.max(1))
}
