//! Tests of fair share, limits, further pools and placement.

use super::*;
use crate::{
    rules::{keys, record::Preference},
    values::preference::{Concurrency, Fairness, Fallback},
};
use std::time::Duration;

const OTHER_POOL: PoolId = PoolId::from_bytes([6; 16]);

/// A lane of its own for each number.
pub(super) fn shared(number: u8, key: &str, weight: u32) -> LaneRecord {
    let fairness = Some(Fairness { key: key.into(), weight });
    LaneRecord { fairness, ..lane(number, &[]) }
}

pub(super) fn limited(number: u8, key: &str, max: u32) -> LaneRecord {
    LaneRecord { concurrency: vec![Concurrency::new(key, max)], ..lane(number, &[]) }
}

fn granted(key: &str) -> Key {
    keys::granted(TenantId::DEFAULT, key)
}

fn share(key: &str) -> Key {
    keys::share(TenantId::DEFAULT, POOL, key)
}

/// Has every counter that is wanted read, each as `count` says.
fn read(schedule: &mut Schedule, count: i64) -> Vec<RunnerId> {
    let wanted = schedule.counters_wanted();
    wanted.iter().flat_map(|key| schedule.counter_read(key, Some(count))).collect()
}

fn ready(schedule: &mut Schedule, lane: &LaneRecord, numbers: std::ops::RangeInclusive<u8>) {
    for number in numbers {
        schedule.ready(job(lane, number, 100));
    }
}

fn take(schedule: &mut Schedule, room: usize) -> Vec<u8> {
    numbers(&schedule.seek(POOL, &seeker(1, &[]), wish(room)))
}

#[test]
fn the_key_with_the_least_running_for_its_weight_goes_first() {
    let (one, two) = (shared(1, "one", 1), shared(2, "two", 2));
    let mut schedule = schedule(&[one.clone(), two.clone()]);
    ready(&mut schedule, &one, 1..=3);
    ready(&mut schedule, &two, 11..=16);
    assert_eq!(take(&mut schedule, 9), [1, 11, 12, 2, 13, 14, 3, 15, 16]);
}

#[test]
fn what_runs_already_counts_and_what_has_ended_does_not() {
    let (one, two) = (shared(1, "one", 1), shared(2, "two", 1));
    let mut schedule = schedule(&[one.clone(), two.clone()]);
    ready(&mut schedule, &one, 1..=4);
    ready(&mut schedule, &two, 11..=14);
    schedule.counted(vec![(share("one"), 2)]);
    assert_eq!(take(&mut schedule, 3), [11, 12, 1], "at two each, the older goes first");
    schedule.counted(vec![(share("one"), 0)]);
    assert_eq!(take(&mut schedule, 1), [2], "one has one under way, and two has two");
}

#[test]
fn priority_goes_before_fair_share_and_a_job_without_a_key_goes_by_age() {
    let (one, two, plain) = (shared(1, "one", 1), shared(2, "two", 1), lane(3, &[]));
    let mut schedule = schedule(&[one.clone(), two.clone(), plain.clone()]);
    for job in [job(&one, 1, 100), job(&one, 2, 200), job(&one, 3, 200), job(&two, 9, 100)] {
        schedule.ready(job);
    }
    for number in [5, 10] {
        schedule.ready(job(&plain, number, 100));
    }
    assert_eq!(take(&mut schedule, 6), [2, 3, 5, 9, 1, 10]);
}

#[test]
fn no_key_is_passed_over_for_ever() {
    let slow = shared(1, "slow", 1);
    let fresh: Vec<LaneRecord> = (2..=250).map(|number| shared(number, &number.to_string(), 1)).collect();
    let mut schedule = schedule(std::slice::from_ref(&slow));
    fresh.iter().for_each(|lane| schedule.add_new_lane(lane));
    schedule.counted(vec![(share("slow"), 1)]);
    schedule.ready(job(&slow, 1, 100));
    fresh.iter().zip(2..).for_each(|(lane, number)| ready(&mut schedule, lane, number..=number));
    let taken = take(&mut schedule, 249);
    let place = taken.iter().position(|number| *number == 1).unwrap();
    assert_eq!(place as u64, Fairness::PASSED_OVER_MAX);
}

