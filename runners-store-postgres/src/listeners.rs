//! Whether anybody else listens to what is written here, so that one alone tells nobody. Each who listens
//! holds a lock of the database that all may share, and says once that it has begun to.

use crate::{
    connections::{Connections, Parameter},
    error::Trouble,
    sql::Statements,
};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio_postgres::types::Type;

/// What is known of the others that listen. To take them to be there costs a notification; to miss one
/// costs it the time until it looks by itself.
#[derive(Debug, Default)]
pub(crate) struct Listeners(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// Grows with whatever says that others may be there.
    doubts: u64,
    are_none: bool,
}

impl Listeners {
    /// Whether it is known that nobody else listens.
    pub(crate) fn are_none(&self) -> bool {
        self.known().are_none
    }

    /// Another was heard, or nobody here could hear one. Whether none was known of before.
    pub(crate) fn doubt(&self) -> bool {
        let mut known = self.known();
        known.doubts += 1;
        std::mem::take(&mut known.are_none)
    }

    /// Looks who listens, beside the process of the server that `own` is the number of.
    pub(crate) async fn look(
        &self,
        connections: &Connections,
        statements: &Statements,
        own: i32,
    ) -> Result<(), Trouble> {
        let doubts = self.known().doubts;
        let parameters: [Parameter<'_>; 2] = [(&statements.channel, Type::TEXT), (&own, Type::INT4)];
        let rows = connections.ask(LISTENERS, &parameters).await?;
        let Some(row) = rows.first() else { return Ok(()) };
        self.looked(doubts, row.try_get(0).map_err(Trouble::before_commit)?);
        Ok(())
    }

    /// It was looked while there were so many doubts: whoever was heard since may have come too late for it.
    fn looked(&self, doubts: u64, are_none: bool) {
        let mut known = self.known();
        if known.doubts == doubts {
            known.are_none = are_none;
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says that this connection listens on a channel, for as long as it lasts, and answers the number of its
/// process. It is to be said before it begins to.
pub(crate) const LISTEN: &str =
    "SELECT pg_backend_pid() FROM pg_advisory_lock_shared(hashtextextended('runners:listen:' || $1, 0))";

/// Whether no other process listens on a channel. The number of a lock stands in two halves there.
const LISTENERS: &str = "SELECT NOT EXISTS (
    SELECT FROM pg_locks AS held, hashtextextended('runners:listen:' || $1, 0) AS number
    WHERE held.locktype = 'advisory' AND held.objsubid = 1
        AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND held.classid = ((number >> 32) & 4294967295)::oid AND held.objid = (number & 4294967295)::oid
        AND held.pid <> $2)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_there_until_it_was_looked_and_once_one_is_heard() {
        let listeners = Listeners::default();
        assert!(!listeners.are_none());
        listeners.looked(0, true);
        assert!(listeners.are_none());
        assert!(listeners.doubt(), "it is to be told of what was written meanwhile");
        assert!(!listeners.are_none() && !listeners.doubt());
    }

    #[test]
    fn one_that_is_heard_while_it_is_looked_is_there() {
        let listeners = Listeners::default();
        listeners.doubt();
        listeners.looked(0, true);
        assert!(!listeners.are_none());
        listeners.looked(1, true);
        assert!(listeners.are_none());
    }
}
