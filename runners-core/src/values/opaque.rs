//! Bytes that travel inside JSON exactly as they are.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, IgnoredAny, MapAccess, Visitor},
    ser::SerializeMap as _,
};
use std::fmt;

/// Bytes that nothing on their way may change: specs, payloads, results, chunks of a log.
///
/// In JSON they are a string with their text when they are valid UTF-8, else
/// `{"base64": "…"}` (RFC 4648, section 4, padded). Both give the exact bytes back.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Opaque(Bytes);

impl Opaque {
    /// Takes bytes.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self(bytes.into())
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The bytes, given away.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// How many bytes there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Bytes> for Opaque {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

impl From<Vec<u8>> for Opaque {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl fmt::Debug for Opaque {
    /// Only the length: payloads and results may hold what a log must not.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opaque({} bytes)", self.0.len())
    }
}

impl Serialize for Opaque {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Ok(text) = std::str::from_utf8(&self.0) {
            return serializer.serialize_str(text);
        }
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("base64", &STANDARD.encode(&self.0))?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Opaque {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OpaqueVisitor)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Opaque {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Opaque".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "Bytes that nothing on their way may change: their text if they are valid UTF-8, \
                            else an object with their base64 (RFC 4648, section 4, padded).",
            "oneOf": [
                { "type": "string" },
                {
                    "type": "object",
                    "properties": { "base64": { "type": "string", "pattern": BASE64, "examples": ["AP8="] } },
                    "required": ["base64"],
                },
            ],
        })
    }
}

/// Padded base64 whose last digit has no bits to spare.
#[cfg(feature = "schema")]
const BASE64: &str = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$";

struct OpaqueVisitor;

impl<'de> Visitor<'de> for OpaqueVisitor {
    type Value = Opaque;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, or an object with the member \"base64\"")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Opaque, E> {
        Ok(Opaque(Bytes::copy_from_slice(text.as_bytes())))
    }

    fn visit_string<E: serde::de::Error>(self, text: String) -> Result<Opaque, E> {
        Ok(Opaque(text.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Opaque, A::Error> {
        let mut bytes = None;
        while let Some(name) = map.next_key::<String>()? {
            if name == "base64" {
                let text: String = map.next_value()?;
                bytes = Some(STANDARD.decode(text).map_err(A::Error::custom)?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        bytes.map(Opaque::from).ok_or_else(|| A::Error::missing_field("base64"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_survive_json(bytes: Vec<u8>) {
            let json = serde_json::to_string(&Opaque::from(bytes.clone())).unwrap();
            let back: Opaque = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(back.as_bytes().as_ref(), bytes.as_slice());
        }
    }

    #[test]
    fn text_stays_readable() {
        let json = serde_json::to_string(&Opaque::new(&b"{\"a\":1}"[..])).unwrap();
        assert_eq!(json, r#""{\"a\":1}""#);
    }
}
