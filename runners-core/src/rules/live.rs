//! A live view, hop by hop: who gets which picture and when, when the source runs, whose inputs count.
//!
//! Only the newest picture is kept. Each hop may have [`CREDIT`] pictures under way, so whoever is slow skips to the
//! newest one, costs no memory and slows nobody; the source goes at the pace of the fastest who looks. An input is
//! carried out at most once.

mod credit;
mod phase;
mod watching;

pub(crate) use credit::Credit;
pub(crate) use phase::{Ending, Phase};

use crate::values::{
    live::{Frame, FrameWish, Input},
    time::BootTime,
    view::{LiveAccess, LiveControl, LivePhase},
};
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};
use watching::Watching;

/// How many pictures may be under way on one hop.
pub(crate) const CREDIT: usize = 2;
/// How long a runner may take to come when it is asked to.
pub(crate) const OPEN_WITHIN: Duration = Duration::from_secs(30);
/// How long a runner whose connection was cut may take to come again.
pub(crate) const REOPEN_WITHIN: Duration = Duration::from_secs(30);
/// How long a stream is kept that nobody looks at.
pub(crate) const UNWATCHED_MAX: Duration = Duration::from_secs(30);
/// How many inputs may wait for the runner, and as many for its answer.
pub(crate) const INPUTS_MAX: usize = 128;

/// What is told of an input whose answer was lost.
const LOST: &str = "the runner's connection was cut: it may have been done or not";

/// An input on its way, and whose it is.
#[derive(Debug)]
struct Asked {
    viewer: u64,
    number: u64,
    input: Input,
}

/// A live view as the relay knows it.
#[derive(Debug)]
pub(crate) struct LiveStream {
    phase: Phase,
    /// The most that anybody may wish for.
    wish_max: FrameWish,
    newest: Option<(u64, Frame)>,
    /// How many pictures there were.
    pictures: u64,
    viewers: BTreeMap<u64, Watching>,
    viewers_ever: u64,
    controller: Option<u64>,
    /// Since when nobody looks.
    unwatched_since: Option<BootTime>,
    takes_input: bool,
    /// Pictures that are to be acknowledged to the source once somebody was given one as new: its number for
    /// each, and ours.
    owed: VecDeque<(u64, u64)>,
    waiting: VecDeque<Asked>,
    inputs: u64,
    /// Inputs that the runner has, by the number it knows them by: who sent it, and as which.
    carried: BTreeMap<u64, (u64, u64)>,
    last_error: Option<String>,
    /// It is what is wrong now: no picture came since.
    troubled: bool,
    /// Grows with everything that those who look are told, pictures aside.
    version: u64,
}

impl LiveStream {
    /// A stream whose runner is asked to come at `now`, and of which nobody gets more than `wish_max`.
    pub(crate) fn new(now: BootTime, wish_max: FrameWish) -> Self {
        Self {
            phase: Phase::Opening { until: now + OPEN_WITHIN },
            wish_max,
            newest: None,
            pictures: 0,
            viewers: BTreeMap::new(),
            viewers_ever: 0,
            controller: None,
            unwatched_since: Some(now),
            takes_input: false,
            owed: VecDeque::new(),
            waiting: VecDeque::new(),
            inputs: 0,
            carried: BTreeMap::new(),
            last_error: None,
            troubled: false,
            version: 1,
        }
    }

    pub(crate) const fn phase(&self) -> &Phase {
        &self.phase
    }

    pub(crate) const fn public_phase(&self) -> LivePhase {
        self.phase.public()
    }

    pub(crate) fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    /// What is wrong now.
    pub(crate) fn trouble_now(&self) -> Option<&str> {
        self.last_error().filter(|_| self.troubled)
    }

    pub(crate) const fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn viewers(&self) -> usize {
        self.viewers.len()
    }

    /// Somebody begins to look. The newest picture is theirs at once.
    pub(crate) fn join(&mut self, access: LiveAccess) -> u64 {
        self.viewers_ever += 1;
        let viewer = Watching::new(access, FrameWish::default().at_most(self.wish_max));
        self.viewers.insert(self.viewers_ever, viewer);
        self.unwatched_since = None;
        self.version += 1;
        self.viewers_ever
    }

    /// Somebody looks no longer.
    pub(crate) fn leave(&mut self, viewer: u64, now: BootTime) {
        if self.viewers.remove(&viewer).is_none() {
            return;
        }
        self.version += 1;
        self.controller = self.controller.filter(|controller| *controller != viewer);
        self.waiting.retain(|asked| asked.viewer != viewer);
        if self.viewers.is_empty() {
            self.unwatched_since = Some(now);
        }
    }

