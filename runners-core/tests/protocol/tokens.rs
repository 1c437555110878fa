//! Tokens and credentials: made, exchanged, replaced, revoked.

use super::{
    control,
    hand::Hand,
    management::{admin, refusal},
};
use runners_core::{
    ApiCredentialSpec, Authenticate as _, AuthenticateError, ControlPlane, Digest, Error, MemoryStore,
    Notice, Observer, Paging, PoolId, PoolSpec, Principal, RegistrationSpec, RunnerId, Scope, Token, TokenId,
    TokenKind, Transport as _,
    protocol::{EnrolRequest, Enrolled, RefusalCode, Refused, Reply, Request, RotateRequest, Rotated},
    sleep,
    testing::clock::SimClock,
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

/// How long a credential is good for, where a test waits for that.
const LIFE: Duration = Duration::from_secs(3 * 3600);

async fn principal(control: &ControlPlane, token: &Token) -> Option<Principal> {
    match control.authenticator().authenticate(token.expose()).await {
        Ok(principal) => Some(principal),
        Err(AuthenticateError::Unknown) => None,
        Err(error) => panic!("expected an answer, got {error}"),
    }
}

async fn call(control: &ControlPlane, token: &Token, request: Request) -> Reply {
    let principal = principal(control, token).await.expect("the token is good");
    control.caller(principal).call(request).await.unwrap()
}

async fn enrol(control: &ControlPlane, token: &Token, credential: &Token) -> Result<Enrolled, Refused> {
    enrol_in(None, control, token, credential).await
}

async fn enrol_in(
    pool: Option<&str>,
    control: &ControlPlane,
    token: &Token,
    credential: &Token,
) -> Result<Enrolled, Refused> {
    let pool = pool.map(ToOwned::to_owned);
    let request = EnrolRequest { credential: credential.digest(), name: "one".into(), pool };
    match call(control, token, Request::Enrol(request)).await {
        Reply::Enrolled(enrolled) => Ok(enrolled),
        Reply::Refused(refused) => Err(refused),
        other => panic!("expected it to be enrolled or refused, got {other:?}"),
    }
}

async fn rotate(control: &ControlPlane, token: &Token, next: &Token) -> Reply {
    call(control, token, Request::Rotate(RotateRequest { next: next.digest() })).await
}

fn secret(number: u8) -> Token {
    Token::new(TokenKind::Runner, [number; 32])
}

#[tokio::test]
async fn a_registration_token_is_shown_once_listed_without_its_text_and_revoked() {
    let control = control().await;
    let admin = admin(&control);
    let spec = RegistrationSpec { name: "lab".into(), uses_max: Some(2), ..RegistrationSpec::default() };
    let made = admin.create_registration(PoolId::DEFAULT, spec).await.unwrap();
    assert_eq!(made.token.as_ref().unwrap().kind(), Some(TokenKind::Registration));
    enrol(&control, made.token.as_ref().unwrap(), &secret(1)).await.unwrap();

    let listed = admin.registrations(PoolId::DEFAULT, &Paging::default()).await.unwrap().items;
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].uses, listed[0].uses_max, listed[0].name.as_str()), (1, Some(2), "lab"));
    assert!(!format!("{made:?}{listed:?}").contains(&made.token.as_ref().unwrap().expose()[5..]));

    admin.revoke_registration(PoolId::DEFAULT, made.view.id).await.unwrap();
    assert_eq!(principal(&control, made.token.as_ref().unwrap()).await, None);
    assert!(principal(&control, &secret(1)).await.is_some(), "who is registered stays");
    let unknown = admin.revoke_registration(PoolId::DEFAULT, TokenId::from_bytes([9; 16])).await;
    assert_eq!(refusal(unknown).code, RefusalCode::NotFound);
}

#[tokio::test(start_paused = true)]
async fn a_registration_token_is_good_for_a_day_unless_said_otherwise() {
    let (control, clock) = timed().await;
    let made = admin(&control).create_registration(PoolId::DEFAULT, RegistrationSpec::default()).await;
    let token = made.unwrap().token.unwrap();
    sleep(&clock, Duration::from_secs(24 * 3600 - 1)).await;
    assert!(principal(&control, &token).await.is_some());
    sleep(&clock, Duration::from_secs(1)).await;
    assert_eq!(principal(&control, &token).await, None);
    let long = RegistrationSpec { expires_in: Duration::from_secs(400 * 24 * 3600), ..Default::default() };
    let refused = refusal(admin(&control).create_registration(PoolId::DEFAULT, long).await);
    assert!(refused.detail.starts_with("expires_in: must be above 0 s and at most"), "{refused:?}");
}

