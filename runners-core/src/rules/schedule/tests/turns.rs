//! Whose turn it is among several control planes.

use super::*;
use crate::{
    rules::{
        job::State,
        precedence::{GRANT_TURN, Precedence},
    },
    values::id::MemberId,
};

const ME: MemberId = MemberId::from_bytes([1; 16]);
const OTHER: MemberId = MemberId::from_bytes([2; 16]);

fn two(me: MemberId, other: MemberId) -> Precedence {
    Precedence::new(me, vec![other])
}

/// A job of the lane that `rank` go before here.
fn ranked(rank: u32) -> u8 {
    (1..=40).find(|number| two(ME, OTHER).rank(&[*number; 16]) == rank).unwrap()
}

#[test]
fn two_control_planes_grant_what_is_theirs_first_and_do_not_meet() {
    let lane = lane(1, &[]);
    let halves = [two(ME, OTHER), two(OTHER, ME)].map(|precedence| {
        let mut schedule = schedule(std::slice::from_ref(&lane));
        schedule.set_precedence(precedence);
        for number in 1..=40 {
            schedule.ready(job(&lane, number, 100));
        }
        let mut half = Vec::new();
        while half.len() < 10 {
            half.extend(numbers(&schedule.seek(POOL, &seeker(1, &[]), wish(1))));
        }
        half
    });
    assert!(halves[0].iter().all(|job| !halves[1].contains(job)), "{halves:?}");
    assert!(halves.iter().all(|half| half.is_sorted()), "each in the order of their age: {halves:?}");
}

#[test]
fn what_is_others_first_is_granted_once_they_have_had_their_turn() {
    let lane = lane(1, &[]);
    let mut schedule = schedule(std::slice::from_ref(&lane));
    schedule.set_precedence(two(ME, OTHER));
    let mut theirs = job(&lane, ranked(1), 100);
    if let State::Ready { ready_at } = &mut theirs.record.state {
        *ready_at = NOW;
    }
    schedule.ready(theirs);
    let sought = schedule.seek(POOL, &seeker(1, &[]), wish(1));
    assert!(sought.taken.is_empty());
    assert_eq!(sought.turns, [(lane.id, NOW + GRANT_TURN)]);
    let again = schedule.seek(POOL, &seeker(2, &[]), wish(1));
    assert!(again.turns.is_empty(), "it is remembered already");
    assert_eq!(schedule.turn_came(lane.id).len(), 1, "one runner is told of one job");
    let later = Wish { now: Some(NOW + GRANT_TURN), ..wish(1) };
    assert_eq!(schedule.seek(POOL, &seeker(1, &[]), later).taken.len(), 1);
}

#[test]
fn a_runner_that_does_not_wait_is_given_what_is_others_first_too() {
    let lane = lane(1, &[]);
    let mut schedule = schedule(std::slice::from_ref(&lane));
    schedule.set_precedence(two(ME, OTHER));
    let (theirs, mine) = (ranked(1), ranked(0));
    let mut young = job(&lane, theirs, 100);
    if let State::Ready { ready_at } = &mut young.record.state {
        *ready_at = NOW;
    }
    schedule.ready(young);
    schedule.ready(job(&lane, mine, 100));
    let leaves = Wish { waits: false, now: None, ..wish(2) };
    assert_eq!(numbers(&schedule.seek(POOL, &seeker(1, &[]), leaves)), [mine, theirs]);
}

#[test]
fn a_job_of_ones_own_does_not_go_before_one_of_a_higher_priority() {
    let lane = lane(1, &[]);
    let mut schedule = schedule(std::slice::from_ref(&lane));
    schedule.set_precedence(two(ME, OTHER));
    schedule.ready(job(&lane, ranked(1), 200));
    schedule.ready(job(&lane, ranked(0), 100));
    let sought = schedule.seek(POOL, &seeker(1, &[]), wish(2));
    assert_eq!(numbers(&sought), [ranked(1), ranked(0)]);
}

#[test]
fn who_was_told_of_a_job_behind_a_turn_is_told_again_when_the_turn_comes() {
    let lanes = [lane(1, &[]), lane(2, &[])];
    let mut schedule = schedule(&lanes);
    schedule.set_precedence(two(ME, OTHER));
    let mut urgent = job(&lanes[0], ranked(1), 200);
    if let State::Ready { ready_at } = &mut urgent.record.state {
        *ready_at = NOW;
    }
    schedule.ready(urgent);
    schedule.ready(job(&lanes[1], ranked(0), 100));
    for runner in [1, 2] {
        let sought = schedule.seek(POOL, &seeker(runner, &[]), wish(1));
        assert!(sought.taken.is_empty(), "nothing goes before one of a higher priority");
    }
    assert_eq!(schedule.turn_came(lanes[0].id).len(), 2, "one for each of the two jobs");
}
