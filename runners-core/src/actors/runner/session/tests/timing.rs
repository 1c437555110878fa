//! When a runner speaks, what it makes of errors and silence, and how it ends.

use super::*;
use crate::{
    seams::observer::Notice,
    values::{
        reply::{RefusalCode, Refused},
        runner::Mode,
    },
};

#[test]
fn the_first_request_is_sent_at_once_and_every_answer_brings_the_next() {
    let mut bench = Bench::new(1);
    assert!(bench.sends());
    assert_eq!(bench.send().park_for, Duration::ZERO, "the first answer tells that somebody is there");
    bench.answer(answer(1));
    for seq in 2..=4 {
        assert!(bench.sends());
        let request = bench.send();
        assert_eq!((request.seq, request.park_for), (seq, PARK));
        assert!(!bench.sends(), "one parked call is enough");
        bench.pass(Duration::from_secs(15));
        bench.answer(answer(seq));
    }
}

#[test]
fn news_goes_at_once_beside_a_parked_call_and_lingers_behind_a_newer_one() {
    let mut bench = Bench::new(3);
    for number in 1..=3 {
        bench.running(number);
    }
    bench.send();
    bench.session.finish(finish(token(1, 1)), bench.now);
    assert!(bench.sends(), "only the parked call is outstanding");
    let newer = bench.send();
    bench.session.finish(finish(token(2, 1)), bench.now);
    assert_eq!(bench.next(), Next::Wait(Some(bench.now + millis(10))));
    bench.pass(millis(4));
    bench.session.finish(finish(token(3, 1)), bench.now);
    assert!(!bench.sends());
    bench.pass(millis(6));
    assert!(bench.sends(), "at the latest after the linger");
    bench.answer(SyncAnswer { recorded: vec![token(1, 1)], ..answer(newer.seq) });
    assert_eq!(bench.send().finishes, [finish(token(2, 1)), finish(token(3, 1))]);
}

#[test]
fn news_goes_when_the_newest_call_is_answered() {
    let mut bench = Bench::new(2);
    let (first, second) = (bench.running(1), bench.running(2));
    bench.send();
    bench.session.finish(finish(first), bench.now);
    let newer = bench.send();
    bench.session.finish(finish(second), bench.now);
    assert!(!bench.sends());
    bench.answer(SyncAnswer { recorded: vec![first], ..answer(newer.seq) });
    assert!(bench.sends());
}

#[test]
fn the_older_call_is_left_alone() {
    let mut bench = Bench::new(1);
    let held = bench.running(1);
    let older = bench.send().seq;
    bench.session.finish(finish(held), bench.now);
    let newer = bench.send().seq;
    let effects = bench.answer(SyncAnswer { recorded: vec![held], ..answer(newer) });
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Abandon(_))));
    assert!(bench.session.calls.contains_key(&older));
}

#[test]
fn a_superseded_call_is_followed_only_if_nothing_is_outstanding() {
    let mut bench = Bench::new(1);
    let older = bench.send().seq;
    bench.session.renew(bench.now);
    let newer = bench.send().seq;
    bench.superseded(older);
    assert!(!bench.sends());
    bench.superseded(newer);
    assert!(bench.sends());
}

#[test]
fn after_an_error_the_wait_is_jitter_and_then_the_present_state_is_sent() {
    let mut bench = Bench::new(1);
    let held = bench.running(1);
    bench.session.finish(finish(held), bench.now);
    let seq = bench.send().seq;
    bench.unreachable(seq);
    assert_eq!(bench.next(), Next::Wait(Some(bench.now + SPREAD)), "nothing goes before");
    bench.pass(SPREAD);
    assert!(bench.sends());
    let request = bench.send();
    assert_eq!((request.seq, request.finishes), (seq + 1, vec![finish(held)]));
}

#[test]
fn a_retry_goes_out_though_an_older_call_is_still_parked() {
    let mut bench = Bench::new(1);
    let held = bench.running(1);
    bench.send();
    bench.session.finish(finish(held), bench.now);
    let newer = bench.send().seq;
    bench.unreachable(newer);
    bench.pass(SPREAD);
    assert!(bench.sends());
}

#[test]
fn a_busy_control_plane_is_left_alone_for_as_long_as_it_asks() {
    let mut bench = Bench::new(1);
    let seq = bench.send().seq;
    let retry_after = Duration::from_secs(30);
    bench.reply(seq, Err(TransportError::Busy { retry_after }));
    assert_eq!(bench.next(), Next::Wait(Some(bench.now + retry_after)));
}