#[test]
fn a_limit_holds_back_its_own_lanes_and_no_others() {
    let (tight, loose, free) = (limited(1, "site", 1), limited(2, "site", 2), lane(3, &[]));
    let mut schedule = schedule(&[tight.clone(), loose.clone(), free.clone()]);
    for job in [job(&tight, 1, 100), job(&tight, 2, 100), job(&loose, 3, 100), job(&loose, 4, 100)] {
        schedule.ready(job);
    }
    schedule.ready(job(&free, 9, 100));
    assert_eq!(take(&mut schedule, 5), [9], "nothing is granted before the counter was read");
    read(&mut schedule, 0);
    assert_eq!(take(&mut schedule, 5), [1, 3], "two lanes share one counter");
}

#[test]
fn a_slot_that_frees_in_a_limit_wakes_a_runner() {
    let tight = limited(1, "site", 1);
    let mut schedule = schedule(std::slice::from_ref(&tight));
    schedule.ready(job(&tight, 1, 100));
    read(&mut schedule, 1);
    assert_eq!(take(&mut schedule, 1), [0u8; 0]);
    assert_eq!(schedule.counted(vec![(granted("site"), 0)]), [RunnerId::from_bytes([1; 16])]);
    assert_eq!(take(&mut schedule, 1), [1]);
}

#[test]
fn a_grant_that_came_to_nothing_gives_its_place_back() {
    let tight = limited(1, "site", 1);
    let mut schedule = schedule(std::slice::from_ref(&tight));
    schedule.ready(job(&tight, 1, 100));
    schedule.ready(job(&tight, 2, 100));
    read(&mut schedule, 0);
    let sought = schedule.seek(POOL, &seeker(1, &[]), wish(2));
    assert_eq!(numbers(&sought), [1], "the first is under way");
    schedule.seek(POOL, &seeker(2, &[]), wish(1));
    assert_eq!(schedule.settled(tight.id, POOL), [RunnerId::from_bytes([2; 16])]);
    assert_eq!(take(&mut schedule, 1), [2]);
}

#[test]
fn a_counter_that_is_doubted_while_it_is_read_is_read_once_more_after_that() {
    let tight = limited(1, "site", 1);
    let mut schedule = schedule(std::slice::from_ref(&tight));
    schedule.ready(job(&tight, 1, 100));
    assert_eq!(schedule.counters_wanted(), [granted("site")]);
    schedule.doubt_all_counters();
    assert_eq!(schedule.counters_wanted(), [], "it is being read");
    schedule.counter_read(&granted("site"), Some(0));
    assert_eq!(schedule.counters_wanted(), [granted("site")]);
    schedule.counter_read(&granted("site"), Some(0));
    assert_eq!(schedule.counters_wanted(), [], "nothing was doubted since");
}

#[test]
fn what_is_heard_late_holds_nothing_back_for_long() {
    let tight = limited(1, "site", 1);
    let mut schedule = schedule(std::slice::from_ref(&tight));
    schedule.ready(job(&tight, 1, 100));
    read(&mut schedule, 0);
    // A finish left it at 0 after a grant had left it at 1, and the grant is heard of last.
    schedule.counted(vec![(granted("site"), 0)]);
    schedule.counted(vec![(granted("site"), 1)]);
    assert_eq!(take(&mut schedule, 1), [0u8; 0]);
    assert_eq!(schedule.counters_wanted(), [granted("site")]);
    schedule.counted(vec![(granted("site"), 1)]);
    schedule.counter_read(&granted("site"), Some(1));
    assert_eq!(schedule.counters_wanted(), [granted("site")], "it changed while it was read");
    assert_eq!(schedule.counter_read(&granted("site"), Some(0)), [RunnerId::from_bytes([1; 16])]);
    assert_eq!(take(&mut schedule, 1), [1]);
}