#[tokio::test]
async fn a_pool_has_as_many_runners_as_it_may_and_a_removed_one_makes_room() {
    let control = control().await;
    let admin = admin(&control);
    let spec = PoolSpec { runners_max: Some(1), ..PoolSpec::new("small") };
    let pool = admin.create_pool(spec).await.unwrap().id;
    let many = RegistrationSpec { uses_max: None, ..RegistrationSpec::default() };
    let token = admin.create_registration(pool, many).await.unwrap().token.unwrap();
    let first = enrol(&control, &token, &secret(1)).await.unwrap();
    let full = enrol(&control, &token, &secret(2)).await.unwrap_err();
    assert_eq!(full.code, RefusalCode::Exhausted);
    assert!(full.detail.contains("1 runners, which is its limit"), "{full:?}");
    assert_eq!(refusal(admin.register_runner(pool, "two").await).code, RefusalCode::Exhausted);

    admin.remove_runner(first.runner).await.unwrap();
    admin.remove_runner(first.runner).await.unwrap();
    enrol(&control, &token, &secret(2)).await.unwrap();
    assert_eq!(enrol(&control, &token, &secret(3)).await.unwrap_err().code, RefusalCode::Exhausted);
}

#[tokio::test]
async fn a_token_of_another_pool_than_is_wanted_is_not_used_up() {
    let control = control().await;
    let admin = admin(&control);
    let lab = admin.create_pool(PoolSpec::new("lab")).await.unwrap().id;
    let token = admin.create_registration(lab, RegistrationSpec::default()).await.unwrap().token.unwrap();
    let refused = enrol_in(Some("default"), &control, &token, &secret(1)).await.unwrap_err();
    assert!(refused.detail.contains("not to \"default\": use a token of that pool"), "{refused:?}");
    let long = "x".repeat(1000);
    assert_eq!(
        enrol_in(Some(&long), &control, &token, &secret(1)).await.unwrap_err().code,
        RefusalCode::Invalid
    );
    for wanted in ["lab", &lab.to_string()] {
        assert_eq!(enrol_in(Some(wanted), &control, &token, &secret(1)).await.unwrap().pool, lab);
    }
    assert_eq!(enrol(&control, &token, &secret(2)).await.unwrap_err().code, RefusalCode::Exhausted);
    let ahead = admin.register_runner(lab, "ahead").await.unwrap().token.unwrap();
    enrol_in(Some("default"), &control, &ahead, &ahead).await.unwrap_err();
    enrol_in(Some("lab"), &control, &ahead, &ahead).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_runner_registered_in_advance_is_known_by_its_token() {
    let (control, _clock) = timed().await;
    let made = admin(&control).register_runner(PoolId::DEFAULT, "ahead").await.unwrap();
    assert_eq!(
        (made.token.as_ref().unwrap().kind(), made.view.name.as_str()),
        (Some(TokenKind::Runner), "ahead")
    );
    let enrolled = enrol(&control, made.token.as_ref().unwrap(), made.token.as_ref().unwrap()).await.unwrap();
    assert_eq!((enrolled.runner, enrolled.pool_name.as_str()), (made.view.id, "default"));
    let (rotate_in, whole) = (enrolled.rotate_in.unwrap(), Duration::from_secs(90 * 24 * 3600) * 3 / 4);
    assert!(rotate_in <= whole && whole - rotate_in < Duration::from_secs(1), "{rotate_in:?} of {whole:?}");
    let others = secret(1);
    let other = admin(&control).register_runner(PoolId::DEFAULT, "other").await.unwrap();
    assert!(matches!(rotate(&control, other.token.as_ref().unwrap(), &others).await, Reply::Rotated(_)));
    let taken = enrol(&control, made.token.as_ref().unwrap(), &others).await.unwrap_err();
    assert_eq!(taken.detail, "credential: is in use: draw a new one");
}

#[tokio::test(start_paused = true)]
async fn a_credential_is_replaced_without_a_gap_and_the_old_one_raises_an_alarm_later() {
    let seen = Arc::new(Seen::default());
    let clock = SimClock::new();
    let builder = ControlPlane::builder(MemoryStore::default()).clock(clock.clone());
    let control = builder.observer(seen.clone()).credential_life(LIFE).start().await.unwrap();
    let made = admin(&control).register_runner(PoolId::DEFAULT, "one").await.unwrap();
    let (old, lost, next) = (made.token.unwrap(), secret(1), secret(2));
    assert_eq!(rotate(&control, &old, &lost).await, Reply::Rotated(Rotated { rotate_in: LIFE * 3 / 4 }));
    assert_eq!(rotate(&control, &old, &next).await, Reply::Rotated(Rotated { rotate_in: LIFE * 3 / 4 }));
    assert_eq!(
        rotate(&control, &old, &next).await,
        Reply::Rotated(Rotated { rotate_in: LIFE * 3 / 4 }),
        "repeated"
    );
    assert_eq!(principal(&control, &lost).await, None, "its runner has announced another");
    sleep(&clock, Duration::from_secs(3600)).await;
    assert!(principal(&control, &old).await.is_some(), "the next one was not used yet");

    assert_eq!(principal(&control, &next).await, principal(&control, &old).await);
    sleep(&clock, Duration::from_secs(59)).await;
    assert!(principal(&control, &old).await.is_some(), "a request may be on its way");
    assert_eq!(seen.0.lock().unwrap().as_slice(), []);
    sleep(&clock, Duration::from_secs(1)).await;
    assert_eq!(principal(&control, &old).await, None);
    assert_eq!(seen.0.lock().unwrap().as_slice(), [made.view.id]);
    assert!(principal(&control, &next).await.is_some());
    sleep(&clock, LIFE).await;
    assert_eq!(principal(&control, &next).await, None, "it has expired");
}

#[tokio::test]
async fn a_revoked_credential_ends_at_the_next_call_and_with_it_the_one_that_is_held_back() {
    let control = control().await;
    let admin = admin(&control);
    let made = admin.register_runner(PoolId::DEFAULT, "one").await.unwrap();
    let speaks_for = principal(&control, made.token.as_ref().unwrap()).await.unwrap();
    let mut hand = Hand::new(&control, 1);
    hand.caller = control.caller(speaks_for);
    hand.sync().await;
    hand.next.park_for = Duration::from_secs(20);
    let mut parked = hand.clone();
    let (reply, ()) = tokio::join!(parked.send(), async {
        tokio::task::yield_now().await;
        admin.revoke_runner_credentials(made.view.id).await.unwrap();
    });
    assert!(matches!(reply, Reply::Superseded(_)), "{reply:?}");
    assert_eq!(principal(&control, made.token.as_ref().unwrap()).await, None);

    let scopes = [Scope::Read].into();
    let spec = ApiCredentialSpec { name: "ci".into(), scopes, expires_in: None };
    let api = admin.create_api_credential(spec).await.unwrap();
    assert!(matches!(principal(&control, api.token.as_ref().unwrap()).await, Some(Principal::Api { .. })));
    let listed = admin.api_credentials(&Paging::default()).await.unwrap().items;
    assert_eq!(listed, std::slice::from_ref(&api.view));
    admin.revoke_api_credential(api.view.id).await.unwrap();
    assert_eq!(principal(&control, api.token.as_ref().unwrap()).await, None);
    assert!(admin.api_credentials(&Paging::default()).await.unwrap().items[0].revoked);
}

#[tokio::test(start_paused = true)]
async fn a_removed_runner_is_told_so_for_a_month_also_after_a_restart_and_then_is_nobody() {
    let (clock, store) = (SimClock::new(), MemoryStore::default());
    let start = || ControlPlane::builder(store.clone()).clock(clock.clone()).start();
    let control = start().await.unwrap();
    let made = admin(&control).register_runner(PoolId::DEFAULT, "one").await.unwrap();
    let (retired, current) = (made.token.clone().unwrap(), secret(1));
    assert!(matches!(rotate(&control, &retired, &current).await, Reply::Rotated(_)));
    assert!(principal(&control, &current).await.is_some());
    sleep(&clock, RotateRequest::OVERLAP).await;
    admin(&control).remove_runner(made.view.id).await.unwrap();
    control.stop().await.unwrap();

    let control = start().await.unwrap();
    let told = |token: &Token| {
        let (control, text) = (control.clone(), token.expose().to_owned());
        async move { control.authenticator().authenticate(&text).await.unwrap_err() }
    };
    assert!(matches!(told(&current).await, AuthenticateError::Removed));
    assert!(matches!(told(&retired).await, AuthenticateError::Unknown), "that one was not its credential");
    admin(&control).remove_runner(made.view.id).await.unwrap();
    sleep(&clock, Duration::from_secs(30 * 24 * 3600 - 120)).await;
    assert!(matches!(told(&current).await, AuthenticateError::Removed));
    sleep(&clock, Duration::from_secs(120)).await;
    assert!(matches!(told(&current).await, AuthenticateError::Unknown));
}

#[tokio::test]
async fn nobody_gives_a_scope_that_they_do_not_have() {
    let control = control().await;
    let scopes = [Scope::Admin].into();
    let some = control.management(Principal::Api { tenant: runners_core::TenantId::DEFAULT, scopes });
    let spec = ApiCredentialSpec { name: "more".into(), scopes: Scope::ALL.into(), expires_in: None };
    let refused: Result<_, Error> = some.create_api_credential(spec).await;
    assert_eq!(refusal(refused).code, RefusalCode::Forbidden);
}

#[tokio::test]
async fn only_a_runner_replaces_its_credential_and_only_one_that_is_kept_here() {
    let control = control().await;
    let request = Request::Rotate(RotateRequest { next: Digest::of(b"next") });
    let by_user = super::user(&control).call(request.clone()).await.unwrap();
    assert!(matches!(by_user, Reply::Refused(refused) if refused.code == RefusalCode::Forbidden));
    let by_host = Hand::new(&control, 1).caller.call(request).await.unwrap();
    assert!(matches!(by_host, Reply::Refused(refused) if refused.code == RefusalCode::Invalid));
}

async fn timed() -> (ControlPlane, SimClock) {
    let clock = SimClock::new();
    let control = ControlPlane::builder(MemoryStore::default()).clock(clock.clone()).start().await.unwrap();
    (control, clock)
}

#[derive(Debug, Default)]
struct Seen(Mutex<Vec<RunnerId>>);

impl Observer for Seen {
    fn observe(&self, notice: &Notice) {
        if let Notice::RetiredCredentialUsed { runner } = notice {
            self.0.lock().unwrap().push(*runner);
        }
    }
}

#[tokio::test]
async fn whoever_asks_under_no_name_learns_of_a_registration_token_and_uses_none_of_it() {
    let control = control().await;
    let admin = admin(&control);
    let ask = async |token: &Token| {
        let request = EnrolRequest { credential: secret(9).digest(), name: String::new(), pool: None };
        match call(&control, token, Request::Enrol(request)).await {
            Reply::Refused(refused) => refused,
            other => panic!("expected a refusal, got {other:?}"),
        }
    };
    let spec = RegistrationSpec { uses_max: Some(1), ..RegistrationSpec::default() };
    let made = admin.create_registration(PoolId::DEFAULT, spec).await.unwrap();
    let token = made.token.unwrap();
    for _ in 0..3 {
        let good = ask(&token).await;
        assert!(good.code == RefusalCode::Invalid && good.detail.starts_with("name"), "{good:?}");
    }
    assert_eq!(principal(&control, &secret(9)).await, None, "nobody was registered");
    enrol(&control, &token, &secret(1)).await.unwrap();
    assert_eq!(ask(&token).await.code, RefusalCode::Exhausted);

    let pool = admin.create_pool(PoolSpec { runners_max: Some(1), ..PoolSpec::new("one") }).await.unwrap();
    let spec = RegistrationSpec { uses_max: Some(5), ..RegistrationSpec::default() };
    let token = admin.create_registration(pool.id, spec).await.unwrap().token.unwrap();
    assert_eq!(ask(&token).await.code, RefusalCode::Invalid);
    enrol(&control, &token, &secret(2)).await.unwrap();
    let full = ask(&token).await;
    assert!(full.code == RefusalCode::Exhausted && full.detail.contains("1 runners"), "{full:?}");
}
