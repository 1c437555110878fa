//! The pictures that are under way on one hop.

use super::CREDIT;
use std::collections::VecDeque;

/// The pictures that were sent on one hop and not acknowledged, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Credit {
    under_way: VecDeque<u64>,
}

impl Credit {
    /// Whether another may be sent.
    pub(crate) fn has_room(&self) -> bool {
        self.under_way.len() < CREDIT
    }

    /// One was sent; numbers grow.
    pub(crate) fn sent(&mut self, number: u64) {
        self.under_way.push_back(number);
    }

    /// One has arrived, and so has every one before it. What was never sent makes no room.
    pub(crate) fn shown(&mut self, number: u64) {
        while self.under_way.front().is_some_and(|first| *first <= number) {
            self.under_way.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_made_by_what_arrives_and_by_nothing_else() {
        let mut credit = Credit::default();
        credit.shown(9);
        for number in 1..=CREDIT as u64 {
            assert!(credit.has_room());
            credit.sent(number);
        }
        assert!(!credit.has_room());
        credit.shown(0);
        assert!(!credit.has_room());
        credit.shown(1);
        credit.shown(1);
        credit.sent(3);
        assert!(!credit.has_room(), "one acknowledgement makes room for one");
        credit.shown(3);
        assert!(credit.has_room(), "the newest acknowledges those before it");
    }
}
