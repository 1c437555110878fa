//! Identifiers: 16 bytes each, typed, printed with a prefix and 32 lowercase hex digits.
//!
//! Every generated id is a UUID version 7 (RFC 9562, section 5.7), made by whoever creates the
//! thing it names, so ids sort by the time they were made.

use crate::values::time::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr};

/// Why a text is not an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an id: expected `{prefix}_` and 32 lowercase hex digits")]
pub struct IdError {
    text: String,
    prefix: &'static str,
}

/// Lays out a UUID version 7 from a time and ten random bytes.
pub(crate) fn uuid_v7(at: Timestamp, random: [u8; 10]) -> [u8; 16] {
    let mut id = [0; 16];
    id[..6].copy_from_slice(&at.as_millis().to_be_bytes()[2..]);
    id[6..].copy_from_slice(&random);
    id[6] = 0x70 | (id[6] & 0x0f);
    id[8] = 0x80 | (id[8] & 0x3f);
    id
}

/// The time that an id says it was made at. Of one that is not laid out so, it is any time.
pub(crate) fn made_at(id: &[u8; 16]) -> Timestamp {
    Timestamp::from_millis(id[..6].iter().fold(0, |millis, byte| (millis << 8) | u64::from(*byte)))
}

pub(crate) fn parse_hex(text: &str) -> Option<[u8; 16]> {
    let mut id = [0; 16];
    let lowercase = text.len() == 32 && !text.bytes().any(|byte| byte.is_ascii_uppercase());
    (lowercase && hex::decode_to_slice(text, &mut id).is_ok()).then_some(id)
}

/// The longest text of an id.
const TEXT_BYTES_MAX: usize = 64;

/// Writes the text of an id into `text` and gives it back, without taking memory for it: ids
/// stand many times in every record.
fn text_of<'a>(prefix: &str, id: [u8; 16], text: &'a mut [u8; TEXT_BYTES_MAX]) -> &'a str {
    let end = prefix.len() + 2 * id.len();
    text[..prefix.len()].copy_from_slice(prefix.as_bytes());
    hex::encode_to_slice(id, &mut text[prefix.len()..end]).expect("there is room for two digits a byte");
    std::str::from_utf8(&text[..end]).expect("prefixes and digits are ASCII")
}

macro_rules! ids {
    ($($(#[doc = $doc:literal])* $name:ident = $prefix:literal;)*) => {$(
        $(#[doc = $doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// Lays out a new id from the time it is made at and ten random bytes.
            #[must_use]
            pub fn new(at: Timestamp, random: [u8; 10]) -> Self {
                Self(uuid_v7(at, random))
            }

            /// Takes 16 bytes as they are.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The 16 bytes, as they stand in keys.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(text_of(concat!($prefix, "_"), self.0, &mut [0; TEXT_BYTES_MAX]))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                text.strip_prefix(concat!($prefix, "_"))
                    .and_then(parse_hex)
                    .map(Self)
                    .ok_or_else(|| IdError { text: text.chars().take(80).collect(), prefix: $prefix })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(text_of(concat!($prefix, "_"), self.0, &mut [0; TEXT_BYTES_MAX]))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                crate::values::schema::text(
                    concat!("^", $prefix, "_[0-9a-f]{32}$"),
                    concat!($prefix, "_019a00000000700080000000000000ab"),
                    concat!($($doc),*),
                )
            }
        }
    )*};
}

ids! {
    /// Names an owner of jobs, pools and runners.
    TenantId = "tenant";
    /// Names a set of runners that jobs target.
    PoolId = "pool";
    /// Names a process that executes jobs, over all its starts.
    RunnerId = "runner";
    /// Names a job. Chosen by the submitter, so that a repeated submit is the same job.
    JobId = "job";
    /// Names jobs submitted together.
    RunId = "run";
    /// Names a command sent to one runner.
    SignalId = "signal";
    /// Names a place where a tenant wants to be told of events.
    WebhookId = "webhook";
    /// Names a call to a webhook, in every try.
    DeliveryId = "delivery";
    /// Names an upload straight to where artifacts are kept.
    UploadId = "upload";
    /// Names one process of the control plane.
    MemberId = "member";
    /// Names a registration token or a credential: the first 16 bytes of its SHA-256.
    TokenId = "token";
    /// Names, by content, everything that decides where a job may run.
    LaneId = "lane";
    /// Names one opening of a live view, in the logs of both sides.
    StreamId = "stream";
}

impl TenantId {
    /// The operator's own tenant: owns shared pools, credentials and members.
    pub const OPERATOR: Self = Self([0; 16]);
    /// The tenant that exists from the first start.
    pub const DEFAULT: Self = Self([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
}

impl PoolId {
    /// The pool of the default tenant that exists from the first start.
    pub const DEFAULT: Self = Self([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_version_7_and_sort_by_time() {
        let early = JobId::new(Timestamp::from_millis(1), [0xff; 10]);
        let late = JobId::new(Timestamp::from_millis(2), [0; 10]);
        assert!(early < late);
        assert_eq!(early.as_bytes()[6] >> 4, 7);
        assert_eq!(early.as_bytes()[8] >> 6, 0b10);
    }

    #[test]
    fn an_id_survives_its_text() {
        let id = RunnerId::new(Timestamp::from_millis(7), [3; 10]);
        assert_eq!(id.to_string().parse::<RunnerId>(), Ok(id));
        assert_eq!(serde_json::from_str::<RunnerId>(&serde_json::to_string(&id).unwrap()).unwrap(), id);
    }

    #[test]
    fn another_prefix_upper_case_or_length_is_refused() {
        let job = JobId::from_bytes([0xab; 16]).to_string();
        assert!(job.parse::<RunId>().is_err());
        assert!(job.to_uppercase().parse::<JobId>().is_err());
        assert!(job[..20].parse::<JobId>().is_err());
    }
}
