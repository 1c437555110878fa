//! What a sync tells, item by item, and how many items fit into one batch.

#[cfg(test)]
mod tests;

use super::super::session::{Live, Mine};
use crate::{
    rules::job::{JobRecord, State},
    values::{
        id::JobId,
        lease::FencingToken,
        sync::{Attachment, Declined, Finish, LogTail, SignalAnswer, SyncRequest},
    },
};

/// One thing that a sync tells.
#[derive(Clone, Copy, Debug)]
pub(super) enum Item<'a> {
    Tail(&'a LogTail),
    Attach(&'a Attachment),
    Confirm(FencingToken),
    Finish(&'a Finish),
    Decline(&'a Declined),
    Answer(&'a SignalAnswer),
    /// A running job that the runner no longer lists, though it has heard every reply.
    Missing(FencingToken),
}

impl Item<'_> {
    /// The job that it concerns.
    const fn job(&self) -> Option<JobId> {
        match self {
            Self::Tail(tail) => Some(tail.token.job),
            Self::Attach(attachment) => Some(attachment.token.job),
            Self::Confirm(token) | Self::Missing(token) => Some(token.job),
            Self::Finish(finish) => Some(finish.token.job),
            Self::Decline(declined) => Some(declined.token.job),
            Self::Answer(_) => None,
        }
    }

    /// Whether the history of its job goes on with it.
    const fn tells(&self) -> bool {
        !matches!(self, Self::Tail(_) | Self::Attach(_) | Self::Answer(_))
    }
}

/// How many writes a batch of items has at most, beside what is granted along with it.
const WRITES_PER_BATCH: usize = 900;

/// How many writes an item is at most, beside the counters that its job counts in and the lines that leave the
/// history in its record.
const ITEM_WRITES: usize = 7;

/// Items in portions that fit into one batch each.
pub(super) fn portions<'i, 'a>(live: &Live, items: &'i [Item<'a>]) -> Vec<&'i [Item<'a>]> {
    let writes_of = |item: &Item<'_>| {
        let mine = item.job().and_then(|job| live.mine.get(&job));
        // What it tells may leave no room for any line, its own included.
        let lines = |job: &JobRecord| if item.tells() { job.history.count() + 1 } else { 0 };
        let more = mine.map(|mine| &mine.job.record).map_or(0, |job| job.counters_count() + lines(job));
        ITEM_WRITES + more
    };
    let mut writes = items.first().map_or(0, writes_of);
    let fits = |_: &Item<'_>, next: &Item<'_>| {
        let fits = writes + writes_of(next) <= WRITES_PER_BATCH;
        writes = writes_of(next) + if fits { writes } else { 0 };
        fits
    };
    items.chunk_by(fits).collect()
}

/// What a request tells, in the order in which it is applied: a finish comes after the log and
/// the artifacts of its attempt.
pub(super) fn items<'a>(live: &Live, request: &'a SyncRequest) -> Vec<Item<'a>> {
    let mut items: Vec<Item<'a>> = Vec::new();
    items.extend(request.log_tails.iter().map(Item::Tail));
    items.extend(request.artifacts.iter().map(Item::Attach));
    let offered = |token: FencingToken| live.job(token).is_some_and(Mine::is_offered);
    items.extend(
        request.held.iter().map(|held| held.token).filter(|token| offered(*token)).map(Item::Confirm),
    );
    items.extend(request.finishes.iter().map(Item::Finish));
    items.extend(request.declined.iter().map(Item::Decline));
    items.extend(request.answers.iter().map(Item::Answer));
    if live.follows {
        items.extend(live.mine.values().filter_map(|mine| missing(mine, request)));
    }
    items
}

/// A running job that the runner neither works on nor has finished. A request that did not fit
/// into one body may leave something out, but never what is held.
fn missing<'a>(mine: &Mine, request: &SyncRequest) -> Option<Item<'a>> {
    let job = &mine.job.record;
    let token = job.token();
    let listed = request.held.iter().any(|held| held.token == token)
        || request.finishes.iter().any(|finish| finish.token == token);
    (matches!(job.state, State::Running { .. }) && !listed).then_some(Item::Missing(token))
}
