//! The course of one recording: hears what pages tell and what somebody who steers wants, until it ends.

use super::{
    command::{Ended, SteerRecording},
    draft::Draft,
    ear::{Ear, EarError, Heard, Place},
    executor::RecordObserver,
    steer::Steered,
    told::{Told, What},
};
use crate::{browser::page::Page, within::within};
use futures::{
    Stream, StreamExt as _,
    future::{Either, select},
};
use runners_core::{BootTime, Clock};
use std::{collections::HashMap, pin::pin, time::Duration};

/// How soon after a change the flow is kept.
const KEPT_WITHIN: Duration = Duration::from_millis(500);
/// How long what was done before the end may take to be told: longer than a page rests before it tells.
const HEARD_OUT_WITHIN: Duration = Duration::from_millis(600);
/// The most frames that are remembered; those of documents that are gone are forgotten then.
const PLACES_MAX: usize = 2_000;

/// One recording.
#[derive(Debug)]
pub(super) struct Course<'c> {
    pub(super) page: Page<'c>,
    pub(super) ear: Ear<'c>,
    pub(super) draft: Draft,
    /// Where each frame is that has told something, by its page and its path.
    pub(super) places: HashMap<(String, Vec<usize>), Place>,
    /// The page where something was done last.
    pub(super) active: String,
    pub(super) observer: &'c dyn RecordObserver,
    pub(super) clock: &'c dyn Clock,
    pub(super) began: BootTime,
}

/// What happens next.
enum Next {
    Heard(Result<Heard, EarError>),
    Steered(Option<Steered>),
    Cancelled,
    Woken,
}

impl Course<'_> {
    /// Sees it through, `ends_at` at the latest.
    pub(super) async fn run(
        &mut self,
        steering: &mut (impl Stream<Item = Steered> + Send + Unpin),
        mut cancelled: impl Future<Output = ()> + Send + Unpin,
        ends_at: BootTime,
    ) -> Ended {
        let (mut kept, mut keep_at) = (self.draft.revision(), None);
        loop {
            if self.draft.is_full() {
                return Ended::Full;
            }
            if keep_at.is_none() && self.draft.revision() != kept {
                keep_at = Some(self.clock.boot() + KEPT_WITHIN);
            }
            let wakes_at = keep_at.map_or(ends_at, |at: BootTime| at.min(ends_at));
            let next = {
                let told = pin!(self.ear.next());
                let first = select(&mut cancelled, select(steering.next(), told));
                match select(first, pin!(self.clock.sleep_until(wakes_at))).await {
                    Either::Right(_) => Next::Woken,
                    Either::Left((Either::Left(_), _)) => Next::Cancelled,
                    Either::Left((Either::Right((Either::Left((steered, _)), _)), _)) => {
                        Next::Steered(steered)
                    }
                    Either::Left((Either::Right((Either::Right((heard, _)), _)), _)) => Next::Heard(heard),
                }
            };
            match next {
                Next::Cancelled => {
                    self.hear_out().await;
                    return Ended::Cancelled;
                }
                Next::Woken if self.clock.boot() >= ends_at => return Ended::TimeLimit,
                Next::Woken => {
                    (kept, keep_at) = (self.draft.revision(), None);
                    self.observer.keep(&self.draft.document()).await;
                }
                Next::Heard(Ok(heard)) => {
                    if self.hear(heard) {
                        return Ended::Closed;
                    }
                }
                Next::Heard(Err(error)) => {
                    tracing::debug!(error, "the browser is no longer heard");
                    return Ended::Closed;
                }
                Next::Steered(Some(Steered { command, answer })) => {
                    let is_stop = command == SteerRecording::Stop;
                    let steered = self.steer(command).await;
                    if let Ok(added) = steered {
                        self.tell(added);
                    }
                    if is_stop {
                        self.hear_out().await;
                    }
                    answer(steered.map(|_| self.draft.list()));
                    if is_stop {
                        return Ended::Stopped;
                    }
                }
                Next::Steered(None) => {}
            }
        }
    }

    /// Hears what was done before it ended.
    async fn hear_out(&mut self) {
        let until = self.clock.boot() + HEARD_OUT_WITHIN;
        loop {
            let left = until.since(self.clock.boot());
            match within(self.clock, left, self.ear.next()).await {
                Some(Ok(heard)) => drop(self.hear(heard)),
                Some(Err(_)) | None => return,
            }
        }
    }

    /// How long it goes on by now.
    pub(super) fn now(&self) -> Duration {
        self.clock.boot().since(self.began)
    }

    /// Takes what was heard; answers whether the page is gone that it began with.
    fn hear(&mut self, heard: Heard) -> bool {
        let now = self.now();
        let added = match heard {
            Heard::Told { page, place, text } => {
                let told: Told = match serde_json::from_str(&text) {
                    Ok(told) => told,
                    Err(error) => {
                        tracing::debug!(%error, "a page told what is not understood");
                        return false;
                    }
                };
                if let What::Noted { text } = &told.what {
                    self.observer.noted(text);
                }
                if self.places.len() >= PLACES_MAX {
                    self.places.clear();
                }
                self.places.insert((page.clone(), told.frame.clone()), place);
                self.active.clone_from(&page);
                self.draft.take(&page, &told, now)
            }
            Heard::Closed { page } => {
                if page == self.draft.main() {
                    return true;
                }
                self.places.retain(|(of, _), _| *of != page);
                if self.active == page {
                    self.draft.main().clone_into(&mut self.active);
                }
                self.draft.closed(&page, now)
            }
            Heard::Asked { message } => {
                self.observer.noted(&format!("a dialog is open: {message:?}"));
                0
            }
            Heard::Answered { page, dialog } => {
                self.draft.answered(&page, &dialog, now);
                1
            }
        };
        self.tell(added);
        false
    }

    /// Tells of the newest steps.
    fn tell(&self, added: usize) {
        for step in self.draft.newest(added) {
            self.observer.recorded(&step);
        }
    }
}
