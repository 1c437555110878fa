//! The course of runs, event by event.

use super::*;
use crate::values::orchestration::{AskedCheck, Finding, RegionPolicy, ResultState};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// One page in each region, with one check.
fn course(regions: &[&str], change: impl FnOnce(&mut OrchestrationOptions)) -> Course {
    let planned = |region: &&str| PlannedJob {
        url: "https://a".to_owned(),
        region: Some((*region).to_owned()),
        checks: vec![AskedCheck::new("up", "https://a")],
    };
    let mut options = OrchestrationOptions::default();
    change(&mut options);
    Course::new(regions.iter().map(planned).collect(), options)
}

fn ended(number: u32, state: ResultState) -> EndedTry {
    EndedTry {
        number,
        state: RunState::Completed,
        results: vec![RegionResult::new("up", state)],
        error: None,
        notes: Vec::new(),
        started_at: NOW,
        ended_at: NOW,
    }
}

fn down(number: u32) -> EndedTry {
    let results = vec![RegionResult::errored("up", "no answer")];
    EndedTry {
        state: RunState::Failed,
        results,
        error: Some("no answer".to_owned()),
        ..ended(number, ResultState::Error)
    }
}

/// Begins and ends whatever waits, each job by what it is given for its first and second try.
fn play(course: &mut Course, tries: &[[Option<EndedTry>; 2]]) {
    while let Some((at, number)) = course.next() {
        course.begin(at, number, NOW);
        let ended = tries[at][number as usize - 1].clone();
        course.end(at, ended.unwrap_or_else(|| panic!("job {at} has no try {number}")));
    }
}

fn findings(course: &Course) -> Vec<Option<Finding>> {
    course.jobs([7; 16], NOW).iter().map(|job| job.finding).collect()
}

use ResultState::{Fail, Pass};

#[test]
fn the_state_of_a_run_follows_from_those_of_its_jobs() {
    let tally = |queued, running, completed, failed, timed_out| {
        Tally { queued, running, completed, failed, timed_out }.state()
    };
    assert_eq!(tally(2, 0, 0, 0, 0), RunState::Queued);
    assert_eq!(tally(1, 1, 0, 0, 0), RunState::Running);
    assert_eq!(tally(1, 0, 1, 0, 0), RunState::Running);
    assert_eq!(tally(0, 1, 1, 1, 1), RunState::Running);
    assert_eq!(tally(0, 0, 1, 1, 1), RunState::TimedOut);
    assert_eq!(tally(0, 0, 1, 1, 0), RunState::Failed);
    assert_eq!(tally(0, 0, 2, 0, 0), RunState::Completed);
}

#[test]
fn a_region_that_is_down_is_told_from_a_product_that_is_broken() {
    // What each of three regions finds, what is told of the last one, and what the run comes to.
    type Case = ([[Option<EndedTry>; 2]; 3], Option<Finding>, Conclusion);
    let once = |state| [Some(ended(1, state)), None];
    let cases: [Case; 5] = [
        ([once(Pass), once(Pass), once(Pass)], None, Conclusion::Passed),
        (
            [once(Pass), once(Pass), [Some(down(1)), Some(down(2))]],
            Some(Finding::RegionDown),
            Conclusion::Errored,
        ),
        (
            [once(Pass), once(Pass), [Some(ended(1, Fail)), Some(ended(2, Fail))]],
            Some(Finding::BrokenHere),
            Conclusion::Failed,
        ),
        (
            [once(Pass), once(Pass), [Some(down(1)), Some(ended(2, Pass))]],
            Some(Finding::Flaky),
            Conclusion::Flaky,
        ),
        ([once(Fail), once(Fail), once(Fail)], Some(Finding::BrokenEverywhere), Conclusion::Failed),
    ];
    for (tries, finding, conclusion) in cases {
        let mut course = course(&["a", "b", "c"], |_| {});
        play(&mut course, &tries);
        assert!(course.is_over());
        assert_eq!((findings(&course)[2], course.conclusion(false)), (finding, conclusion), "{tries:?}");
    }
}

