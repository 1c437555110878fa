//! A place before a stream of this control plane: what whoever has it sees, and what they may do.

use super::{Plane, stream::Stream};
use crate::{
    actors::turn::Turns,
    rules::{live::Phase, view_grant::Claims},
    seams::clock::Clock as _,
    values::{
        relay::FromViewer,
        time::Timestamp,
        view::{LiveControl, LiveEvent, LivePicture, LiveState, problem_of},
    },
};
use std::{fmt, sync::Arc};

/// A place before a stream. Dropping it is to look away.
#[derive(Debug)]
pub(super) struct Seat {
    stream: Arc<Stream>,
    number: u64,
    until: Timestamp,
}

/// Who sees from there.
#[derive(Debug)]
pub(super) struct Near {
    seat: Arc<Seat>,
    turns: Turns,
    /// What was told last of the stream, by its version.
    told: u64,
}

impl Near {
    pub(super) fn new(seat: Seat) -> Self {
        Self { turns: seat.stream.turns(), seat: Arc::new(seat), told: 0 }
    }

    pub(super) const fn seat(&self) -> &Arc<Seat> {
        &self.seat
    }

    /// What is to be told next; `None` after the state that says that it is over, or when the grant is.
    pub(super) async fn next(&mut self, plane: &Plane) -> Option<LiveEvent> {
        loop {
            let left = self.seat.until.since(plane.now());
            if left.is_zero() {
                return None;
            }
            if let Some(event) = self.event() {
                return Some(event);
            }
            if self.seat.stream.is_over() {
                return None;
            }
            let until = self.seat.stream.look(|rules, now| {
                let over = now + left;
                rules.picture_at(self.seat.number).filter(|at| *at > now).map_or(over, |at| at.min(over))
            });
            tokio::select! {
                () = self.turns.changed() => {}
                () = plane.clock.sleep_until(until) => {}
            }
        }
    }

    fn event(&mut self) -> Option<LiveEvent> {
        let Seat { stream, number, .. } = &*self.seat;
        let number = *number;
        if let Some((input, problem)) = stream.look(|rules, _| rules.answer_for(number)) {
            return Some(LiveEvent::Done { input, problem });
        }
        let version = stream.look(|rules, _| rules.version());
        if std::mem::replace(&mut self.told, version) != version {
            return Some(LiveEvent::State(self.seat.state()));
        }
        let (number, frame) = stream.look(|rules, now| rules.picture_for(number, now))?;
        // What is given may be acknowledged to the source.
        stream.change(|_, _| {});
        Some(LiveEvent::Picture(LivePicture { number, frame }))
    }
}

impl Seat {
    pub(super) fn new(stream: Arc<Stream>, number: u64, claims: &Claims) -> Self {
        Self { stream, number, until: claims.until }
    }

    pub(super) fn is_over(&self) -> bool {
        self.stream.is_over()
    }

    /// Does what whoever has it wants.
    pub(super) fn act(&self, what: FromViewer) {
        let Self { stream, number, .. } = self;
        match what {
            FromViewer::Shown { number: picture } => stream.change(|rules, _| rules.shown(*number, picture)),
            FromViewer::Pause => stream.change(|rules, _| rules.pause(*number, true)),
            FromViewer::Resume => stream.change(|rules, _| rules.pause(*number, false)),
            FromViewer::Wish(wish) => stream.change(|rules, _| rules.wish_of(*number, wish)),
            FromViewer::TakeControl => stream.change(|rules, _| rules.take_control(*number)),
            FromViewer::ReleaseControl => stream.change(|rules, _| rules.release_control(*number)),
            FromViewer::Input { number: name, input } => {
                let problem = problem_of(&input);
                stream.change(|rules, _| match problem {
                    Some(problem) => rules.answer(*number, name, Some(problem)),
                    None => rules.ask(*number, name, input),
                });
            }
            FromViewer::Alive | FromViewer::Grant { .. } => {}
        }
    }

    fn state(&self) -> LiveState {
        self.stream.look(|rules, _| {
            let (reason, detail) = match rules.phase() {
                Phase::Over(ending) => (ending.reason.clone(), ending.detail.clone()),
                Phase::Connected | Phase::Opening { .. } => match rules.trouble_now() {
                    Some(trouble) => ("trouble".to_owned(), trouble.to_owned()),
                    None => (String::new(), String::new()),
                },
                Phase::Cut { .. } => {
                    ("cut".to_owned(), "the runner's connection was cut: it comes again".to_owned())
                }
            };
            LiveState {
                stream: self.stream.id,
                attempt: self.stream.opening.attempt,
                phase: rules.public_phase(),
                reason,
                detail,
                control: if rules.is_over() { LiveControl::Nobody } else { rules.control_of(self.number) },
                may_control: rules.may_control(self.number),
                viewers: rules.viewers(),
                wish: rules.wished_by(self.number),
            }
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.stream.change(|rules, now| rules.leave(self.number, now));
    }
}

/// Names it in logs.
impl fmt::Display for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} viewer {}", self.stream.id, self.number)
    }
}
