//! What names a record, and which ordered lists it stands in.

use crate::values::id::TenantId;
use bytes::Bytes;
use std::fmt;

/// Names one record, stream or counter: owner, kind and at most 64 bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "stores are written outside this crate and build keys")]
pub struct Key {
    /// Whose it is.
    pub tenant: TenantId,
    /// What it is.
    pub kind: Kind,
    /// Which one it is. At most [`Key::ID_MAX`] bytes.
    pub id: Bytes,
}

impl Key {
    /// The largest number of bytes in [`Key::id`].
    pub const ID_MAX: usize = 64;

    /// Builds a key.
    #[must_use]
    pub fn new(tenant: TenantId, kind: Kind, id: impl Into<Bytes>) -> Self {
        Self { tenant, kind, id: id.into() }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{:?}/{}", self.tenant, self.kind, hex::encode(&self.id))
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $number:literal,)*) => {
        /// What a record is. The number is what stands in keys and never changes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(clippy::exhaustive_enums, reason = "a backend maps every kind; a new one goes through `number`")]
        pub enum Kind {
            $($(#[$doc])* $name,)*
            /// A record kind of the host application, numbered by it from 0.
            Host(u16),
        }

        impl Kind {
            /// The number that stands for this kind in keys and in the store.
            #[must_use]
            pub const fn number(self) -> u16 {
                match self {
                    $(Self::$name => $number,)*
                    Self::Host(number) => 0x8000 | number,
                }
            }

            /// The kind of a number, if there is one.
            #[must_use]
            pub const fn from_number(number: u16) -> Option<Self> {
                match number {
                    $($number => Some(Self::$name),)*
                    number if number & 0x8000 != 0 => Some(Self::Host(number & 0x7fff)),
                    _ => None,
                }
            }
        }
    };
}

kinds! {
    /// An owner of everything below it.
    Tenant = 1,
    /// A named set of runners.
    Pool = 2,
    /// A named route to a pool.
    Environment = 3,
    /// Everything that decides where a job may run.
    Lane = 4,
    /// A process that executes.
    Runner = 5,
    /// The presence of one start of a runner.
    Session = 6,
    /// The hash of a secret, and for whom it speaks.
    Credential = 7,
    /// The hash of a registration token, and what it admits to.
    Registration = 8,
    /// A text that may be taken once.
    Unique = 9,
    /// Jobs submitted together.
    Run = 10,
    /// A job's state.
    Job = 11,
    /// A job's immutable bytes, as submitted.
    Payload = 12,
    /// A result too large for the job's state.
    Outcome = 13,
    /// Named bytes that an attempt left.
    Artifact = 14,
    /// A command sent to one runner.
    Signal = 15,
    /// What live views need beyond a start: the key that signs their grants.
    Stream = 16,
    /// A call to a host's webhook.
    Delivery = 17,
    /// An edge from a job to one that waits for it.
    Dependency = 18,
    /// A feature's roll-out.
    Rollout = 19,
    /// A process of the control plane.
    Member = 20,
    /// A runner or job that is held back.
    Quarantine = 21,
    /// A stream: the log of an attempt.
    Log = 22,
    /// A stream: the history of a record.
    Events = 23,
    /// A bounded counter.
    Limit = 24,
    /// What a tenant wants to keep.
    Retention = 25,
    /// Where a tenant wants to be told of events.
    Webhook = 26,
    /// A request that was carried out under a key, and what it made.
    Repeat = 27,
    /// A run over regions.
    Orchestration = 28,
    /// Jobs of a run over regions, as they were asked for.
    OrchestratedJobs = 29,
    /// Who drives the runs over regions.
    Orchestrator = 30,
    /// A document of a library.
    Flow = 31,
    /// A version of such a document.
    FlowVersion = 32,
    /// What was changed, by whom.
    Audit = 33,
    /// Who sees to what one control plane does for all.
    Duty = 40,
    /// What is counted of an artifact against the quota of its tenant.
    Holding = 42,
}

impl Kind {
    /// Whether records of this kind are written once, are large, and stand in no index, so that
    /// a backend keeps them apart from the small records that are rewritten.
    #[must_use]
    pub const fn is_body(self) -> bool {
        matches!(self, Self::Payload | Self::Outcome | Self::OrchestratedJobs | Self::FlowVersion)
    }
}

/// An ordered list that records may stand in. Keys are computed by the rules; a backend only
/// compares their bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a backend has one column for each, and must handle all")]
pub enum Index {
    /// Ready jobs: lane, 255 − priority, ready at, tenant, id.
    Ready,
    /// Whatever needs attention at some time: due at, kind, tenant, id.
    Due,
    /// What belongs to a runner: runner, kind, tenant, id.
    Owner,
    /// What belongs to a parent: tenant, parent, ordinal, id.
    Parent,
    /// Listings: tenant, kind, state, time, id.
    Listed,
    /// A free second listing: tenant, mark, time, id.
    Mark,
}

impl Index {
    /// Every index, in a fixed order.
    pub const ALL: [Self; 6] = [Self::Ready, Self::Due, Self::Owner, Self::Parent, Self::Listed, Self::Mark];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_number_leads_back_to_its_kind() {
        for number in 0..=u16::MAX {
            if let Some(kind) = Kind::from_number(number) {
                assert_eq!(kind.number(), number);
            }
        }
        assert_eq!(Kind::from_number(Kind::Host(7).number()), Some(Kind::Host(7)));
    }
}
