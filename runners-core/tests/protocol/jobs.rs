//! Jobs as they are managed: listed in pages, and tried again by somebody's wish.

use super::{
    control,
    hand::{Hand, inspect, submit, submit_with, user},
    management::refusal,
};
use runners_core::{
    Conclusion, ControlPlane, Digest, Fallback, JobFilter, JobId, JobOptions, JobState, Management, Outcome,
    Paging, PoolSpec, Principal, RunId, Scope, TenantId,
    protocol::{Attachment, RefusalCode},
};
use std::time::Duration;

fn everybody(control: &ControlPlane) -> Management {
    control.management(Principal::Api { tenant: TenantId::DEFAULT, scopes: Scope::ALL.into() })
}

async fn listed(management: &Management, filter: &JobFilter, limit: u32) -> Vec<JobId> {
    let mut paging = Paging { limit, ..Paging::default() };
    let mut found = Vec::new();
    loop {
        let page = management.jobs(filter, &paging).await.unwrap();
        assert!(page.items.len() <= limit as usize);
        found.extend(page.items.into_iter().map(|line| line.job));
        match page.next {
            Some(next) => paging.after = Some(next),
            None => return found,
        }
    }
}

#[tokio::test]
async fn jobs_are_listed_newest_first_whatever_the_size_of_a_page() {
    let control = control().await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    for number in 1..=7 {
        submit(&user, number).await;
    }
    let answer = hand.sync().await;
    let token = hand.hold(&answer)[0];
    hand.sync().await;
    hand.finish(token, Outcome::Passed, None);
    hand.sync().await;

    let management = everybody(&control);
    let all = listed(&management, &JobFilter::default(), 100).await;
    assert_eq!(all.len(), 7);
    for limit in 1..=8 {
        assert_eq!(listed(&management, &JobFilter::default(), limit).await, all, "{limit} at once");
    }
    let of = |state| JobFilter { state: Some(state), ..JobFilter::default() };
    assert_eq!(listed(&management, &of(JobState::Concluded), 2).await, [token.job]);
    let mut by_state = Vec::new();
    for state in JobState::ALL {
        by_state.extend(listed(&management, &of(state), 2).await);
    }
    by_state.sort();
    let mut sorted = all.clone();
    sorted.sort();
    assert_eq!(by_state, sorted);
    let passed = JobFilter { conclusion: Some(Conclusion::Passed), ..JobFilter::default() };
    assert_eq!(listed(&management, &passed, 1).await, [token.job]);
    let elsewhere = JobFilter { pool: Some("elsewhere".into()), ..JobFilter::default() };
    assert_eq!(listed(&management, &elsewhere, 3).await, []);
}

#[tokio::test]
async fn a_cursor_is_good_for_its_own_filter_and_tenant_only() {
    let control = control().await;
    let user = user(&control);
    for number in 1..=3 {
        submit(&user, number).await;
    }
    let management = everybody(&control);
    let paging = Paging { limit: 1, ..Paging::default() };
    let page = management.jobs(&JobFilter::default(), &paging).await.unwrap();
    let paging = Paging { after: page.next, ..paging };
    let ready = JobFilter { state: Some(JobState::Ready), ..JobFilter::default() };
    assert_eq!(refusal(management.jobs(&ready, &paging).await).code, RefusalCode::Invalid);
    let other = Principal::Api { tenant: TenantId::from_bytes([9; 16]), scopes: Scope::ALL.into() };
    let other = control.management(other);
    assert_eq!(refusal(other.jobs(&JobFilter::default(), &paging).await).code, RefusalCode::Invalid);
    assert_eq!(other.jobs(&JobFilter::default(), &Paging::default()).await.unwrap().items, []);
}

#[tokio::test]
async fn a_job_that_has_ended_is_tried_again_as_a_new_one_that_names_it() {
    let control = control().await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    let options = JobOptions { priority: 7, ..JobOptions::default() };
    submit_with(&user, 1, options).await;
    let management = everybody(&control);
    let answer = hand.sync().await;
    let token = hand.hold(&answer)[0];
    let again = JobId::from_bytes([77; 16]);
    assert_eq!(refusal(management.retry_job(token.job, again).await).code, RefusalCode::Conflict);
    hand.sync().await;
    hand.finish(token, Outcome::Passed, None);
    hand.sync().await;

    let retried = management.retry_job(token.job, again).await.unwrap();
    assert_eq!((retried.job, retried.retry_of, retried.priority), (again, Some(token.job), 7));
    assert_eq!(management.retry_job(token.job, again).await.unwrap().job, again);
    assert_eq!(inspect(&user, token.job).await.conclusion(), Some(Conclusion::Passed));
    let answer = hand.sync().await;
    let taken = answer.offers.iter().map(|offer| offer.token.job);
    assert!(taken.into_iter().any(|job| job == again), "{answer:?}");

    let other = Principal::Api { tenant: TenantId::from_bytes([9; 16]), scopes: Scope::ALL.into() };
    let other = control.management(other);
    let theirs = refusal(other.retry_job(token.job, JobId::from_bytes([78; 16])).await);
    let nothing = refusal(other.retry_job(JobId::from_bytes([79; 16]), JobId::from_bytes([78; 16])).await);
    assert_eq!((theirs.code, nothing.code), (RefusalCode::NotFound, RefusalCode::NotFound));
}

