//! Requests under an idempotency key: carried out once, wherever they are cut short, and their
//! repeats are answered.

use super::{
    crashing::{PLENTY, STARTS, World},
    webhooks::{Scripted, spec},
};
use runners_core::{
    ApiCredentialSpec, ControlPlane, Digest, Error, IdempotencyKey, JobId, JobOptions, JobSpec, Key, Kind,
    Management, Paging, PoolId, PoolSpec, PoolView, Principal, RegistrationSpec, Scope, Secret, TenantId,
    protocol::{Acceptance, RefusalCode, Submission, SubmitRequest},
    sleep,
    store::{Page, Query, Store as _, Write},
};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn operator(control: &ControlPlane) -> Management {
    control.management(Principal::Operator).within(TenantId::DEFAULT).unwrap()
}

/// The view for a request under a key.
fn under(management: &Management, key: &str, request: &str) -> Management {
    management.repeatable(&key.parse::<IdempotencyKey>().unwrap(), Digest::of(request.as_bytes()))
}

async fn create(management: &Management, key: &str, name: &str) -> Result<PoolView, Error> {
    under(management, key, name).create_pool(PoolSpec::new(name)).await
}

fn code(error: Error) -> RefusalCode {
    match error {
        Error::Refused(refused) => refused.code,
        error => panic!("{error:?}"),
    }
}

fn counter() -> Key {
    Key::new(TenantId::DEFAULT, Kind::Limit, &b"repeats"[..])
}

/// How many requests are remembered, by their counter.
async fn remembered(world: &World) -> i64 {
    let found = world.store.scan(Query::Counters { prefix: counter(), limit: 1 }).await.unwrap();
    match found {
        Page::Counters(counters) => counters.first().map_or(0, |(_, count)| *count),
        _ => panic!("counters were not answered with counters"),
    }
}

/// The record of a request, as it is stored.
async fn stored(world: &World, key: &str) -> Option<String> {
    let id = Digest::of(&serde_json::to_vec(&["repeat", key]).unwrap()).as_bytes()[..16].to_vec();
    let found = world.store.load(vec![Key::new(TenantId::DEFAULT, Kind::Repeat, id)]).await.unwrap();
    found.into_iter().flatten().next().map(|row| String::from_utf8_lossy(&row.body).into_owned())
}

#[tokio::test]
async fn whatever_is_made_under_a_key_is_made_once_and_its_secret_is_told_once() {
    let world = World::new();
    let control = world.builder(PLENTY).webhooks(Scripted::answering([])).start().await.unwrap();
    let all = operator(&control);
    let pool = create(&all, "pool", "eu").await.unwrap();
    assert_eq!(create(&all, "pool", "eu").await.unwrap(), pool);

    let token = || async {
        under(&all, "token", "t").create_registration(pool.id, RegistrationSpec::default()).await
    };
    let (first, again) = (token().await.unwrap(), token().await.unwrap());
    assert_eq!((first.view, first.token.is_some(), again.token.is_none()), (again.view, true, true));
    assert_eq!(all.registrations(pool.id, &Paging::default()).await.unwrap().items.len(), 1);

    let spec_of = || ApiCredentialSpec { name: "ci".into(), scopes: [Scope::Read].into(), expires_in: None };
    let credential = || async { under(&all, "credential", "c").create_api_credential(spec_of()).await };
    let (first, again) = (credential().await.unwrap(), credential().await.unwrap());
    assert_eq!((&first.view, again.token.is_none()), (&again.view, true));
    let text = first.token.unwrap().expose().to_owned();
    assert!(!stored(&world, "credential").await.unwrap().contains(&text));

    let runner = || async { under(&all, "runner", "r").register_runner(pool.id, "hans").await };
    let (first, again) = (runner().await.unwrap(), runner().await.unwrap());
    assert_eq!((first.view, first.token.is_some(), again.token.is_none()), (again.view, true, true));

    let tenant = || async { under(&all, "tenant", "a").create_tenant("acme").await };
    assert_eq!(tenant().await.unwrap(), tenant().await.unwrap());

    let secret = "a secret that is given";
    let webhook = || async {
        under(&all, "webhook", "w").create_webhook(spec(&["ready"]), Some(Secret::from_text(secret))).await
    };
    let (first, again) = (webhook().await.unwrap(), webhook().await.unwrap());
    assert_eq!((&first.webhook, again.secret.is_none()), (&again.webhook, true));
    let rotate = || async { under(&all, "rotate", "w").rotate_webhook_secret(first.webhook.id, None).await };
    let (new, again) = (rotate().await.unwrap(), rotate().await.unwrap());
    assert_eq!((&new.webhook, again.secret.is_none()), (&again.webhook, true));
    for (key, secret) in [("webhook", secret), ("rotate", new.secret.unwrap().expose())] {
        assert!(!stored(&world, key).await.unwrap().contains(secret), "{key}");
    }
    assert_eq!(remembered(&world).await, 7);
}

#[tokio::test]
async fn another_request_under_the_same_key_is_refused_and_does_nothing() {
    let world = World::new();
    let control = world.start(PLENTY).await;
    let all = operator(&control);
    create(&all, "k", "eu").await.unwrap();
    assert_eq!(code(create(&all, "k", "us").await.unwrap_err()), RefusalCode::KeyReused);
    assert_eq!(all.pools(&Paging::default()).await.unwrap().items.len(), 2, "default and eu");
    // The key of another tenant is another key, and one without the scope is told nothing.
    let other = control.management(Principal::Operator).within(TenantId::from_bytes([9; 16])).unwrap();
    assert_eq!(create(&other, "k", "us").await.unwrap().spec.name, "us");
    let reader = Principal::Api { tenant: TenantId::DEFAULT, scopes: [Scope::Read].into() };
    let refused = create(&control.management(reader), "k", "eu").await.unwrap_err();
    assert_eq!(code(refused), RefusalCode::Forbidden);
}

