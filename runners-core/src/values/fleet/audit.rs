//! Who changed what of a tenant's fleet, and when.

use crate::values::{id::TokenId, time::Timestamp};
use serde::{Deserialize, Serialize};

/// Who changes something, as far as it is known. It holds no secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "faces of other protocols take it apart")]
pub struct Author {
    /// The API credential that was shown, if one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<TokenId>,
    /// What they were called then: the name of the credential, or of whom the host had signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether it was the operator of the control plane.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_operator: bool,
}

impl Author {
    /// What they are called, in words for people.
    #[must_use]
    pub fn words(&self) -> &str {
        match (&self.name, self.is_operator) {
            (Some(name), _) => name,
            (None, true) => "the operator",
            (None, false) => "the host",
        }
    }
}

/// One change of a tenant's fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditEntry {
    /// When it was made.
    pub at: Timestamp,
    /// Who made it.
    pub author: Author,
    /// What was done, as a verb: `created`, `deleted`. New ones may come.
    pub deed: String,
    /// What kind of thing it was done to: `pool`, `runner`.
    pub subject: String,
    /// Which one: its id, or its name if it has no other. Empty where there is one alone.
    pub id: String,
    /// What else there is to say, such as what it is called.
    pub note: Option<String>,
}

impl AuditEntry {
    /// How long a change is told of: 400 days.
    pub const KEPT_FOR: std::time::Duration = std::time::Duration::from_secs(400 * 24 * 60 * 60);
    /// How many changes of a tenant are told of, the newest.
    pub const COUNT_MAX: u32 = 10_000;
}
