//! The audit: who changed what, told with the change and never without it.

use super::{
    control,
    hand::Hand,
    management::{admin, refusal},
};
use runners_core::{
    ApiCredentialSpec, Authenticate as _, Client, ControlPlane, FlowSpec, JobId, JobOptions, JobSpec,
    Management, Paging, PoolSpec, Principal, RunnerId, Scope, SignalId, TenantId, Transport as _,
    protocol::{RefusalCode, Reply, Request, SignalRequest},
};
use std::time::Duration;

async fn told(management: &Management) -> Vec<String> {
    let (mut told, mut paging) = (Vec::new(), Paging { limit: 2, ..Paging::default() });
    loop {
        let page = management.audit(&paging).await.unwrap();
        told.extend(
            page.items
                .iter()
                .map(|entry| format!("{} {} {}", entry.author.words(), entry.deed, entry.subject)),
        );
        match page.next {
            Some(next) => paging.after = Some(next),
            None => return told,
        }
    }
}

#[tokio::test]
async fn a_change_tells_who_made_it_and_one_that_is_refused_tells_nothing() {
    let control = control().await;
    let management = admin(&control);
    let spec = ApiCredentialSpec { name: "anna".into(), scopes: Scope::ALL.into(), expires_in: None };
    let issued = management.made_by("Bert").create_api_credential(spec).await.unwrap();
    let token = issued.token.unwrap();
    let principal = control.authenticator().authenticate(token.expose()).await.unwrap();
    let anna = control.management(principal).made_with(token.expose());
    let pool = anna.create_pool(PoolSpec::new("lab")).await.unwrap();
    let taken = anna.create_pool(PoolSpec::new("lab")).await;
    assert_eq!(refusal(taken).code, RefusalCode::Conflict);
    let operator = control.management(Principal::Operator).within(TenantId::DEFAULT).unwrap();
    operator.delete_pool(pool.id).await.unwrap();
    let all =
        ["the operator deleted pool", "anna created pool", "Bert created credential"].map(str::to_owned);
    assert_eq!(told(&management).await, all);
    let entries = management.audit(&Paging::default()).await.unwrap().items;
    assert_eq!(entries[1].author.credential, Some(issued.view.id));
    assert_eq!((entries[1].id.clone(), entries[1].note.as_deref()), (pool.id.to_string(), Some("lab")));
    // Nothing of the secret is anywhere.
    assert!(!format!("{entries:?} {anna:?}").contains(token.expose()));
}

#[tokio::test]
async fn the_audit_is_for_administrators_and_of_their_own_tenant() {
    let control = control().await;
    admin(&control).put_flow("shop", &FlowSpec::new(b"{}".to_vec()), None).await.unwrap();
    let of = |tenant, scopes: &[Scope]| {
        control.management(Principal::Api { tenant, scopes: scopes.iter().copied().collect() })
    };
    let reader = of(TenantId::DEFAULT, &[Scope::Read, Scope::Submit]);
    assert_eq!(refusal(reader.audit(&Paging::default()).await).code, RefusalCode::Forbidden);
    let other = of(TenantId::from_bytes([9; 16]), &Scope::ALL);
    assert_eq!(other.audit(&Paging::default()).await.unwrap().items, []);
    assert_eq!(told(&admin(&control)).await, ["the host created flow"]);
}

#[tokio::test]
async fn a_repeat_under_a_key_is_told_once() {
    let control: ControlPlane = control().await;
    let management = admin(&control);
    let key = "k".parse().unwrap();
    let once = management.repeatable(&key, runners_core::Digest::of(b"lab"));
    for _ in 0..2 {
        once.create_pool(PoolSpec::new("lab")).await.unwrap();
    }
    assert_eq!(told(&management).await, ["the host created pool"]);
}

#[tokio::test]
async fn what_is_cancelled_and_signalled_under_a_credential_is_told_and_a_repeat_once() {
    let control = control().await;
    let management = admin(&control);
    let spec = ApiCredentialSpec { name: "anna".into(), scopes: Scope::ALL.into(), expires_in: None };
    let token = management.made_by("Bert").create_api_credential(spec).await.unwrap().token.unwrap();
    let principal = control.authenticator().authenticate(token.expose()).await.unwrap();
    let anna = control.caller(principal).made_with(token.expose()).unwrap();
    Hand::new(&control, 1).sync().await;
    let signal = Request::Signal(SignalRequest {
        id: SignalId::from_bytes([1; 16]),
        to: RunnerId::from_bytes([1; 16]).into(),
        kind: "restart".into(),
        payload: b"{}".to_vec().into(),
        expires_in: Duration::from_secs(60),
    });
    for _ in 0..2 {
        assert!(matches!(anna.call(signal.clone()).await.unwrap(), Reply::Signalled(_)));
    }
    let job = JobId::from_bytes([5; 16]);
    let spec = JobSpec::new(job, "visit", b"{}", JobOptions::default());
    let client = Client::new(anna.clone());
    client.submit_spec(&spec, b"{}".to_vec()).await.unwrap();
    assert!(client.cancel(job).await.unwrap());
    assert!(!client.cancel(job).await.unwrap(), "it has ended");
    let told = told(&management).await;
    assert_eq!(told[..2], ["anna cancelled job", "anna signalled runner"], "{told:?}");
    assert_eq!(told.iter().filter(|line| line.contains("signalled")).count(), 1);
    let entries = management.audit(&Paging::default()).await.unwrap().items;
    assert_eq!((entries[0].id.clone(), entries[1].note.as_deref()), (job.to_string(), Some("restart")));
}
