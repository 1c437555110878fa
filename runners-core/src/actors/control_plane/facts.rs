//! What runners say of themselves: heeded at once, and kept when it changes.

use super::{
    Plane,
    session::{Identity, Live},
};
use crate::{
    actors::records::{Batch, Versioned},
    rules::schedule::Seeker,
    seams::store::StoreError,
    values::{runner::Facts, sync::SyncRequest},
};
use std::sync::Arc;

impl Plane {
    /// Goes by what the runner says of itself: in this request, or before, if its digest is the same.
    pub(super) fn take_facts(&self, who: Identity, live: &mut Live, request: &SyncRequest) {
        let known = live.facts_told.is_some_and(|told| told == request.facts_digest);
        if known && live.seeker.is_some() {
            return;
        }
        let stored = live.runner.as_ref().and_then(|runner| runner.record.facts.as_ref());
        let stored = stored.filter(|(told, _)| *told == request.facts_digest).map(|(_, facts)| facts);
        let told = request.facts.clone().map(|facts| {
            let slots = facts.slots.min(Facts::SLOTS_MAX);
            Arc::new(Facts { slots, ..facts })
        });
        live.seeker = told.or_else(|| stored.cloned()).map(|facts| Seeker::new(who.runner, facts));
        live.facts_told = live.seeker.is_some().then_some(request.facts_digest);
    }

    /// Keeps what the runner says of itself, if that is news.
    pub(super) async fn keep_facts(&self, live: &mut Live) -> Result<(), StoreError> {
        let (Some(told), Some(seeker)) = (live.facts_told, &live.seeker) else { return Ok(()) };
        let Some(runner) = &live.runner else { return Ok(()) };
        if runner.record.facts.as_ref().is_some_and(|(kept, _)| *kept == told) {
            return Ok(());
        }
        let (version, mut record) = (runner.version, runner.record.clone());
        record.facts = Some((told, Arc::clone(&seeker.facts)));
        let mut batch = Batch::new();
        batch.put(version, &record);
        match self.records.commit(batch).await {
            Ok(_) => live.runner = Some(Versioned { version: version + 1, record }),
            // Somebody else has changed the runner: the next sync reads it, and keeps them then.
            Err(StoreError::Conflict(_)) => live.loaded = false,
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
