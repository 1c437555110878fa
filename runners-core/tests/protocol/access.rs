//! Who may do what: enrolment, scopes, and tenants that cannot see each other.

use super::{
    control,
    hand::{Hand, operator, submission, submit, user},
};
use runners_core::{
    Authenticate as _, AuthenticateError, ControlPlane, Digest, JobId, JobOptions, Paging, PoolId, Principal,
    Registration, Scope, TenantId, Transport as _,
    protocol::{
        Acceptance, CancelRequest, CancelTarget, EnrolRequest, Enrolled, InspectRequest, ReadLogRequest,
        RefusalCode, Reply, Request, SubmitRequest, WaitRequest,
    },
};
use std::time::Duration;

async fn enrol(control: &ControlPlane, token: &str, credential: &str) -> Reply {
    let principal = control.authenticator().authenticate(token).await.unwrap();
    let request =
        EnrolRequest { credential: Digest::of(credential.as_bytes()), name: "one".into(), pool: None };
    control.caller(principal).call(Request::Enrol(request)).await.unwrap()
}

#[tokio::test]
async fn a_registration_token_is_exchanged_for_a_credential_and_a_repeat_is_answered_the_same() {
    let control = control().await;
    let registration = Registration::new(TenantId::DEFAULT, PoolId::DEFAULT);
    control.admit_registration(Digest::of(b"token"), registration).await.unwrap();
    let first = enrol(&control, "token", "secret").await;
    let Reply::Enrolled(enrolled) = &first else { panic!("expected it to be enrolled, got {first:?}") };
    assert_eq!(enrolled.pool_name, "default");
    let Reply::Enrolled(again) = enrol(&control, "token", "secret").await else { panic!("it is a repeat") };
    // Time goes by between the two, and the credential's life with it.
    assert_eq!(Enrolled { rotate_in: enrolled.rotate_in, ..again }, *enrolled);
    let principal = control.authenticator().authenticate("secret").await.unwrap();
    assert!(matches!(principal, Principal::Runner { runner, .. } if runner == enrolled.runner));
}

#[tokio::test]
async fn a_token_is_good_only_as_often_as_it_says() {
    let control = control().await;
    let once = Registration::new(TenantId::DEFAULT, PoolId::DEFAULT).uses_max(1);
    control.admit_registration(Digest::of(b"token"), once).await.unwrap();
    assert!(matches!(enrol(&control, "token", "one").await, Reply::Enrolled(_)));
    let again = enrol(&control, "token", "two").await;
    assert!(matches!(again, Reply::Refused(refused) if refused.code == RefusalCode::Exhausted));
    assert!(
        matches!(enrol(&control, "token", "one").await, Reply::Enrolled(_)),
        "the first is repeated, not new"
    );
}

#[tokio::test]
async fn an_unknown_token_tells_nothing() {
    let error = control().await.authenticator().authenticate("guess").await.unwrap_err();
    assert!(matches!(error, AuthenticateError::Unknown));
}

#[tokio::test]
async fn what_the_host_admits_has_a_name_in_listings() {
    let control = control().await;
    let digest = |text: &str| Digest::of(text.as_bytes());
    control.admit_api_credential(digest("api"), TenantId::DEFAULT, Scope::ALL).await.unwrap();
    let registration = Registration::new(TenantId::DEFAULT, PoolId::DEFAULT);
    control.admit_registration(digest("token"), registration).await.unwrap();
    let operator = operator(&control);
    let credentials = operator.api_credentials(&Paging::default()).await.unwrap();
    let registrations = operator.registrations(PoolId::DEFAULT, &Paging::default()).await.unwrap();
    assert_eq!(credentials.items[0].name, "default");
    assert_eq!(registrations.items[0].name, "default");
}

#[tokio::test]
async fn a_credential_may_do_only_what_its_scopes_say() {
    let control = control().await;
    let job = submit(&user(&control), 1).await;
    let reader = control.caller(Principal::Api { tenant: TenantId::DEFAULT, scopes: [Scope::Read].into() });
    assert!(matches!(reader.call(Request::Inspect(InspectRequest { job })).await.unwrap(), Reply::Job(_)));
    let request = SubmitRequest { jobs: vec![submission(2, JobOptions::default())], run: None };
    let reply = reader.call(Request::Submit(request)).await.unwrap();
    assert!(matches!(reply, Reply::Refused(refused) if refused.code == RefusalCode::Forbidden));
}

#[tokio::test]
async fn a_runner_may_only_sync() {
    let control = control().await;
    let hand = Hand::new(&control, 1);
    let job = submit(&user(&control), 1).await;
    let reply = hand.caller.call(Request::Inspect(InspectRequest { job })).await.unwrap();
    assert!(matches!(reply, Reply::Refused(refused) if refused.code == RefusalCode::Forbidden));
}

/// Every call that names a job answers another tenant as if there were none.
#[tokio::test]
async fn another_tenants_job_is_not_found() {
    let control = control().await;
    let mine = submit(&user(&control), 1).await;
    let none = JobId::from_bytes([9; 16]);
    let other = TenantId::from_bytes([7; 16]);
    let scopes = [Scope::Submit, Scope::Read, Scope::Admin].into();
    let stranger = control.caller(Principal::Api { tenant: other, scopes });
    let park_for = Duration::ZERO;
    let requests = |job| {
        [
            Request::Inspect(InspectRequest { job }),
            Request::Wait(WaitRequest { job, park_for }),
            Request::Cancel(CancelRequest { target: CancelTarget::Job(job) }),
            Request::ReadLog(ReadLogRequest { job, grant: None, from: 0, park_for }),
        ]
    };
    for (theirs, nobodys) in requests(mine).into_iter().zip(requests(none)) {
        let (theirs, nobodys) = (stranger.call(theirs).await.unwrap(), stranger.call(nobodys).await.unwrap());
        let (Reply::Refused(theirs), Reply::Refused(nobodys)) = (theirs, nobodys) else {
            panic!("expected both to be refused")
        };
        assert_eq!((theirs.code, nobodys.code), (RefusalCode::NotFound, RefusalCode::NotFound));
        assert_eq!(
            theirs.detail.replace(&mine.to_string(), ""),
            nobodys.detail.replace(&none.to_string(), "")
        );
    }
}

#[tokio::test]
async fn another_tenants_pool_is_not_found_by_its_name() {
    let control = control().await;
    let scopes = [Scope::Submit].into();
    let stranger = control.caller(Principal::Api { tenant: TenantId::from_bytes([7; 16]), scopes });
    let request = SubmitRequest { jobs: vec![submission(1, JobOptions::default())], run: None };
    let Reply::Submitted(submitted) = stranger.call(Request::Submit(request)).await.unwrap() else {
        panic!("expected an answer for each job")
    };
    let Acceptance::Refused(refused) = &submitted.jobs[0] else { panic!("expected it to be refused") };
    assert_eq!(refused.code, RefusalCode::NotFound);
}
