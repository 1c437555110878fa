//! One who looks: how much they wish for, what is under way to them, and from when they may have another picture.

use super::{Credit, INPUTS_MAX};
use crate::values::{live::FrameWish, time::BootTime, view::LiveAccess};
use std::{collections::VecDeque, time::Duration};

/// One who looks.
#[derive(Debug)]
pub(super) struct Watching {
    pub(super) access: LiveAccess,
    /// What they wish for, within the limits.
    pub(super) wish: FrameWish,
    /// What is under way to them.
    pub(super) credit: Credit,
    /// The newest picture that they were given, and when.
    pub(super) given: u64,
    given_at: BootTime,
    /// The page that shows it is hidden.
    pub(super) paused: bool,
    /// What became of their inputs, and was not told yet.
    pub(super) answers: VecDeque<(u64, Option<String>)>,
}

impl Watching {
    pub(super) fn new(access: LiveAccess, wish: FrameWish) -> Self {
        Self {
            access,
            wish,
            credit: Credit::default(),
            given: 0,
            given_at: BootTime::default(),
            paused: false,
            answers: VecDeque::new(),
        }
    }

    /// From when they may have the newest picture of a source that gives so many in a second; `None` until something
    /// changes.
    pub(super) fn picture_at(&self, newest: u64, per_second: u32) -> Option<BootTime> {
        if self.paused || self.given >= newest || !self.credit.has_room() {
            return None;
        }
        let wished = self.wish.per_second_max.max(1);
        // The source keeps to the greatest wish by itself. Who wishes for less is kept back here.
        let is_kept_back = self.given > 0 && wished < per_second;
        Some(if is_kept_back { self.given_at + Duration::from_secs(1) / wished } else { BootTime::default() })
    }

    /// A picture is on its way to them.
    pub(super) fn give(&mut self, picture: u64, now: BootTime) {
        (self.given, self.given_at) = (picture, now);
        self.credit.sent(picture);
    }

    /// What became of an input of theirs, to be told.
    pub(super) fn answer(&mut self, number: u64, problem: Option<String>) {
        self.answers.push_back((number, problem));
        if self.answers.len() > 2 * INPUTS_MAX {
            self.answers.pop_front();
        }
    }
}
