//! What a request says: all of the truth, within a body.

use super::*;
use crate::values::{
    command::Command as _,
    digest::Digest,
    id::SignalId,
    signal::Ping,
    sync::{Attached, Attachment, Logged, SignalAnswer, SignalDelivery, SignalOutcome},
};

fn asks(effects: &[Effect]) -> usize {
    effects.iter().filter(|effect| matches!(effect, Effect::Respond(_))).count()
}

fn body(request: &SyncRequest) -> usize {
    serde_json::to_vec(request).unwrap().len()
}

fn attachment(token: FencingToken, name: &str) -> Attachment {
    let digest = Digest::of(name.as_bytes());
    Attachment { token, name: name.to_owned(), digest, length: 1, media_type: "image/png".to_owned() }
}

fn signal() -> SignalDelivery {
    SignalDelivery {
        id: SignalId::from_bytes([9; 16]),
        kind: Ping::KIND.to_owned(),
        payload: Opaque::new(&br#"{"text":"x"}"#[..]),
        expires_in: Duration::from_secs(30),
        attempt: None,
    }
}

#[test]
fn every_request_restates_what_is_not_recorded() {
    let mut bench = Bench::new(2);
    let (held, done) = (bench.running(1), bench.running(2));
    bench.session.finish(finish(done), bench.now);
    for _ in 0..3 {
        let request = bench.send();
        assert_eq!(request.finishes, [finish(done)]);
        assert_eq!(request.held.iter().map(|held| held.token).collect::<Vec<_>>(), [held]);
        bench.unreachable(request.seq);
    }
    let seq = bench.send().seq;
    let effects = bench.answer(SyncAnswer { recorded: vec![done], ..answer(seq) });
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Forget(token) if *token == done)));
    assert!(bench.send().finishes.is_empty());
}

#[test]
fn a_fenced_finish_is_forgotten() {
    let mut bench = Bench::new(1);
    let held = bench.running(1);
    bench.session.finish(finish(held), bench.now);
    let seq = bench.send().seq;
    bench.answer(SyncAnswer { fenced: vec![held], ..answer(seq) });
    assert!(bench.send().finishes.is_empty());
}

#[test]
fn finishes_of_an_earlier_start_are_sent_and_not_listed_as_held() {
    let spooled = finish(token(7, 3));
    let mut bench = Bench::with_spool(1, vec![spooled.clone()]);
    let request = bench.send();
    assert_eq!((request.finishes, request.held.len(), request.free), (vec![spooled], 0, 1));
}

#[test]
fn facts_are_sent_until_they_are_heard_and_when_they_are_asked_for() {
    let mut bench = Bench::new(1);
    let seq = bench.send().seq;
    bench.unreachable(seq);
    let request = bench.send();
    assert!(request.facts.is_some());
    bench.answer(answer(request.seq));
    let request = bench.send();
    assert!(request.facts.is_none());
    bench.answer(SyncAnswer { send_facts: true, ..answer(request.seq) });
    assert!(bench.send().facts.is_some());
}

#[test]
fn a_body_is_bounded_and_what_waits_in_it_is_listed_as_held() {
    let mut bench = Bench::new(10);
    for number in 1..=8 {
        let held = bench.running(number);
        let result = Some(Opaque::from(vec![b'x'; SyncRequest::RESULT_BYTES_MAX]));
        bench.session.finish(Finish { result, ..finish(held) }, bench.now);
    }
    let mut told = std::collections::BTreeSet::new();
    for _ in 0..3 {
        let request = bench.send();
        assert!(body(&request) <= SyncRequest::BYTES_MAX);
        let finished: Vec<_> = request.finishes.iter().map(|finish| finish.token).collect();
        assert_eq!(request.held.len() + finished.len() + told.len(), 8, "what is neither counts as lost");
        told.extend(finished.iter().copied());
        bench.answer(SyncAnswer { recorded: finished, ..answer(request.seq) });
        assert!(bench.sends(), "the rest goes at once");
    }
    assert_eq!(told.len(), 8);
}

#[test]
fn a_finish_travels_with_the_last_of_its_log_and_its_artifacts() {
    let mut bench = Bench::new(1);
    let held = bench.running(1);
    bench.session.log(held, &vec![b'x'; SyncRequest::LOG_CHUNK_BYTES_MAX + 10], bench.now);
    bench.session.attach(attachment(held, "a.png"), bench.now);
    bench.session.finish(finish(held), bench.now);
    let first = bench.send();
    assert!(first.finishes.is_empty());
    assert_eq!(first.held.len(), 1, "it counts as held until it is told");
    let logged = vec![Logged { token: held, offset: SyncRequest::LOG_CHUNK_BYTES_MAX as u64 }];
    bench.answer(SyncAnswer { logged, ..answer(first.seq) });
    let second = bench.send();
    assert_eq!(second.finishes, [finish(held)]);
    assert_eq!((second.log_tails[0].bytes.len(), second.artifacts.len()), (10, 1));
    assert!(second.held.is_empty());
}

