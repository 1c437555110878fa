//! Regions as an operator writes them down: names, with URLs and what else a call needs. Building
//! the clients of them is left to the region.

use runners_core::{Secret, TenantId};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    env, fmt,
};

/// The variable of the environment that names regions.
pub const REGIONS_VARIABLE: &str = "PLAYWRIGHT_RUNNERS";

/// Whose requests a region is for, as its settings say.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a region is for everybody or for some")]
pub enum RegionTenants {
    /// Everybody's.
    All,
    /// Those of these tenants.
    Only(BTreeSet<TenantId>),
}

/// Regions by their names. In JSON or TOML each is a URL, or an object with a `url`, a `token`,
/// `headers`, and `tenants`: the ids of those whose requests it is for, or `"all"`.
///
/// ```
/// use runners_region_http::RegionSettings;
///
/// let settings: RegionSettings = r#"{
///     "eu": "https://eu.example/api/runner",
///     "us": { "url": "https://us.example/api/runner", "token": "hunter2", "headers": { "x-team": "shop" } }
/// }"#
/// .parse()?;
/// assert_eq!(settings.names().collect::<Vec<_>>(), ["eu", "us"]);
/// assert!(!format!("{settings:?}").contains("hunter2"));
/// # Ok::<_, runners_region_http::RegionSettingsError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct RegionSettings {
    regions: BTreeMap<String, RegionSetting>,
}

/// One region as it is written down.
#[derive(Clone)]
pub(crate) struct RegionSetting {
    pub(crate) url: String,
    pub(crate) token: Option<Secret>,
    pub(crate) headers: BTreeMap<String, Secret>,
    pub(crate) tenants: Option<RegionTenants>,
}

/// What is wrong with settings of regions. It repeats no value, which may be a secret.
#[derive(Debug, thiserror::Error)]
#[error("{variable}regions: {message}: write {{\"name\": \"https://…\"}}")]
pub struct RegionSettingsError {
    variable: String,
    message: String,
}

impl RegionSettings {
    /// The longest name of a region in bytes.
    pub const NAME_BYTES_MAX: usize = 100;
    /// The largest number of regions.
    pub const REGIONS_MAX: usize = 1000;

    /// Reads the variable [`REGIONS_VARIABLE`] of the environment; no regions if it is not set.
    ///
    /// # Errors
    /// [`RegionSettingsError`] if it is set, and is not as it should be.
    pub fn from_environment() -> Result<Self, RegionSettingsError> {
        let within = |error: RegionSettingsError| RegionSettingsError {
            variable: format!("{REGIONS_VARIABLE}: "),
            ..error
        };
        match env::var(REGIONS_VARIABLE) {
            Ok(text) if !text.trim().is_empty() => text.parse().map_err(within),
            Ok(_) | Err(env::VarError::NotPresent) => Ok(Self::default()),
            Err(env::VarError::NotUnicode(_)) => Err(within(error("the text is not UTF-8"))),
        }
    }

    /// The names, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.regions.keys().map(String::as_str)
    }

    pub(crate) fn into_regions(self) -> impl Iterator<Item = (String, RegionSetting)> {
        self.regions.into_iter()
    }
}

impl std::str::FromStr for RegionSettings {
    type Err = RegionSettingsError;

    fn from_str(text: &str) -> Result<Self, RegionSettingsError> {
        serde_json::from_str(text).map_err(|source| error(&without_value(&source.to_string())))
    }
}

/// What is expected, without what was found instead of it.
fn without_value(text: &str) -> String {
    let (place, problem) = match text.split_once(": invalid ") {
        Some((place, problem)) => (format!("{place}: "), problem),
        None => (String::new(), text.strip_prefix("invalid ").unwrap_or_default()),
    };
    match problem.rsplit_once(", expected ") {
        Some((_, expected)) => format!("{place}expected {expected}"),
        None => text.to_owned(),
    }
}

fn error(message: &str) -> RegionSettingsError {
    RegionSettingsError { variable: String::new(), message: message.to_owned() }
}

impl<'de> Deserialize<'de> for RegionSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ByName)
    }
}

struct ByName;

impl<'de> Visitor<'de> for ByName {
    type Value = RegionSettings;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of regions by their names")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RegionSettings, A::Error> {
        let mut regions = BTreeMap::new();
        let (name_max, regions_max) = (RegionSettings::NAME_BYTES_MAX, RegionSettings::REGIONS_MAX);
        while let Some(name) = map.next_key::<String>()? {
            if name.is_empty() || name.len() > name_max {
                return Err(A::Error::custom(format!("the name {name:?} must have 1 to {name_max} bytes")));
            }
            let setting = map.next_value::<Written>().map_err(|error| {
                A::Error::custom(format!("the region {name:?}: {}", without_value(&error.to_string())))
            })?;
            if regions.contains_key(&name) {
                return Err(A::Error::custom(format!("the region {name:?} is there twice")));
            }
            regions.insert(name, setting.into());
            if regions.len() > regions_max {
                return Err(A::Error::custom(format!("there are more than {regions_max} regions")));
            }
        }
        Ok(RegionSettings { regions })
    }
}

