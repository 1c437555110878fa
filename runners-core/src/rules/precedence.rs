//! Which of several control planes on one store goes first at something that any of them may do.
//!
//! For each thing every control plane has a *lot*, a hash of the two; the others leave the thing to the
//! greatest for a moment. That only spares them conflicts: in the end, whoever commits first has it.

use crate::values::{id::MemberId, time::Timestamp};
use std::time::Duration;

/// How long a control plane leaves a ready job to each one that goes before it.
pub(crate) const GRANT_TURN: Duration = Duration::from_millis(25);

/// The same while those are heard of granting others of the lane.
pub(crate) const BUSY_TURN: Duration = Duration::from_millis(60);

/// How long a job that became ready here is granted here before all others, while others are heard of
/// granting in its lane: shorter than they leave it, for a commit takes a while.
const BUSY_FROM_HERE: Duration = Duration::from_millis(35);

/// How long a control plane leaves due work to each one that goes before it.
pub(crate) const DUE_TURN: Duration = Duration::from_millis(100);

/// How many of the first ready jobs of a lane a control plane looks at for one of its own.
pub(crate) const AHEAD_MAX: usize = 64;

/// How much earlier a job may have become ready that is passed over for one of its own.
pub(crate) const AHEAD_SPAN_MAX: Duration = Duration::from_secs(1);

/// The control planes on a store, as one of them knows them.
#[derive(Clone, Debug)]
pub(crate) struct Precedence {
    me: MemberId,
    others: Vec<MemberId>,
}

/// Knows of nobody else, so that it goes first everywhere.
impl Default for Precedence {
    fn default() -> Self {
        Self { me: MemberId::from_bytes([0; 16]), others: Vec::new() }
    }
}

/// A ready job, to whoever looks for one to grant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate<K> {
    pub(crate) key: K,
    /// Since when it is ready.
    pub(crate) since: Timestamp,
    /// How many control planes go before this one.
    pub(crate) rank: u32,
    /// Whether it became ready here: others do not read it for a turn.
    pub(crate) is_from_here: bool,
}

/// What a control plane may grant now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pick<K> {
    /// This job.
    Take(K),
    /// Nothing before then: it is others' turn.
    At(Timestamp),
    /// Nothing: there is no job.
    Nothing,
}

impl Precedence {
    pub(crate) fn new(me: MemberId, others: Vec<MemberId>) -> Self {
        Self { me, others }
    }

    pub(crate) fn is_alone(&self) -> bool {
        self.others.is_empty()
    }

    /// How many others go before this one at the thing of this id. This is rendezvous hashing: when a control
    /// plane comes or goes, only the things change hands at which it goes first.
    pub(crate) fn rank(&self, id: &[u8]) -> u32 {
        if self.others.is_empty() {
            return 0;
        }
        let mine = lot(id, self.me);
        let before = self.others.iter().filter(|other| lot(id, **other) > mine).count();
        u32::try_from(before).unwrap_or(u32::MAX)
    }

    /// From when on this one does what is due at `at`.
    pub(crate) fn due_from(&self, id: &[u8], at: Timestamp) -> Timestamp {
        at + DUE_TURN * self.rank(id)
    }
}

/// The lot of one control plane for the thing of this id: whoever has the greatest goes first.
pub(crate) fn lot(id: &[u8], member: MemberId) -> (u64, MemberId) {
    (hash(hash(0, id), member.as_bytes()), member)
}

/// For how long a job is not even read that another control plane made ready, where `rank` go before this one:
/// mostly it is granted meanwhile. `others_at` is when others were last heard of granting jobs of its lane.
pub(crate) fn unread_for(rank: u32, others_at: Timestamp, now: Timestamp) -> Duration {
    let turn = if now < others_at + BUSY_TURN { BUSY_TURN } else { GRANT_TURN };
    turn * rank.max(1)
}

/// Which of the first ready jobs of a lane to grant: the first of one's own, else the first that became
/// ready here a moment ago, else the first of those that the fewest go before, once they have had their
/// turn. `others_at` is when others were last heard
/// of granting jobs of the lane, and `wanting_since` since when no job of one's own was there for a
/// runner that would take one.
pub(crate) fn pick<K>(
    candidates: impl Iterator<Item = Candidate<K>>,
    others_at: Timestamp,
    wanting_since: Timestamp,
    now: Timestamp,
) -> Pick<K> {
    let busy_until = others_at.min(wanting_since);
    let from_here_for = if now < others_at + BUSY_TURN { BUSY_FROM_HERE } else { GRANT_TURN };
    let (mut first, mut opens_at) = (None, None);
    let (mut from_here, mut best) = (None, None::<Candidate<K>>);
    for candidate in candidates.take(AHEAD_MAX) {
        if candidate.since > *first.get_or_insert(candidate.since) + AHEAD_SPAN_MAX {
            break;
        }
        if candidate.rank == 0 {
            return Pick::Take(candidate.key);
        }
        if candidate.is_from_here && now < candidate.since + from_here_for {
            from_here = from_here.or(Some(candidate.key));
            continue;
        }
        let idle = candidate.since + GRANT_TURN * candidate.rank;
        let opens = idle.max(busy_until + BUSY_TURN * candidate.rank);
        if opens > now {
            opens_at = Some(opens_at.map_or(opens, |at: Timestamp| at.min(opens)));
        } else if best.as_ref().is_none_or(|best| candidate.rank < best.rank) {
            best = Some(candidate);
        }
    }
    match (from_here.or(best.map(|best| best.key)), opens_at) {
        (Some(key), _) => Pick::Take(key),
        (None, Some(at)) => Pick::At(at),
        (None, None) => Pick::Nothing,
    }
}