fn submit_of(pool: &str) -> SubmitRequest {
    let options = JobOptions { pool: pool.into(), ..JobOptions::default() };
    let spec = JobSpec::new(JobId::from_bytes([7; 16]), "visit", b"{}", options);
    let spec = serde_json::to_vec(&spec).unwrap().into();
    let payload = Some(b"{}".to_vec().into());
    let job = Submission { spec, signature: None, payload, payload_artifact: None };
    SubmitRequest { jobs: vec![job], run: None }
}

#[tokio::test(start_paused = true)]
async fn another_submit_under_the_key_is_refused_for_a_day_and_takes_no_place() {
    let world = World::new();
    let control = world.start(PLENTY).await;
    let all = operator(&control);
    let none = SubmitRequest { jobs: Vec::new(), run: None };
    assert_eq!(code(under(&all, "k", "none").submit(none).await.unwrap_err()), RefusalCode::Invalid);
    let submit = async |request: &str, pool: &str| under(&all, "k", request).submit(submit_of(pool)).await;
    let outcomes = [submit("a", "default").await.unwrap(), submit("a", "default").await.unwrap()];
    assert!(matches!(outcomes[0].jobs[..], [Acceptance::Accepted(_)]), "{outcomes:?}");
    assert!(matches!(outcomes[1].jobs[..], [Acceptance::Repeated(_)]), "{outcomes:?}");
    assert_eq!(code(submit("b", "default").await.unwrap_err()), RefusalCode::KeyReused);
    assert_eq!(code(create(&all, "k", "us").await.unwrap_err()), RefusalCode::KeyReused);
    sleep(&world.clock, DAY + Duration::from_secs(60)).await;
    assert_eq!((stored(&world, "k").await, remembered(&world).await), (None, 0));
    assert!(submit("b", "default").await.is_ok());
}

#[tokio::test]
async fn a_request_that_was_refused_is_not_remembered() {
    let world = World::new();
    let control = world.start(PLENTY).await;
    let all = operator(&control);
    all.create_pool(PoolSpec::new("eu")).await.unwrap();
    assert_eq!(code(create(&all, "k", "eu").await.unwrap_err()), RefusalCode::Conflict);
    assert_eq!(remembered(&world).await, 0);
    assert_eq!(create(&all, "k", "us").await.unwrap().spec.name, "us");
}

#[tokio::test]
async fn wherever_a_request_is_cut_short_its_repeat_leaves_it_done_once() {
    for commits in 0..4 {
        let world = World::new();
        let first = create(&operator(&world.start(STARTS + commits).await), "k", "eu").await;
        assert_eq!(first.is_ok(), commits > 0, "it takes one commit");
        let control = world.start(PLENTY).await;
        let again = create(&operator(&control), "k", "eu").await.unwrap();
        assert!(first.is_err() || first.unwrap() == again, "after {commits} commits");
        let pools = operator(&control).pools(&Paging::default()).await.unwrap().items;
        assert_eq!(pools.iter().filter(|pool| pool.id != PoolId::DEFAULT).count(), 1, "{commits}");
        assert_eq!(remembered(&world).await, 1);
    }
}

#[tokio::test]
async fn of_two_at_once_one_is_carried_out_and_the_other_is_told_to_ask_again() {
    let world = World::new();
    let all = [world.start(PLENTY).await, world.start(PLENTY).await].map(|control| operator(&control));
    let (one, other) = futures::join!(create(&all[0], "k", "eu"), create(&all[1], "k", "eu"));
    let made: Vec<PoolView> = [one, other]
        .into_iter()
        .filter_map(|answer| answer.map_err(|error| assert_eq!(code(error), RefusalCode::Conflict)).ok())
        .collect();
    let again = create(&all[1], "k", "eu").await.unwrap();
    assert!(!made.is_empty() && made.iter().all(|pool| *pool == again), "{made:?}");
    assert_eq!(remembered(&world).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_is_forgotten_after_a_day() {
    let world = World::new();
    let control = world.start(PLENTY).await;
    let all = operator(&control);
    let first = create(&all, "k", "eu").await.unwrap();
    all.delete_pool(first.id).await.unwrap();
    sleep(&world.clock, DAY - Duration::from_secs(60)).await;
    assert_eq!(create(&all, "k", "eu").await.unwrap(), first, "it is answered as it was");
    sleep(&world.clock, Duration::from_secs(120)).await;
    assert_eq!((stored(&world, "k").await, remembered(&world).await), (None, 0));
    assert_ne!(create(&all, "k", "eu").await.unwrap().id, first.id);
}

#[tokio::test]
async fn no_more_requests_are_remembered_than_the_limit() {
    let world = World::new();
    let control = world.start(PLENTY).await;
    let all = operator(&control);
    let almost = Write::Add { counter: counter(), delta: 9_999, max: None };
    world.store.commit(vec![almost]).await.unwrap();
    create(&all, "a", "a").await.unwrap();
    assert_eq!(code(create(&all, "b", "b").await.unwrap_err()), RefusalCode::Exhausted);
    assert!(create(&all, "a", "a").await.is_ok(), "a repeat needs no room");
    assert!(all.create_pool(PoolSpec::new("b")).await.is_ok(), "and nothing else does");
}
