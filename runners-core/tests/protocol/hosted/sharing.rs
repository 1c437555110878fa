//! What tenants who share a pool do to each other: nothing.

use super::{ANNA, BERT, hosted, shared, submit, submit_as, user};
use crate::{
    control,
    hand::{Hand, inspect},
};
use futures::poll;
use runners_core::{
    Caller, Client, Concurrency, Fairness, JobOptions, Opaque, Outcome, Principal, RunnerId, Sharing,
    SignalId, TenantId, Transport as _,
    protocol::{
        Acceptance, AnswerRequest, Answered, JobObstacle, RefusalCode, Refused, Reply, Request, SignalAnswer,
        SignalOutcome, SignalRequest, StateView,
    },
};
use std::{pin::pin, time::Duration};

#[tokio::test]
async fn jobs_of_two_tenants_with_the_same_id_are_never_taken_for_each_other() {
    let control = control().await;
    let pool = shared(&control, "shared", Sharing::Everyone).await;
    let (anna, bert) = (user(&control, ANNA).await, user(&control, BERT).await);
    let mut hand = Hand::of(&control, 1, TenantId::OPERATOR, pool);
    let job = submit(&anna, 1).await;
    assert_eq!(submit(&bert, 1).await, job);
    let first = hand.sync().await;
    assert_eq!(first.offers.len(), 1, "its token would say nothing of the tenant");
    let token = hand.hold(&first)[0];
    assert!(hand.sync().await.offers.is_empty());
    let mut other = Hand::of(&control, 2, TenantId::OPERATOR, pool);
    let second = other.sync().await;
    assert_ne!(first.offers[0].tenant, second.offers[0].tenant);
    other.hold(&second);
    hand.finish(token, Outcome::Passed, Some("1"));
    other.finish(token, Outcome::Passed, Some("2"));
    hand.sync().await;
    other.sync().await;
    let results = [&anna, &bert].map(|user| async { inspect(user, job).await.result.unwrap() });
    let results = futures::future::join_all(results).await;
    let expected = if first.offers[0].tenant == Some(ANNA) { [&b"1"[..], b"2"] } else { [&b"2"[..], b"1"] };
    assert_eq!([results[0].as_bytes().as_ref(), results[1].as_bytes().as_ref()], expected);
}

#[tokio::test]
async fn a_finish_that_is_not_known_to_be_recorded_meets_no_other_job_of_its_id() {
    let control = control().await;
    let pool = shared(&control, "shared", Sharing::Everyone).await;
    let (anna, bert) = (user(&control, ANNA).await, user(&control, BERT).await);
    let mut hand = Hand::of(&control, 1, TenantId::OPERATOR, pool);
    let job = submit(&anna, 1).await;
    let answer = hand.sync().await;
    let token = hand.hold(&answer)[0];
    hand.finish(token, Outcome::Passed, Some("1"));
    hand.next.finishes[0].tenant = Some(ANNA);
    hand.sync().await;
    submit(&bert, 1).await;
    // The answer was lost: it is told again, and is Anna's still.
    let answer = hand.sync().await;
    assert_eq!((answer.recorded, answer.offers.len()), (vec![token], 0));
    hand.next.finishes.clear();
    assert_eq!(hand.sync().await.offers[0].tenant, Some(BERT));
    assert_eq!(inspect(&bert, job).await.result, None);
}

#[tokio::test]
async fn signals_reach_the_attempts_of_their_tenant_alone() {
    let control = control().await;
    let pool = shared(&control, "shared", Sharing::Everyone).await;
    let (anna, bert) = (user(&control, ANNA).await, user(&control, BERT).await);
    let mut hand = Hand::of(&control, 1, TenantId::OPERATOR, pool);
    let jobs = [submit(&anna, 1).await, submit(&bert, 2).await];
    let answer = hand.sync().await;
    assert_eq!(hand.hold(&answer).len(), 2);
    hand.sync().await;
    let id = SignalId::from_bytes([5; 16]);
    let signal = |to: runners_core::SignalTarget| {
        let (kind, payload) = ("look".to_owned(), Opaque::new(&b"{}"[..]));
        Request::Signal(SignalRequest { id, to, kind, payload, expires_in: Duration::from_secs(60) })
    };
    for (user, job) in [(&anna, jobs[0]), (&bert, jobs[1])] {
        let sent = user.call(signal(job.into())).await.unwrap();
        assert!(matches!(sent, Reply::Signalled(_)), "{sent:?}");
    }
    let runner = user_refused(&anna, signal(RunnerId::from_bytes([1; 16]).into())).await;
    assert_eq!(runner.code, RefusalCode::NotFound, "the runner is not hers");
    let delivered = hand.sync().await.signals;
    assert_eq!(delivered.len(), 2, "each is one of its own, whatever ids they chose");
    hand.next.answers = delivered
        .iter()
        .map(|signal| {
            let text = signal.attempt.unwrap().job.to_string();
            SignalAnswer { signal: signal.id, answer: SignalOutcome::Result(text.into_bytes().into()) }
        })
        .collect();
    assert_eq!(hand.sync().await.heard.len(), 2);
    for (user, job) in [(&anna, jobs[0]), (&bert, jobs[1])] {
        let ask = AnswerRequest { signal: id, park_for: Duration::ZERO };
        let answered = user.call(Request::Answer(ask)).await.unwrap();
        let text = job.to_string().into_bytes().into();
        assert_eq!(answered, Reply::Answered(Answered::Outcome(SignalOutcome::Result(text))));
    }
}

