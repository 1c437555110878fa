//! What is known of the deliveries of each webhook beside the store: when the next is due, and whether the webhook
//! is to be called at all.

use super::{super::lock, LOOK_EVERY};
use crate::{
    rules::{
        record::WebhookRecord,
        webhook::{WAITING_MAX, alone_for, callers_max},
    },
    values::{
        id::{TenantId, WebhookId},
        time::{BootTime, Timestamp},
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
    time::Duration,
};
use tokio::sync::Notify;

/// A webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) tenant: TenantId,
    pub(super) webhook: WebhookId,
}

impl Place {
    pub(super) const fn of(record: &WebhookRecord) -> Self {
        Self { tenant: record.tenant, webhook: record.id }
    }
}

/// What came of a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Called {
    pub(super) went_well: bool,
    /// Whether its delivery does not wait any more.
    pub(super) is_gone: bool,
}

/// The webhooks that are known to be there, or to have deliveries.
#[derive(Debug, Default)]
pub(super) struct Lines {
    lines: Mutex<BTreeMap<Place, Line>>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Line {
    /// Who calls it, or waits for the turn to.
    callers: usize,
    /// How many of the newest calls have failed.
    failures: u32,
    /// When the next delivery is due, or it is looked for one.
    look_at: Timestamp,
    /// Until when it is left alone, since it has failed.
    alone_until: Timestamp,
    /// About how many deliveries wait, and when they were counted.
    waiting: Option<(usize, BootTime)>,
    /// The webhook was deleted: what is left of it is to be removed.
    is_gone: bool,
}

/// How often it is counted how many deliveries wait where there is no room for more.
const COUNT_EVERY: Duration = Duration::from_secs(60);

impl Line {
    /// When somebody else may begin to call it.
    fn begins_at(&self) -> Option<Timestamp> {
        let has_room = self.callers < callers_max(self.failures);
        has_room.then(|| self.look_at.max(self.alone_until))
    }
}

impl Lines {
    fn with<T>(&self, place: Place, act: impl FnOnce(&mut Line) -> T) -> T {
        act(lock(&self.lines).entry(place).or_default())
    }

    /// A webhook is there.
    pub(super) fn known(&self, place: Place) {
        self.with(place, |line| line.is_gone = false);
    }

    /// No webhooks are there but these.
    pub(super) fn gone_but(&self, there: &BTreeSet<Place>, now: Timestamp) {
        for (_, line) in lock(&self.lines).iter_mut().filter(|(place, _)| !there.contains(place)) {
            if !std::mem::replace(&mut line.is_gone, true) {
                (line.look_at, line.alone_until, line.failures) = (now, now, 0);
            }
        }
    }

    /// Completes when somebody may be called earlier than was known.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// When the next webhook may be called.
    pub(super) fn next(&self) -> Option<Timestamp> {
        lock(&self.lines).values().filter_map(Line::begins_at).min()
    }

    /// The webhooks that are to be called from now on, by one more each.
    pub(super) fn begin(&self, now: Timestamp) -> Vec<Place> {
        let mut lines = lock(&self.lines);
        let ripe = lines.iter_mut().filter(|(_, line)| line.begins_at().is_some_and(|at| at <= now));
        ripe.map(|(place, line)| {
            line.callers += 1;
            line.look_at = now + LOOK_EVERY;
            *place
        })
        .collect()
    }

    /// Somebody looks for what is due: what is told from now on counts.
    pub(super) fn look(&self, place: Place, now: Timestamp) {
        self.with(place, |line| line.look_at = now + LOOK_EVERY);
    }

    /// When the next delivery is due besides what was claimed. Of a webhook that was deleted nothing may be left.
    pub(super) fn looked(&self, place: Place, next_at: Option<Timestamp>) {
        match next_at {
            Some(next_at) => self.due(place, next_at),
            None => self.with(place, |line| {
                if line.is_gone {
                    line.look_at = Timestamp::from_millis(u64::MAX);
                }
            }),
        }
    }

    /// A delivery is due at `at`.
    pub(super) fn due(&self, place: Place, at: Timestamp) {
        let is_earlier = self.with(place, |line| {
            let is_earlier = at < line.look_at;
            line.look_at = line.look_at.min(at);
            is_earlier
        });
        if is_earlier {
            self.changed.notify_one();
        }
    }

    /// Deliveries were made.
    pub(super) fn made(&self, place: Place, count: usize, now: Timestamp) {
        self.with(place, |line| line.waiting.iter_mut().for_each(|(waiting, _)| *waiting += count));
        self.due(place, now);
    }

    /// How many deliveries wait, if that is known well enough.
    pub(super) fn waiting(&self, place: Place, now: BootTime) -> Option<usize> {
        let (waiting, at) = self.with(place, |line| line.waiting)?;
        (waiting < WAITING_MAX || now < at + COUNT_EVERY).then_some(waiting)
    }

    pub(super) fn counted(&self, place: Place, waiting: usize, at: BootTime) {
        self.with(place, |line| line.waiting = Some((waiting, at)));
    }

    /// What came of a call. Whether the same caller may go on.
    pub(super) fn called(&self, place: Place, called: Called, now: Timestamp) -> bool {
        self.with(place, |line| {
            if let Some((waiting, _)) = &mut line.waiting {
                *waiting = waiting.saturating_sub(usize::from(called.is_gone));
            }
            if called.went_well {
                line.failures = 0;
            } else {
                line.failures += 1;
                line.alone_until = now + alone_for(line.failures);
            }
            called.went_well
        })
    }

    /// A caller has left.
    pub(super) fn left(&self, place: Place) {
        let mut lines = lock(&self.lines);
        if let Some(line) = lines.get_mut(&place) {
            line.callers -= 1;
            if line.is_gone && line.callers == 0 && line.look_at == Timestamp::from_millis(u64::MAX) {
                lines.remove(&place);
            }
        }
        drop(lines);
        self.changed.notify_one();
    }
}
