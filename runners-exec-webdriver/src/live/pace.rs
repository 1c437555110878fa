//! How often pictures of a browser are taken, so that whoever works in it keeps most of its time. What a picture costs
//! is not known before; how long the last ones took is, and on a busy machine they take longer. So a time without a
//! picture follows each, many times as long. What a person does there is answered as fast as it can be.

use runners_core::BootTime;
use std::{collections::VecDeque, time::Duration};

/// By how many pictures it is told how long one takes.
const TAKEN_MAX: usize = 5;
/// The longest time without a picture that is due to what they cost.
const REST_MAX: Duration = Duration::from_secs(10);
/// How long after they did something a person wants to see what comes of it.
const HURRY: Duration = Duration::from_secs(1);

/// How often pictures of one source are taken.
#[derive(Debug)]
pub(super) struct Pace {
    /// How many times longer than a picture takes there is none.
    rest: u32,
    /// The most in a second, however many are wished.
    per_second_max: u32,
    /// How long the last ones took.
    taken: VecDeque<Duration>,
}

impl Pace {
    /// Begins without knowing anything of what a picture takes.
    pub(super) const fn new(rest: u32, per_second_max: u32) -> Self {
        Self { rest, per_second_max, taken: VecDeque::new() }
    }

    /// A picture took so long.
    pub(super) fn took(&mut self, span: Duration) {
        self.taken.push_back(span);
        if self.taken.len() > TAKEN_MAX {
            self.taken.pop_front();
        }
    }

    /// How long there is none after a picture, if so many in a second are wished.
    ///
    /// The shortest counts of those that were taken last: others have waited for what the browser had to do first.
    pub(super) fn rest(&self, per_second: u32) -> Duration {
        let shortest = self.taken.iter().min().copied().unwrap_or_default();
        (shortest * self.rest).min(REST_MAX).max(self.period(per_second))
    }

    /// The same while a person acts, who did something last at `acted`: then pictures come as often as is wished.
    pub(super) fn rest_at(&self, now: BootTime, acted: Option<BootTime>, per_second: u32) -> Duration {
        match acted {
            Some(acted) if now < acted + HURRY => self.period(per_second),
            _ => self.rest(per_second),
        }
    }

    fn period(&self, per_second: u32) -> Duration {
        Duration::from_secs(1) / per_second.clamp(1, self.per_second_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn pictures_take_no_more_than_their_share_of_the_time_however_slow_they_are() {
        let mut pace = Pace::new(9, 20);
        assert_eq!(pace.rest(10), millis(100), "nothing is known yet");
        pace.took(millis(2));
        pace.took(millis(90));
        assert_eq!(pace.rest(10), millis(100), "the one that took long has waited for its turn");
        for _ in 0..TAKEN_MAX {
            pace.took(millis(40));
        }
        assert_eq!(pace.rest(10), millis(360));
        assert_eq!(pace.rest(1), millis(1_000), "no more are given than are wished");
        assert_eq!(Pace::new(9, 20).rest(1_000), millis(50), "nor more than there may be");
        for _ in 0..TAKEN_MAX {
            pace.took(Duration::from_secs(60));
        }
        assert_eq!(pace.rest(10), REST_MAX);
    }

    #[test]
    fn who_acts_sees_what_comes_of_it_at_once() {
        let mut pace = Pace::new(9, 20);
        pace.took(millis(50));
        let acted = BootTime::from_duration(Duration::from_secs(5));
        assert_eq!(pace.rest_at(acted + millis(999), Some(acted), 10), millis(100));
        assert_eq!(pace.rest_at(acted + HURRY, Some(acted), 10), millis(450));
        assert_eq!(pace.rest_at(acted, None, 10), millis(450));
    }
}
