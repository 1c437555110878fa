//! What is counted of an artifact against the quota of its tenant: its bytes while it is stored, and what
//! uploads of it have announced. What the bytes of all of them come to stands in one counter, which is
//! changed in the commit that changes a record.
//!
//! Whether an artifact is stored is known to the artifact store alone. A record says what was found there
//! last, and is looked at again whenever that may have changed.

use super::{Record, Unknown};
use crate::{
    rules::keys,
    values::{
        digest::Digest,
        id::{TenantId, UploadId},
        key::{Index, Key, Kind},
        time::Timestamp,
    },
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The bytes of one artifact, as they are counted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct HoldingRecord {
    #[serde(skip, default = "nobody")]
    pub(crate) tenant: TenantId,
    #[serde(skip, default = "nothing")]
    pub(crate) digest: Digest,
    /// How long it is, if it was found in the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stored: Option<u64>,
    /// What is on its way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    uploads: Vec<Announced>,
    /// When it is to be looked for in the store again, or is to be forgotten if there is nothing to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    look_at: Option<Timestamp>,
    #[serde(flatten)]
    unknown: Unknown,
}

/// An upload that was announced, and may not have come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Announced {
    upload: UploadId,
    length: u64,
    until: Timestamp,
}

/// What is over at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lapsed {
    /// The lengths of uploads in pieces that nobody went on with.
    pub(crate) pieces: Vec<u64>,
    /// There is nothing to it, and has not been for a while.
    pub(crate) is_over: bool,
}

const fn nobody() -> TenantId {
    TenantId::OPERATOR
}

const fn nothing() -> Digest {
    Digest::from_bytes([0; 32])
}

/// How long a record with nothing to it stays, so that whoever has read it before does not take one that
/// was made since for the same.
const EMPTY_KEPT_FOR: Duration = Duration::from_secs(60 * 60);

impl HoldingRecord {
    /// How many uploads of one artifact may be under way.
    pub(crate) const UPLOADS_MAX: usize = 64;

    /// Under this id an upload in pieces is announced: whoever goes on with it is the same upload.
    pub(crate) const IN_PIECES: UploadId = UploadId::from_bytes([0; 16]);

    pub(crate) const fn new(tenant: TenantId, digest: Digest) -> Self {
        Self { tenant, digest, stored: None, uploads: Vec::new(), look_at: None, unknown: Unknown::new() }
    }

    pub(crate) fn key_of(tenant: TenantId, digest: Digest) -> Key {
        Key::new(tenant, Kind::Holding, Bytes::copy_from_slice(digest.as_bytes()))
    }

    /// How many bytes it counts for. A length that was found is the right one; before that, the longest that
    /// was announced counts, since each may be it.
    pub(crate) fn bytes(&self) -> u64 {
        let announced = self.uploads.iter().map(|upload| upload.length).max();
        self.stored.or(announced).unwrap_or(0)
    }

    /// An upload has begun, or goes on. `false` if there are too many.
    pub(crate) fn announce(&mut self, upload: UploadId, length: u64, until: Timestamp) -> bool {
        let announced = Announced { upload, length, until };
        // Pieces of another length are those of another upload, and one of them is not what it says.
        let is_same = |known: &&mut Announced| known.upload == upload && known.length == length;
        if let Some(known) = self.uploads.iter_mut().find(is_same) {
            known.until = known.until.max(until);
            return true;
        }
        let has_room = self.uploads.len() < Self::UPLOADS_MAX;
        if has_room {
            self.uploads.push(announced);
        }
        has_room
    }

    /// An upload has come to its end, one way or the other.
    pub(crate) fn end(&mut self, upload: UploadId, length: u64) {
        self.uploads.retain(|known| known.upload != upload || known.length != length);
    }

    /// The store was asked, and has it with this length or not at all.
    pub(crate) fn found(&mut self, length: Option<u64>, now: Timestamp) {
        self.stored = length;
        let is_nothing = length.is_none() && self.uploads.is_empty();
        self.look_at = is_nothing.then(|| now + EMPTY_KEPT_FOR);
    }

    /// The store may be about to change: it is to be looked at, at `at` if not before.
    pub(crate) const fn doubt(&mut self, at: Timestamp) {
        self.look_at = Some(at);
    }

    /// Ends every upload whose time is over.
    pub(crate) fn lapse(&mut self, now: Timestamp) -> Lapsed {
        let is_over = |upload: &&Announced| upload.until <= now;
        let pieces = self.uploads.iter().filter(is_over).filter(|upload| upload.upload == Self::IN_PIECES);
        let pieces = pieces.map(|upload| upload.length).collect();
        self.uploads.retain(|upload| upload.until > now);
        let is_over = self.bytes() == 0
            && self.stored.is_none()
            && self.uploads.is_empty()
            && self.look_at.is_some_and(|at| at <= now);
        Lapsed { pieces, is_over }
    }

