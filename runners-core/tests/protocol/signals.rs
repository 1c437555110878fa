//! Signals to runners and to live attempts, driven by hand and answered by real runners.

use super::{
    control,
    hand::{Hand, submit, user},
};
use runners_core::{
    Attempt, Caller, Client, CollectDiagnostics, Command, ControlPlane, Error, Fault, FencingToken, JobId,
    MemoryStore, Opaque, Outcome, RunnerId, SignalId, SignalTarget, Transport as _,
    protocol::{
        AnswerRequest, Answered, RefusalCode, Refused, Reply, Request, SignalAnswer, SignalOutcome,
        SignalRequest,
    },
};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

fn request(number: u8, to: impl Into<SignalTarget>) -> SignalRequest {
    SignalRequest {
        id: SignalId::from_bytes([number; 16]),
        to: to.into(),
        kind: "look".into(),
        payload: Opaque::new(&b"{}"[..]),
        expires_in: MINUTE,
    }
}

async fn send(user: &Caller, request: SignalRequest) -> Result<SignalId, RefusalCode> {
    match user.call(Request::Signal(request)).await.unwrap() {
        Reply::Signalled(signalled) => Ok(signalled.signal),
        Reply::Refused(Refused { code, .. }) => Err(code),
        other => panic!("expected it to be signalled, got {other:?}"),
    }
}

async fn answer(user: &Caller, signal: SignalId) -> Answered {
    let request = AnswerRequest { signal, park_for: Duration::ZERO };
    match user.call(Request::Answer(request)).await.unwrap() {
        Reply::Answered(answered) => answered,
        other => panic!("expected an answer, got {other:?}"),
    }
}

fn fault_code(answered: &Answered) -> Option<&str> {
    match answered {
        Answered::Outcome(SignalOutcome::Fault(fault)) => Some(&fault.code),
        _ => None,
    }
}

/// A job that runs at `hand`.
async fn running(user: &Caller, hand: &mut Hand, number: u8) -> FencingToken {
    submit(user, number).await;
    let answer = hand.sync().await;
    let token = hand.hold(&answer)[0];
    hand.sync().await;
    token
}

#[tokio::test]
async fn a_signal_to_a_job_reaches_the_attempt_that_runs() {
    let control = control().await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    let token = running(&user, &mut hand, 1).await;
    let id = send(&user, request(1, token.job)).await.unwrap();
    let delivered = hand.sync().await.signals;
    assert_eq!((delivered.len(), delivered[0].attempt), (1, Some(token)));
    let outcome = SignalOutcome::Result(Opaque::new(&b"7"[..]));
    hand.next.answers = vec![SignalAnswer { signal: id, answer: outcome.clone() }];
    assert_eq!(hand.sync().await.heard, [id]);
    assert_eq!(answer(&user, id).await, Answered::Outcome(outcome));
}

#[tokio::test]
async fn a_signal_to_a_job_without_an_attempt_that_runs_is_refused() {
    let control = control().await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    assert_eq!(send(&user, request(1, JobId::from_bytes([9; 16]))).await, Err(RefusalCode::NotFound));
    let job = submit(&user, 1).await;
    assert_eq!(send(&user, request(1, job)).await, Err(RefusalCode::NotRunning), "it waits");
    let answer = hand.sync().await;
    let token = hand.hold(&answer)[0];
    hand.sync().await;
    hand.finish(token, Outcome::Passed, Some("1"));
    hand.sync().await;
    assert_eq!(send(&user, request(1, job)).await, Err(RefusalCode::NotRunning), "it has ended");
}

#[tokio::test]
async fn a_signal_whose_attempt_ends_is_answered_by_the_control_plane() {
    let control = control().await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    let token = running(&user, &mut hand, 1).await;
    let id = send(&user, request(1, token.job)).await.unwrap();
    hand.finish(token, Outcome::Passed, Some("1"));
    assert!(hand.sync().await.signals.is_empty());
    assert_eq!(fault_code(&answer(&user, id).await), Some("attempt_ended"));
    hand.next.answers =
        vec![SignalAnswer { signal: id, answer: SignalOutcome::Result(Opaque::new(&b"7"[..])) }];
    assert_eq!(hand.sync().await.heard, [id], "a late answer is heard, and changes nothing");
    assert_eq!(fault_code(&answer(&user, id).await), Some("attempt_ended"));
    assert_eq!(send(&user, request(1, token.job)).await, Ok(id), "a repeat is the same signal");
}

#[tokio::test]
async fn a_signal_survives_a_restart_of_the_control_plane() {
    let store = MemoryStore::default();
    let first = ControlPlane::builder(store.clone()).start().await.unwrap();
    let (user_of_first, mut hand) = (user(&first), Hand::new(&first, 1));
    let token = running(&user_of_first, &mut hand, 1).await;
    let id = send(&user_of_first, request(1, token.job)).await.unwrap();
    first.stop().await.unwrap();

    let second = ControlPlane::builder(store).start().await.unwrap();
    hand.caller = Hand::new(&second, 1).caller;
    let delivered = hand.sync().await.signals;
    assert_eq!((delivered.len(), delivered[0].id), (1, id));
    hand.next.answers =
        vec![SignalAnswer { signal: id, answer: SignalOutcome::Result(Opaque::new(&b"7"[..])) }];
    hand.sync().await;
    assert!(matches!(answer(&user(&second), id).await, Answered::Outcome(SignalOutcome::Result(_))));
}

