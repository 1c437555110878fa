//! What jobs told, and whether it agrees with how they stand.

use super::Audit;
use crate::{
    rules::{history::events_of, job::JobRecord, keys},
    testing::simulation::reader::Readers,
    values::{
        event::{Event, Happening},
        id::RunnerId,
        time::Timestamp,
    },
};

impl Audit {
    /// The history tells one conclusion, and nothing after it.
    pub(super) async fn check_history(&self, job: &JobRecord) {
        let events = self.events(job).await;
        self.checker.count(|count| {
            let first = events.first().map(|event| &event.what);
            count.direct_grants += u64::from(matches!(first, Some(Happening::Offered { .. })));
        });
        let is_end = |event: &&Event| matches!(event.what, Happening::Concluded { .. });
        let after: Vec<_> = events.iter().skip_while(|event| !is_end(event)).collect();
        let same = after.windows(2).all(|pair| is_end(&pair[1]) && pair[0].what == pair[1].what);
        if after.is_empty() || !same {
            let detail = format!("{} has the history {events:?}", job.id);
            self.checker.violate("a job has exactly one conclusion", Some(job.id), detail);
        }
        self.check_waits(job, &events);
    }

    /// Whoever followed events has read what each job tells in its own history.
    pub(in super::super) async fn check_read(&self, readers: &Readers, planes: usize) {
        // One of several control planes does not know what others told before their wall was set back.
        if planes > 1 && self.checker.statistics().wall_steps > 0 {
            return;
        }
        for stored in self.jobs().await.into_iter().flatten() {
            let job = stored.record;
            let told = self.events(&job).await;
            for reader in readers.all().filter(|reader| reader.follows(job.tenant, job.id, job.terms.run)) {
                let read = reader.events().into_iter().map(|(_, event)| event);
                let mut read: Vec<Event> = read.filter(|event| event.job == Some(job.id)).collect();
                read.sort_unstable_by_key(|event| event.sequence);
                if read != told {
                    let detail =
                        format!("{} told {told:?}, and of {:?} was read {read:?}", job.id, reader.of);
                    self.checker.violate("nobody who follows events misses one", Some(job.id), detail);
                }
            }
        }
    }

    /// What a job has told, as its own history says.
    async fn events(&self, job: &JobRecord) -> Vec<Event> {
        let lines = self.stream(keys::events(job.tenant, job.id)).await;
        events_of(job, &lines, true).into_values().collect()
    }

    /// Each offer went to a runner of a pool that was open to the job by then, and was not said to
    /// be unfit for it.
    fn check_waits(&self, job: &JobRecord, events: &[Event]) {
        let mut ready_at = job.submitted_at;
        let mut was_running = false;
        for event in events {
            match &event.what {
                // What was due before it was seen to be ready, or goes back, loses nothing of its age.
                Happening::Ready { .. } if was_running => ready_at = event.at,
                Happening::Scheduled { ready_at: at, .. } => ready_at = *at,
                Happening::Offered { runner, .. } => self.check_offer(job, *runner, event.at, ready_at),
                _ => {}
            }
            was_running = matches!(event.what, Happening::Running { .. } | Happening::Stopping { .. });
        }
    }

    fn check_offer(&self, job: &JobRecord, runner: RunnerId, at: Timestamp, ready_at: Timestamp) {
        let Some(member) = self.members.iter().find(|member| member.id == runner) else { return };
        let opening = job.terms.fallbacks.iter().find(|opening| opening.pool == member.pool);
        let is_further = opening.is_some() && member.pool != job.terms.pool;
        self.checker.count(|count| {
            count.fallen_back += u64::from(is_further);
            count.hosted += u64::from(job.terms.hosted);
        });
        let is_open = opening.map_or(member.pool == job.terms.pool, |opening| {
            // As it was asked for, whatever the record made of it.
            let after = self.waits.get(&(job.id, member.pool)).copied().unwrap_or(opening.after);
            // The wall may have been set back since.
            at + self.apart >= ready_at + after || self.checker.statistics().wall_steps > 0
        });
        if !is_open {
            let detail =
                format!("{} was offered to {runner} at {at}, and was ready since {ready_at}", job.id);
            self.checker.violate("a further pool opens after its wait", Some(job.id), detail);
        }
        if self.checker.is_ruled_out(job.id, runner) {
            let detail = format!("{} was offered to {runner}, and was said to be unfit for it", job.id);
            self.checker.violate("what is explained is what is granted", Some(job.id), detail);
        }
    }
}
