//! What the charts show: how many jobs waited and ran over the last hour, how long attempts took, and
//! what became of jobs by day. The hour is folded from the tenant's feed, so it is there at the first
//! look and after a restart; nothing is sampled, and nothing runs while nobody looks.

use runners_core::{
    BootTime, Conclusion, Error, Event, EventCursor, EventsOf, Happening, JobFilter, JobId, JobState,
    Management, Paging, TenantId, Timestamp, protocol::StateView,
};
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How many minutes the charts go back.
pub(crate) const MINUTES: u64 = 60;

/// How many attempts that ended are shown.
pub(crate) const ENDED_MAX: usize = 60;

/// How many of the newest jobs that ended are counted by day.
pub(crate) const JOBS_BY_DAY_MAX: usize = 1_000;

/// How many days are shown.
const DAYS_MAX: usize = 14;

/// How many tenants are remembered at once.
const TENANTS_MAX: usize = 64;

/// How many jobs of a tenant are remembered; what they did before is forgotten if there are more.
const JOBS_MAX: usize = 100_000;

/// How many pages of the feed one look reads at most. The next one goes on from there.
const PAGES_MAX: usize = 32;

/// How long what was found is shown before it is looked for again.
const FRESH_FOR: Duration = Duration::from_secs(3);

/// The same for what is counted by day.
const DAYS_FRESH_FOR: Duration = Duration::from_secs(30);

const MINUTE_MILLIS: u64 = 60_000;
const DAY_MILLIS: u64 = 24 * 60 * MINUTE_MILLIS;

/// The histories of the tenants that somebody looked at.
#[derive(Debug, Default)]
pub(crate) struct Histories(Mutex<HashMap<TenantId, Slot>>);

/// What the charts show.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    /// How many jobs waited for a runner at the end of each minute, the oldest first.
    pub(crate) waiting: Vec<u32>,
    /// How many were offered or ran.
    pub(crate) running: Vec<u32>,
    /// The attempts that ended last, the oldest first.
    pub(crate) ended: Vec<Ended>,
    /// What became of the newest jobs, by the day they ended, the oldest day first.
    pub(crate) days: Vec<Day>,
}

/// An attempt that ended its job.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    pub(crate) took: Duration,
    pub(crate) conclusion: Conclusion,
}

/// What became of the jobs of a day.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Day {
    pub(crate) begins_at: Timestamp,
    pub(crate) passed: u32,
    pub(crate) flaky: u32,
    pub(crate) failed: u32,
    pub(crate) errored: u32,
}

#[derive(Debug, Default)]
struct Slot {
    /// Gone while somebody reads on.
    history: Option<History>,
    figures: Figures,
    looked_at: BootTime,
    days_at: Option<BootTime>,
}

/// The fold of a feed.
#[derive(Debug, Default)]
struct History {
    next: EventCursor,
    jobs: HashMap<JobId, Phase>,
    waiting: i64,
    running: i64,
    /// How many waited and ran at the end of each minute in which something happened.
    minutes: BTreeMap<u64, (i64, i64)>,
    ended: VecDeque<Ended>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It waits for its time, or for other jobs.
    Apart,
    Waiting,
    Offered,
    Running(Timestamp),
}

