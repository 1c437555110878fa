//! The control planes on a store: who serves it, and who does what need be done once.

use super::{Record, Unknown, id_bytes};
use crate::{
    rules::keys,
    values::{
        id::{MemberId, TenantId},
        key::{Index, Key, Kind},
        time::Timestamp,
    },
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A control plane that others share a store with. It is written only where there are others.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct MemberRecord {
    #[serde(skip, default = "nobody")]
    pub(crate) id: MemberId,
    /// Until when it is there, unless it says so again.
    pub(crate) expires_at: Timestamp,
    /// Where the others reach it, if it has said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<String>,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

const fn nobody() -> MemberId {
    MemberId::from_bytes([0; 16])
}

impl MemberRecord {
    pub(crate) const fn new(id: MemberId, expires_at: Timestamp, address: Option<String>) -> Self {
        Self { id, expires_at, address, unknown: Unknown::new() }
    }

    pub(crate) fn key_of(id: MemberId) -> Key {
        Key::new(TenantId::OPERATOR, Kind::Member, Bytes::copy_from_slice(id.as_bytes()))
    }

    /// Where all of them are listed.
    pub(crate) fn listing() -> Bytes {
        keys::listed_prefix(TenantId::OPERATOR, Kind::Member, None)
    }
}

impl Record for MemberRecord {
    const KIND: Kind = Kind::Member;
    fn key(&self) -> Key {
        Self::key_of(self.id)
    }
    fn with_key(self, key: &Key) -> Option<Self> {
        let id = MemberId::from_bytes(id_bytes(key)?);
        Some(Self { id, ..self })
    }
    fn indexes(&self) -> Vec<(Index, Bytes)> {
        vec![(Index::Listed, keys::listed(&self.key(), 0, Timestamp::default()))]
    }
}

/// Who sees to a duty that would only cost twice if two did. It may be taken by others once it is over.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct DutyRecord {
    #[serde(skip)]
    pub(crate) duty: Duty,
    pub(crate) holder: MemberId,
    pub(crate) until: Timestamp,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

/// A duty that one control plane sees to for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Duty {
    /// What need not be kept is removed.
    #[default]
    Retention,
}

impl Duty {
    const ALL: [Self; 1] = [Self::Retention];

    const fn name(self) -> &'static str {
        match self {
            Self::Retention => "retention",
        }
    }

    pub(crate) fn key(self) -> Key {
        Key::new(TenantId::OPERATOR, Kind::Duty, Bytes::from_static(self.name().as_bytes()))
    }
}

impl DutyRecord {
    /// How it is held by `me` for `span` from `now`, unless somebody else holds it.
    pub(crate) fn take(
        found: Option<&Self>,
        duty: Duty,
        me: MemberId,
        now: Timestamp,
        span: Duration,
    ) -> Option<Self> {
        let until = now + span;
        match found {
            Some(found) if found.holder != me && found.until > now => None,
            Some(found) => Some(Self { holder: me, until, ..found.clone() }),
            None => Some(Self { duty, holder: me, until, unknown: Unknown::new() }),
        }
    }
}

impl Record for DutyRecord {
    const KIND: Kind = Kind::Duty;
    fn key(&self) -> Key {
        self.duty.key()
    }
    fn with_key(self, key: &Key) -> Option<Self> {
        let duty = Duty::ALL.into_iter().find(|duty| duty.key() == *key)?;
        Some(Self { duty, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duty_is_held_until_it_is_over_and_only_its_holder_takes_it_again() {
        let (me, other) = (MemberId::from_bytes([1; 16]), MemberId::from_bytes([2; 16]));
        let (at, span) = (Timestamp::from_millis, Duration::from_millis(100));
        let take =
            |found: Option<&DutyRecord>, who, now| DutyRecord::take(found, Duty::Retention, who, now, span);
        let held = take(None, me, at(0)).unwrap();
        assert!(take(Some(&held), other, at(99)).is_none());
        assert_eq!(take(Some(&held), me, at(99)).unwrap().until, at(199));
        let taken = take(Some(&held), other, at(100)).unwrap();
        assert_eq!((taken.holder, taken.until), (other, at(200)));
    }
}
