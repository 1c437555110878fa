//! What is explained is what is granted: the two never disagree, whatever is queued.

use super::*;
use crate::{
    rules::eligibility::{Closed, Presence, first_obstacle},
    values::{
        preference::{Concurrency, Fairness},
        runner::Mode,
    },
};
use proptest::prelude::*;

/// What a lane asks for: a label wanted, a label refused, a limit, a fairness key.
type Shape = (Option<bool>, Option<bool>, Option<(bool, u32)>, Option<(u8, u32)>);

fn shape() -> impl Strategy<Value = Shape> {
    let label = proptest::option::weighted(0.3, any::<bool>());
    let limit = proptest::option::weighted(0.4, (any::<bool>(), 1..4u32));
    let share = proptest::option::weighted(0.6, (0..3u8, 1..4u32));
    (label.clone(), label, limit, share)
}

/// How a runner is: everything that the grant looks at before it looks at jobs.
fn presence() -> impl Strategy<Value = Presence> {
    let closed =
        proptest::option::weighted(0.2, prop_oneof![Just(Closed::Suspended), Just(Closed::Inactive)]);
    let mode = prop_oneof![6 => Just(Mode::Serve), 1 => Just(Mode::Drain), 1 => Just(Mode::Leave)];
    let held_back = proptest::option::weighted(0.1, Just(Timestamp::from_millis(9)));
    let limit = proptest::option::weighted(0.5, 0..4usize);
    let suspect = proptest::bool::weighted(0.1);
    (closed, mode, held_back, limit, suspect, 0..4usize, 0..3usize, 0..2usize).prop_map(
        |(closed, mode, held_back_until, limit, suspect, free, held, offered)| Presence {
            closed,
            suspect,
            held_back_until,
            mode,
            free,
            limit,
            held,
            offered,
        },
    )
}

fn name(which: bool) -> &'static str {
    if which { "even" } else { "odd" }
}

fn shaped(number: u8, (wanted, refused, limit, share): &Shape) -> LaneRecord {
    let labels = |label: &Option<bool>| label.iter().map(|which| name(*which).to_owned()).collect();
    LaneRecord {
        wanted: labels(wanted),
        refused: labels(refused),
        concurrency: limit.iter().map(|(key, max)| Concurrency::new(name(*key), *max)).collect(),
        fairness: share.map(|(key, weight)| Fairness { key: key.to_string(), weight }),
        ..lane(number, &[])
    }
}

/// A schedule with these lanes, and jobs of them with a priority, each submitted a moment later.
fn filled(lanes: &[LaneRecord], jobs: &[(usize, bool)]) -> (Schedule, Vec<(LaneId, Bytes)>) {
    let mut schedule = schedule(lanes);
    let mut ready = Vec::new();
    for ((at, urgent), number) in jobs.iter().zip(1..) {
        let lane = &lanes[at % lanes.len()];
        let job = job(lane, number, if *urgent { 200 } else { 100 });
        ready.push((lane.id, job.record.ready_key().expect("it is ready")));
        schedule.ready(job);
    }
    for key in schedule.counters_wanted() {
        schedule.counter_read(&key, Some(0));
    }
    (schedule, ready)
}

fn key_of(sought: &Sought) -> Option<(LaneId, Bytes)> {
    let job = &sought.taken.first()?.record;
    Some((job.lane(), job.ready_key().expect("it is as it was read")))
}

proptest! {
    #[test]
    fn what_is_granted_has_no_obstacle_and_what_has_none_is_granted(
        shapes in proptest::collection::vec(shape(), 1..6),
        jobs in proptest::collection::vec((any::<usize>(), any::<bool>()), 0..30),
        labels in proptest::collection::vec(any::<bool>(), 0..2),
        presence in presence(),
    ) {
        let lanes: Vec<LaneRecord> =
            shapes.iter().zip(1..).map(|(shape, number)| shaped(number, shape)).collect();
        let (mut schedule, mut ready) = filled(&lanes, &jobs);
        let names: Vec<&str> = labels.iter().map(|which| name(*which)).collect();
        let seeker = seeker(1, &names);
        loop {
            let free = |(lane, _): &&(LaneId, Bytes)| {
                let needs = &schedule.lanes[lane].needs;
                first_obstacle(needs, seeker.runner, &seeker.facts, &presence).is_ok()
                    && schedule.held_back_by(*lane).is_none()
            };
            let explained: Vec<_> = ready.iter().filter(free).cloned().collect();
            let room = presence.room().unwrap_or(0).min(1);
            let granted = key_of(&schedule.seek(POOL, &seeker, wish(room)));
            let Some(granted) = granted else {
                prop_assert_eq!(explained, Vec::new());
                break;
            };
            prop_assert!(explained.contains(&granted));
            ready.retain(|job| *job != granted);
        }
    }

    #[test]
    fn a_job_is_granted_after_as_many_others_as_its_position_says(
        shapes in proptest::collection::vec(shape(), 1..6),
        jobs in proptest::collection::vec((any::<usize>(), any::<bool>()), 0..30),
    ) {
        let lanes: Vec<LaneRecord> = shapes
            .iter()
            .zip(1..)
            .map(|((_, _, limit, share), number)| shaped(number, &(None, None, *limit, *share)))
            .collect();
        let (mut schedule, ready) = filled(&lanes, &jobs);
        let positions: BTreeMap<_, _> = ready
            .into_iter()
            .map(|job| (job.clone(), schedule.position(POOL, job.0, &job.1)))
            .collect();
        let mut granted = Vec::new();
        while let Some(job) = key_of(&schedule.seek(POOL, &seeker(1, &[]), wish(1))) {
            granted.push(job);
        }
        for (job, position) in positions {
            let place = granted.iter().position(|other| *other == job);
            let ahead = position.map(|position| (position.ahead as usize, position.exact));
            prop_assert_eq!(ahead, place.map(|place| (place, true)));
        }
    }
}