#[tokio::test]
async fn a_later_start_is_sent_what_an_earlier_one_did_not_answer() {
    let control = control().await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    hand.sync().await;
    let id = send(&user, request(1, RunnerId::from_bytes([1; 16]))).await.unwrap();
    assert_eq!(hand.sync().await.signals.len(), 1);
    let delivered = hand.restarted().sync().await.signals;
    assert_eq!((delivered.len(), delivered[0].id), (1, id));
}

#[tokio::test]
async fn how_many_signals_wait_for_a_runner_is_limited() {
    let control = control().await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    hand.sync().await;
    let runner = RunnerId::from_bytes([1; 16]);
    let mut last = Ok(SignalId::from_bytes([0; 16]));
    for number in 0..=256u16 {
        let mut id = [1; 16];
        id[..2].copy_from_slice(&number.to_be_bytes());
        last = send(&user, SignalRequest { id: SignalId::from_bytes(id), ..request(1, runner) }).await;
        assert!(number == 256 || last.is_ok());
    }
    assert_eq!(last, Err(RefusalCode::Exhausted));
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Look(String);

impl Command for Look {
    const KIND: &'static str = "look";
    type Result = String;
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Watch;

impl Command for Watch {
    const KIND: &'static str = "watch";
    type Result = u32;
}

/// Answers what it is sent until it is told to stop.
async fn watch(_: Watch, attempt: Attempt) -> Result<u32, Fault> {
    let mut signals = attempt.signals::<Look>();
    for seen in 0.. {
        let Some(signal) = signals.next().await else { break };
        let text = signal.command().0.clone();
        match text.as_str() {
            "stop" => {
                signal.answer(Ok("stopping".into()));
                return Ok(seen);
            }
            "drop" => drop(signal),
            _ => signal.answer(Ok(format!("{text} at {}", attempt.number()))),
        }
    }
    Err(Fault::permanent("ended", "nothing came any more"))
}

fn fault_of(result: Result<impl Sized, Error>) -> String {
    match result {
        Err(Error::SignalFault(fault)) => fault.code,
        Err(other) => panic!("expected a fault, got {other:?}"),
        Ok(_) => panic!("expected a fault"),
    }
}

/// Signals the attempt as soon as there is one.
async fn ask(client: &Client, job: JobId, text: &str) -> Result<String, Error> {
    loop {
        match client.signal(job, &Look(text.into()), MINUTE).await {
            Err(Error::Refused(refused)) if refused.code == RefusalCode::NotRunning => {
                tokio::task::yield_now().await;
            }
            result => return result,
        }
    }
}

#[tokio::test]
async fn an_executor_answers_the_signals_to_its_attempt() {
    let control = control().await;
    let runner = control.local_runner("default").executor(watch).start();
    let client = control.local_client();
    let job = client.submit(&Watch).await.unwrap();
    assert_eq!(ask(&client, job.id(), "look").await.unwrap(), "look at 1");
    assert_eq!(fault_of(ask(&client, job.id(), "drop").await), "unanswered");
    let other = client.signal(job.id(), &CollectDiagnostics::default(), MINUTE).await;
    assert_eq!(fault_of(other), "no_receiver");
    assert_eq!(ask(&client, job.id(), "stop").await.unwrap(), "stopping");
    assert_eq!(job.result().await.unwrap(), 2);
    runner.drain().await.unwrap();
    control.stop().await.unwrap();
}

#[tokio::test]
async fn a_responder_answers_its_kind_and_every_other_end_is_a_fault() {
    let control = control().await;
    let look = |Look(text): Look| async move {
        assert_ne!(text, "panic", "it was asked to");
        if text == "fault" { Err(Fault::permanent("dark", "nothing is seen")) } else { Ok(text) }
    };
    let runner = control.local_runner("default").executor(watch).responder(look).start();
    let client = control.local_client();
    let id = arrived(&control, &runner).await;
    assert_eq!(client.signal(id, &Look("sea".into()), MINUTE).await.unwrap(), "sea");
    assert_eq!(fault_of(client.signal(id, &Look("fault".into()), MINUTE).await), "dark");
    assert_eq!(fault_of(client.signal(id, &Look("panic".into()), MINUTE).await), "panicked");
    assert_eq!(fault_of(client.signal(id, &Watch, MINUTE).await), "no_responder");
    assert_eq!(client.ping(id).await.unwrap().text, "");
    runner.drain().await.unwrap();
}

#[tokio::test]
async fn diagnostics_tell_what_a_runner_is_at() {
    let control = control().await;
    let runner = control.local_runner("default").name("east").executor(watch).start();
    let client = control.local_client();
    let job = client.submit(&Watch).await.unwrap();
    ask(&client, job.id(), "look").await.unwrap();
    let told = client.diagnostics(arrived(&control, &runner).await).await.unwrap();
    assert_eq!((told.facts.name.as_str(), told.free, told.held.len()), ("east", 0, 1));
    assert!(!told.facts.os.is_empty() && told.facts.protocol > 0);
    assert!(told.notices.iter().any(|notice| notice.text.contains("started as attempt 1")));
    runner.kill();
}

/// The id of the only runner, once it has arrived.
async fn arrived(control: &ControlPlane, runner: &runners_core::Runner) -> RunnerId {
    use runners_core::{Paging, RunnerFilter};
    let scopes = [runners_core::Scope::Read].into();
    let management =
        control.management(runners_core::Principal::Api { tenant: runners_core::TenantId::DEFAULT, scopes });
    loop {
        let listed = management.runners(&RunnerFilter::default(), &Paging::default()).await.unwrap();
        match listed.items.first().filter(|_| runner.snapshot().connected) {
            Some(view) => return view.id,
            None => tokio::task::yield_now().await,
        }
    }
}
