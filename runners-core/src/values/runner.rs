//! What a runner says of itself, and what is wanted of it.

use crate::values::digest::Digest;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

/// One start of a runner. A later start has the larger number, so the control plane can tell a
/// restart from a copy that still runs; the random part tells copies of one disk apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a transport or spool outside this crate builds it")]
pub struct Incarnation {
    /// How often the runner was started, from its state directory.
    pub boots: u64,
    /// Drawn at this start.
    pub random: u64,
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:016x}", self.boots, self.random)
    }
}

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is not an incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an incarnation is the number of a start, a hyphen and 16 lowercase hex digits")]
#[non_exhaustive]
pub struct IncarnationError;

impl FromStr for Incarnation {
    type Err = IncarnationError;
    fn from_str(text: &str) -> Result<Self, IncarnationError> {
        let (boots, random) = text.split_once('-').ok_or(IncarnationError)?;
        let read = Self {
            boots: boots.parse().map_err(|_| IncarnationError)?,
            random: u64::from_str_radix(random, 16).map_err(|_| IncarnationError)?,
        };
        // One start has one text: no sign, no upper case, no zeros in front.
        if read.to_string() == text { Ok(read) } else { Err(IncarnationError) }
    }
}

impl Serialize for Incarnation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Incarnation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Incarnation {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Incarnation".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        crate::values::schema::text(
            "^(0|[1-9][0-9]{0,18})-[0-9a-f]{16}$",
            "7-00000000000000ab",
            "One start of a runner: how often it was started, and what was drawn at this start. The later \
             start has the larger number.",
        )
    }
}

/// What a runner says of itself. Only its digest travels with every sync; the whole is sent at
/// the first one and when it is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
#[expect(clippy::exhaustive_structs, reason = "gateways of other protocols build it")]
pub struct Facts {
    /// What it is called, for people.
    pub name: String,
    /// The kinds of command it can execute.
    pub kinds: BTreeSet<String>,
    /// Its labels, which jobs may want or refuse.
    pub labels: BTreeSet<String>,
    /// How many jobs it executes at once.
    pub slots: u32,
    /// Name and version of the program.
    pub program: String,
    /// The operating system, such as `linux`.
    pub os: String,
    /// The architecture, such as `x86_64`.
    pub arch: String,
    /// How many CPUs it may use.
    pub cpus: u32,
    /// The version of the operating system's kernel, if it is known.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kernel: String,
    /// The memory of the machine in bytes; 0 if it is not known.
    #[serde(skip_serializing_if = "is_zero")]
    pub memory_bytes: u64,
    /// The browsers it can drive, with their versions.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub browsers: BTreeMap<String, String>,
    /// What draws WebGL in those that can draw it, as they say themselves.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub renderers: BTreeMap<String, String>,
    /// How many milliseconds the clock of the machine was ahead of the control plane's when the runner
    /// started, and below zero if it was behind. As exact as the control plane tells its time, which
    /// over HTTP is a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_drift_ms: Option<i64>,
    /// The newest version of the protocol that it speaks; 0 if it does not say.
    #[serde(skip_serializing_if = "is_zero_u32")]
    pub protocol: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
const fn is_zero_u32(number: &u32) -> bool {
    *number == 0
}

impl Facts {
    /// The largest number of kinds, and of labels.
    pub const NAMES_MAX: usize = 256;
    /// The largest number of slots, and of free ones: one million. Whoever states more counts as having as many.
    pub const SLOTS_MAX: u32 = 1_000_000;
    /// The newest version of the protocol that this library speaks.
    pub const PROTOCOL: u32 = 1;

    /// The digest of the facts as they travel.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&serde_json::to_vec(self).expect("facts are plain data"))
    }
}

/// How busy a machine is. It is no part of the [`Facts`], which would then never be at rest: it is
/// told when it is asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::exhaustive_structs, reason = "sources of facts outside this crate build it")]
pub struct Load {
    /// The load average over one, five and fifteen minutes, if the system has one.
    pub average: Option<[f64; 3]>,
    /// How much memory is available, in bytes.
    pub memory_available_bytes: Option<u64>,
    /// How much space is free where the runner keeps its state, in bytes.
    pub disk_free_bytes: Option<u64>,
}

/// What a runner means to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "both sides of the protocol decide on every one")]
pub enum Mode {
    /// Take what is offered.
    #[default]
    Serve,
    /// Take nothing new, finish what is held, stay connected.
    Drain,
    /// Drain, then exit.
    Leave,
}

/// What an operator wants of a runner. Restated in every reply until the runner has seen its
/// generation; it never expires.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "gateways of other protocols read it")]
pub struct Desired {
    /// Grows with every change.
    pub generation: u64,
    /// What the runner is to do.
    pub mode: Mode,
    /// A limit on its slots, below its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots: Option<u32>,
    /// Why, for people. At most [`Desired::NOTE_BYTES_MAX`] bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Desired {
    /// The largest note: 500 bytes.
    pub const NOTE_BYTES_MAX: usize = 500;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_start_is_larger_whatever_was_drawn() {
        let early = Incarnation { boots: 1, random: u64::MAX };
        let late = Incarnation { boots: 2, random: 0 };
        assert!(early < late);
        assert_eq!(late.to_string().parse(), Ok(late));
        for other in ["2-1", "02-0000000000000000", "+2-0000000000000000", "2-000000000000000A"] {
            assert!(other.parse::<Incarnation>().is_err(), "{other}");
        }
    }
}
