//! Whose turn it is: where several control planes grant the jobs of one store, each takes its own first
//! and leaves those of others to them for a moment. Who goes before whom is said by
//! [`precedence`](crate::rules::precedence).

use super::{ReadyJob, Schedule, lanes::Lane};
use crate::{
    rules::precedence::{Candidate, Pick, Precedence, pick, unread_for},
    values::{
        id::{LaneId, RunnerId},
        time::Timestamp,
    },
};
use std::time::Duration;

impl Schedule {
    /// Takes note of who else grants.
    pub(crate) fn set_precedence(&mut self, precedence: Precedence) {
        self.precedence = precedence;
    }

    /// Who else grants.
    pub(crate) const fn precedence(&self) -> &Precedence {
        &self.precedence
    }

    /// Others were heard of granting a job of a lane.
    pub(crate) fn others_granted(&mut self, lane: LaneId, now: Timestamp) {
        if let Some(lane) = self.lanes.get_mut(&lane) {
            lane.others_at = now;
        }
    }

    /// For how long a job that others made ready in a lane is left to them. None if the lane is not known, or if
    /// nobody else could grant it.
    pub(crate) fn left_to_others(&self, lane: LaneId, job: &[u8], now: Timestamp) -> Option<Duration> {
        let lane = self.lanes.get(&lane).filter(|lane| lane.needs.runner.is_none())?;
        let rank = self.precedence.rank(job);
        (!self.precedence.is_alone()).then(|| unread_for(rank, lane.others_at, now))
    }

    /// It is this control plane's turn for a lane, or was to be. Which waiting runners are to seek.
    pub(crate) fn turn_came(&mut self, lane: LaneId) -> Vec<RunnerId> {
        self.turns.remove(&lane);
        let mut told = self.tell_of(lane);
        for other in self.behind(lane) {
            told.extend(self.tell_of(other));
        }
        told
    }

    /// As many waiting runners as a lane has ready jobs.
    fn tell_of(&mut self, lane: LaneId) -> Vec<RunnerId> {
        let ready = self.lanes.get(&lane).map_or(0, |lane| lane.window.len());
        (0..ready).map_while(|_| self.waiter_for(lane)).collect()
    }

    /// The other lanes whose turn nobody awaits. Those of a lower priority were not looked at while this
    /// one's had not come, so that whoever was told of them went on waiting.
    fn behind(&self, lane: LaneId) -> Vec<LaneId> {
        let places = self.lanes.get(&lane).map(|lane| &lane.places);
        let pools = places.into_iter().flatten().filter_map(|place| self.pools.get(&place.pool));
        let lanes = pools.filter(|pool| !pool.waiters.is_empty()).flat_map(|pool| pool.order.lanes());
        lanes.filter(|other| *other != lane && !self.turns.contains_key(other)).collect()
    }

    /// Remembers a turn, unless an earlier one of the lane is remembered.
    pub(super) fn note_turn(&mut self, lane: LaneId, turn: Option<Timestamp>) -> Option<(LaneId, Timestamp)> {
        let turn = turn.filter(|turn| self.turns.get(&lane).is_none_or(|noted| turn < noted))?;
        self.turns.insert(lane, turn);
        Some((lane, turn))
    }
}

impl Lane {
    /// Takes out the first job that this control plane may grant now, or at all if nobody waits. If there
    /// is none: when there is.
    pub(super) fn pop(
        &mut self,
        precedence: &Precedence,
        now: Option<Timestamp>,
    ) -> Result<ReadyJob, Option<Timestamp>> {
        // A runner is at home at one control plane, and nobody else could grant what is pinned to it.
        if precedence.is_alone() || self.needs.runner.is_some() {
            return self.window.pop().map(|(_, job)| job).ok_or(None);
        }
        let class = self.window.first().and_then(|key| key.get(16).copied());
        let same_class = self.window.iter().take_while(|(key, _)| key.get(16).copied() == class);
        let candidates = same_class.map(|(key, job)| Candidate {
            key,
            since: since(key),
            rank: rank(precedence, key),
            // Whoever reads a job does not read what is run.
            is_from_here: job.payload.is_some(),
        });
        let wanting_since = self.wanting_since.or(now).unwrap_or_default();
        match pick(candidates, self.others_at, wanting_since, now.unwrap_or(NEVER)) {
            Pick::Take(key) => {
                let key = key.clone();
                if rank(precedence, &key) == 0 {
                    self.wanting_since = None;
                }
                self.window.take(&key).ok_or(None)
            }
            Pick::At(turn) => {
                self.wanting_since = Some(wanting_since);
                Err(Some(turn))
            }
            Pick::Nothing => Err(None),
        }
    }
}

/// Later than every turn.
const NEVER: Timestamp = Timestamp::from_millis(u64::MAX);

/// How many go before this control plane for the job of a key in the ready index.
fn rank(precedence: &Precedence, key: &[u8]) -> u32 {
    precedence.rank(key.get(key.len().saturating_sub(16)..).unwrap_or_default())
}

/// Since when the job of a key in the ready index is ready.
fn since(key: &[u8]) -> Timestamp {
    let at = key.get(17..25).and_then(|at| at.try_into().ok());
    Timestamp::from_millis(at.map_or(0, u64::from_be_bytes))
}
