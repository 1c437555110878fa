//! Who looks at a session: what all of them together wish, and the newest picture, from which each takes at a
//! pace of its own. What takes the pictures runs while somebody is here; that it does is decided here.

use crate::within::within;
use async_trait::async_trait;
use futures::future::{Either, select};
use runners_core::{
    BootTime, Clock,
    live::{Frame, FrameError, FrameWish, Frames},
};
use std::{
    collections::BTreeMap,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::watch;

/// How long it may take until there is a first picture.
const START_TIMEOUT: Duration = Duration::from_secs(8);
/// The most pictures per second, whatever is wished.
const PER_SECOND_MAX: u32 = 30;
/// The least and the greatest width of a picture, whatever is wished.
const WIDTHS: (u32, u32) = (64, 4096);

/// Who looks at a session.
#[derive(Debug)]
pub(super) struct Audience {
    clock: Arc<dyn Clock>,
    seats: Mutex<Seats>,
    /// What all of them together wish; nothing if nobody is here.
    wish: watch::Sender<Option<FrameWish>>,
    over: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Seats {
    /// How many seats were taken, and shows begun.
    count: u64,
    wishes: BTreeMap<u64, FrameWish>,
    show: Option<Show>,
}

/// The show that is on.
#[derive(Clone, Debug)]
struct Show {
    number: u64,
    newest: watch::Receiver<Newest>,
    /// The newest picture that somebody has taken.
    taken: Arc<watch::Sender<u64>>,
}

/// The newest picture of a show.
#[derive(Clone, Debug, Default)]
struct Newest {
    number: u64,
    frame: Option<Frame>,
    end: Option<End>,
}

/// How a show ends for those who look.
#[derive(Clone, Debug)]
pub(super) enum End {
    /// There is nothing to show any more.
    Over,
    /// Whoever looks may try again.
    Broken(String),
}

/// A show: where pictures are put while somebody looks.
#[derive(Debug)]
pub(super) struct Stage {
    audience: Arc<Audience>,
    number: u64,
    newest: watch::Sender<Newest>,
    wish: watch::Receiver<Option<FrameWish>>,
    /// The newest picture that somebody has taken.
    taken: watch::Receiver<u64>,
    over: watch::Receiver<bool>,
}

/// One who looks.
#[derive(Debug)]
pub(super) struct Seat {
    audience: Arc<Audience>,
    number: u64,
    show: Show,
    /// The least time between two pictures.
    period: Duration,
    /// When the last picture was given, and its number.
    given: Option<(BootTime, u64)>,
}

impl Audience {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let (wish, over) = (watch::Sender::new(None), watch::Sender::new(false));
        Self { clock, seats: Mutex::default(), wish, over }
    }

    /// Takes a seat. If no show is on, its stage is to be used for one.
    pub(super) fn enter(self: &Arc<Self>, wish: FrameWish) -> Result<(Seat, Option<Stage>), FrameError> {
        if self.is_over() {
            return Err(FrameError::Closed);
        }
        let wish = within_limits(wish);
        let mut seats = self.seats();
        seats.count += 1;
        let number = seats.count;
        seats.wishes.insert(number, wish);
        self.tell(&seats);
        let on = seats.show.as_ref().filter(|show| show.newest.borrow().end.is_none());
        let (show, stage) = if let Some(show) = on {
            (show.clone(), None)
        } else {
            let (sender, newest) = watch::channel(Newest::default());
            seats.count += 1;
            let show = Show { number: seats.count, newest, taken: Arc::new(watch::Sender::new(0)) };
            seats.show = Some(show.clone());
            let (wish, over) = (self.wish.subscribe(), self.over.subscribe());
            let (audience, taken) = (Arc::clone(self), show.taken.subscribe());
            (show, Some(Stage { audience, number: seats.count, newest: sender, wish, taken, over }))
        };
        let period = Duration::from_secs(1) / wish.per_second_max;
        let audience = Arc::clone(self);
        Ok((Seat { audience, number, show, period, given: None }, stage))
    }

    /// Tells everybody that it is over.
    pub(super) fn end(&self) {
        self.over.send_replace(true);
    }

    pub(super) fn is_over(&self) -> bool {
        *self.over.borrow()
    }

    fn tell(&self, seats: &Seats) {
        let all = seats.wishes.values().copied().reduce(FrameWish::or_more);
        self.wish.send_if_modified(|wish| {
            let is_other = *wish != all;
            *wish = all;
            is_other
        });
    }

    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stage {
    /// What all who look wish; nothing if nobody does, or it is over. The show then ends: who comes later gets
    /// another.
    pub(super) fn wish(&mut self) -> Option<FrameWish> {
        let mut seats = self.audience.seats();
        if *self.over.borrow_and_update() {
            drop(seats);
            self.end(End::Over);
            return None;
        }
        let wish = *self.wish.borrow_and_update();
        if wish.is_none() {
            seats.show = None;
        }
        wish
    }

    /// Whether somebody has taken the newest picture. Until then, another one is of no use to anybody.
    pub(super) fn is_taken(&self) -> bool {
        *self.taken.borrow() >= self.newest.borrow().number
    }

    /// Waits until the wish may be another, or somebody has taken a picture.
    ///
    /// # Cancel safety
    /// Dropping the future loses no change.
    pub(super) async fn changed(&mut self) {
        // While somebody looks, no sender is dropped before this.
        let (wish, over, taken) = (self.wish.changed(), self.over.changed(), self.taken.changed());
        let (wish, over, taken) = (pin!(wish), pin!(over), pin!(taken));
        select(select(wish, over), taken).await;
    }

    /// Shows a picture. It is not told to be older than the one before it, as a picture that was sent may be
    /// that has been on its way while another was asked for.
    pub(super) fn show(&self, mut frame: Frame) {
        self.newest.send_modify(|newest| {
            if let Some(before) = &newest.frame {
                frame.at = frame.at.max(before.at);
            }
            newest.number += 1;
            newest.frame = Some(frame);
        });
    }

    pub(super) fn end(&self, end: End) {
        self.newest.send_modify(|newest| newest.end = Some(end));
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let mut seats = self.audience.seats();
        if seats.show.as_ref().is_some_and(|show| show.number == self.number) {
            seats.show = None;
        }
    }
}

impl Seat {
    /// Waits until there is a picture.
    pub(super) async fn started(&mut self) -> Result<(), FrameError> {
        let clock = Arc::clone(&self.audience.clock);
        let there = self.show.newest.wait_for(|newest| newest.frame.is_some() || newest.end.is_some());
        match within(&*clock, START_TIMEOUT, there).await {
            Some(Ok(newest)) => match &newest.end {
                None => Ok(()),
                Some(End::Over) => Err(FrameError::Closed),
                Some(End::Broken(why)) => Err(FrameError::Unavailable(why.clone().into())),
            },
            Some(Err(_)) if self.audience.is_over() => Err(FrameError::Closed),
            Some(Err(_)) => Err(FrameError::Unavailable("it has stopped".into())),
            None => Err(FrameError::Unavailable("there was no picture in time".into())),
        }
    }

    /// The next picture, not before its time.
    async fn newer(&mut self) -> Result<Option<Frame>, FrameError> {
        let clock = Arc::clone(&self.audience.clock);
        let seen = match self.given {
            Some((at, number)) => {
                clock.sleep_until(at + self.period).await;
                number
            }
            None => 0,
        };
        let newer = self.show.newest.wait_for(|newest| newest.number > seen || newest.end.is_some());
        let Ok(newest) = newer.await.map(|newest| newest.clone()) else {
            return Err(FrameError::Unavailable("it has stopped".into()));
        };
        match newest {
            Newest { number, frame: Some(frame), .. } if number > seen => {
                self.given = Some((clock.boot(), number));
                self.show
                    .taken
                    .send_if_modified(|taken| number > std::mem::replace(taken, number.max(*taken)));
                Ok(Some(frame))
            }
            Newest { end: Some(End::Broken(why)), .. } => Err(FrameError::Unavailable(why.into())),
            _ => Ok(None),
        }
    }
}

#[async_trait]
impl Frames for Seat {
    async fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        let mut over = self.audience.over.subscribe();
        match select(pin!(over.wait_for(|over| *over)), pin!(self.newer())).await {
            Either::Left(_) => Ok(None),
            Either::Right((newer, _)) => newer,
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.audience.seats();
        seats.wishes.remove(&self.number);
        self.audience.tell(&seats);
    }
}

fn within_limits(wish: FrameWish) -> FrameWish {
    let most = FrameWish::default().per_second(PER_SECOND_MAX).width(WIDTHS.1).at_quality(100);
    let wish = wish.at_most(most);
    wish.width(wish.width_max.max(WIDTHS.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use runners_core::{SystemClock, Timestamp, live::FrameFormat};

    #[tokio::test]
    async fn time_does_not_go_back_from_one_picture_to_the_next() {
        let audience = Arc::new(Audience::new(Arc::new(SystemClock::default())));
        let (mut seat, stage) = audience.enter(FrameWish::default()).unwrap();
        let stage = stage.expect("nobody has looked before");
        let mut times = Vec::new();
        for at in [2_000, 1_000, 3_000] {
            stage.show(Frame::new(Timestamp::from_millis(at), FrameFormat::Jpeg, (1, 1), Bytes::new()));
            times.push(seat.next().await.unwrap().unwrap().at.as_millis());
        }
        assert_eq!(times, [2_000, 2_000, 3_000]);
    }
}
