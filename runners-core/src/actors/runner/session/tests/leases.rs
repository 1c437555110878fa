//! Offers, trust, loss and cancellation.

use super::*;
use crate::values::sync::{CancelNotice, Held, Phase};

#[test]
fn an_offer_is_started_and_listed_and_trusted_for_start_within() {
    let mut bench = Bench::new(1);
    let asked = bench.now;
    let seq = bench.send().seq;
    bench.pass(millis(1000));
    let effects = bench.answer(SyncAnswer { offers: vec![offer(1, 1)], ..answer(seq) });
    assert_eq!(started(&effects), [token(1, 1)]);
    let trust = bench.session.lease(token(1, 1)).unwrap().trust;
    assert_eq!(trust.until, asked + START_WITHIN - Trust::OFFER_MARGIN);
    assert!(bench.sends(), "an offer is confirmed at once");
    let request = bench.send();
    assert_eq!(request.held, [Held { token: token(1, 1), phase: Phase::Running }]);
    assert_eq!(request.free, 0);
}

#[test]
fn a_term_counts_from_when_it_was_asked_for_and_only_for_what_was_listed() {
    let mut bench = Bench::new(2);
    let first = bench.running(1);
    let asked = bench.now;
    let parked = bench.send().seq;
    let second = token(2, 1);
    bench.session.renew(bench.now);
    let newer = bench.send().seq;
    bench.answer(SyncAnswer { offers: vec![offer(2, 1)], ..answer(newer) });
    let of_offer = bench.session.lease(second).unwrap().trust;
    bench.pass(Duration::from_secs(9));
    bench.answer(SyncAnswer { term: Some(TERM), ..answer(parked) });
    let trust = bench.session.lease(first).unwrap().trust;
    assert_eq!(trust, Trust { until: asked + TERM - TERM / 10, margin: TERM / 10 });
    assert_eq!(bench.session.lease(second).unwrap().trust, of_offer, "it was not listed");
}

#[test]
fn trust_never_shrinks() {
    let mut bench = Bench::new(1);
    let held = bench.running(1);
    let before = bench.session.lease(held).unwrap().trust;
    let seq = bench.send().seq;
    bench.answer(SyncAnswer { term: Some(Duration::from_secs(5)), ..answer(seq) });
    assert_eq!(bench.session.lease(held).unwrap().trust, before);
}

#[test]
fn an_answer_without_a_term_renews_nothing_and_confirms_nothing() {
    let mut bench = Bench::new(1);
    let seq = bench.send().seq;
    bench.answer(SyncAnswer { offers: vec![offer(1, 1)], ..answer(seq) });
    let before = bench.session.lease(token(1, 1)).unwrap();
    let seq = bench.send().seq;
    bench.answer(answer(seq));
    assert_eq!(bench.session.lease(token(1, 1)).unwrap(), before);
    assert!(!bench.session.held[&token(1, 1)].confirmed);
}

#[test]
fn offers_are_taken_only_from_the_newest_reply() {
    let mut bench = Bench::new(2);
    let older = bench.send().seq;
    bench.session.renew(bench.now);
    let newer = bench.send().seq;
    bench.answer(answer(newer));
    let effects = bench.answer(SyncAnswer { offers: vec![offer(1, 1)], ..answer(older) });
    assert_eq!(started(&effects), []);
    assert_eq!(bench.session.lease(token(1, 1)), None);
}

#[test]
fn an_offer_of_what_is_held_starts_nothing_twice() {
    let mut bench = Bench::new(2);
    let seq = bench.send().seq;
    bench.answer(SyncAnswer { offers: vec![offer(1, 1)], ..answer(seq) });
    bench.pass(millis(500));
    let asked = bench.now;
    let seq = bench.send().seq;
    let effects = bench.answer(SyncAnswer { offers: vec![offer(1, 1)], ..answer(seq) });
    assert_eq!(started(&effects), []);
    assert_eq!(bench.session.lease(token(1, 1)).unwrap().trust, Trust::offered(asked, START_WITHIN));
}

#[test]
fn an_offer_of_what_has_finished_is_not_taken_but_restated() {
    let mut bench = Bench::new(1);
    let held = bench.running(1);
    bench.session.finish(finish(held), bench.now);
    let seq = bench.send().seq;
    let effects = bench.answer(SyncAnswer { offers: vec![offer(1, 1)], ..answer(seq) });
    assert_eq!(started(&effects), []);
    assert_eq!(bench.send().finishes, [finish(held)]);
}

#[test]
fn what_cannot_be_started_is_declined_until_that_is_recorded() {
    let mut bench = Bench::new(1);
    let seq = bench.send().seq;
    let mut foreign = offer(4, 1);
    foreign.spec = offer(5, 1).spec;
    let offers = vec![offer(1, 1), offer(2, 1), offer_of(3, 1, "other"), foreign];
    let effects = bench.answer(SyncAnswer { offers, ..answer(seq) });
    assert_eq!(started(&effects), [token(1, 1)]);
    let request = bench.send();
    let whys: Vec<_> =
        request.declined.iter().map(|declined| (declined.token, declined.why.as_str())).collect();
    let other = format!("specification is of {}", token(5, 1).job);
    let expected = [
        (token(2, 1), "no slot is free"),
        (token(3, 1), "no executor for the kind \"other\""),
        (token(4, 1), other.as_str()),
    ];
    assert_eq!(whys, expected);
    bench.answer(SyncAnswer {
        recorded: vec![token(2, 1)],
        fenced: vec![token(3, 1)],
        ..answer(request.seq)
    });
    let declined: Vec<_> = bench.send().declined.iter().map(|declined| declined.token).collect();
    assert_eq!(declined, [token(4, 1)]);
}

