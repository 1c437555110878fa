//! Tests of the schedule: order, matching, waking, and what may not be passed over.

mod agreement;
mod removal;
mod sharing;
mod turns;

use super::*;
use crate::{
    rules::record::{LaneRecord, Unknown},
    values::{
        id::{JobId, TenantId},
        job::{JobOptions, JobSpec},
        preference::Concurrency,
        runner::Facts,
        time::Timestamp,
    },
};

const POOL: PoolId = PoolId::from_bytes([5; 16]);

fn lane(number: u8, wanted: &[&str]) -> LaneRecord {
    LaneRecord {
        tenant: TenantId::DEFAULT,
        of: None,
        id: LaneId::from_bytes([number; 16]),
        pool: POOL,
        kind: "visit".into(),
        wanted: wanted.iter().map(ToString::to_string).collect(),
        refused: BTreeSet::new(),
        runner: None,
        fairness: None,
        concurrency: Vec::new(),
        rank: 0,
        look_at: None,
        idle: false,
        unknown: Unknown::new(),
    }
}

/// When runners seek.
const NOW: Timestamp = Timestamp::from_millis(1000);

const fn wish(room: usize) -> Wish {
    Wish { room, held: 0, waits: true, now: Some(NOW) }
}

fn job(lane: &LaneRecord, number: u8, priority: u8) -> ReadyJob {
    let options = JobOptions { priority, ..JobOptions::default() };
    let spec = JobSpec::new(JobId::from_bytes([number; 16]), "visit", b"{}", options);
    let now = Timestamp::from_millis(u64::from(number));
    ReadyJob { version: 1, record: JobRecord::submitted(&[vec![lane.clone()]], &spec, now), payload: None }
}

fn seeker(number: u8, labels: &[&str]) -> Seeker {
    let facts = Facts {
        kinds: ["visit".to_owned()].into(),
        labels: labels.iter().map(ToString::to_string).collect(),
        ..Facts::default()
    };
    Seeker::new(RunnerId::from_bytes([number; 16]), Arc::new(facts))
}

fn schedule(lanes: &[LaneRecord]) -> Schedule {
    let mut schedule = Schedule::default();
    schedule.add_pool(POOL, Vec::new());
    lanes.iter().for_each(|lane| schedule.add_new_lane(lane));
    schedule
}

fn numbers(sought: &Sought) -> Vec<u8> {
    sought.taken.iter().map(|job| job.record.id.as_bytes()[0]).collect()
}

#[test]
fn a_lane_with_a_limit_whose_page_could_not_be_read_is_read_again() {
    let mut limited = lane(1, &[]);
    limited.concurrency = vec![Concurrency::new("shop", 2)];
    let mut schedule = Schedule::default();
    let pages = schedule.add_pool(POOL, vec![limited.clone()]);
    assert_eq!(pages.len(), 1);
    schedule.page_failed(limited.id);
    let counters = schedule.counters_wanted();
    assert_eq!(counters.len(), 1);
    schedule.counter_read(&counters[0], Some(0));
    assert_eq!(schedule.pages_wanted(POOL).len(), 1);
}

#[test]
fn priority_goes_first_then_age_over_all_lanes() {
    let (one, two) = (lane(1, &[]), lane(2, &[]));
    let mut schedule = schedule(&[one.clone(), two.clone()]);
    for job in [job(&two, 3, 100), job(&one, 4, 100), job(&one, 2, 100), job(&two, 9, 200)] {
        schedule.ready(job);
    }
    let sought = schedule.seek(POOL, &seeker(1, &[]), wish(3));
    assert_eq!(numbers(&sought), [9, 2, 3]);
}

#[test]
fn a_job_is_given_only_to_a_runner_that_suits_its_lane() {
    let (gpu, any) = (lane(1, &["gpu"]), lane(2, &[]));
    let mut schedule = schedule(&[gpu.clone(), any.clone()]);
    schedule.ready(job(&gpu, 1, 100));
    schedule.ready(job(&any, 2, 100));
    assert_eq!(numbers(&schedule.seek(POOL, &seeker(1, &[]), wish(2))), [2]);
    assert_eq!(numbers(&schedule.seek(POOL, &seeker(2, &["gpu"]), wish(2))), [1]);
}

#[test]
fn who_was_told_of_a_job_that_another_has_taken_has_the_one_told_that_may_take_that_ones() {
    let (gpu, any) = (lane(1, &["gpu"]), lane(2, &[]));
    let mut schedule = schedule(&[gpu.clone(), any.clone()]);
    for waiting in [seeker(1, &["gpu"]), seeker(2, &[]), seeker(3, &["gpu"])] {
        assert!(schedule.seek(POOL, &waiting, wish(1)).taken.is_empty());
    }
    assert_eq!(schedule.ready(job(&gpu, 1, 100)), Some(RunnerId::from_bytes([1; 16])));
    assert_eq!(schedule.ready(job(&any, 2, 200)), Some(RunnerId::from_bytes([2; 16])));
    assert_eq!(numbers(&schedule.seek(POOL, &seeker(1, &["gpu"]), wish(1))), [2], "it is the first");
    let none = schedule.seek(POOL, &seeker(2, &[]), wish(1));
    assert_eq!((none.taken.len(), none.instead), (0, Some(RunnerId::from_bytes([3; 16]))));
    let again = schedule.seek(POOL, &seeker(2, &[]), wish(1));
    assert_eq!(again.instead, None, "it was told of nothing since");
    assert_eq!(numbers(&schedule.seek(POOL, &seeker(3, &["gpu"]), wish(1))), [1]);
}