/// Either shape of a region.
enum Written {
    Url(String),
    Whole(Whole),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    url: String,
    #[serde(default)]
    token: Option<Hidden>,
    #[serde(default)]
    headers: BTreeMap<String, Hidden>,
    #[serde(default)]
    tenants: Option<RegionTenants>,
}

/// A text that is a secret from the moment it is read.
struct Hidden(Secret);

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Secret::from_text(text)))
    }
}

impl<'de> Deserialize<'de> for RegionTenants {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = RegionTenants;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"all\", or a list of ids of tenants")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<RegionTenants, E> {
                if text == "all" {
                    Ok(RegionTenants::All)
                } else {
                    Err(E::invalid_value(serde::de::Unexpected::Str(text), &self))
                }
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut ids: A) -> Result<RegionTenants, A::Error> {
                let mut tenants = BTreeSet::new();
                while let Some(tenant) = ids.next_element::<TenantId>()? {
                    tenants.insert(tenant);
                }
                Ok(RegionTenants::Only(tenants))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Written;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a URL, or an object with a url")
            }
            fn visit_str<E: serde::de::Error>(self, url: &str) -> Result<Written, E> {
                Ok(Written::Url(url.to_owned()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Written, A::Error> {
                let members = serde::de::value::MapAccessDeserializer::new(map);
                Whole::deserialize(members).map(Written::Whole)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl From<Written> for RegionSetting {
    fn from(written: Written) -> Self {
        match written {
            Written::Url(url) => Self { url, token: None, headers: BTreeMap::new(), tenants: None },
            Written::Whole(Whole { url, token, headers, tenants }) => {
                let headers = headers.into_iter().map(|(name, value)| (name, value.0)).collect();
                Self { url, token: token.map(|token| token.0), headers, tenants }
            }
        }
    }
}

impl fmt::Debug for RegionSetting {
    /// Without the URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegionSetting")
            .field("token", &self.token)
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_with_the_region_and_without_the_values() {
        for (text, part) in [
            ("", "EOF"),
            ("[]", "an object of regions by their names"),
            ("{\"eu\":5}", "the region \"eu\": expected a URL, or an object with a url"),
            ("{\"eu\":{}}", "the region \"eu\": missing field `url`"),
            ("{\"eu\":{\"url\":\"x\",\"tokn\":\"hunter2\"}}", "unknown field `tokn`"),
            ("{\"eu\":\"a\",\"eu\":\"b\"}", "the region \"eu\" is there twice"),
            ("{\"eu\":{\"url\":\"x\",\"headers\":\"hunter2\"}}", "the region \"eu\": expected a map"),
            (
                "{\"eu\":{\"url\":\"x\",\"tenants\":\"some\"}}",
                "expected \"all\", or a list of ids of tenants",
            ),
            ("\"hunter2\"", "regions: expected an object of regions"),
            ("{\"\":\"a\"}", "must have 1 to 100 bytes"),
        ] {
            let error = text.parse::<RegionSettings>().unwrap_err().to_string();
            assert!(error.contains(part) && !error.contains("hunter2"), "{text}: {error}");
            assert!(error.ends_with("write {\"name\": \"https://…\"}"), "{error}");
        }
    }

    #[test]
    fn a_region_says_whose_requests_it_is_for() {
        let tenant = TenantId::from_bytes([7; 16]);
        let text = format!(
            r#"{{"a":"u","b":{{"url":"u","tenants":"all"}},"c":{{"url":"u","tenants":["{tenant}"]}}}}"#
        );
        let settings: RegionSettings = text.parse().unwrap();
        let told: Vec<_> = settings.into_regions().map(|(_, region)| region.tenants).collect();
        let only = RegionTenants::Only([tenant].into());
        assert_eq!(told, [None, Some(RegionTenants::All), Some(only)]);
    }

    #[test]
    fn a_region_is_a_url_or_an_object_and_shows_no_secret() {
        let text = r#"{"eu":"https://u:hunter2@eu","us":{"url":"https://us","token":"hunter2","headers":{"x":"hunter2"}}}"#;
        let settings: RegionSettings = text.parse().unwrap();
        assert!(!format!("{settings:?}").contains("hunter2"), "{settings:?}");
        let us = settings.into_regions().last().unwrap().1;
        assert_eq!((us.url.as_str(), us.token.unwrap().expose()), ("https://us", "hunter2"));
        assert_eq!(us.headers["x"].expose(), "hunter2");
    }
}
