//! Registration tokens and API credentials, as they are asked for and as they are shown: never
//! with their text, which is given once, to whoever has them made.

use crate::values::{
    id::{PoolId, TokenId},
    principal::Scope,
    time::Timestamp,
    token::Token,
};
use std::{collections::BTreeSet, time::Duration};

/// What is asked of a registration token.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers write `RegistrationSpec { name, ..Default::default() }`"
)]
pub struct RegistrationSpec {
    /// What it is for, for people. Empty unless given.
    pub name: String,
    /// How often it may be used: once unless said otherwise, any number of times for `None`.
    pub uses_max: Option<u32>,
    /// How long it is good for. One day unless said otherwise, at most
    /// [`RegistrationSpec::EXPIRES_IN_MAX`].
    pub expires_in: Duration,
}

impl RegistrationSpec {
    /// The longest time a token can be good for: 366 days.
    pub const EXPIRES_IN_MAX: Duration = Duration::from_secs(366 * 24 * 3600);
}

impl Default for RegistrationSpec {
    fn default() -> Self {
        Self { name: String::new(), uses_max: Some(1), expires_in: Duration::from_secs(24 * 3600) }
    }
}

/// A registration token, as it is. Its text is not known here.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RegistrationView {
    /// The token.
    pub id: TokenId,
    /// The pool that its runners join.
    pub pool: PoolId,
    /// What it is for.
    pub name: String,
    /// How often it was used.
    pub uses: u32,
    /// How often it may be used, if that is limited.
    pub uses_max: Option<u32>,
    /// When it was made; the beginning of 1970 if an earlier release made it.
    pub made_at: Timestamp,
    /// When it expires, if it does.
    pub expires_at: Option<Timestamp>,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// What is asked of an API credential.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "callers build it as it stands")]
pub struct ApiCredentialSpec {
    /// Who holds it, for people.
    pub name: String,
    /// What it may do: at least one thing.
    pub scopes: BTreeSet<Scope>,
    /// How long it is good for, at most [`RegistrationSpec::EXPIRES_IN_MAX`]; for ever unless
    /// given.
    pub expires_in: Option<Duration>,
}

/// An API credential, as it is. Its text is not known here.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiCredentialView {
    /// The credential.
    pub id: TokenId,
    /// Who holds it.
    pub name: String,
    /// What it may do.
    pub scopes: BTreeSet<Scope>,
    /// When it was made.
    pub made_at: Timestamp,
    /// When it expires, if it does.
    pub expires_at: Option<Timestamp>,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// Something that was made together with a secret, which is shown this once.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Issued<V> {
    /// The secret. Nobody can show it again: it is missing where this answers a
    /// [repeat](crate::Management::repeatable).
    pub token: Option<Token>,
    /// What it belongs to.
    pub view: V,
}