#[test]
fn one_job_wakes_the_one_runner_that_has_waited_longest_and_suits() {
    let gpu = lane(1, &["gpu"]);
    let mut schedule = schedule(std::slice::from_ref(&gpu));
    for waiting in [seeker(1, &[]), seeker(2, &["gpu"]), seeker(3, &["gpu"])] {
        assert!(schedule.seek(POOL, &waiting, wish(1)).taken.is_empty());
    }
    assert_eq!(schedule.ready(job(&gpu, 1, 100)), Some(RunnerId::from_bytes([2; 16])));
    assert_eq!(schedule.ready(job(&gpu, 2, 100)), Some(RunnerId::from_bytes([3; 16])));
    assert_eq!(schedule.ready(job(&gpu, 3, 100)), None);
}

#[test]
fn a_pinned_lane_wakes_only_its_runner() {
    let pinned = LaneRecord { runner: Some(RunnerId::from_bytes([2; 16])), ..lane(1, &[]) };
    let mut schedule = schedule(std::slice::from_ref(&pinned));
    schedule.seek(POOL, &seeker(1, &[]), wish(1));
    assert_eq!(schedule.ready(job(&pinned, 1, 100)), None);
    schedule.seek(POOL, &seeker(2, &[]), wish(0));
    assert_eq!(numbers(&schedule.seek(POOL, &seeker(1, &[]), wish(1))), [0u8; 0]);
    assert_eq!(numbers(&schedule.seek(POOL, &seeker(2, &[]), wish(1))), [1]);
}

#[test]
fn who_did_not_seek_after_it_was_woken_leaves_the_job_to_the_next() {
    let any = lane(1, &[]);
    let mut schedule = schedule(std::slice::from_ref(&any));
    schedule.seek(POOL, &seeker(1, &[]), wish(1));
    schedule.seek(POOL, &seeker(2, &[]), wish(1));
    assert_eq!(schedule.ready(job(&any, 1, 100)), Some(RunnerId::from_bytes([1; 16])));
    assert_eq!(schedule.kick(POOL), [RunnerId::from_bytes([2; 16])]);
}

#[test]
fn a_direct_grant_passes_over_no_job_that_waits_or_is_unread() {
    let (one, two) = (lane(1, &[]), lane(2, &["gpu"]));
    let mut schedule = schedule(&[one.clone(), two.clone()]);
    schedule.seek(POOL, &seeker(1, &[]), wish(1));
    schedule.ready(job(&two, 1, 100));
    assert_eq!(schedule.direct(one.id), None, "a job waits in the pool");
    schedule.seek(POOL, &seeker(9, &["gpu"]), Wish { waits: false, ..wish(1) });
    assert_eq!(schedule.direct(one.id), Some((POOL, RunnerId::from_bytes([1; 16]))));

    let mut unread = Schedule::default();
    assert_eq!(unread.add_pool(POOL, vec![one.clone()]).len(), 1);
    unread.seek(POOL, &seeker(1, &[]), wish(1));
    assert_eq!(unread.direct(one.id), None, "the lane was not read");
}

#[test]
fn a_page_wakes_as_many_runners_as_it_has_jobs() {
    let any = lane(1, &[]);
    let mut schedule = Schedule::default();
    schedule.add_pool(POOL, vec![any.clone()]);
    (1..=3).for_each(|number| drop(schedule.seek(POOL, &seeker(number, &[]), wish(1))));
    let jobs = [job(&any, 1, 100), job(&any, 2, 100)];
    let page = jobs.into_iter().map(|job| (job.record.ready_key().unwrap(), job)).collect();
    let (wake, next) = schedule.page(any.id, page, false);
    assert_eq!(wake, [RunnerId::from_bytes([1; 16]), RunnerId::from_bytes([2; 16])]);
    assert_eq!(next, None);
}

#[test]
fn what_waits_is_counted_and_its_age_is_that_of_the_oldest() {
    let lane = lane(1, &[]);
    let mut schedule = schedule(std::slice::from_ref(&lane));
    assert_eq!(schedule.depths(), [(POOL, 0, None)]);
    for (number, priority) in [(5, 200), (3, 100), (9, 100)] {
        schedule.ready(job(&lane, number, priority));
    }
    assert_eq!(schedule.depths(), [(POOL, 3, Some(Timestamp::from_millis(3)))]);
}

#[test]
fn a_job_waits_for_a_runner_only_if_that_one_may_take_it() {
    let lane = lane(1, &["eu"]);
    let mut schedule = schedule(std::slice::from_ref(&lane));
    assert!(!schedule.has_for(POOL, &seeker(1, &["eu"])), "nothing waits");
    schedule.ready(job(&lane, 1, 100));
    assert!(schedule.has_for(POOL, &seeker(1, &["eu"])) && !schedule.has_for(POOL, &seeker(2, &[])));
}
