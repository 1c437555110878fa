//! Whether a sync is listened to: which start of the runner speaks, and in which order.

use crate::{
    rules::record::SessionRecord,
    values::{id::MemberId, runner::Incarnation},
};

/// What a control plane does with a sync before anything in it is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// The first word of this runner: make its session.
    New,
    /// A later start: it takes the place of the stored session.
    Takeover,
    /// The same start, from another control plane or from before a restart of this one.
    Move,
    /// The same start, as before.
    Same,
    /// A start that a later one has taken the place of.
    Displaced,
    /// A later request was seen already.
    Superseded,
}

/// Decides on a request of `incarnation` numbered `seq`, where `last` is the newest request of
/// that incarnation that `me` has seen.
pub(crate) fn admit(
    stored: Option<&SessionRecord>,
    me: MemberId,
    last: u64,
    incarnation: Incarnation,
    seq: u64,
) -> Admission {
    let Some(session) = stored else { return Admission::New };
    if incarnation < session.incarnation {
        Admission::Displaced
    } else if incarnation > session.incarnation {
        Admission::Takeover
    } else if seq <= last || seq <= session.floor {
        Admission::Superseded
    } else if session.home != me {
        Admission::Move
    } else {
        Admission::Same
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        rules::record::Unknown,
        values::{
            id::{RunnerId, TenantId},
            time::Timestamp,
        },
    };

    const ME: MemberId = MemberId::from_bytes([1; 16]);

    fn boots(boots: u64) -> Incarnation {
        Incarnation { boots, random: 7 }
    }

    fn session(home: MemberId) -> SessionRecord {
        SessionRecord {
            tenant: TenantId::DEFAULT,
            runner: RunnerId::from_bytes([2; 16]),
            incarnation: boots(2),
            home,
            floor: 5,
            expires_at: Timestamp::default(),
            ended: false,
            drained: false,
            synced_at: Timestamp::default(),
            starts: crate::rules::crash_loop::Starts::default(),
            unknown: Unknown::new(),
        }
    }

    #[test]
    fn a_larger_incarnation_displaces_a_smaller_one_never_the_reverse() {
        let session = session(ME);
        assert_eq!(admit(Some(&session), ME, 0, boots(3), 1), Admission::Takeover);
        assert_eq!(admit(Some(&session), ME, 0, boots(1), 99), Admission::Displaced);
    }

    #[test]
    fn an_overtaken_request_is_superseded() {
        let session = session(ME);
        assert_eq!(admit(Some(&session), ME, 8, boots(2), 8), Admission::Superseded);
        assert_eq!(admit(Some(&session), ME, 0, boots(2), 5), Admission::Superseded);
        assert_eq!(admit(Some(&session), ME, 8, boots(2), 9), Admission::Same);
    }

    #[test]
    fn another_home_is_moved_from() {
        let session = session(MemberId::from_bytes([9; 16]));
        assert_eq!(admit(Some(&session), ME, 0, boots(2), 6), Admission::Move);
        assert_eq!(admit(None, ME, 0, boots(1), 1), Admission::New);
    }
}