#[test]
fn a_full_counter_holds_back_until_it_was_read() {
    let tight = limited(1, "site", 5);
    let mut schedule = schedule(std::slice::from_ref(&tight));
    schedule.ready(job(&tight, 1, 100));
    read(&mut schedule, 0);
    schedule.exhausted(&granted("site"));
    assert_eq!(take(&mut schedule, 1), [0u8; 0]);
    assert_eq!(read(&mut schedule, 4), [RunnerId::from_bytes([1; 16])]);
}

#[test]
fn a_grant_looks_at_no_lane_that_a_limit_holds_back() {
    let held: Vec<LaneRecord> = (1..=200).map(|number| limited(number, &number.to_string(), 1)).collect();
    let free = lane(201, &[]);
    let mut schedule = schedule(std::slice::from_ref(&free));
    for (lane, number) in held.iter().zip(1..) {
        schedule.add_new_lane(lane);
        schedule.ready(job(lane, number, 100));
    }
    read(&mut schedule, 1);
    schedule.ready(job(&free, 201, 100));
    assert_eq!(schedule.pools[&POOL].order.lanes().count(), 1, "200 others are held back");
    assert_eq!(schedule.pools[&POOL].busy.len(), 1);
    assert_eq!(take(&mut schedule, 9), [201]);
}

#[test]
fn a_lane_of_two_pools_is_granted_once_and_prefers_the_first() {
    let pools = vec![(POOL, Duration::ZERO), (OTHER_POOL, Duration::ZERO)];
    let preference = Preference { owner: TenantId::DEFAULT, pools };
    let fallbacks = vec![Fallback::new("other", Duration::ZERO)];
    let options = JobOptions { fallbacks, ..JobOptions::default() };
    let spec = JobSpec::new(JobId::from_bytes([1; 16]), "visit", b"{}", options);
    let lanes = LaneRecord::of(TenantId::DEFAULT, &preference, &spec);
    let record = JobRecord::submitted(&lanes, &spec, Timestamp::from_millis(1));
    let mut schedule = schedule(&lanes[0]);
    schedule.add_pool(OTHER_POOL, Vec::new());
    schedule.seek(OTHER_POOL, &seeker(2, &[]), wish(1));
    schedule.seek(POOL, &seeker(1, &[]), wish(1));
    let ready = ReadyJob { version: 1, record, payload: None };
    assert_eq!(schedule.ready(ready.clone()), Some(RunnerId::from_bytes([1; 16])));
    assert_eq!(schedule.kick(POOL), [RunnerId::from_bytes([2; 16])]);
    assert_eq!(numbers(&schedule.seek(OTHER_POOL, &seeker(2, &[]), wish(1))), [1]);
    assert_eq!(take(&mut schedule, 1), [0u8; 0]);
}

#[test]
fn a_pool_is_spread_over_or_packed() {
    for (placement, expected) in [(Placement::Spread, [2, 3, 1]), (Placement::Pack, [1, 3, 2])] {
        let any = lane(1, &[]);
        let mut schedule = schedule(std::slice::from_ref(&any));
        schedule.place(TenantId::DEFAULT, POOL, 1, placement);
        for (number, held) in [(1, 4), (2, 0), (3, 1)] {
            schedule.seek(POOL, &seeker(number, &[]), Wish { held, ..wish(1) });
        }
        let woken = (1..=3).filter_map(|number| schedule.ready(job(&any, number, 100)));
        assert_eq!(woken.map(|runner| runner.as_bytes()[0]).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn who_spreads_leaves_a_job_to_the_runner_that_was_told_of_it() {
    let any = lane(1, &[]);
    let mut schedule = schedule(std::slice::from_ref(&any));
    (1..=2).for_each(|number| drop(schedule.seek(POOL, &seeker(number, &[]), wish(2))));
    ready(&mut schedule, &any, 1..=2);
    assert_eq!(take(&mut schedule, 2), [1]);
    assert_eq!(numbers(&schedule.seek(POOL, &seeker(2, &[]), wish(2))), [2]);
}