#[tokio::test]
async fn the_jobs_of_a_pool_that_is_renamed_are_listed_and_tried_again_in_it() {
    let control = control().await;
    let user = user(&control);
    let management = everybody(&control);
    let (pool, spare) = (PoolSpec::new("lab"), PoolSpec::new("spare"));
    let pool = management.create_pool(pool).await.unwrap().id;
    let spare = management.create_pool(spare).await.unwrap().id;
    let fallbacks = vec![Fallback { pool: "spare".into(), after: Duration::ZERO }];
    let options = JobOptions { pool: "lab".into(), fallbacks, ..JobOptions::default() };
    submit_with(&user, 1, options).await;
    let mut hand = Hand::in_pool(&control, 1, pool);
    let answer = hand.sync().await;
    let token = hand.hold(&answer)[0];
    hand.sync().await;
    hand.finish(token, Outcome::Failed, None);
    hand.sync().await;
    management.update_pool(pool, |spec| spec.name = "attic".into()).await.unwrap();
    management.update_pool(spare, |spec| spec.name = "cellar".into()).await.unwrap();
    let of = |pool: &str| JobFilter { pool: Some(pool.to_owned()), ..JobFilter::default() };
    assert_eq!(listed(&management, &of("attic"), 2).await, [token.job]);
    assert_eq!(listed(&management, &of("lab"), 2).await, [token.job], "nothing else is called so");

    let again = JobId::from_bytes([77; 16]);
    let retried = management.retry_job(token.job, again).await.unwrap();
    assert_eq!((retried.job, retried.pool.as_str()), (again, "attic"));
    let fallbacks = management.job_spec(again).await.unwrap().unwrap().fallbacks;
    assert_eq!(fallbacks[0].pool, "cellar");
    management.create_pool(PoolSpec::new("lab")).await.unwrap();
    assert_eq!(listed(&management, &of("lab"), 2).await, [], "another pool is called so now");
    assert_eq!(listed(&management, &of("attic"), 2).await, [again, token.job]);
}

#[tokio::test]
async fn an_artifact_whose_name_leads_elsewhere_is_not_attached() {
    let control = control().await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    submit(&user, 1).await;
    let answer = hand.sync().await;
    let token = hand.hold(&answer)[0];
    for name in ["../../a.txt", "a/../b", "/etc/a", "a//b", "./a", "a\\b", "a\nb", "", "shots/a.png"] {
        let (name, media_type, length) = (name.to_owned(), "text/plain".to_owned(), 1);
        hand.next.artifacts.push(Attachment { token, name, digest: Digest::of(b"1"), length, media_type });
    }
    hand.sync().await;
    let kept = inspect(&user, token.job).await.artifacts;
    assert_eq!(kept.iter().map(|artifact| &*artifact.name).collect::<Vec<_>>(), ["shots/a.png"]);
}

#[tokio::test]
async fn the_jobs_of_a_run_are_listed_by_the_run() {
    let control = control().await;
    let management = everybody(&control);
    let run = RunId::from_bytes([3; 16]);
    let filter = JobFilter { run: Some(run), ..JobFilter::default() };
    submit(&user(&control), 1).await;
    assert_eq!(listed(&management, &filter, 2).await, []);
}

#[tokio::test]
async fn a_summary_tells_what_waits_what_runs_and_how_many_runners_there_should_be() {
    let control = control().await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    for number in 1..=3 {
        submit(&user, number).await;
    }
    let management = everybody(&control);
    let pool = async || management.fleet_summary().await.unwrap().pools.remove(0);
    let before = pool().await;
    assert_eq!((before.online, before.queued, before.desired), (0, 3, 3));
    assert!(before.oldest_queued_at.is_some());
    let answer = hand.sync().await;
    let held = hand.hold(&answer).len() as u32;
    hand.sync().await;
    let after = pool().await;
    assert_eq!((after.online, after.busy, after.slots_busy), (1, 1, held));
    assert_eq!(after.queued + after.slots_busy, 3);
}