    /// Whether the page of somebody who looks is hidden.
    pub(crate) fn pause(&mut self, viewer: u64, paused: bool) {
        if let Some(viewer) = self.viewers.get_mut(&viewer) {
            viewer.paused = paused;
        }
    }

    /// What somebody who looks wishes for from now on. They get no more than the limit.
    pub(crate) fn wish_of(&mut self, viewer: u64, wish: FrameWish) {
        let wish = wish.at_most(self.wish_max);
        let Some(viewer) = self.viewers.get_mut(&viewer) else { return };
        if std::mem::replace(&mut viewer.wish, wish) != wish {
            self.version += 1;
        }
    }

    /// What somebody who looks gets at the most.
    pub(crate) fn wished_by(&self, viewer: u64) -> FrameWish {
        self.viewers.get(&viewer).map_or(self.wish_max, |viewer| viewer.wish)
    }

    /// What the source is to give, which does for everybody who looks; nothing while nobody does.
    pub(crate) fn wish(&self) -> Option<FrameWish> {
        let looking = self.viewers.values().filter(|viewer| !viewer.paused);
        looking.map(|viewer| viewer.wish).reduce(FrameWish::or_more)
    }

    /// From when somebody may have the newest picture; `None` until something changes.
    pub(crate) fn picture_at(&self, viewer: u64) -> Option<BootTime> {
        let (newest, _) = self.newest.as_ref()?;
        self.viewers.get(&viewer)?.picture_at(*newest, self.wish()?.per_second_max)
    }

    /// The newest picture, if somebody has not seen it, has room for it, and wishes for it by now.
    pub(crate) fn picture_for(&mut self, viewer: u64, now: BootTime) -> Option<(u64, Frame)> {
        self.picture_at(viewer).filter(|at| *at <= now)?;
        let (newest, frame) = self.newest.as_ref()?;
        self.viewers.get_mut(&viewer)?.give(*newest, now);
        Some((*newest, frame.clone()))
    }

    /// Somebody shows a picture: there is room for another.
    pub(crate) fn shown(&mut self, viewer: u64, number: u64) {
        if let Some(viewer) = self.viewers.get_mut(&viewer) {
            viewer.credit.shown(number);
        }
    }

    /// Whose inputs count, as one who looks is told it.
    pub(crate) fn control_of(&self, viewer: u64) -> LiveControl {
        match self.controller {
            None => LiveControl::Nobody,
            Some(controller) if controller == viewer => LiveControl::You,
            Some(_) => LiveControl::Another,
        }
    }

    /// Whether somebody may take control.
    pub(crate) fn may_control(&self, viewer: u64) -> bool {
        let may = self.viewers.get(&viewer).is_some_and(|viewer| viewer.access == LiveAccess::Control);
        may && self.takes_input
    }

    /// Somebody takes control, from whoever had it.
    pub(crate) fn take_control(&mut self, viewer: u64) {
        if self.may_control(viewer) && self.controller != Some(viewer) {
            self.controller = Some(viewer);
            self.version += 1;
        }
    }

    pub(crate) fn release_control(&mut self, viewer: u64) {
        if self.controller == Some(viewer) {
            self.controller = None;
            self.version += 1;
        }
    }

    /// Somebody does something. What does not count is answered at once.
    pub(crate) fn ask(&mut self, viewer: u64, number: u64, input: Input) {
        let problem = if self.controller != Some(viewer) {
            Some("only whoever has control does anything here: take control first")
        } else if self.phase != Phase::Connected {
            Some("the runner is not connected: nothing is kept for later")
        } else if self.waiting.len() >= INPUTS_MAX && !self.replaces(viewer, &input) {
            Some("too many inputs wait for the runner: it does not keep up")
        } else {
            None
        };
        if let Some(problem) = problem {
            return self.answer(viewer, number, Some(problem.to_owned()));
        }
        if self.replaces(viewer, &input)
            && let Some(last) = self.waiting.pop_back()
        {
            self.answer(viewer, last.number, None);
        }
        self.waiting.push_back(Asked { viewer, number, input });
    }

    /// Whether an input is a move of the pointer after another that is still to be sent.
    fn replaces(&self, viewer: u64, input: &Input) -> bool {
        let is_move = |input: &Input| matches!(input, Input::PointerMove { .. });
        is_move(input)
            && self.waiting.back().is_some_and(|last| last.viewer == viewer && is_move(&last.input))
    }

    /// What became of an input of somebody who looks, to be told.
    pub(crate) fn answer(&mut self, viewer: u64, number: u64, problem: Option<String>) {
        if let Some(viewer) = self.viewers.get_mut(&viewer) {
            viewer.answer(number, problem);
        }
    }

    /// What is to be told of an input next.
    pub(crate) fn answer_for(&mut self, viewer: u64) -> Option<(u64, Option<String>)> {
        self.viewers.get_mut(&viewer)?.answers.pop_front()
    }

