//! Credentials that are revoked while a call under them is held back.

use crate::support::{Running, answer_to, of_the_host, scripted};
use async_trait::async_trait;
use futures::future::BoxFuture;
use runners_core::{
    Authenticate, AuthenticateError, JobId, Principal, Scope, TenantId, Transport as _, TransportError,
    protocol::{InspectRequest, ReadLogRequest, Request, WaitRequest},
    testing::artifact_suite,
};
use runners_transport_http::HttpFace;
use std::{sync::Arc, time::Duration};
use tokio::sync::{Notify, watch};

/// Knows one token, until it is revoked.
#[derive(Debug)]
struct Revocable(watch::Receiver<bool>);

#[async_trait]
impl Authenticate for Revocable {
    async fn authenticate(&self, token: &str) -> Result<Principal, AuthenticateError> {
        let tenant: TenantId = artifact_suite::TENANT;
        if token == of_the_host().expose() && !*self.0.borrow() {
            return Ok(Principal::Api { tenant, scopes: [Scope::Read].into() });
        }
        Err(AuthenticateError::Unknown)
    }

    fn ended(&self, _token: &str) -> BoxFuture<'static, ()> {
        let mut revoked = self.0.clone();
        Box::pin(async move {
            revoked.wait_for(|revoked| *revoked).await.unwrap();
        })
    }
}

#[tokio::test]
async fn a_revoked_credential_ends_a_parked_wait_and_a_log_that_is_followed() {
    let (revoke, revoked) = watch::channel(false);
    let parked = Arc::new(Notify::new());
    let tell = parked.clone();
    // What is held back is so for ever: nothing but the end of the credential ends it.
    let far = scripted(move |request| {
        let tell = tell.clone();
        async move {
            if !request.park_for().is_zero() {
                tell.notify_one();
                futures::future::pending::<()>().await;
            }
            Ok(answer_to(&request))
        }
    });
    let running = Running::start(HttpFace::builder(Revocable(revoked), move |_| far.clone())).await;
    let job = JobId::from_bytes([1; 16]);
    let park_for = Duration::from_secs(20);
    for request in [
        Request::Wait(WaitRequest { job, park_for }),
        Request::ReadLog(ReadLogRequest { job, grant: None, from: 0, park_for }),
    ] {
        revoke.send_replace(false);
        let name = request.name();
        let transport = running.transport(of_the_host());
        let revoking = async {
            parked.notified().await;
            revoke.send_replace(true);
        };
        let (told, ()) = futures::join!(transport.call(request), revoking);
        assert!(matches!(told, Err(TransportError::Unauthorized(_))), "{name}: {told:?}");
    }
    let after = running.transport(of_the_host()).call(Request::Inspect(InspectRequest { job })).await;
    assert!(matches!(after, Err(TransportError::Unauthorized(_))), "{after:?}");
}
