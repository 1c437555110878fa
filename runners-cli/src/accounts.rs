//! Who calls a server of this program: its operator, whose credential lies in the data directory, or
//! whomever the control plane's own records name.

use async_trait::async_trait;
use futures::future::BoxFuture;
use runners_core::{
    Authenticate, AuthenticateError, ControlPlane, Digest, Principal, RecordsAuthenticator, Token,
};

/// The operator's credential beside those that the control plane keeps.
#[derive(Clone, Debug)]
pub(crate) struct Accounts {
    operator: Digest,
    records: RecordsAuthenticator,
}

impl Accounts {
    /// Whoever shows `operator` is the operator of `control`.
    pub(crate) fn new(control: &ControlPlane, operator: &Token) -> Self {
        Self { operator: operator.digest(), records: control.authenticator() }
    }
}

#[async_trait]
impl Authenticate for Accounts {
    async fn authenticate(&self, token: &str) -> Result<Principal, AuthenticateError> {
        // What is compared are digests, so the time it takes tells nothing of the token.
        if Digest::of(token.as_bytes()) == self.operator {
            return Ok(Principal::Operator);
        }
        self.records.authenticate(token).await
    }

    fn ended(&self, token: &str) -> BoxFuture<'static, ()> {
        self.records.ended(token)
    }
}