    /// Whether the same uploads are under way.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.uploads == other.uploads
    }

    /// Whether it says that the store has it with this length or not at all, and is to be looked at no more.
    pub(crate) fn is_settled(&self, stored: Option<u64>) -> bool {
        let is_nothing = stored.is_none() && self.uploads.is_empty();
        self.stored == stored && self.look_at.is_some() == is_nothing
    }
}

impl Record for HoldingRecord {
    const KIND: Kind = Kind::Holding;
    fn key(&self) -> Key {
        Self::key_of(self.tenant, self.digest)
    }
    fn with_key(self, key: &Key) -> Option<Self> {
        let digest = Digest::from_bytes(key.id.as_ref().try_into().ok()?);
        Some(Self { tenant: key.tenant, digest, ..self })
    }
    fn indexes(&self) -> Vec<(Index, Bytes)> {
        let key = self.key();
        let mut indexes = vec![(Index::Listed, keys::listed(&key, 0, Timestamp::default()))];
        let ends = self.uploads.iter().map(|upload| upload.until);
        if let Some(at) = ends.chain(self.look_at).min() {
            indexes.push((Index::Due, keys::due(at, &key)));
        }
        indexes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::record::{decode, encode};
    use proptest::prelude::*;

    fn record() -> HoldingRecord {
        HoldingRecord::new(TenantId::DEFAULT, Digest::of(b"abc"))
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn upload(number: u8) -> UploadId {
        UploadId::from_bytes([number; 16])
    }

    #[test]
    fn the_longest_that_was_announced_counts_until_the_length_is_known() {
        let mut holding = record();
        assert!(holding.announce(upload(1), 3, at(10)) && holding.announce(upload(2), 900, at(10)));
        assert_eq!(holding.bytes(), 900);
        holding.found(Some(3), at(1));
        assert_eq!(holding.bytes(), 3, "what claimed more is not that artifact");
        holding.end(upload(1), 3);
        holding.end(upload(2), 900);
        assert_eq!(holding.bytes(), 3);
        holding.found(None, at(2));
        assert_eq!(holding.bytes(), 0);
    }

    #[test]
    fn an_upload_that_does_not_end_lapses_and_its_pieces_are_told() {
        let mut holding = record();
        holding.announce(upload(1), 3, at(10));
        holding.announce(HoldingRecord::IN_PIECES, 3, at(20));
        holding.announce(HoldingRecord::IN_PIECES, 3, at(30));
        assert_eq!(holding.lapse(at(10)), Lapsed::default());
        assert_eq!(holding.bytes(), 3, "it goes on for longer than it first said");
        assert_eq!(holding.lapse(at(30)), Lapsed { pieces: vec![3], is_over: false });
        assert_eq!(holding.bytes(), 0);
    }

    #[test]
    fn what_has_nothing_to_it_stays_for_an_hour_and_is_due_then() {
        let mut holding = record();
        holding.found(None, at(0));
        let over = at(0) + EMPTY_KEPT_FOR;
        assert!(!holding.lapse(at(1)).is_over && holding.lapse(over).is_over);
        let due = holding.indexes().into_iter().find(|(index, _)| *index == Index::Due).unwrap();
        assert_eq!(keys::due_at(&due.1), Some(over));
        holding.found(Some(0), at(1));
        assert!(!holding.lapse(over).is_over, "an empty artifact is one too");
    }

    #[test]
    fn too_many_uploads_of_one_artifact_are_refused_and_those_that_go_on_are_not() {
        let mut holding = record();
        for number in 1..=HoldingRecord::UPLOADS_MAX {
            assert!(holding.announce(upload(u8::try_from(number).unwrap()), 1, at(1)));
        }
        assert!(!holding.announce(upload(200), 1, at(1)));
        assert!(holding.announce(upload(1), 1, at(2)));
    }

    proptest! {
        /// Whatever happens to an artifact, nothing of it is counted once all is over and it is gone, and
        /// never less than is stored.
        #[test]
        fn what_is_counted_covers_what_is_stored_and_ends_with_it(
            steps in prop::collection::vec((0_u8..5, 1_u8..4, 0_u64..1000), 0..40)
        ) {
            let mut holding = record();
            for (step, number, length) in steps {
                match step {
                    0 => drop(holding.announce(upload(number), length, at(length))),
                    1 => holding.end(upload(number), length),
                    2 => holding.found((length > 500).then_some(length), at(length)),
                    3 => holding.doubt(at(length)),
                    _ => drop(holding.lapse(at(length))),
                }
                prop_assert!(holding.bytes() >= holding.stored.unwrap_or(0));
                let again: HoldingRecord = decode(&holding.key(), 1, &encode(&holding)).unwrap();
                prop_assert_eq!(again.bytes(), holding.bytes());
            }
            drop(holding.lapse(at(u64::MAX)));
            holding.found(None, at(0));
            prop_assert_eq!(holding.bytes(), 0);
        }
    }
}