    /// The runner has come. Nothing that was under way before is expected any more.
    pub(crate) fn connected(&mut self, takes_input: bool) {
        self.phase = Phase::Connected;
        self.takes_input = takes_input;
        self.owed.clear();
        self.lose_carried();
        self.version += 1;
    }

    /// What the runner has not answered may have been carried out, and is not sent again.
    fn lose_carried(&mut self) {
        for (viewer, number) in std::mem::take(&mut self.carried).into_values() {
            self.answer(viewer, number, Some(LOST.to_owned()));
        }
    }

    /// The runner's connection is gone.
    pub(crate) fn cut(&mut self, now: BootTime) {
        if self.phase != Phase::Connected {
            return;
        }
        self.phase = Phase::Cut { until: now + REOPEN_WITHIN };
        self.lose_carried();
        for asked in std::mem::take(&mut self.waiting) {
            self.answer(asked.viewer, asked.number, Some(LOST.to_owned()));
        }
        self.last_error = Some("the runner's connection was cut".to_owned());
        self.version += 1;
    }

    /// A picture has come, with the source's number.
    pub(crate) fn pictured(&mut self, number: u64, frame: Frame) {
        self.pictures += 1;
        self.newest = Some((self.pictures, frame));
        if std::mem::replace(&mut self.troubled, false) {
            self.version += 1;
        }
        self.owed.push_back((number, self.pictures));
        if self.owed.len() > CREDIT {
            // A source that goes beyond its credit gains nothing.
            self.owed.pop_front();
        }
    }

    /// The newest picture that is to be acknowledged to the source: somebody was given it, or a newer one. With
    /// nobody who looks there is nothing to wait for.
    pub(crate) fn next_acknowledgement(&mut self) -> Option<u64> {
        let watching = self.viewers.values().filter(|viewer| !viewer.paused);
        let given = watching.map(|viewer| viewer.given).max().unwrap_or(u64::MAX);
        let mut acknowledged = None;
        while let Some((number, _)) = self.owed.front().copied().filter(|(_, ours)| *ours <= given) {
            self.owed.pop_front();
            acknowledged = Some(number);
        }
        acknowledged
    }

    /// The next input for the runner.
    pub(crate) fn next_input(&mut self) -> Option<(u64, Input)> {
        if self.carried.len() >= INPUTS_MAX {
            return None;
        }
        let Asked { viewer, number, input } = self.waiting.pop_front()?;
        self.inputs += 1;
        self.carried.insert(self.inputs, (viewer, number));
        Some((self.inputs, input))
    }

    /// The runner has carried an input out, or has not.
    pub(crate) fn done(&mut self, number: u64, problem: Option<String>) {
        if let Some((viewer, number)) = self.carried.remove(&number) {
            self.answer(viewer, number, problem);
        }
    }

    /// Something goes wrong at the runner, and is tried again.
    pub(crate) fn trouble(&mut self, message: String) {
        self.last_error = Some(message);
        self.troubled = true;
        self.version += 1;
    }

    /// It is over. Only the first end counts.
    pub(crate) fn end(&mut self, ending: Ending) {
        if !self.is_over() {
            self.phase = Phase::Over(ending);
            self.controller = None;
            self.version += 1;
        }
    }

    pub(crate) const fn is_over(&self) -> bool {
        self.ending().is_some()
    }

    /// Why it is over, if it is.
    pub(crate) const fn ending(&self) -> Option<&Ending> {
        match &self.phase {
            Phase::Over(ending) => Some(ending),
            _ => None,
        }
    }

    /// When something happens by itself.
    pub(crate) fn due_at(&self) -> Option<BootTime> {
        let unwatched = self.unwatched_since.map(|since| since + UNWATCHED_MAX);
        let awaited = match self.phase {
            Phase::Opening { until } | Phase::Cut { until } => Some(until),
            Phase::Connected => None,
            Phase::Over(_) => return None,
        };
        unwatched.into_iter().chain(awaited).min()
    }

    /// Does what is due. Answers whether it was the runner that did not come in time.
    pub(crate) fn overdue(&mut self, now: BootTime) -> bool {
        let late = match self.phase {
            Phase::Opening { until } => until <= now,
            Phase::Cut { until } => until <= now,
            _ => false,
        };
        if late {
            let detail =
                "the runner did not come in time: it may be offline, or its way out carries no WebSockets";
            self.end(Ending::new("timed_out", self.last_error.clone().unwrap_or_else(|| detail.to_owned())));
        } else if self.unwatched_since.is_some_and(|since| since + UNWATCHED_MAX <= now) {
            self.end(Ending::new("unwatched", "nobody looks"));
        }
        late
    }
}

#[cfg(test)]
mod tests;
