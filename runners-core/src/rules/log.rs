//! The log of an attempt as the record of its job tells it: how long it is, what of it is missing,
//! and where it is kept. The bytes are in a stream while the job lives, and in one artifact
//! afterwards.

use crate::{
    rules::job::{JobRecord, State},
    values::{digest::Digest, lease::FencingToken, reply::LogGap, sync::SyncRequest},
};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// The log of one attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AttemptLog {
    pub(crate) grant: u64,
    /// The offset after the last byte that was told of, kept or not.
    pub(crate) end: u64,
    /// What is missing, in order, never adjacent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) gaps: Vec<LogGap>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sealed: Option<SealedLog>,
}

/// A log that is kept in an artifact: every byte that is not in a gap, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SealedLog {
    pub(crate) digest: Digest,
    pub(crate) length: u64,
    /// Nothing of it stands in the store any more.
    #[serde(default)]
    pub(crate) dropped: bool,
}

/// The largest number of gaps in the log of one attempt. Whatever comes after the last one is
/// missing too.
const GAPS_MAX: usize = 64;

impl JobRecord {
    /// Takes note of a piece of the log of `token`. Which part of it is to be kept, as offsets in
    /// the log; what is left out is marked as missing.
    pub(crate) fn log_tail(&mut self, token: FencingToken, offset: u64, length: u64) -> Range<u64> {
        let end = offset.saturating_add(length);
        if length == 0 {
            return end..end;
        }
        let others = self.logs.iter().filter(|log| log.grant != token.grant);
        let others: u64 = others.map(|log| log.end.min(SyncRequest::LOG_BYTES_MAX)).sum();
        let room = SyncRequest::LOG_JOB_BYTES_MAX.saturating_sub(others);
        let limit = room.min(SyncRequest::LOG_BYTES_MAX);
        self.log_mut(token.grant).take(offset, length, limit)
    }

    /// Takes note of how many bytes the log of `token` has had: those that are not here by now are
    /// missing.
    pub(crate) fn log_ended(&mut self, token: FencingToken, end: u64) {
        let end = end.min(SyncRequest::LOG_BYTES_MAX);
        if end > self.log_of(token.grant).map_or(0, |log| log.end) {
            let log = self.log_mut(token.grant);
            log.miss(log.end, end);
            log.end = end;
        }
    }

    fn log_mut(&mut self, grant: u64) -> &mut AttemptLog {
        let at = self.logs.iter().position(|log| log.grant == grant).unwrap_or_else(|| {
            self.logs.push(AttemptLog { grant, end: 0, gaps: Vec::new(), sealed: None });
            self.logs.len() - 1
        });
        &mut self.logs[at]
    }

    /// The log of one attempt, if it has logged anything.
    pub(crate) fn log_of(&self, grant: u64) -> Option<&AttemptLog> {
        self.logs.iter().find(|log| log.grant == grant)
    }

    /// Whether it has ended, and logs of it are still in the store.
    pub(crate) fn awaits_sealing(&self) -> bool {
        let is_open = |log: &AttemptLog| log.sealed.is_none_or(|sealed| !sealed.dropped);
        matches!(self.state, State::Concluded { .. }) && self.logs.iter().any(is_open)
    }
}

impl AttemptLog {
    fn take(&mut self, offset: u64, length: u64, limit: u64) -> Range<u64> {
        let end = offset.saturating_add(length);
        if end <= self.end {
            return end..end;
        }
        let begin = offset.max(self.end);
        let opens_last = begin > self.end && self.gaps.len() + 1 >= GAPS_MAX;
        let is_cut_off = self.gaps.len() >= GAPS_MAX || opens_last;
        let kept_end = if is_cut_off || length > SyncRequest::LOG_CHUNK_BYTES_MAX as u64 {
            begin
        } else {
            end.min(limit).max(begin)
        };
        self.miss(self.end, begin);
        self.miss(kept_end, end);
        self.end = end;
        begin..kept_end
    }

    fn miss(&mut self, from: u64, to: u64) {
        if from >= to {
            return;
        }
        match self.gaps.last_mut() {
            Some(last) if last.offset + last.bytes == from => last.bytes += to - from,
            _ => self.gaps.push(LogGap { offset: from, bytes: to - from }),
        }
    }

    /// What is missing from `from` up to `to`.
    pub(crate) fn gaps_in(&self, from: u64, to: u64) -> Vec<LogGap> {
        let clipped = self.gaps.iter().map(|gap| {
            let begin = gap.offset.max(from);
            LogGap { offset: begin, bytes: (gap.offset + gap.bytes).min(to).saturating_sub(begin) }
        });
        clipped.filter(|gap| gap.bytes > 0).collect()
    }

    /// The pieces that are kept, from `from` on: where each stands in the log, and where in the
    /// artifact.
    pub(crate) fn pieces(&self, from: u64) -> Vec<(u64, Range<u64>)> {
        let mut pieces = Vec::new();
        let (mut at, mut kept) = (0, 0);
        let last = LogGap { offset: self.end, bytes: 0 };
        for gap in self.gaps.iter().chain([&last]) {
            let length = gap.offset.saturating_sub(at);
            let skip = from.saturating_sub(at).min(length);
            if skip < length {
                pieces.push((at + skip, kept + skip..kept + length));
            }
            at = gap.offset + gap.bytes;
            kept += length;
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn log() -> AttemptLog {
        AttemptLog { grant: 1, end: 0, gaps: Vec::new(), sealed: None }
    }

    #[test]
    fn a_tail_that_was_told_before_is_kept_once() {
        let mut log = log();
        assert_eq!(log.take(0, 10, MIB), 0..10);
        assert!(log.take(0, 10, MIB).is_empty(), "its reply was lost");
        assert_eq!(log.take(5, 10, MIB), 10..15, "only what is new of it");
        assert!(log.gaps.is_empty());
    }

    #[test]
    fn bytes_that_were_left_out_are_a_gap() {
        let mut log = log();
        log.take(0, 10, MIB);
        assert_eq!(log.take(30, 5, MIB), 30..35);
        assert_eq!(log.gaps, [LogGap { offset: 10, bytes: 20 }]);
        assert_eq!(log.gaps_in(15, 25), [LogGap { offset: 15, bytes: 10 }]);
        assert_eq!(log.pieces(0), [(0, 0..10), (30, 10..15)]);
        assert_eq!(log.pieces(32), [(32, 12..15)]);
    }

    #[test]
    fn what_is_over_the_limit_is_one_gap_at_the_end() {
        let mut log = log();
        assert_eq!(log.take(0, 10, 12), 0..10);
        assert_eq!(log.take(10, 10, 12), 10..12);
        assert!(log.take(20, 10, 12).is_empty());
        assert_eq!(log.gaps, [LogGap { offset: 12, bytes: 18 }]);
    }

    #[test]
    fn after_the_last_gap_that_is_allowed_everything_is_missing() {
        let mut log = log();
        for number in 0..=GAPS_MAX as u64 * 2 {
            log.take(number * 10 + 5, 1, MIB);
        }
        assert_eq!(log.gaps.len(), GAPS_MAX);
        let last = log.gaps.last().unwrap();
        assert_eq!(last.offset + last.bytes, log.end);
        let kept: u64 = log.pieces(0).iter().map(|(_, piece)| piece.end - piece.start).sum();
        let missing: u64 = log.gaps.iter().map(|gap| gap.bytes).sum();
        assert_eq!(kept + missing, log.end);
    }
}
