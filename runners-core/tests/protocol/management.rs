//! What is managed: pools and runners, within one tenant, by those who may.

use super::{
    control,
    hand::{Hand, inspect, operator, submit, submit_with, user},
};
use async_trait::async_trait;
use runners_core::{
    ControlPlane, Drain, Error, Feature, JobId, JobOptions, Key, Kind, Management, MemoryStore, Paging,
    PoolId, PoolSpec, Principal, RegistrationSpec, Rollout, RolloutSpec, Route, RunnerFilter, RunnerId,
    RunnerState, Scope, Sharing, TenantId, Transport as _,
    protocol::{Acceptance, InspectRequest, RefusalCode, Refused, Reply, Request},
    store::{Committed, Page, Query, Store, StoreError, Stored, Write},
};
use std::time::Duration;

pub(crate) fn refusal<T: std::fmt::Debug>(done: Result<T, Error>) -> Refused {
    match done {
        Err(Error::Refused(refused)) => refused,
        other => panic!("expected it to be refused, got {other:?}"),
    }
}

pub(crate) fn admin(control: &ControlPlane) -> Management {
    control.management(Principal::Api { tenant: TenantId::DEFAULT, scopes: Scope::ALL.into() })
}

#[tokio::test]
async fn a_pool_is_made_renamed_and_deleted_once_it_is_empty() {
    let control = control().await;
    let admin = admin(&control);
    let made = admin.create_pool(PoolSpec::new("blue")).await.unwrap();
    assert_eq!(refusal(admin.create_pool(PoolSpec::new("blue")).await).code, RefusalCode::Conflict);
    let taken = admin.update_pool(made.id, |spec| spec.name = "default".into()).await;
    assert_eq!(refusal(taken).code, RefusalCode::Conflict);

    let renamed = admin.update_pool(made.id, |spec| spec.name = "green".into()).await.unwrap();
    assert_eq!(admin.pool(made.id).await.unwrap(), renamed);
    let again = admin.create_pool(PoolSpec::new("blue")).await.unwrap();
    admin.delete_pool(again.id).await.unwrap();
    assert_eq!(refusal(admin.pool(again.id).await).code, RefusalCode::NotFound);

    Hand::new(&control, 1).sync().await;
    let refused = refusal(admin.delete_pool(PoolId::DEFAULT).await);
    assert_eq!(refused.detail, "pool: has runners: remove them first");
    admin.remove_runner(RunnerId::from_bytes([1; 16])).await.unwrap();
    submit(&user(&control), 1).await;
    let refused = refusal(admin.delete_pool(PoolId::DEFAULT).await);
    assert!(refused.detail.starts_with("pool: has jobs that are ready"), "{refused:?}");
}

