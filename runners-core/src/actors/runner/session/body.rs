//! What one request says: the whole truth, within the limit of a body.

use super::{
    Effect, Session,
    timing::{CALLS_MAX, Sent},
    trail::Trail,
};
use crate::values::{
    lease::FencingToken,
    opaque::Opaque,
    sync::{Attachment, Declined, Held, LogTail, Phase, Progress, SyncRequest},
    time::BootTime,
};
use serde::Serialize;
use std::{collections::BTreeSet, time::Duration};

/// How many answers a finish may wait for the rest of its log and its artifacts to travel: each
/// acknowledges a chunk. Counted in answers, since an outage is no reason to leave any behind.
const FLUSH_ANSWERS_MAX: u32 = 32;
/// What is left in a body for its fixed fields, facts apart.
const FIXED_BYTES: usize = 2 << 10;

impl Session {
    /// Builds the next request and takes note of it as sent.
    pub(in super::super) fn send(&mut self, now: BootTime) -> SyncRequest {
        self.make_room();
        self.seq += 1;
        let mut request = self.blank();
        let mut room = Room::of(&request);
        let complete = self.finishes_into(&mut request, &mut room);
        for (token, why) in &self.declined {
            let declined = Declined { token: *token, why: why.clone() };
            room.add(&mut request.declined, declined);
        }
        for answer in self.signals.unheard() {
            room.add(&mut request.answers, answer);
        }
        self.trails_into(&mut request, &mut room, &complete);
        let unconfirmed = self.held.values().any(|held| !held.confirmed);
        let urgent = unconfirmed
            || request.park_for.is_zero()
            || !(request.finishes.is_empty()
                && request.declined.is_empty()
                && request.answers.is_empty()
                && request.log_tails.is_empty()
                && request.artifacts.is_empty());
        // What found no room goes in the next, which the answer to this one sets off.
        (self.news, self.murmur) = (None, None);
        let sent = Sent {
            asked: now,
            park_for: request.park_for,
            urgent,
            given_up: false,
            facts: request.facts.is_some(),
            listed: request.held.iter().map(|held| held.token).collect(),
            progress: request.progress.iter().map(|progress| (progress.token, progress.number)).collect(),
        };
        self.calls.insert(self.seq, sent);
        request
    }

    /// The older calls are left alone, never aborted; but there is a limit to how many there are.
    fn make_room(&mut self) {
        while self.calls.len() >= CALLS_MAX {
            if let Some((seq, _)) = self.calls.pop_first() {
                self.effects.push(Effect::Abandon(seq));
            }
        }
    }

    /// The fields that every request has, and every attempt that is held.
    fn blank(&self) -> SyncRequest {
        let held =
            |(token, held): (&FencingToken, &super::HeldAttempt)| Held { token: *token, phase: held.phase };
        SyncRequest {
            incarnation: self.incarnation,
            seq: self.seq,
            // At first, and after trouble, all that is wanted is to know that somebody is there: a call that is
            // parked where nobody is would be missed only after its park.
            park_for: if self.connected { self.pacing.park_for() } else { Duration::ZERO },
            facts_digest: self.facts_digest,
            facts: self.facts_wanted.then(|| self.facts.clone()),
            intent: self.mode(),
            seen_generation: self.desired.generation,
            free: self.free(),
            held: self.held.iter().map(held).collect(),
            declined: Vec::new(),
            finishes: Vec::new(),
            answers: Vec::new(),
            log_tails: Vec::new(),
            artifacts: Vec::new(),
            progress: Vec::new(),
        }
    }

    /// Finishes go first, each with what is left of its log and its artifacts. One that has to wait
    /// is listed as held: it would count as lost if it were neither.
    fn finishes_into(&mut self, request: &mut SyncRequest, room: &mut Room) -> BTreeSet<FencingToken> {
        let mut complete = BTreeSet::new();
        for (token, ended) in &self.finishes {
            let trail = self.trails.get_mut(token);
            let pieces = trail.map(|trail| Pieces::of(*token, trail)).unwrap_or_default();
            let patient = ended.answers < FLUSH_ANSWERS_MAX;
            let before = room.left;
            if !(pieces.more && patient) && room.take(&ended.finish) {
                if pieces.fit(room) {
                    request.finishes.push(ended.finish.clone());
                    request.log_tails.extend(pieces.log);
                    request.artifacts.extend(pieces.attachments);
                    complete.insert(*token);
                    continue;
                }
                if !patient {
                    request.finishes.push(ended.finish.clone());
                    continue;
                }
                room.left = before;
            }
            if !ended.spooled {
                request.held.push(Held { token: *token, phase: Phase::Cancelling });
            }
        }
        request.held.sort_by_key(|held| held.token);
        complete
    }

    /// Logs, artifacts and progress of the attempts whose finish does not carry them.
    fn trails_into(&mut self, request: &mut SyncRequest, room: &mut Room, complete: &BTreeSet<FencingToken>) {
        for (token, trail) in &mut self.trails {
            if let Some((number, text)) = &trail.progress {
                let progress = Progress { token: *token, number: *number, text: text.clone() };
                room.add(&mut request.progress, progress);
            }
            if complete.contains(token) {
                continue;
            }
            let pieces = Pieces::of(*token, trail);
            if let Some(tail) = pieces.log {
                room.add(&mut request.log_tails, tail);
            }
            for attachment in pieces.attachments {
                room.add(&mut request.artifacts, attachment);
            }
        }
    }
}

/// What is left of an attempt's trail.
#[derive(Default)]
struct Pieces {
    log: Option<LogTail>,
    attachments: Vec<Attachment>,
    /// There is more of the log than one chunk.
    more: bool,
}

impl Pieces {
    fn of(token: FencingToken, trail: &mut Trail) -> Self {
        let more = trail.log.is_more_than_a_chunk();
        let log = trail.log.chunk();
        Self {
            log: log.map(|(offset, bytes)| LogTail { token, offset, bytes: Opaque::new(bytes) }),
            attachments: trail.attachments.values().map(|(attachment, _)| attachment.clone()).collect(),
            more,
        }
    }

    /// Takes room for all of it, if there is enough.
    fn fit(&self, room: &mut Room) -> bool {
        let before = room.left;
        let fits =
            self.log.iter().all(|tail| room.take(tail)) && self.attachments.iter().all(|a| room.take(a));
        if !fits {
            room.left = before;
        }
        fits
    }
}

/// What is left of the limit of a body.
struct Room {
    left: usize,
}

impl Room {
    /// What is held counts, but is never left out: what is not listed is lost.
    fn of(request: &SyncRequest) -> Self {
        let taken = FIXED_BYTES + length(&request.held) + length(&request.facts);
        Self { left: SyncRequest::BYTES_MAX.saturating_sub(taken) }
    }

    /// Adds what there is room for. What there is not goes in a later request.
    fn add<T: Serialize>(&mut self, pieces: &mut Vec<T>, piece: T) {
        if self.take(&piece) {
            pieces.push(piece);
        }
    }

    fn take(&mut self, piece: &impl Serialize) -> bool {
        let length = length(piece) + 1;
        let fits = length <= self.left;
        if fits {
            self.left -= length;
        }
        fits
    }
}

fn length(piece: &impl Serialize) -> usize {
    serde_json::to_vec(piece).expect("messages are plain data").len()
}
