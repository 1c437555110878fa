//! Lanes that are removed leave nothing behind, and those beside them alone.

use super::{
    sharing::{limited, shared},
    *,
};

#[test]
fn lanes_that_are_removed_leave_nothing_behind() {
    let lanes = [shared(1, "a", 1), shared(2, "a", 1), limited(3, "site", 1), limited(4, "site", 2)];
    let mut schedule = schedule(&lanes);
    let kept = |schedule: &Schedule| (schedule.lanes.len(), schedule.shares.len(), schedule.lanes_of(POOL));
    assert_eq!(kept(&schedule), (4, 1, 4));
    schedule.remove_lane(lanes[0].id, POOL);
    schedule.remove_lane(lanes[2].id, POOL);
    schedule.remove_lane(lanes[2].id, POOL);
    assert_eq!(kept(&schedule), (2, 1, 2), "the others have the same keys");
    schedule.ready(job(&lanes[1], 1, 100));
    schedule.ready(job(&lanes[3], 2, 100));
    for key in schedule.counters_wanted() {
        schedule.counter_read(&key, Some(0));
    }
    assert_eq!(numbers(&schedule.seek(POOL, &seeker(1, &[]), wish(2))), [1, 2]);
    for lane in [&lanes[1], &lanes[3]] {
        schedule.settled(lane.id, POOL);
        schedule.remove_lane(lane.id, POOL);
    }
    assert_eq!(kept(&schedule), (0, 0, 0));
    assert!(format!("{:?}", schedule.counters).contains("counters: {}"), "{:?}", schedule.counters);
}

#[test]
fn what_is_known_of_a_lane_is_as_new_as_what_was_heard() {
    let lane = lane(1, &[]);
    let mut schedule = schedule(std::slice::from_ref(&lane));
    assert!(schedule.is_awake(lane.id, POOL));
    schedule.note_lane(lane.id, POOL, 3, true);
    schedule.note_lane(lane.id, POOL, 2, false);
    assert!(!schedule.is_awake(lane.id, POOL), "that was before");
    schedule.note_lane(lane.id, POOL, 4, false);
    assert!(schedule.is_awake(lane.id, POOL));
    schedule.remove_lane(lane.id, POOL);
    assert!(!schedule.is_awake(lane.id, POOL));
}