async fn user_refused(user: &Caller, request: Request) -> Refused {
    match user.call(request).await.unwrap() {
        Reply::Refused(refused) => refused,
        other => panic!("expected it to be refused, got {other:?}"),
    }
}

#[tokio::test]
async fn a_suspended_tenant_is_granted_nothing_by_a_pool_that_it_shares() {
    let control = control().await;
    let pool = shared(&control, "shared", Sharing::Everyone).await;
    let operator = control.management(Principal::Operator);
    let tenant = operator.create_tenant("anna").await.unwrap().id;
    let anna = user(&control, tenant).await;
    let job = submit(&anna, 1).await;
    operator.suspend_tenant(tenant, true).await.unwrap();
    let mut hand = Hand::of(&control, 1, TenantId::OPERATOR, pool);
    assert!(hand.sync().await.offers.is_empty());
    hand.next.park_for = Duration::from_secs(20);
    {
        let mut parked = pin!(hand.sync());
        assert!(poll!(&mut parked).is_pending());
        operator.suspend_tenant(tenant, false).await.unwrap();
        let answer = parked.await;
        assert_eq!(answer.offers[0].token.job, job);
    }
}

#[tokio::test]
async fn tenants_take_turns_whatever_priority_they_give_themselves() {
    let control = control().await;
    let pool = shared(&control, "shared", Sharing::Everyone).await;
    let (anna, bert) = (user(&control, ANNA).await, user(&control, BERT).await);
    for number in 1..=8 {
        let fairness = Some(Fairness { key: number.to_string(), weight: 100 });
        let options = JobOptions { priority: 255, fairness, ..hosted() };
        assert!(matches!(submit_as(&anna, number, options).await, Acceptance::Accepted(_)));
    }
    for number in 11..=12 {
        submit(&bert, number).await;
    }
    let mut hand = Hand::of(&control, 1, TenantId::OPERATOR, pool);
    hand.next.free = 4;
    let answer = hand.sync().await;
    let berts = answer.offers.iter().filter(|offer| offer.tenant == Some(BERT)).count();
    assert_eq!((answer.offers.len(), berts), (4, 2));
}

#[tokio::test]
async fn tenants_take_turns_at_a_single_slot() {
    let control = control().await;
    let pool = shared(&control, "shared", Sharing::Everyone).await;
    let (anna, bert) = (user(&control, ANNA).await, user(&control, BERT).await);
    for number in 1..=4 {
        submit(&anna, number).await;
    }
    for number in 11..=12 {
        submit(&bert, number).await;
    }
    let mut hand = Hand::of(&control, 1, TenantId::OPERATOR, pool);
    hand.next.free = 1;
    let mut turns = Vec::new();
    for _ in 1..=6 {
        let answer = hand.sync().await;
        turns.extend(answer.offers[0].tenant);
        let token = hand.hold(&answer)[0];
        hand.sync().await;
        hand.finish(token, Outcome::Passed, None);
        // It is granted the next only when this one is recorded.
        hand.next.free = 0;
        hand.sync().await;
        hand.next.finishes.clear();
        hand.next.free = 1;
    }
    assert_eq!(turns, [ANNA, BERT, ANNA, BERT, ANNA, ANNA]);
}

#[tokio::test]
async fn a_limit_of_a_tenant_holds_back_nobody_else() {
    let control = control().await;
    let pool = shared(&control, "shared", Sharing::Everyone).await;
    let (anna, bert) = (user(&control, ANNA).await, user(&control, BERT).await);
    let limited = || JobOptions { concurrency: vec![Concurrency::new("site", 1)], ..hosted() };
    for (user, number) in [(&anna, 1), (&anna, 2), (&bert, 3)] {
        assert!(matches!(submit_as(user, number, limited()).await, Acceptance::Accepted(_)));
    }
    let mut hand = Hand::of(&control, 1, TenantId::OPERATOR, pool);
    hand.next.free = 9;
    let answer = hand.sync().await;
    let mut tenants: Vec<_> = answer.offers.iter().map(|offer| offer.tenant.unwrap()).collect();
    tenants.sort();
    assert_eq!(tenants, [ANNA, BERT]);
}

#[tokio::test]
async fn a_hosted_job_is_explained_without_the_operators_fleet() {
    let control = control().await;
    let pool = shared(&control, "shared", Sharing::Everyone).await;
    let (anna, bert) = (user(&control, ANNA).await, user(&control, BERT).await);
    submit(&bert, 1).await;
    let job = submit(&anna, 2).await;
    let client = Client::new(anna.clone());
    let none = client.explain(job, None).await.unwrap();
    assert_eq!((none.pools.len(), none.obstacle), (0, Some(JobObstacle::Hosted { suited: false })));
    let mut hand = Hand::of(&control, 1, TenantId::OPERATOR, pool);
    hand.next.free = 0;
    hand.sync().await;
    let busy = client.explain(job, None).await.unwrap();
    assert_eq!((busy.pools.len(), busy.obstacle), (0, Some(JobObstacle::Hosted { suited: true })));
    assert!(matches!(busy.state, StateView::Ready { .. }));
}
