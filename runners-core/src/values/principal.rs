//! For whom a caller speaks.

use crate::values::{
    digest::Digest,
    id::{PoolId, RunnerId, TenantId},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// For whom a caller speaks. Every transport speaks for exactly one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Principal {
    /// One runner, and nothing else.
    Runner {
        /// Its owner.
        tenant: TenantId,
        /// Its pool.
        pool: PoolId,
        /// The runner.
        runner: RunnerId,
    },
    /// A user of a tenant.
    Api {
        /// The tenant.
        tenant: TenantId,
        /// What the user may do.
        scopes: BTreeSet<Scope>,
    },
    /// Somebody who may register runners in a pool, by a registration token.
    Registrant {
        /// The owner of the pool.
        tenant: TenantId,
        /// The SHA-256 of the registration token.
        registration: Digest,
    },
    /// The operator of the control plane.
    Operator,
}

/// What a user of a tenant may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Scope {
    /// Submit, cancel and signal.
    Submit,
    /// Inspect, wait and read logs.
    Read,
    /// Manage pools, runners and tokens.
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 3] = [Self::Submit, Self::Read, Self::Admin];

    /// The word that stands for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::Read => "read",
            Self::Admin => "admin",
        }
    }
}