/// Mixes bytes into a number, the same in every release: `SplitMix64` over words of eight.
fn hash(seed: u64, bytes: &[u8]) -> u64 {
    bytes.chunks(8).fold(seed, |state, word| {
        let mut padded = [0; 8];
        padded[..word.len()].copy_from_slice(word);
        let mut mixed = (state ^ u64::from_be_bytes(padded)).wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(number: u8) -> MemberId {
        MemberId::from_bytes([number; 16])
    }

    /// How `me` of four sees them.
    fn of_four(me: u8) -> Precedence {
        Precedence::new(member(me), (1..=4).filter(|other| *other != me).map(member).collect())
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn candidate(key: u8, since: u64, rank: u32) -> Candidate<u8> {
        Candidate { key, since: at(since), rank, is_from_here: false }
    }

    const NEVER: Timestamp = Timestamp::from_millis(0);

    #[test]
    fn control_planes_agree_on_who_goes_first_and_share_evenly() {
        let mut first = [0; 4];
        for job in 0..4000_u128 {
            let mut ranks: Vec<u32> = (1..=4).map(|me| of_four(me).rank(&job.to_be_bytes())).collect();
            first[ranks.iter().position(|rank| *rank == 0).unwrap()] += 1;
            ranks.sort_unstable();
            assert_eq!(ranks, [0, 1, 2, 3]);
        }
        assert!(first.iter().all(|share| (900..1100).contains(share)), "{first:?}");
    }

    #[test]
    fn one_that_goes_leaves_every_other_turn_as_it_was() {
        let three = Precedence::new(member(1), vec![member(2), member(3)]);
        for job in 0..500_u128 {
            let id = job.to_be_bytes();
            let (before, fourth) = (of_four(1).rank(&id), of_four(4).rank(&id));
            assert_eq!(three.rank(&id), before - u32::from(fourth < before));
        }
    }

    #[test]
    fn whoever_is_alone_goes_first_everywhere() {
        assert_eq!(Precedence::default().rank(b"anything"), 0);
        assert_eq!(Precedence::default().due_from(b"anything", at(7)), at(7));
    }

    #[test]
    fn a_job_of_ones_own_goes_before_older_ones_of_others() {
        let jobs = [candidate(1, 0, 2), candidate(2, 10, 1), candidate(3, 20, 0), candidate(4, 30, 0)];
        assert_eq!(pick(jobs.into_iter(), NEVER, NEVER, at(5000)), Pick::Take(3));
    }

    #[test]
    fn one_of_others_is_left_to_them_for_a_moment_and_no_longer() {
        let jobs = || [candidate(1, 100, 2), candidate(2, 100, 1)].into_iter();
        assert_eq!(pick(jobs(), NEVER, NEVER, at(110)), Pick::At(at(125)));
        assert_eq!(pick(jobs(), NEVER, NEVER, at(125)), Pick::Take(2));
    }

    #[test]
    fn one_that_became_ready_here_waits_for_nobody_and_leaves_ones_own_before_it() {
        let from_here = |key, rank| Candidate { is_from_here: true, ..candidate(key, 100, rank) };
        let others = candidate(1, 90, 1);
        assert_eq!(pick([others, from_here(2, 1)].into_iter(), NEVER, NEVER, at(100)), Pick::Take(2));
        let own = candidate(3, 100, 0);
        let jobs = [others, from_here(2, 1), own];
        assert_eq!(pick(jobs.into_iter(), NEVER, NEVER, at(100)), Pick::Take(3));
    }

    #[test]
    fn one_that_became_ready_here_is_one_of_many_before_others_read_it() {
        let taken_at = |now, others_at| {
            let from_here = Candidate { is_from_here: true, ..candidate(1, 1000, 9) };
            pick([from_here].into_iter(), at(others_at), at(others_at), at(now)) == Pick::Take(1)
        };
        assert_eq!([1024, 1025].map(|now| taken_at(now, 0)), [true, false]);
        assert_eq!([1034, 1035].map(|now| taken_at(now, 1000)), [true, false]);
        for others_at in [0, 1000] {
            let unread_until = at(1000) + unread_for(0, at(others_at), at(1000));
            assert!(!taken_at(unread_until.as_millis(), others_at));
        }
        assert_eq!(unread_for(2, at(0), at(1000)), GRANT_TURN * 2);
    }

    #[test]
    fn while_others_grant_theirs_is_left_to_them_unless_a_runner_here_has_waited_for_long_enough() {
        let jobs = || [candidate(1, 0, 1)].into_iter();
        assert_eq!(pick(jobs(), at(990), at(990), at(1000)), Pick::At(at(1050)));
        assert_eq!(pick(jobs(), at(990), at(900), at(1000)), Pick::Take(1), "it has waited");
        assert_eq!(pick(jobs(), at(900), at(990), at(1000)), Pick::Take(1), "they do nothing");
    }

    #[test]
    fn nothing_is_passed_over_by_much_younger_ones() {
        let jobs = [candidate(1, 0, 1), candidate(2, 1001, 0)];
        assert_eq!(pick(jobs.into_iter(), NEVER, NEVER, at(2000)), Pick::Take(1));
        let many = (0..200).map(|key| candidate(key, 0, u32::from(key < 100)));
        assert_eq!(pick(many, NEVER, NEVER, at(2000)), Pick::Take(0), "nor by one far behind");
    }
}
