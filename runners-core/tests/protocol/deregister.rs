//! Runners that take themselves off the register.

use super::{
    control,
    hand::{submit, user},
};
use async_trait::async_trait;
use runners_core::{
    Authenticate as _, AuthenticateError, ControlPlane, ErasedExecutor, ExitReason, Fault, Opaque, Paging,
    PoolId, Principal, Product, RegistrationSpec, Runner, Token, TokenKind, Transport, TransportError,
    Verdict,
    protocol::{
        DeregisterRequest, EnrolRequest, InspectRequest, RefusalCode, Refused, Reply, Request, StateView,
    },
};

/// Speaks by a token, as far as the control plane knows it.
#[derive(Clone, Debug)]
struct ByToken {
    control: ControlPlane,
    token: Token,
}

#[async_trait]
impl Transport for ByToken {
    async fn call(&self, request: Request) -> Result<Reply, TransportError> {
        match self.control.authenticator().authenticate(self.token.expose()).await {
            Ok(principal) => self.control.caller(principal).call(request).await,
            Err(AuthenticateError::Unknown) => Err(TransportError::Unauthorized("unknown".into())),
            Err(AuthenticateError::Removed) => Ok(Reply::Refused(Refused::removed())),
            Err(error) => panic!("expected an answer, got {error}"),
        }
    }
}

struct Passes;

#[async_trait]
impl ErasedExecutor for Passes {
    async fn execute(&self, _payload: bytes::Bytes, _: runners_core::Attempt) -> Result<Product, Fault> {
        Ok(Product { verdict: Verdict::Passed, result: Opaque::from(b"1".to_vec()) })
    }
}

/// Enrols a runner.
async fn enrolled(control: &ControlPlane) -> ByToken {
    let admin = super::management::admin(control);
    let made = admin.create_registration(PoolId::DEFAULT, RegistrationSpec::default()).await.unwrap();
    let registrant = ByToken { control: control.clone(), token: made.token.unwrap() };
    let token = Token::new(TokenKind::Runner, [7; 32]);
    let request = EnrolRequest { credential: token.digest(), name: "one".into(), pool: None };
    assert!(matches!(registrant.call(Request::Enrol(request)).await, Ok(Reply::Enrolled(_))));
    ByToken { control: control.clone(), token }
}

async fn listed(control: &ControlPlane) -> usize {
    super::management::admin(control)
        .runners(&runners_core::RunnerFilter::default(), &Paging::default())
        .await
        .unwrap()
        .items
        .len()
}

#[tokio::test]
async fn a_single_use_runner_executes_one_job_and_its_credential_is_gone() {
    let control = control().await;
    let by_token = enrolled(&control).await;
    let user = user(&control);
    let (first, second) = (submit(&user, 1).await, submit(&user, 2).await);
    assert_eq!(listed(&control).await, 1);
    let runner = Runner::builder(by_token.clone()).slots(2).named("visit", Passes).single_use().start();
    assert_eq!(runner.stopped().await, ExitReason::Deregistered);
    let mut concluded = 0;
    for job in [first, second] {
        let Reply::Job(view) = user.call(Request::Inspect(InspectRequest { job })).await.unwrap() else {
            panic!("expected a job")
        };
        concluded += usize::from(view.conclusion().is_some());
        assert!(view.conclusion().is_some() || matches!(view.state, StateView::Ready { .. }), "{view:?}");
    }
    assert_eq!((concluded, listed(&control).await), (1, 0));
    let again = by_token.call(Request::Deregister(DeregisterRequest {})).await;
    assert_eq!(again.unwrap(), Reply::Refused(Refused::removed()), "it only has missed an answer");
    control.stop().await.unwrap();
}

#[tokio::test]
async fn a_repeat_that_comes_through_is_answered_the_same() {
    let control = control().await;
    let by_token = enrolled(&control).await;
    let principal = control.authenticator().authenticate(by_token.token.expose()).await.unwrap();
    let runner = control.caller(principal);
    for _ in 0..2 {
        let reply = runner.call(Request::Deregister(DeregisterRequest {})).await.unwrap();
        assert_eq!(reply, Reply::Deregistered);
    }
}

#[tokio::test]
async fn only_a_runner_deregisters_and_only_itself() {
    let control = control().await;
    enrolled(&control).await;
    for principal in [Principal::Operator, super::hand::runner_principal_of(9)] {
        let caller = control.caller(principal.clone());
        let reply = caller.call(Request::Deregister(DeregisterRequest {})).await.unwrap();
        match (principal, reply) {
            (Principal::Operator, Reply::Refused(refused)) => {
                assert_eq!(refused.code, RefusalCode::Forbidden);
            }
            (Principal::Runner { .. }, reply) => assert_eq!(reply, Reply::Deregistered),
            (_, reply) => panic!("expected a refusal, got {reply:?}"),
        }
    }
    assert_eq!(listed(&control).await, 1);
}