#[test]
fn nobody_is_tried_again_who_is_in_the_majority_or_expected_to_fail_or_if_that_is_not_wanted() {
    let once = |state| [Some(ended(1, state)), None];
    let mut most = course(&["a", "b", "c"], |_| {});
    play(&mut most, &[once(Fail), once(Fail), once(Pass)]);
    assert_eq!((findings(&most)[0], most.conclusion(false)), (None, Conclusion::Failed));
    let mut unwanted = course(&["a", "b", "c"], |options| options.second_try = false);
    play(&mut unwanted, &[once(Pass), once(Pass), once(Fail)]);
    assert_eq!(unwanted.conclusion(false), Conclusion::Failed);
    let mut expected = course(&["a", "b", "c"], |options| {
        options.expected_to_fail = ["c".to_owned()].into();
    });
    play(&mut expected, &[once(Pass), once(Pass), once(Fail)]);
    assert_eq!(findings(&expected), [None, None, Some(Finding::ExpectedToFail)]);
    assert_eq!(expected.conclusion(false), Conclusion::Passed);
}

#[test]
fn a_region_that_passes_though_it_was_expected_to_fail_is_told_and_not_counted() {
    let mut course = course(&["a", "b"], |options| {
        options.expected_to_fail = ["b".to_owned()].into();
        options.policy = RegionPolicy::AtLeast(1);
    });
    play(&mut course, &[[Some(ended(1, Fail)), None], [Some(ended(1, Pass)), None]]);
    assert_eq!(findings(&course)[1], Some(Finding::UnexpectedPass));
    assert_eq!(course.conclusion(false), Conclusion::Failed);
}

#[test]
fn every_check_is_counted_once_however_often_it_was_tried() {
    let mut course = course(&["a", "b"], |_| {});
    let before = course.summary();
    assert_eq!((before.total, before.passed + before.failed + before.errored), (2, 0));
    play(&mut course, &[[Some(ended(1, Pass)), None], [Some(down(1)), Some(down(2))]]);
    let expected = SummaryCounts { total: 2, passed: 1, failed: 0, errored: 1 };
    assert_eq!(course.summary(), expected);
    let job = &course.jobs([7; 16], NOW)[1];
    assert_eq!(job.first_try.as_ref().map(|first| first.state), Some(RunState::Failed));
}

#[test]
fn the_journal_leads_to_the_same_course_and_what_was_under_way_begins_again() {
    let mut course = course(&["a", "b", "c"], |_| {});
    let what = |at: usize, ended: EndedTry| RunHappening::JobEnded {
        index: at,
        job_id: job_id([7; 16], NOW, at),
        region: None,
        number: ended.number,
        state: ended.state,
        results: ended.results,
        error: ended.error,
        notes: ended.notes,
        started_at: ended.started_at,
    };
    let begun = |at: usize, number| RunHappening::JobStarted {
        index: at,
        job_id: job_id([7; 16], NOW, at),
        region: None,
        url: String::new(),
        number,
    };
    for happening in
        [what(0, ended(1, Pass)), begun(1, 1), begun(2, 1), what(1, ended(1, Pass)), what(2, down(1))]
    {
        course.apply(NOW, happening);
    }
    assert_eq!(course.next(), Some((2, 2)));
    course.apply(NOW, begun(2, 2));
    // What was told before is told again: nothing changes.
    course.apply(NOW, what(2, down(1)));
    course.apply(NOW, what(0, ended(1, Fail)));
    assert_eq!((course.next(), course.tally().running, course.tally().completed), (None, 1, 2));
    course.forget_what_is_under_way();
    assert_eq!((course.next(), course.is_over()), (Some((2, 2)), false));
    course.apply(NOW, what(99, down(1)));
    course.end(2, ended(2, Pass));
    assert_eq!((course.is_over(), course.conclusion(false)), (true, Conclusion::Flaky));
}

#[test]
fn what_is_stopped_keeps_what_came_back() {
    let mut course = course(&["a", "b", "c", "d"], |_| {});
    course.end(0, ended(1, Pass));
    course.begin(1, 1, NOW);
    course.stop(RunState::TimedOut, "too late", NOW);
    let states: Vec<RunState> = course.jobs([7; 16], NOW).iter().map(|job| job.state).collect();
    let late = RunState::TimedOut;
    assert_eq!(states, [RunState::Completed, late, late, late]);
    assert_eq!(course.summary(), SummaryCounts { total: 4, passed: 1, failed: 0, errored: 3 });
    assert_eq!((course.tally().state(), course.conclusion(false)), (late, Conclusion::TimedOut));
}

#[test]
fn ids_of_jobs_repeat_and_differ() {
    let id = |seed, at| job_id([seed; 16], NOW, at);
    assert_eq!(id(1, 0), id(1, 0));
    assert!(id(1, 0) != id(1, 1) && id(1, 0) != id(2, 0));
}