impl Histories {
    /// What the charts show of a tenant of whose jobs `waiting` wait and `running` hold a slot now.
    pub(crate) async fn look(
        &self,
        management: &Management,
        (waiting, running): (u32, u32),
        (now, boot): (Timestamp, BootTime),
    ) -> Result<Figures, Error> {
        let tenant = management.tenant();
        let (mut history, days_at) = {
            let mut slots = self.lock();
            make_room(&mut slots, tenant);
            let slot = slots
                .entry(tenant)
                .or_insert_with(|| Slot { history: Some(History::from(now)), ..Slot::default() });
            let is_fresh = !slot.figures.waiting.is_empty() && boot.since(slot.looked_at) < FRESH_FOR;
            match slot.history.take_if(|_| !is_fresh) {
                Some(history) => (history, slot.days_at),
                None => return Ok(slot.figures.clone()),
            }
        };
        let read = history.read_on(management).await;
        let days = match days_at.filter(|at| boot.since(*at) < DAYS_FRESH_FOR) {
            None => Some(days(management).await),
            Some(_) => None,
        };
        let mut slots = self.lock();
        let slot = slots.entry(tenant).or_default();
        history.forget_before(now);
        (slot.figures.waiting, slot.figures.running) = history.series(now, waiting, running);
        slot.figures.ended = history.ended.iter().copied().collect();
        slot.history = Some(history);
        slot.looked_at = boot;
        read?;
        if let Some(days) = days {
            slot.figures.days = days?;
            slot.days_at = Some(boot);
        }
        Ok(slot.figures.clone())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TenantId, Slot>> {
        // It is whole after every statement.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl History {
    /// Begins an hour ago.
    fn from(now: Timestamp) -> Self {
        let hour = Duration::from_millis(MINUTES * MINUTE_MILLIS);
        Self { next: EventCursor::at(now - hour), ..Self::default() }
    }

    async fn read_on(&mut self, management: &Management) -> Result<(), Error> {
        for _ in 0..PAGES_MAX {
            let page = management.events(EventsOf::Tenant, self.next, Duration::ZERO).await?;
            page.events.iter().for_each(|(_, event)| self.apply(event));
            self.next = page.next;
            if page.events.is_empty() {
                break;
            }
        }
        Ok(())
    }

    fn apply(&mut self, event: &Event) {
        let Some(job) = event.job else { return };
        let before = self.jobs.get(&job).copied();
        let (assumed, after) = match &event.what {
            Happening::Scheduled { .. } | Happening::Blocked { .. } => (Phase::Apart, Some(Phase::Apart)),
            Happening::Ready { .. } => (Phase::Apart, Some(Phase::Waiting)),
            Happening::Offered { .. } => (Phase::Waiting, Some(Phase::Offered)),
            Happening::Running { .. } => (Phase::Offered, Some(Phase::Running(event.at))),
            Happening::Concluded { conclusion } => {
                if let Some(Phase::Running(since)) = before {
                    self.ended.push_back(Ended { took: event.at.since(since), conclusion: *conclusion });
                    self.ended.keep_last(ENDED_MAX);
                }
                (Phase::Offered, None)
            }
            _ => return,
        };
        // Its first commit is the first of its events: before that, it was nowhere.
        let assumed = if event.sequence == 1 { Phase::Apart } else { assumed };
        self.count(before.unwrap_or(assumed), -1);
        if let Some(after) = after {
            self.count(after, 1);
        }
        if self.jobs.len() >= JOBS_MAX {
            self.jobs.clear();
        }
        match after {
            Some(after) => self.jobs.insert(job, after),
            None => self.jobs.remove(&job),
        };
        self.minutes.insert(event.at.as_millis() / MINUTE_MILLIS, (self.waiting, self.running));
    }

    fn count(&mut self, phase: Phase, change: i64) {
        match phase {
            Phase::Apart => {}
            Phase::Waiting => self.waiting += change,
            Phase::Offered | Phase::Running(_) => self.running += change,
        }
    }

    fn forget_before(&mut self, now: Timestamp) {
        let first = (now.as_millis() / MINUTE_MILLIS).saturating_sub(MINUTES);
        let kept = self.minutes.split_off(&first);
        // What was last known before counts for the first minutes.
        let last = std::mem::replace(&mut self.minutes, kept).pop_last();
        if let Some((_, counts)) = last {
            self.minutes.entry(first).or_insert(counts);
        }
    }

    /// Both counts by minute. The fold knows by how much they changed, and the present how many there
    /// are: jobs that were there all the time are in no event.
    fn series(&self, now: Timestamp, waiting: u32, running: u32) -> (Vec<u32>, Vec<u32>) {
        let last = now.as_millis() / MINUTE_MILLIS;
        let first = last.saturating_sub(MINUTES - 1);
        let shift = (i64::from(waiting) - self.waiting, i64::from(running) - self.running);
        let before = self.minutes.range(..first).next_back().map(|(_, counts)| *counts);
        let mut counts = before.unwrap_or_default();
        let there = |count: i64| u32::try_from(count.max(0)).unwrap_or(u32::MAX);
        let (mut waited, mut ran) = (Vec::new(), Vec::new());
        for minute in first..=last {
            counts = self.minutes.get(&minute).copied().unwrap_or(counts);
            waited.push(there(counts.0 + shift.0));
            ran.push(there(counts.1 + shift.1));
        }
        (waited, ran)
    }
}

/// What became of the newest jobs, by day.
async fn days(management: &Management) -> Result<Vec<Day>, Error> {
    let filter = JobFilter { state: Some(JobState::Concluded), ..JobFilter::default() };
    let mut paging = Paging { limit: Paging::LIMIT_MAX, after: None };
    let (mut days, mut seen) = (BTreeMap::<u64, Day>::new(), 0);
    while seen < JOBS_BY_DAY_MAX {
        let page = management.jobs(&filter, &paging).await?;
        seen += page.items.len();
        for line in &page.items {
            let StateView::Concluded { conclusion, at } = line.state else { continue };
            let day = at.as_millis() / DAY_MILLIS;
            let counts = days.entry(day).or_default();
            counts.begins_at = Timestamp::from_millis(day * DAY_MILLIS);
            match conclusion {
                Conclusion::Passed => counts.passed += 1,
                Conclusion::Flaky => counts.flaky += 1,
                Conclusion::Failed | Conclusion::TimedOut => counts.failed += 1,
                Conclusion::Errored => counts.errored += 1,
                // Nobody learns from what was called off.
                _ => {}
            }
        }
        paging.after = page.next;
        if paging.after.is_none() {
            break;
        }
    }
    let skipped = days.len().saturating_sub(DAYS_MAX);
    Ok(days.into_values().skip(skipped).collect())
}

/// Forgets the tenant that was looked at longest ago, if there are too many.
fn make_room(slots: &mut HashMap<TenantId, Slot>, tenant: TenantId) {
    if slots.len() < TENANTS_MAX || slots.contains_key(&tenant) {
        return;
    }
    let oldest = slots.iter().min_by_key(|(_, slot)| slot.looked_at).map(|(tenant, _)| *tenant);
    oldest.and_then(|tenant| slots.remove(&tenant));
}

/// Drops what is in front of the last few.
trait KeepLast {
    fn keep_last(&mut self, kept: usize);
}

impl<T> KeepLast for VecDeque<T> {
    fn keep_last(&mut self, kept: usize) {
        self.drain(..self.len().saturating_sub(kept));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runners_core::RunnerId;

    const NOW: Timestamp = Timestamp::from_millis(100 * MINUTE_MILLIS);

    fn event(job: u8, minute: u64, what: Happening) -> Event {
        let job = Some(JobId::from_bytes([job; 16]));
        Event { job, run: None, sequence: 5, at: Timestamp::from_millis(minute * MINUTE_MILLIS), what }
    }

    fn running() -> Happening {
        Happening::Running { grant: 1, attempt: 1, runner: RunnerId::from_bytes([1; 16]) }
    }

    #[test]
    fn the_counts_of_each_minute_lead_to_those_of_now() {
        let mut history = History::default();
        let ready = || Happening::Ready { after: None };
        for event in [event(1, 50, ready()), event(2, 60, ready()), event(1, 90, running())] {
            history.apply(&event);
        }
        // A third one was there all the time.
        let (waiting, ran) = history.series(NOW, 2, 1);
        assert_eq!((waiting.len(), ran.len()), (60, 60));
        let at = |minute: usize| (waiting[minute - 41], ran[minute - 41]);
        assert_eq!([at(41), at(50), at(60), at(90), at(100)], [(1, 0), (2, 0), (3, 0), (2, 1), (2, 1)]);
    }

    #[test]
    fn a_job_that_was_not_seen_before_is_where_it_must_have_been() {
        let mut history = History::default();
        history.apply(&event(1, 90, running()));
        history.apply(&event(1, 95, Happening::Concluded { conclusion: Conclusion::Passed }));
        let (_, ran) = history.series(NOW, 0, 0);
        assert_eq!((ran[90 - 41], ran[95 - 41]), (1, 0));
        assert_eq!(history.ended[0].took, Duration::from_secs(300));
    }

    #[test]
    fn a_job_that_was_offered_as_it_was_made_never_waited() {
        let mut history = History::default();
        let offered = Happening::Offered { grant: 1, runner: RunnerId::from_bytes([1; 16]) };
        history.apply(&Event { sequence: 1, ..event(1, 90, offered) });
        let (waiting, ran) = history.series(NOW, 0, 1);
        assert_eq!((waiting[0], ran[0], ran[59]), (0, 0, 1));
    }

    #[test]
    fn what_is_older_than_an_hour_counts_as_where_the_hour_begins() {
        let mut history = History::default();
        history.apply(&event(1, 10, Happening::Ready { after: None }));
        history.forget_before(NOW);
        assert_eq!(history.minutes.len(), 1);
        assert_eq!(history.series(NOW, 1, 0).0[0], 1);
    }
}
