//! Unique keys: one open job for each, whoever submits it and however often.

use super::{
    control,
    hand::{Hand, inspect, operator, submission, submit_with, user},
};
use runners_core::{
    Client, Conclusion, JobId, JobOptions, JobSpec, Outcome, SigningKey, TenantId, Transport as _,
    protocol::{
        Acceptance, CancelRequest, CancelTarget, RefusalCode, Reply, Request, Submission, SubmitRequest,
    },
    sleep,
    testing::clock::SimClock,
};
use std::time::Duration;

fn job(number: u8) -> JobId {
    JobId::from_bytes([number; 16])
}

fn unique(priority: u8) -> JobOptions {
    JobOptions { unique: Some("nightly".into()), priority, ..JobOptions::default() }
}

#[tokio::test]
async fn the_same_under_a_unique_key_is_the_same_job_and_something_else_is_told_which() {
    let control = control().await;
    let user = user(&control);
    assert_eq!(submit_with(&user, 1, unique(100)).await, Acceptance::Accepted(job(1)));
    assert_eq!(submit_with(&user, 2, unique(100)).await, Acceptance::Repeated(job(1)));
    let Acceptance::Refused(refused) = submit_with(&user, 3, unique(7)).await else {
        panic!("another body has the key")
    };
    assert_eq!(refused.code, RefusalCode::Conflict);
    assert!(refused.detail.contains(&job(1).to_string()), "{}", refused.detail);
    assert_eq!(submit_with(&user, 1, unique(100)).await, Acceptance::Repeated(job(1)));
}

#[tokio::test]
async fn a_unique_key_is_freed_when_its_job_concludes() {
    let control = control().await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    submit_with(&user, 1, unique(100)).await;
    let answer = hand.sync().await;
    let token = hand.hold(&answer)[0];
    hand.sync().await;
    assert_eq!(submit_with(&user, 2, unique(100)).await, Acceptance::Repeated(job(1)), "it runs");
    hand.finish(token, Outcome::Passed, None);
    hand.sync().await;
    assert_eq!(submit_with(&user, 3, unique(7)).await, Acceptance::Accepted(job(3)));
    let cancel = CancelRequest { target: CancelTarget::Job(job(3)) };
    user.call(Request::Cancel(cancel)).await.unwrap();
    assert_eq!(submit_with(&user, 4, unique(100)).await, Acceptance::Accepted(job(4)));
    assert_eq!(submit_with(&user, 1, unique(100)).await, Acceptance::Repeated(job(1)), "as it was then");
}

#[tokio::test]
async fn what_is_asked_for_again_is_the_same_while_a_retry_has_its_unique_key() {
    let control = control().await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    submit_with(&user, 1, unique(100)).await;
    let answer = hand.sync().await;
    let token = hand.hold(&answer)[0];
    hand.sync().await;
    hand.finish(token, Outcome::Failed, None);
    hand.sync().await;
    operator(&control).retry_job(job(1), job(2)).await.unwrap();
    assert_eq!(submit_with(&user, 3, unique(100)).await, Acceptance::Repeated(job(2)));
    assert!(matches!(submit_with(&user, 4, unique(7)).await, Acceptance::Refused(_)));
}

#[tokio::test]
async fn a_unique_key_is_taken_once_within_one_request() {
    let control = control().await;
    let user = user(&control);
    let jobs: Vec<Submission> = (1..=3).map(|number| submission(number, unique(100))).collect();
    let reply = user.call(Request::Submit(SubmitRequest { jobs, run: None })).await.unwrap();
    let Reply::Submitted(submitted) = reply else { panic!("expected acceptances") };
    let repeated = Acceptance::Repeated(job(1));
    assert_eq!(submitted.jobs, [Acceptance::Accepted(job(1)), repeated.clone(), repeated]);
}

#[tokio::test]
async fn a_unique_job_that_is_granted_in_its_submit_has_its_key() {
    let control = control().await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    hand.next.park_for = Duration::from_secs(20);
    let mut parked = std::pin::pin!(hand.sync());
    assert!(futures::poll!(&mut parked).is_pending());
    submit_with(&user, 1, unique(100)).await;
    assert_eq!(submit_with(&user, 2, unique(100)).await, Acceptance::Repeated(job(1)));
    assert_eq!(parked.await.offers.len(), 1);
    assert_eq!(inspect(&user, job(1)).await.conclusion(), None::<Conclusion>);
}

#[tokio::test(start_paused = true)]
async fn a_unique_job_that_is_signed_again_later_is_the_same_job() {
    let control = control().await;
    let (clock, key) = (SimClock::new(), SigningKey::from_seed([7; 32]));
    let client =
        Client::builder(user(&control)).clock(clock.clone()).sign_with(TenantId::DEFAULT, key).build();
    let spec = || JobSpec::new(client.new_job(), "visit", b"{}", unique(100));
    let first = client.submit_spec(&spec(), &b"{}"[..]).await.unwrap();
    sleep(&clock, Duration::from_secs(3600)).await;
    assert_eq!(client.submit_spec(&spec(), &b"{}"[..]).await.unwrap(), first);
}
