//! Jobs submitted together: cancelling them as one, and jobs that wait for others.

use super::{
    control,
    hand::{Hand, inspect, submission, submit_with, user},
};
use runners_core::{
    Caller, Conclusion, ControlPlane, JobId, JobOptions, Key, Kind, MemoryStore, Outcome, Paging, Principal,
    RunId, Scope, TenantId, Transport as _,
    protocol::{
        Acceptance, CancelRequest, CancelTarget, RefusalCode, Reply, Request, RunSpec, StateView,
        SubmitRequest, Submitted,
    },
    store::{Page, Query, Store as _},
};

const RUN: RunId = RunId::from_bytes([3; 16]);

fn job(number: u8) -> JobId {
    JobId::from_bytes([number; 16])
}

/// Submits job 1, and job 2 after it.
async fn submit_chain(user: &Caller) -> Submitted {
    let first = JobOptions { run: Some(RUN), ..JobOptions::default() };
    let second = JobOptions { run: Some(RUN), after: vec![job(1)], ..JobOptions::default() };
    let jobs = vec![submission(1, first), submission(2, second)];
    let run = Some(RunSpec { run: RUN, timeout: None });
    match user.call(Request::Submit(SubmitRequest { jobs, run })).await.unwrap() {
        Reply::Submitted(submitted) => submitted,
        other => panic!("expected acceptances, got {other:?}"),
    }
}

async fn finish_first(hand: &mut Hand, outcome: Outcome) {
    let answer = hand.sync().await;
    assert_eq!(answer.offers.len(), 1, "the second waits for the first");
    let token = hand.hold(&answer)[0];
    hand.finish(token, outcome, None);
    hand.sync().await;
    hand.next.finishes.clear();
}

#[tokio::test]
async fn a_job_waits_until_the_one_before_it_has_passed() {
    let control = control().await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    let submitted = submit_chain(&user).await;
    assert_eq!(submitted.jobs, [Acceptance::Accepted(job(1)), Acceptance::Accepted(job(2))]);
    assert!(matches!(inspect(&user, job(2)).await.state, StateView::Blocked { on: 1 }));
    hand.next.park_for = std::time::Duration::from_secs(20);
    finish_first(&mut hand, Outcome::Passed).await;
    assert_eq!(hand.sync().await.offers[0].token.job, job(2));
}

#[tokio::test]
async fn a_job_is_cancelled_when_the_one_before_it_fails() {
    let control = control().await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    submit_chain(&user).await;
    finish_first(&mut hand, Outcome::Failed).await;
    let wait = Request::Wait(runners_core::protocol::WaitRequest {
        job: job(2),
        park_for: std::time::Duration::from_secs(20),
    });
    let Reply::Job(view) = user.call(wait).await.unwrap() else { panic!("expected a job") };
    assert_eq!(view.conclusion(), Some(Conclusion::Cancelled));
}

#[tokio::test]
async fn cancelling_a_run_cancels_all_of_it() {
    let control = control().await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    submit_chain(&user).await;
    let answer = hand.sync().await;
    let token = hand.hold(&answer)[0];
    hand.sync().await;
    let cancel = Request::Cancel(CancelRequest { target: CancelTarget::Run(RUN) });
    let Reply::Cancelled(cancelled) = user.call(cancel).await.unwrap() else { panic!("expected a count") };
    assert_eq!(cancelled.jobs, 2);
    assert_eq!(hand.sync().await.cancel[0].token, token);
    assert_eq!(inspect(&user, job(2)).await.conclusion(), Some(Conclusion::Cancelled));
}

#[tokio::test]
async fn a_job_that_comes_after_one_that_failed_is_cancelled_at_its_submit_and_not_open() {
    let store = MemoryStore::default();
    let control = ControlPlane::builder(store.clone()).start().await.unwrap();
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    let first = JobOptions { run: Some(RUN), ..JobOptions::default() };
    let run = Some(RunSpec { run: RUN, timeout: None });
    let request = SubmitRequest { jobs: vec![submission(1, first)], run };
    user.call(Request::Submit(request)).await.unwrap();
    finish_first(&mut hand, Outcome::Failed).await;
    let second = JobOptions { run: Some(RUN), after: vec![job(1)], ..JobOptions::default() };
    submit_with(&user, 2, second).await;
    assert_eq!(inspect(&user, job(2)).await.conclusion(), Some(Conclusion::Cancelled));
    let open = Query::Counters { prefix: Key::new(TenantId::DEFAULT, Kind::Limit, Vec::new()), limit: 10 };
    assert_eq!(store.scan(open).await.unwrap(), Page::Counters(Vec::new()));
}

#[tokio::test]
async fn a_repeated_submit_of_a_job_that_waits_for_another_is_the_same_job() {
    let control = control().await;
    let user = user(&control);
    submit_chain(&user).await;
    let again = submit_chain(&user).await;
    assert_eq!(again.jobs, [Acceptance::Repeated(job(1)), Acceptance::Repeated(job(2))]);
}

#[tokio::test]
async fn a_job_of_a_run_that_was_not_opened_is_refused() {
    let user = user(&control().await);
    let options = JobOptions { run: Some(RUN), ..JobOptions::default() };
    let request = SubmitRequest { jobs: vec![submission(1, options)], run: None };
    let Reply::Submitted(submitted) = user.call(Request::Submit(request)).await.unwrap() else {
        panic!("expected an answer for each job")
    };
    let Acceptance::Refused(refused) = &submitted.jobs[0] else { panic!("expected it to be refused") };
    assert_eq!(refused.code, RefusalCode::NotFound);
}

#[tokio::test]
async fn a_run_whose_jobs_are_all_refused_is_none_and_the_first_accepted_makes_it() {
    let control = control().await;
    let user = user(&control);
    let runs = async || {
        let admin =
            control.management(Principal::Api { tenant: TenantId::DEFAULT, scopes: Scope::ALL.into() });
        admin.runs(&Paging::default()).await.unwrap().items.len()
    };
    let own = JobOptions { run: Some(RUN), ..JobOptions::default() };
    let lost = JobOptions { pool: "nope".to_owned(), ..own.clone() };
    let unknown = JobOptions { after: vec![job(9)], ..own.clone() };
    let run = Some(RunSpec { run: RUN, timeout: None });
    let submit = async |jobs| {
        let request = SubmitRequest { jobs, run: run.clone() };
        match user.call(Request::Submit(request)).await.unwrap() {
            Reply::Submitted(submitted) => submitted.jobs,
            other => panic!("expected acceptances, got {other:?}"),
        }
    };
    let refused = submit(vec![submission(1, lost.clone()), submission(2, unknown)]).await;
    assert!(refused.iter().all(|one| matches!(one, Acceptance::Refused(_))), "{refused:?}");
    assert_eq!(runs().await, 0);
    let some = submit(vec![submission(3, lost), submission(4, own)]).await;
    assert!(matches!(&some[..], [Acceptance::Refused(_), Acceptance::Accepted(_)]), "{some:?}");
    assert_eq!(runs().await, 1);
}