#[test]
fn an_offer_that_took_longer_than_it_stands_is_declined() {
    let mut bench = Bench::new(1);
    bench.greet();
    let seq = bench.send().seq;
    bench.pass(START_WITHIN - Trust::OFFER_MARGIN);
    let effects = bench.answer(SyncAnswer { offers: vec![offer(1, 1)], ..answer(seq) });
    assert_eq!(started(&effects), []);
    assert_eq!(bench.send().declined.len(), 1);
}

#[test]
fn an_offer_of_the_shortest_term_is_taken() {
    let mut bench = Bench::new(1);
    bench.greet();
    // What is offered where a term is as short as it may be.
    let start_within = millis(1000) * 2 / 3;
    let asked = bench.now;
    let seq = bench.send().seq;
    bench.pass(millis(100));
    let brief = Offer { start_within, ..offer(1, 1) };
    let effects = bench.answer(SyncAnswer { offers: vec![brief], ..answer(seq) });
    assert_eq!(started(&effects), [token(1, 1)]);
    let trust = bench.session.lease(token(1, 1)).unwrap().trust;
    assert_eq!(trust.until + trust.margin, asked + start_within);
    assert!(trust.margin > Duration::ZERO && trust.until > bench.now, "{trust:?}");
}

#[test]
fn a_lost_attempt_stops_at_once_and_is_not_listed_but_takes_its_slot() {
    let mut bench = Bench::new(1);
    let held = bench.running(1);
    let seq = bench.send().seq;
    let effects = bench.answer(SyncAnswer { lost: vec![held], term: Some(TERM), ..answer(seq) });
    assert_eq!(stops(&effects), [(held, StopReason::Lost)]);
    let request = bench.send();
    assert_eq!((request.held.len(), request.free), (0, 0));
    assert!(!bench.session.finish(finish(held), bench.now), "its finish is not wanted");
    assert!(bench.send().finishes.is_empty());
    assert_eq!(bench.session.free(), 1);
}

#[test]
fn the_finish_of_a_lost_attempt_is_dropped() {
    let mut bench = Bench::new(1);
    let held = bench.running(1);
    bench.session.finish(finish(held), bench.now);
    let seq = bench.send().seq;
    let effects = bench.answer(SyncAnswer { lost: vec![held], ..answer(seq) });
    assert!(matches!(effects[..], [Effect::Forget(token)] if token == held));
    assert!(bench.send().finishes.is_empty());
}

#[test]
fn a_cancel_reaches_the_attempt_with_its_grace_and_is_told_back() {
    let mut bench = Bench::new(1);
    let held = bench.running(1);
    let seq = bench.send().seq;
    let grace = Duration::from_secs(4);
    let effects = bench.answer(SyncAnswer {
        cancel: vec![CancelNotice { token: held, grace, requeue: false }],
        ..answer(seq)
    });
    let told = effects.iter().any(|effect| {
        matches!(effect, Effect::Stop(token, stop)
            if *token == held && *stop == Stop { why: StopReason::Cancelled, grace: Some(grace) })
    });
    assert!(told, "{effects:?}");
    assert_eq!(bench.send().held, [Held { token: held, phase: Phase::Cancelling }]);
}

#[test]
fn a_released_lease_is_declined_or_ended() {
    let mut bench = Bench::new(2);
    let held = bench.running(1);
    let seq = bench.send().seq;
    bench.answer(SyncAnswer { offers: vec![offer(2, 1)], ..answer(seq) });
    assert_eq!(bench.session.release(held, bench.now), Settled::Open);
    assert_eq!(bench.session.release(token(2, 1), bench.now), Settled::Open);
    assert_eq!(bench.session.release(token(3, 1), bench.now), Settled::Closed);
    let request = bench.send();
    assert_eq!(request.finishes[0].outcome, Outcome::Lapsed);
    assert_eq!(request.declined[0].token, token(2, 1));
    bench.answer(SyncAnswer { recorded: vec![held, token(2, 1)], ..answer(request.seq) });
    assert_eq!(bench.session.settled(held), Settled::Closed);
    assert_eq!(stops(&bench.session.effects()), [], "both were told to stop before");
}

#[test]
fn nothing_is_left_of_a_lease_that_is_released_before_it_is_confirmed() {
    let mut bench = Bench::new(1);
    let seq = bench.send().seq;
    bench.answer(SyncAnswer { offers: vec![offer(1, 1)], ..answer(seq) });
    bench.session.log(token(1, 1), b"begins\n", bench.now);
    bench.session.release(token(1, 1), bench.now);
    let request = bench.send();
    assert_eq!((request.declined.len(), request.log_tails.len()), (1, 0));
    bench.session.finish(finish(token(1, 1)), bench.now);
    bench.answer(SyncAnswer { recorded: vec![token(1, 1)], ..answer(request.seq) });
    let request = bench.send();
    assert!(request.log_tails.is_empty() && !request.park_for.is_zero(), "{request:?}");
    assert!(!bench.session.calls[&request.seq].urgent);
}
