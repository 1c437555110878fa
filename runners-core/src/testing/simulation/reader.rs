//! Those who follow what the jobs tell: of a tenant, of a run, of one job. Each hangs up, comes back,
//! goes on where it was, and misses nothing.

use super::{
    guests::tenants,
    workload::Planned,
    world::{World, operator_of},
};
use crate::{
    seams::clock::{Clock as _, sleep},
    testing::random::SeededRandom,
    values::{
        event::{Event, EventCursor, EventPage, EventsOf},
        id::{JobId, RunId, TenantId},
        time::BootTime,
    },
};
use futures::future::join_all;
use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How long each waits for what is told.
const PARK_FOR: Duration = Duration::from_secs(20);
/// How long it waits before it asks again when it was not answered.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How often the same is asked at the same moment at most: a reader that deals with none of a page asks again.
const HURRIED_MAX: u32 = 50;
/// How many follow one job each.
const JOBS_FOLLOWED_MAX: usize = 6;

/// Everybody who follows events.
#[derive(Debug)]
pub(super) struct Readers {
    readers: Vec<Reader>,
}

/// Follows one feed.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) tenant: TenantId,
    pub(super) of: EventsOf,
    read: Mutex<Read>,
}

#[derive(Debug, Default)]
struct Read {
    after: EventCursor,
    events: Vec<(EventCursor, Event)>,
}

/// How often the same was asked at the same moment.
#[derive(Debug, Default)]
struct Hurried {
    last: Option<(EventCursor, BootTime)>,
    times: u32,
}

impl Hurried {
    fn asks(&mut self, after: EventCursor, now: BootTime) -> u32 {
        let asked = Some((after, now));
        self.times = if self.last == asked { self.times + 1 } else { 0 };
        self.last = asked;
        self.times
    }
}

impl Readers {
    /// One for every tenant that has jobs, one for every run, and one for some of the jobs.
    pub(super) fn of(jobs: &[Planned]) -> Self {
        let owners: BTreeSet<TenantId> = jobs.iter().map(|job| job.tenant).collect();
        let feeds =
            tenants().filter(|tenant| owners.contains(tenant)).map(|tenant| (tenant, EventsOf::Tenant));
        let runs: BTreeSet<_> =
            jobs.iter().filter_map(|job| Some((job.tenant, job.run.as_ref()?.run))).collect();
        let runs = runs.into_iter().map(|(tenant, run)| (tenant, EventsOf::Run(run)));
        let few = jobs.iter().step_by(jobs.len() / JOBS_FOLLOWED_MAX + 1);
        let few = few.map(|job| (job.tenant, EventsOf::Job(job.spec.job)));
        let readers = feeds.chain(runs).chain(few);
        Self { readers: readers.map(|(tenant, of)| Reader { tenant, of, read: Mutex::default() }).collect() }
    }

    /// All read for as long as it is polled.
    pub(super) async fn follow(&self, world: &World, random: &SeededRandom) {
        let readers = self.readers.iter().map(|reader| {
            let random = random.fork();
            async move { reader.follow(world, &random).await }
        });
        join_all(readers).await;
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Reader> {
        self.readers.iter()
    }
}

impl Reader {
    async fn follow(&self, world: &World, random: &SeededRandom) {
        let mut hurried = Hurried::default();
        loop {
            let patience = PARK_FOR.mul_f64(3.0 * random.unit());
            let after = self.read().after;
            if hurried.asks(after, world.clock.boot()) > HURRIED_MAX {
                let detail =
                    format!("{:?} was asked for after {after} and answered nothing at once", self.of);
                world.checker.violate("who asks for events waits for them", None, detail);
                return std::future::pending().await;
            }
            let page = async {
                let control = world.planes.any()?;
                operator_of(&control, self.tenant).events(self.of, after, PARK_FOR).await.ok()
            };
            let page = tokio::select! {
                biased;
                page = page => page,
                () = sleep(&world.clock, patience) => None,
            };
            match page {
                Some(page) => self.take(world, page, random),
                None => sleep(&world.clock, AGAIN_AFTER).await,
            }
        }
    }

    /// Deals with the events of a page, or only with the first of them before it is interrupted.
    fn take(&self, world: &World, page: EventPage, random: &SeededRandom) {
        let all = page.events.len();
        let dealt_with = if random.unit() < 0.2 { (all as f64 * random.unit()) as usize } else { all };
        let mut read = self.read();
        for (cursor, event) in page.events.into_iter().take(dealt_with) {
            world.checker.count(|count| match self.of {
                EventsOf::Tenant => count.events_read += 1,
                EventsOf::Run(_) => count.events_of_runs_read += 1,
                EventsOf::Job(_) => count.events_of_jobs_read += 1,
            });
            // What is told of a run itself has no place among what is told of a job.
            let of_job = |one: &Event| event.job.is_some() && one.job == event.job;
            let before = read.events.iter().rev().find(|(_, before)| of_job(before));
            let newest = before.map_or(0, |(_, before)| before.sequence);
            // What several control planes tell within a millisecond stands in any order.
            let is_ordered = world.planes.len() == 1 || matches!(self.of, EventsOf::Job(_));
            let is_late = event.job.is_some() && event.sequence < newest && is_ordered;
            let again = read.events.iter().any(|(_, one)| of_job(one) && one.sequence == event.sequence);
            if cursor <= read.after || again || is_late || !self.is_about(world, &event) {
                let (of, after) = (self.of, read.after);
                let detail = format!("{event:?} was read of {of:?} at {cursor}, after {after} and {newest}");
                world.checker.violate("events are read once, in order", event.job, detail);
            }
            read.after = cursor;
            read.events.push((cursor, event));
        }
        if dealt_with == all {
            read.after = read.after.max(page.next);
        }
    }

    /// Whether an event is one of those that it follows.
    fn is_about(&self, world: &World, event: &Event) -> bool {
        let Some(job) = event.job else {
            let mut jobs = world.jobs.iter().filter(|planned| planned.tenant == self.tenant);
            return jobs.any(|planned| planned.run.as_ref().map(|run| run.run) == event.run)
                && (self.of == EventsOf::Tenant
                    || event.run.is_some_and(|run| self.of == EventsOf::Run(run)));
        };
        let planned = world.jobs.iter().find(|planned| planned.spec.job == job);
        planned.is_some_and(|planned| self.follows(planned.tenant, job, event.run))
    }

    /// Whether it follows a job.
    pub(super) fn follows(&self, tenant: TenantId, job: JobId, run: Option<RunId>) -> bool {
        let is_of = match self.of {
            EventsOf::Tenant => true,
            EventsOf::Run(of) => run == Some(of),
            EventsOf::Job(of) => job == of,
        };
        is_of && tenant == self.tenant
    }

    /// What was read, in its order.
    pub(super) fn events(&self) -> Vec<(EventCursor, Event)> {
        self.read().events.clone()
    }

    fn read(&self) -> MutexGuard<'_, Read> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