#[test]
fn a_finish_does_not_wait_for_its_log_for_ever() {
    let mut bench = Bench::new(1);
    let held = bench.running(1);
    bench.session.log(held, &vec![b'x'; 3 * SyncRequest::LOG_CHUNK_BYTES_MAX], bench.now);
    bench.session.finish(finish(held), bench.now);
    bench.pass(Duration::from_secs(3600));
    for _ in 0..32 {
        let request = bench.send();
        assert_eq!(request.finishes, [], "an outage, however long, leaves nothing behind");
        bench.answer(answer(request.seq));
    }
    assert_eq!(bench.send().finishes, [finish(held)]);
}

#[test]
fn logs_and_progress_are_gathered_for_a_moment() {
    let mut bench = Bench::new(1);
    let held = bench.running(1);
    bench.send();
    bench.session.log(held, b"one", bench.now);
    bench.session.progress(held, "half".to_owned(), bench.now);
    assert_eq!(bench.next(), Next::Wait(Some(bench.now + millis(200))));
    bench.session.progress(held, "most".to_owned(), bench.now);
    bench.pass(millis(200));
    assert!(bench.sends());
    let request = bench.send();
    assert_eq!(request.log_tails[0].bytes.as_bytes(), &b"one"[..]);
    assert_eq!(request.progress.len(), 1, "only the newest");
    assert_eq!((request.progress[0].number, request.progress[0].text.as_str()), (2, "most"));
    bench.answer(answer(request.seq));
    assert!(bench.send().progress.is_empty());
}

#[test]
fn a_log_chunk_is_sent_unchanged_until_it_is_logged() {
    let mut bench = Bench::new(1);
    let held = bench.running(1);
    bench.session.log(held, b"one", bench.now);
    let first = bench.send();
    bench.session.log(held, b"two", bench.now);
    bench.unreachable(first.seq);
    let second = bench.send();
    assert_eq!(second.log_tails, first.log_tails);
    bench.answer(SyncAnswer { logged: vec![Logged { token: held, offset: 3 }], ..answer(second.seq) });
    let third = bench.send();
    assert_eq!((third.log_tails[0].offset, third.log_tails[0].bytes.as_bytes().as_ref()), (3, &b"two"[..]));
}

#[test]
fn an_artifact_that_was_replaced_meanwhile_is_attached_again() {
    let mut bench = Bench::new(1);
    let held = bench.running(1);
    bench.session.attach(attachment(held, "a.png"), bench.now);
    let seq = bench.send().seq;
    let newer = Attachment { digest: Digest::of(b"newer"), ..attachment(held, "a.png") };
    bench.session.attach(newer.clone(), bench.now);
    let attached = vec![Attached { token: held, name: "a.png".to_owned() }];
    bench.answer(SyncAnswer { attached: attached.clone(), ..answer(seq) });
    let request = bench.send();
    assert_eq!(request.artifacts, [newer]);
    bench.answer(SyncAnswer { attached, ..answer(request.seq) });
    assert!(bench.send().artifacts.is_empty());
}

#[test]
fn a_signal_is_answered_once_and_until_the_answer_is_heard() {
    let mut bench = Bench::new(1);
    let seq = bench.send().seq;
    let effects = bench.answer(SyncAnswer { signals: vec![signal(), signal()], ..answer(seq) });
    assert_eq!(asks(&effects), 1);
    for text in [&b"1"[..], b"2"] {
        let outcome = SignalOutcome::Result(Opaque::new(text));
        bench.session.responded(signal().id, Some(outcome), bench.now);
    }
    let request = bench.send();
    assert_eq!(request.answers.len(), 1);
    bench.unreachable(request.seq);
    let request = bench.send();
    assert_eq!(request.answers.len(), 1);
    assert_eq!(request.answers[0].answer, SignalOutcome::Result(Opaque::new(&b"1"[..])));
    let again = SyncAnswer { heard: vec![signal().id], signals: vec![signal()], ..answer(request.seq) };
    assert_eq!(asks(&bench.answer(again)), 0);
    assert!(bench.send().answers.is_empty());
}

#[test]
fn a_signal_to_an_attempt_is_for_its_executor_and_one_that_has_ended_is_told() {
    let mut bench = Bench::new(2);
    let live = bench.running(1);
    let of = |token, number: u8| SignalDelivery {
        id: SignalId::from_bytes([number; 16]),
        attempt: Some(token),
        ..signal()
    };
    let seq = bench.send().seq;
    let gone = token(2, 1);
    let effects = bench.answer(SyncAnswer { signals: vec![of(live, 1), of(gone, 2)], ..answer(seq) });
    assert_eq!(asks(&effects), 1, "the one that runs is asked");
    let answers = bench.send().answers;
    assert!(matches!(&answers[..], [SignalAnswer { answer: SignalOutcome::Fault(fault), .. }]
        if fault.code == "attempt_ended"));
}

#[test]
fn a_signal_that_has_expired_is_skipped() {
    let mut bench = Bench::new(1);
    let seq = bench.send().seq;
    bench.pass(Duration::from_secs(29));
    bench.now = bench.now + Duration::from_secs(1);
    let effects = bench.answer(SyncAnswer { signals: vec![signal()], ..answer(seq) });
    assert_eq!(asks(&effects), 0);
}
