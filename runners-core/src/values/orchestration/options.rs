//! How the regions of a run are counted, and when they are tried again.

use crate::values::time::optional_millis;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, time::Duration};

/// What a request may ask for beyond the wire's own members. Unknown members are refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct OrchestrationOptions {
    /// In how many regions a check has to pass. In all unless said otherwise.
    pub policy: RegionPolicy,
    /// Regions that are not counted, because it is known that checks fail there.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub expected_to_fail: BTreeSet<String>,
    /// Whether a region in which a page does not pass that passes in at least as many others is
    /// tried once more, before anything is concluded. It is, unless said otherwise.
    pub second_try: bool,
    /// How often a call that a region did not answer, or put off, is made again. Twice unless said
    /// otherwise, and at most [`RETRIES_MAX`](Self::RETRIES_MAX) times.
    pub retries: u32,
    /// How long one check may take, where the region lets its callers say so; in milliseconds on the
    /// wire. As the region says unless given, and at most
    /// [`CHECK_TIMEOUT_MAX`](Self::CHECK_TIMEOUT_MAX).
    #[serde(skip_serializing_if = "Option::is_none", with = "optional_millis")]
    pub check_timeout: Option<Duration>,
}

impl OrchestrationOptions {
    /// The largest number of retries.
    pub const RETRIES_MAX: u32 = 10;
    /// The longest time that one check may be given: one hour.
    pub const CHECK_TIMEOUT_MAX: Duration = Duration::from_secs(3600);
    /// The largest number of regions that may be expected to fail.
    pub const EXPECTED_MAX: usize = 200;

    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for OrchestrationOptions {
    fn default() -> Self {
        Self {
            policy: RegionPolicy::All,
            expected_to_fail: BTreeSet::new(),
            second_try: true,
            retries: 2,
            check_timeout: None,
        }
    }
}

/// In how many of the regions that count a check has to pass. On the wire `"all"`, `"any"` or
/// `{"atLeast": 2}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum RegionPolicy {
    /// In all of them.
    #[default]
    All,
    /// In one of them.
    Any,
    /// In so many of them; in all where there are fewer.
    AtLeast(u32),
}