#[tokio::test]
async fn pools_and_runners_are_listed_by_pages_whose_cursors_fit_only_their_listing() {
    let control = control().await;
    let admin = admin(&control);
    for name in ["one", "two", "three"] {
        admin.create_pool(PoolSpec::new(name)).await.unwrap();
    }
    let mut paging = Paging { limit: 2, ..Paging::default() };
    let first = admin.pools(&paging).await.unwrap();
    paging.after.clone_from(&first.next);
    let second = admin.pools(&paging).await.unwrap();
    let names: Vec<_> = first.items.iter().chain(&second.items).map(|pool| pool.spec.name.as_str()).collect();
    assert_eq!(names.len(), 4);
    assert!(["default", "one", "two", "three"].iter().all(|name| names.contains(name)), "{names:?}");
    assert!(second.next.is_none());

    let foreign = admin.runners(&RunnerFilter::default(), &paging).await;
    assert!(refusal(foreign).detail.starts_with("after: is not a cursor of this listing"));
    let other = operator(&control).within(TenantId::from_bytes([7; 16])).unwrap();
    assert!(refusal(other.pools(&paging).await).detail.starts_with("after: is not a cursor"));

    Hand::new(&control, 1).sync().await;
    let in_default = RunnerFilter { pool: Some(PoolId::DEFAULT), ..RunnerFilter::default() };
    for filter in [RunnerFilter::default(), in_default] {
        let listed = admin.runners(&filter, &Paging::default()).await.unwrap().items;
        assert_eq!(
            listed.iter().map(|runner| runner.id).collect::<Vec<_>>(),
            [RunnerId::from_bytes([1; 16])]
        );
    }
    let so = |state| RunnerFilter { state: Some(state), ..RunnerFilter::default() };
    let count = async |state| admin.runners(&so(state), &Paging::default()).await.unwrap().items.len();
    let counts = async || {
        [
            count(RunnerState::Online).await,
            count(RunnerState::Draining).await,
            count(RunnerState::Offline).await,
        ]
    };
    assert_eq!(counts().await, [1, 0, 0]);
    admin.drain_runner(RunnerId::from_bytes([1; 16]), &Drain::default()).await.unwrap();
    assert_eq!(counts().await, [0, 1, 0], "it was told to, whether it has heard of it or not");
    for name in ["absent", "away", "gone"] {
        admin.register_runner(PoolId::DEFAULT, name).await.unwrap();
    }
    assert_eq!(counts().await, [0, 1, 3]);
    let mut paging = Paging { limit: 2, ..Paging::default() };
    let offline = admin.runners(&so(RunnerState::Offline), &paging).await.unwrap();
    assert_eq!(offline.items.len(), 2, "those that do not match take no room");
    paging.after.clone_from(&offline.next);
    assert_eq!(admin.runners(&so(RunnerState::Offline), &paging).await.unwrap().items.len(), 1);
    let foreign = admin.runners(&so(RunnerState::Online), &paging).await;
    assert!(refusal(foreign).detail.starts_with("after: is not a cursor"));
    let elsewhere = RunnerFilter { pool: Some(first.items[1].id), ..RunnerFilter::default() };
    assert!(admin.runners(&elsewhere, &Paging::default()).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn management_takes_the_scope_that_it_names() {
    let control = control().await;
    let scopes = [Scope::Read].into();
    let reader = control.management(Principal::Api { tenant: TenantId::DEFAULT, scopes });
    assert!(reader.pool(PoolId::DEFAULT).await.is_ok());
    let refused = refusal(reader.delete_pool(PoolId::DEFAULT).await);
    assert_eq!(refused.code, RefusalCode::Forbidden);
    assert!(refused.detail.contains("\"admin\""), "{refused:?}");
    assert_eq!(refusal(reader.within(TenantId::OPERATOR)).code, RefusalCode::NotFound);
    let shared = PoolSpec { sharing: Sharing::Everyone, ..PoolSpec::new("shared") };
    assert!(refusal(admin(&control).create_pool(shared).await).detail.starts_with("sharing: only pools"));
}

#[tokio::test]
async fn an_inactive_pool_is_granted_nothing_until_it_is_active_again() {
    let control = control().await;
    let (admin, mut hand) = (admin(&control), Hand::new(&control, 1));
    hand.sync().await;
    admin.update_pool(PoolId::DEFAULT, |spec| spec.active = false).await.unwrap();
    submit(&user(&control), 1).await;
    assert_eq!(hand.sync().await.offers, []);

    hand.next.park_for = Duration::from_secs(20);
    let mut parked = hand.clone();
    let (answer, ()) = tokio::join!(parked.sync(), async {
        tokio::task::yield_now().await;
        admin.update_pool(PoolId::DEFAULT, |spec| spec.active = true).await.unwrap();
    });
    assert_eq!(answer.offers.len(), 1);
}

#[tokio::test]
async fn a_runner_is_granted_no_more_at_once_than_its_pool_allows() {
    let control = control().await;
    let mut hand = Hand::new(&control, 1);
    admin(&control).update_pool(PoolId::DEFAULT, |spec| spec.slots_per_runner = Some(1)).await.unwrap();
    submit(&user(&control), 1).await;
    submit(&user(&control), 2).await;
    assert_eq!(hand.sync().await.offers.len(), 1, "two are free, one is allowed");
}

#[tokio::test]
async fn a_suspended_tenant_asks_for_nothing_and_is_granted_nothing() {
    let control = control().await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    let operator = operator(&control);
    let job = submit(&user, 1).await;
    operator.suspend_tenant(TenantId::DEFAULT, true).await.unwrap();
    let reply = user.call(Request::Inspect(InspectRequest { job })).await.unwrap();
    assert!(matches!(reply, Reply::Refused(refused) if refused.detail.contains("is suspended")));
    assert_eq!(refusal(admin(&control).pool(PoolId::DEFAULT).await).code, RefusalCode::Forbidden);
    assert!(operator.pool(PoolId::DEFAULT).await.is_ok());
    assert_eq!(hand.sync().await.offers, []);

    operator.suspend_tenant(TenantId::DEFAULT, false).await.unwrap();
    assert_eq!(hand.sync().await.offers.len(), 1);
}

#[tokio::test]
async fn only_the_operator_makes_and_lists_tenants() {
    let control = control().await;
    let (operator, admin) = (operator(&control), admin(&control));
    let made = operator.create_tenant("east").await.unwrap();
    let renamed = operator.rename_tenant(made.id, "west").await.unwrap();
    let suspended = operator.suspend_tenant(made.id, true).await.unwrap();
    assert_eq!((renamed.name.as_str(), suspended.suspended), ("west", true));
    let listed = operator.tenants(&Paging::default()).await.unwrap().items;
    let names: Vec<_> = listed.iter().map(|tenant| tenant.name.as_str()).collect();
    assert_eq!(names, ["default", "west"]);
    assert_eq!(admin.own_tenant().await.unwrap().name, "default");
    assert_eq!(refusal(admin.create_tenant("mine").await).code, RefusalCode::Forbidden);
    assert_eq!(refusal(admin.tenants(&Paging::default()).await).code, RefusalCode::Forbidden);
    let unknown = operator.suspend_tenant(TenantId::from_bytes([7; 16]), true).await;
    assert_eq!(refusal(unknown).code, RefusalCode::NotFound);
}

/// A store in which whoever writes a tenant lets others look first.
#[derive(Clone, Debug, Default)]
struct Polite(MemoryStore);

#[async_trait]
impl Store for Polite {
    async fn load(&self, keys: Vec<Key>) -> Result<Vec<Option<Stored>>, StoreError> {
        self.0.load(keys).await
    }

    async fn scan(&self, query: Query) -> Result<Page, StoreError> {
        self.0.scan(query).await
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Committed, StoreError> {
        if writes.iter().any(|write| matches!(write, Write::Put { key, .. } if key.kind == Kind::Tenant)) {
            tokio::task::yield_now().await;
        }
        self.0.commit(writes).await
    }
}

#[tokio::test]
async fn a_name_is_one_tenants_at_a_time() {
    let control = ControlPlane::builder(Polite::default()).start().await.unwrap();
    let operator = operator(&control);
    let taken = |refused: Refused| {
        assert_eq!(refused.code, RefusalCode::Conflict);
        assert_eq!(refused.detail, "name: there is a tenant of that name: choose another");
    };
    taken(refusal(operator.create_tenant("default").await));
    // Both look before either has taken it.
    let (one, other) = tokio::join!(operator.create_tenant("east"), operator.create_tenant("east"));
    let (made, refused) = if one.is_ok() { (one, other) } else { (other, one) };
    let made = made.unwrap().id;
    taken(refusal(refused));
    taken(refusal(operator.rename_tenant(made, "default").await));
    taken(refusal(operator.rename_tenant(TenantId::DEFAULT, "east").await));
    assert_eq!(operator.rename_tenant(made, "east").await.unwrap().name, "east");
    assert_eq!(operator.within_named("east").await.unwrap().tenant(), made);
    operator.rename_tenant(made, "west").await.unwrap();
    let again = operator.create_tenant("east").await.unwrap().id;
    taken(refusal(operator.rename_tenant(made, "east").await));
    assert_eq!(operator.within_named("east").await.unwrap().tenant(), again);
    operator.rename_tenant(again, "north").await.unwrap();
    operator.rename_tenant(made, "east").await.unwrap();
}

#[tokio::test]
async fn no_runner_is_given_the_name_of_another_of_its_tenant() {
    let control = control().await;
    let admin = admin(&control);
    let pool = admin.create_pool(PoolSpec::new("lab")).await.unwrap().id;
    let one = admin.register_runner(PoolId::DEFAULT, "one").await.unwrap().view.id;
    let two = admin.register_runner(pool, "two").await.unwrap().view.id;
    let refused = refusal(admin.rename_runner(two, "one").await);
    assert_eq!(refused.code, RefusalCode::Conflict);
    assert_eq!(refused.detail, "name: there is a runner of that name: choose another");
    assert_eq!(admin.runner(two).await.unwrap().name, "two");
    assert_eq!(refusal(admin.register_runner(pool, "one").await), refused);
    admin.rename_runner(one, "one").await.unwrap();
    admin.remove_runner(one).await.unwrap();
    admin.rename_runner(two, "one").await.unwrap();
    assert_eq!(admin.runner(two).await.unwrap().name, "one");
    admin.register_runner(PoolId::DEFAULT, "two").await.unwrap();
}

#[tokio::test]
async fn what_is_not_rolled_out_to_a_tenant_is_refused_clearly() {
    let rollout = Rollout { self_hosted: Feature::OFF, ..Rollout::default() };
    let control = ControlPlane::builder(MemoryStore::default()).rollout(rollout).start().await.unwrap();
    let admin = admin(&control);
    let pool = refusal(admin.create_pool(PoolSpec::new("mine")).await);
    assert_eq!(pool.code, RefusalCode::Forbidden);
    assert!(pool.detail.starts_with("self-hosted execution is not switched on for this tenant"), "{pool:?}");
    let token = admin.create_registration(PoolId::DEFAULT, RegistrationSpec::default()).await;
    assert_eq!(refusal(token).code, RefusalCode::Forbidden);
    let shared = PoolSpec { sharing: Sharing::Everyone, ..PoolSpec::new("shared") };
    assert!(control.management(Principal::Operator).create_pool(shared).await.is_ok());
}

async fn submit_through(control: &ControlPlane, number: u8, environment: &str) -> Acceptance {
    let environment = Some(environment.to_owned());
    submit_with(&user(control), number, JobOptions { environment, ..JobOptions::default() }).await
}

#[tokio::test]
async fn an_environment_moved_elsewhere_takes_new_jobs_there_and_leaves_the_others() {
    let control = control().await;
    let admin = admin(&control);
    let blue = admin.create_pool(PoolSpec::new("blue")).await.unwrap().id;
    admin.route_environment("staging", Route::Pool(PoolId::DEFAULT)).await.unwrap();
    assert!(matches!(submit_through(&control, 1, "staging").await, Acceptance::Accepted(_)));
    admin.route_environment("staging", Route::Pool(blue)).await.unwrap();
    assert!(matches!(submit_through(&control, 1, "staging").await, Acceptance::Repeated(_)));
    assert!(matches!(submit_through(&control, 2, "staging").await, Acceptance::Accepted(_)));
    for (number, pool) in [(1, "default"), (2, "blue")] {
        assert_eq!(inspect(&user(&control), JobId::from_bytes([number; 16])).await.pool, pool);
    }
    let listed = admin.environments(&Paging::default()).await.unwrap().items;
    assert_eq!(listed, [admin.environment("staging").await.unwrap()]);
    admin.delete_environment("staging").await.unwrap();
    let gone = submit_through(&control, 3, "staging").await;
    assert!(matches!(gone, Acceptance::Refused(refused) if refused.code == RefusalCode::NotFound));
}

#[tokio::test]
async fn an_environment_that_leads_nowhere_is_told_clearly() {
    let control = control().await;
    let admin = admin(&control);
    admin.route_environment("cloud", Route::Hosted).await.unwrap();
    let Acceptance::Refused(refused) = submit_through(&control, 1, "cloud").await else {
        panic!("expected it to be refused")
    };
    assert!(refused.detail.contains("hosted execution, and no pool of the operator serves"), "{refused:?}");
    let blue = admin.create_pool(PoolSpec::new("blue")).await.unwrap().id;
    admin.route_environment("lab", Route::Pool(blue)).await.unwrap();
    admin.delete_pool(blue).await.unwrap();
    let Acceptance::Refused(refused) = submit_through(&control, 1, "lab").await else {
        panic!("expected it to be refused")
    };
    assert!(refused.detail.contains("a pool that was deleted"), "{refused:?}");
    let nowhere = admin.route_environment("lab", Route::Pool(blue)).await;
    assert_eq!(refusal(nowhere).code, RefusalCode::NotFound);
}

#[tokio::test]
async fn what_the_operator_says_of_the_roll_out_counts_over_how_it_was_built_and_after_a_restart() {
    let store = MemoryStore::default();
    let built = Rollout { self_hosted: Feature::OFF, ..Rollout::default() };
    let start = async || ControlPlane::builder(store.clone()).rollout(built.clone()).start().await.unwrap();
    let control = start().await;
    let of_operator = |control: &ControlPlane| control.management(Principal::Operator);
    let create = async |control: &ControlPlane, name| admin(control).create_pool(PoolSpec::new(name)).await;
    assert_eq!(refusal(create(&control, "one").await).code, RefusalCode::Forbidden);
    let own = Feature { tenants: [TenantId::DEFAULT].into(), ..Feature::default() };
    let spec = RolloutSpec { self_hosted: Some(own), ..RolloutSpec::default() };
    assert_eq!(refusal(admin(&control).set_rollout(spec.clone()).await).code, RefusalCode::Forbidden);
    of_operator(&control).set_rollout(spec.clone()).await.unwrap();
    create(&control, "one").await.unwrap();
    control.stop().await.unwrap();
    let control = start().await;
    create(&control, "two").await.unwrap();
    assert_eq!(of_operator(&control).rollout_spec().await.unwrap().0, spec);
    of_operator(&control).set_rollout(RolloutSpec::default()).await.unwrap();
    assert_eq!(refusal(create(&control, "three").await).code, RefusalCode::Forbidden);
    let tenants = (0..=Feature::TENANTS_MAX as u32).map(|number| {
        let mut id = [7; 16];
        id[..4].copy_from_slice(&number.to_be_bytes());
        TenantId::from_bytes(id)
    });
    let many = Feature { tenants: tenants.collect(), ..Feature::default() };
    let spec = RolloutSpec { relay: Some(many), ..RolloutSpec::default() };
    assert!(refusal(of_operator(&control).set_rollout(spec).await).detail.contains("limit is 10000"));
    let off_for_one = Feature { tenants: [TenantId::DEFAULT].into(), ..Feature::OFF };
    let spec = RolloutSpec { relay: Some(off_for_one), ..RolloutSpec::default() };
    assert!(refusal(of_operator(&control).set_rollout(spec).await).detail.contains("off for everybody"));
}
