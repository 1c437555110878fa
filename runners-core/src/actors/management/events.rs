//! Events, as they are read by those who may.

use super::{Management, not_found};
use crate::{
    actors::error::Error,
    values::{
        event::{EventCursor, EventPage, EventsOf},
        principal::Scope,
    },
};
use std::time::Duration;

impl Management {
    /// The events of a job, a run or the tenant after a place, oldest first. While there are none,
    /// the answer is held back for `park_for`, and no longer than the control plane parks calls.
    ///
    /// Every event is told at least once to whoever goes on from [`EventPage::next`], or from the
    /// place that stood beside the last event it has dealt with. The events of one job are in
    /// order, but for what several control planes tell of it within moments, which stands in any order in
    /// the events of its run and tenant: `sequence` is in order. What a control plane
    /// tells that was started with its wall clock set back stands before what was told until
    /// then. On a store that several control planes may share, the events of a run and of a tenant, and the webhooks made
    /// of them, come up to half a second after they happened, since others may have something under way that goes
    /// before; those of a job come at once. A job's events are kept as long as the job, a tenant's as long as its retention says.
    ///
    /// # Errors
    /// As [`Management`] says, and [`Error::Store`] where it would wait at a control plane that is
    /// stopping: whoever waited before is answered.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing: ask again from the same place.
    pub async fn events(
        &self,
        of: EventsOf,
        after: EventCursor,
        park_for: Duration,
    ) -> Result<EventPage, Error> {
        let tenant = self.with(Scope::Read)?;
        let found = self.plane.events(tenant, of, after, park_for).await.map_err(Error::Store)?;
        found.ok_or_else(|| match of {
            EventsOf::Run(run) => not_found("run", run),
            EventsOf::Job(job) => not_found("job", job),
            EventsOf::Tenant => not_found("tenant", tenant),
        })
    }
}
