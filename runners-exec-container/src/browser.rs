//! Browsers that jobs may ask for: what a job wants, and what an operator offers. Starting one is left to
//! `companion`.

use crate::{
    image::ImageReference,
    policy::{MIB, Policy, Resources},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::time::Duration;

/// The port of drivers, unless an operator says otherwise.
const PORT: u16 = 4444;

/// Which browser a job wants beside its container.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a job names one or does not care")]
pub enum WantedBrowser {
    /// The first that the runner offers; `true` as JSON.
    Any,
    /// The one of this name, such as `chromium`.
    Named(String),
}

impl Serialize for WantedBrowser {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Any => serializer.serialize_bool(true),
            Self::Named(name) => serializer.serialize_str(name),
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "true, false, or the name of a browser")]
enum Written {
    Flag(bool),
    Name(String),
}

/// Reads `true`, `false`, or a name.
pub(crate) fn wanted<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<WantedBrowser>, D::Error> {
    Ok(match Option::<Written>::deserialize(deserializer)? {
        None | Some(Written::Flag(false)) => None,
        Some(Written::Flag(true)) => Some(WantedBrowser::Any),
        Some(Written::Name(name)) => Some(WantedBrowser::Named(name)),
    })
}

/// A browser that jobs may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "users build it")]
pub struct OfferedBrowser {
    /// What jobs call it, such as `chromium`.
    pub name: String,
    /// Where it comes from.
    pub source: BrowserSource,
}

/// Where a browser comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BrowserSource {
    /// Its operator runs one, for all jobs.
    Running {
        /// The URL of its WebDriver, as it is reached in the network.
        url: String,
        /// The offered network that it is in.
        network: String,
    },
    /// One is started for each attempt, in a network that is made for the two and removed with them.
    Image(BrowserImage),
}

/// An image that starts the driver of a browser, which listens on every address of its container.
///
/// It is started with a read-only root and without capabilities, as its own user unless that is root, and can
/// write to `/tmp`, which is its home. It is ready once it says so, as ChromeDriver, geckodriver and the
/// Selenium Grid do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "users build it")]
pub struct BrowserImage {
    /// The image.
    pub image: String,
    /// The port that it listens on: 4444 unless said otherwise.
    pub port: u16,
    /// What it may use; the time is that of the job.
    pub resources: Resources,
}

impl BrowserImage {
    /// An image with the usual port, 2 GiB of memory, half of that in `/dev/shm`, and two CPUs.
    pub fn of(image: impl Into<String>) -> Self {
        let resources = Resources {
            memory_bytes: 2048 * MIB,
            cpu_millis: 2000,
            processes: 1024,
            time: Duration::MAX,
            writable_bytes: 512 * MIB,
            shared_memory_bytes: 1024 * MIB,
        };
        Self { image: image.into(), port: PORT, resources }
    }

    pub(crate) fn reference(&self) -> Result<ImageReference, String> {
        self.image.parse().map_err(|error| format!("that of the runner's browser: {error}"))
    }
}

impl Policy {
    /// The browser that is wanted, if it is offered.
    pub(crate) fn browser(&self, wanted: &WantedBrowser) -> Result<OfferedBrowser, String> {
        let found = match wanted {
            WantedBrowser::Any => self.browsers.first(),
            WantedBrowser::Named(name) => self.browsers.iter().find(|offered| offered.name == *name),
        };
        found.cloned().ok_or_else(|| {
            let names: Vec<&str> = self.browsers.iter().map(|offered| &*offered.name).collect();
            let there_are = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            let which = match wanted {
                WantedBrowser::Any => String::new(),
                WantedBrowser::Named(name) => format!("{name:?} is not offered: "),
            };
            format!("{which}this runner offers {there_are}; ask for a runner that has it, by its label")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ContainerJob;

    #[test]
    fn a_browser_is_asked_for_by_name_or_at_all() {
        let read = |text: &str| serde_json::from_str::<ContainerJob>(text).map(|job| job.browser);
        assert_eq!(read("{}").unwrap(), None);
        assert_eq!(read(r#"{"browser": false}"#).unwrap(), None);
        assert_eq!(read(r#"{"browser": true}"#).unwrap(), Some(WantedBrowser::Any));
        let named = Some(WantedBrowser::Named("chromium".into()));
        assert_eq!(read(r#"{"browser": "chromium"}"#).unwrap(), named);
        assert!(read(r#"{"browser": 1}"#).unwrap_err().to_string().contains("the name of a browser"));
        for browser in [None, named, Some(WantedBrowser::Any)] {
            let job = ContainerJob { browser, ..ContainerJob::of("a") };
            assert_eq!(read(&serde_json::to_string(&job).unwrap()).unwrap(), job.browser);
        }
    }

    #[test]
    fn what_is_not_offered_is_told_with_what_is() {
        let offered = |name: &str| OfferedBrowser {
            name: name.into(),
            source: BrowserSource::Image(BrowserImage::of("a")),
        };
        let policy = Policy { browsers: vec![offered("chromium"), offered("firefox")], ..Policy::default() };
        let named = |name: &str| policy.browser(&WantedBrowser::Named(name.into()));
        assert_eq!(policy.browser(&WantedBrowser::Any).unwrap().name, "chromium");
        assert_eq!(named("firefox").unwrap().name, "firefox");
        assert!(named("opera").unwrap_err().contains("this runner offers chromium, firefox"));
    }
}