#[test]
fn an_outage_is_told_once_however_its_errors_differ_and_its_end_once_too() {
    let mut bench = Bench::new(1);
    let mut told = Vec::new();
    let mut trouble = |bench: &mut Bench, errors: &[&'static str]| {
        for error in errors {
            let seq = bench.send().seq;
            told.extend(bench.reply(seq, Err(TransportError::Unreachable((*error).into()))));
            bench.pass(Duration::from_secs(60));
        }
        let seq = bench.send().seq;
        told.extend(bench.answer(answer(seq)));
    };
    trouble(&mut bench, &["request 1 was cut", "request 2 was cut", "request 3 was cut"]);
    trouble(&mut bench, &["request 5 was cut", "request 6 was cut"]);
    let notices = told.iter().filter_map(|effect| match effect {
        Effect::Tell(Notice::Disconnected { error, .. }) => Some(error.as_str()),
        Effect::Tell(Notice::Connected) => Some("connected"),
        _ => None,
    });
    let notices: Vec<_> = notices.collect();
    assert_eq!(notices.len(), 4, "{notices:?}");
    assert!(notices[0].contains("unreachable") && notices[2].contains("unreachable"), "{notices:?}");
    assert_eq!((notices[1], notices[3]), ("connected", "connected"));
}

#[test]
fn silence_is_an_error_after_three_seconds_with_something_unconfirmed_and_later_without() {
    let mut bench = Bench::new(1);
    let held = bench.running(1);
    bench.send();
    assert_eq!(bench.next(), Next::Wait(Some(bench.now + PARK + Duration::from_secs(10))));
    bench.session.finish(finish(held), bench.now);
    bench.send();
    bench.pass(Duration::from_secs(3));
    assert_eq!(bench.session.snapshot().last_error.as_deref(), Some("no answer in time"));
    bench.pass(SPREAD);
    assert!(bench.sends());
}

#[test]
fn no_call_is_parked_where_nobody_may_be() {
    let mut bench = Bench::new(1);
    bench.greet();
    // Somebody took the call, and was stopped.
    assert_eq!(bench.send().park_for, PARK);
    bench.pass(PARK + Duration::from_secs(10));
    for _ in 0..2 {
        bench.pass(SPREAD * 4);
        assert!(bench.sends());
        assert_eq!(bench.send().park_for, Duration::ZERO);
        assert_eq!(bench.next(), Next::Wait(Some(bench.now + Duration::from_secs(3))));
        bench.pass(Duration::from_secs(3));
    }
    bench.pass(SPREAD * 8);
    let seq = bench.send().seq;
    bench.answer(answer(seq));
    assert_eq!(bench.send().park_for, PARK);
}

#[test]
fn a_reply_that_comes_after_its_time_still_counts() {
    let mut bench = Bench::new(1);
    let held = bench.running(1);
    bench.session.finish(finish(held), bench.now);
    let seq = bench.send().seq;
    bench.pass(Duration::from_secs(4));
    bench.answer(SyncAnswer { recorded: vec![held], ..answer(seq) });
    assert!(bench.session.finishes.is_empty());
}

#[test]
fn a_call_is_given_up_for_good_when_its_park_is_long_over() {
    let mut bench = Bench::new(1);
    let seq = bench.send().seq;
    bench.pass(PARK + Duration::from_secs(10));
    let effects = bench.session.effects();
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Abandon(given_up) if *given_up == seq)));
}

#[test]
fn calls_under_way_are_bounded() {
    let mut bench = Bench::new(1);
    for _ in 0..100 {
        bench.session.renew(bench.now);
        bench.send();
    }
    assert_eq!(bench.session.calls.len(), 16);
    let abandoned = bench.session.effects().len();
    assert_eq!(abandoned, 84);
}

#[test]
fn three_cuts_at_the_same_time_shorten_the_park() {
    let mut bench = Bench::new(1);
    bench.greet();
    for _ in 0..3 {
        bench.pass(Duration::from_secs(60));
        if !bench.session.snapshot().connected {
            bench.greet();
        }
        let request = bench.send();
        assert_eq!(request.park_for, PARK);
        bench.now = bench.now + Duration::from_secs(10);
        bench.unreachable(request.seq);
    }
    bench.pass(Duration::from_secs(60));
    bench.greet();
    assert_eq!(bench.send().park_for, Duration::from_secs(8));
}

#[test]
fn the_park_is_no_longer_than_what_is_granted() {
    let mut bench = Bench::new(1);
    let seq = bench.send().seq;
    bench.answer(SyncAnswer { park_max: Duration::from_secs(7), ..answer(seq) });
    assert_eq!(bench.send().park_for, Duration::from_secs(7));
}

