//! The browser engines, and what each is able to do. How one is started is in `driver`; which step
//! needs which ability is in `flow`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{fmt, str::FromStr};

/// A family of browsers that behaves alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Engine {
    /// Chromium, Chrome, Edge: through ChromeDriver, with the DevTools protocol beside it.
    #[default]
    Chromium,
    /// Firefox: straight over WebDriver BiDi, without a driver between.
    Firefox,
    /// WPE WebKit: through its own WebDriver.
    Webkit,
}

/// What of a browser goes beyond scripts, pointer and keys of W3C WebDriver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ability {
    /// Commands of the DevTools protocol through the driver.
    Devtools,
    /// A size of the page that a flow chooses.
    Viewport,
    /// A number of device pixels for a CSS pixel that a flow chooses.
    PixelRatio,
    /// Two clicks that the page is told of as one double click.
    DoubleClick,
}

/// The abilities of one browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Abilities {
    devtools: bool,
    bidi: bool,
    window_rect: bool,
    double_click: bool,
}

/// Why a text names no engine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no engine: write chromium, firefox or webkit")]
#[non_exhaustive]
pub struct EngineError {
    /// The text.
    pub text: String,
}

impl Engine {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Chromium, Self::Firefox, Self::Webkit];

    /// The name in lower case, as it is written in arguments, labels and results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chromium => "chromium",
            Self::Firefox => "firefox",
            Self::Webkit => "webkit",
        }
    }

    /// The engine behind a session, by what its driver said when it was opened; `None` if it is none
    /// of these.
    #[must_use]
    pub fn of(capabilities: &Map<String, Value>) -> Option<Self> {
        if ["goog:chromeOptions", "ms:edgeOptions", "chrome", "msedge"]
            .iter()
            .any(|key| capabilities.contains_key(*key))
        {
            return Some(Self::Chromium);
        }
        let name = capabilities.get("browserName").and_then(Value::as_str)?.to_lowercase();
        match &*name {
            "chrome" | "chromium" | "chrome-headless-shell" | "msedge" => Some(Self::Chromium),
            "firefox" => Some(Self::Firefox),
            "safari" | "cog" | "minibrowser" | "wpe" => Some(Self::Webkit),
            _ => None,
        }
    }

    /// What a session is told by: its engine, or what the browser calls itself if it is none of these.
    pub(crate) fn name_of(capabilities: &Map<String, Value>) -> Option<String> {
        let own = || capabilities.get("browserName").and_then(Value::as_str).map(str::to_lowercase);
        Self::of(capabilities).map(|engine| engine.name().to_owned()).or_else(own)
    }

    /// What browsers of this engine can do that [`Driver`](crate::Driver) starts.
    pub(crate) const fn abilities(self) -> Abilities {
        match self {
            Self::Chromium => {
                Abilities { devtools: true, bidi: false, window_rect: true, double_click: true }
            }
            Self::Firefox => {
                Abilities { devtools: false, bidi: true, window_rect: false, double_click: true }
            }
            Self::Webkit => {
                Abilities { devtools: false, bidi: false, window_rect: false, double_click: false }
            }
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Engine {
    type Err = EngineError;
    fn from_str(text: &str) -> Result<Self, EngineError> {
        let named = Self::ALL.iter().copied().find(|engine| engine.name() == text);
        named.ok_or_else(|| EngineError { text: text.to_owned() })
    }
}

impl Abilities {
    /// The capability by which a session says that it takes commands of WebDriver BiDi.
    pub(crate) const BIDI: &str = "runners:bidi";

    /// What a session can do, by what its driver said when it was opened.
    pub(crate) fn of(capabilities: &Map<String, Value>) -> Self {
        let says = |key: &str| capabilities.get(key) == Some(&Value::Bool(true));
        let devtools =
            ["goog:chromeOptions", "ms:edgeOptions"].iter().any(|key| capabilities.contains_key(*key));
        let is_wpe = capabilities.get("browserName").is_some_and(|name| name == "cog");
        Self { devtools, bidi: says(Self::BIDI), window_rect: says("setWindowRect"), double_click: !is_wpe }
    }

    pub(crate) const fn devtools(self) -> bool {
        self.devtools
    }

    pub(crate) const fn bidi(self) -> bool {
        self.bidi
    }

    /// Whether a page can be brought to the front.
    pub(crate) const fn can_show(self) -> bool {
        self.devtools || self.bidi
    }

    pub(crate) const fn has(self, ability: Ability) -> bool {
        match ability {
            Ability::Devtools => self.devtools,
            Ability::Viewport => self.devtools || self.bidi || self.window_rect,
            Ability::PixelRatio => self.devtools || self.bidi,
            Ability::DoubleClick => self.double_click,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(capabilities: &Value) -> (Option<Engine>, Abilities) {
        let capabilities = capabilities.as_object().unwrap();
        (Engine::of(capabilities), Abilities::of(capabilities))
    }

    #[test]
    fn an_engine_is_told_from_what_its_driver_says() {
        let (engine, abilities) = said(&json!({ "browserName": "chrome", "goog:chromeOptions": {} }));
        assert_eq!(engine, Some(Engine::Chromium));
        assert!(abilities.has(Ability::Devtools) && abilities.has(Ability::Viewport));
        let (engine, abilities) = said(&json!({ "browserName": "firefox", "setWindowRect": true }));
        assert_eq!(engine, Some(Engine::Firefox));
        assert!(abilities.has(Ability::Viewport), "by the size of its window");
        assert!(!abilities.has(Ability::PixelRatio) && !abilities.has(Ability::Devtools));
        assert_eq!(said(&json!({ "browserName": "Cog", "setWindowRect": false })).0, Some(Engine::Webkit));
        assert_eq!(said(&json!({ "browserName": "servo" })).0, None);
    }

    #[test]
    fn the_name_of_an_engine_reads_back() {
        for engine in Engine::ALL {
            assert_eq!(engine.to_string().parse(), Ok(*engine));
        }
        let error = "opera".parse::<Engine>().unwrap_err().to_string();
        assert_eq!(error, "\"opera\" is no engine: write chromium, firefox or webkit");
    }
}