#[test]
fn a_displaced_or_refused_runner_stops_everything_and_keeps_its_spool() {
    let refused = Refused::new(RefusalCode::Removed, "gone");
    for (reply, reason) in [
        (Ok(Reply::Displaced), ExitReason::Displaced),
        (Ok(Reply::Refused(refused.clone())), ExitReason::Refused(refused)),
        (
            Err(TransportError::Unauthorized("revoked".to_owned())),
            ExitReason::Refused(Refused::new(RefusalCode::Expired, "token is not accepted: revoked")),
        ),
    ] {
        let mut bench = Bench::new(2);
        let (first, second) = (bench.running(1), bench.running(2));
        bench.session.finish(finish(second), bench.now);
        let seq = bench.send().seq;
        let effects = bench.reply(seq, reply);
        assert_eq!(stops(&effects), [(first, StopReason::Shutdown)]);
        assert!(!effects.iter().any(|effect| matches!(effect, Effect::Forget(_))));
        assert_eq!(bench.session.exit_reason(), Some(&reason));
        assert_eq!(bench.next(), Next::Wait(None), "it says nothing any more");
    }
}

#[test]
fn a_runner_leaves_only_when_told_that_no_more_comes_and_nothing_is_left() {
    let mut bench = Bench::new(1);
    let held = bench.running(1);
    let before = bench.send().seq;
    bench.session.intend(Mode::Leave, bench.now);
    bench.answer(SyncAnswer { no_more: true, ..answer(before) });
    assert!(!bench.session.no_more, "that request did not say that it leaves");
    let request = bench.send();
    assert_eq!((request.intent, request.free), (Mode::Leave, 0));
    bench.answer(SyncAnswer { no_more: true, ..answer(request.seq) });
    assert_eq!(bench.session.exit_reason(), None, "a job still runs");
    bench.session.finish(finish(held), bench.now);
    let seq = bench.send().seq;
    assert_eq!(bench.session.exit_reason(), None, "its finish is not recorded");
    bench.answer(SyncAnswer { recorded: vec![held], no_more: true, ..answer(seq) });
    assert_eq!(bench.session.exit_reason(), Some(&ExitReason::Left));
}

#[test]
fn a_paused_runner_takes_nothing_stays_and_can_be_resumed() {
    let mut bench = Bench::new(1);
    bench.session.intend(Mode::Drain, bench.now);
    let request = bench.send();
    assert_eq!((request.intent, request.free), (Mode::Drain, 0));
    let effects = bench.answer(SyncAnswer { no_more: true, ..answer(request.seq) });
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Tell(crate::Notice::Drained))));
    assert_eq!(bench.session.exit_reason(), None);
    let parked = bench.send().seq;
    bench.session.intend(Mode::Serve, bench.now);
    assert!(bench.sends(), "a change of intent is told at once");
    assert_eq!(bench.send().free, 1);
    bench.session.intend(Mode::Leave, bench.now);
    bench.answer(SyncAnswer { no_more: true, ..answer(parked) });
    assert_eq!(bench.session.exit_reason(), None, "what was said before it served again is void");
}

#[test]
fn a_newer_desired_state_is_applied_and_its_generation_told() {
    let mut bench = Bench::new(4);
    let seq = bench.send().seq;
    let desired = Desired { generation: 2, mode: Mode::Drain, slots: Some(1), note: None };
    bench.answer(SyncAnswer { desired: Some(desired), ..answer(seq) });
    let request = bench.send();
    assert_eq!((request.seen_generation, request.intent, request.free), (2, Mode::Drain, 0));
    let older = Desired { generation: 1, mode: Mode::Serve, slots: None, note: None };
    bench.answer(SyncAnswer { desired: Some(older), ..answer(request.seq) });
    assert_eq!(bench.send().intent, Mode::Drain);
    let newer = Desired { generation: 3, mode: Mode::Serve, slots: Some(1), note: None };
    let seq = bench.session.seq;
    bench.answer(SyncAnswer { desired: Some(newer), ..answer(seq) });
    assert_eq!(bench.send().free, 1, "an operator's limit on slots is below its own");
}

#[test]
fn an_operator_can_have_a_runner_leave() {
    let mut bench = Bench::new(1);
    let seq = bench.send().seq;
    let desired = Desired { generation: 1, mode: Mode::Leave, slots: None, note: None };
    bench.answer(SyncAnswer { desired: Some(desired), ..answer(seq) });
    let seq = bench.send().seq;
    bench.answer(SyncAnswer { no_more: true, ..answer(seq) });
    assert_eq!(bench.session.exit_reason(), Some(&ExitReason::Left));
}

#[test]
fn a_stopped_runner_does_not_wait_longer_than_its_grace_and_a_little() {
    let mut bench = Bench::new(1);
    let held = bench.running(1);
    bench.session.stop(Duration::from_secs(5), bench.now);
    assert_eq!(stops(&bench.session.effects()), [(held, StopReason::Shutdown)]);
    bench.pass(Duration::from_secs(7));
    assert_eq!(bench.session.exit_reason(), None);
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.session.exit_reason(), Some(&ExitReason::Stopped));
}
