//! Finds out what the browsers of a machine can do, so that a runner can say so in labels and jobs can
//! ask for it. One session, one script, a bounded time.

use crate::{
    browser::{Browser, BrowserError, OpenError, page::Page},
    engine::Engine,
    within::within,
};
use runners_core::Clock;
use serde::Deserialize;
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

const PROBE: &str = include_str!("scripts/probe.js");

/// What one browser can do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Probe {
    /// The engine, if it is a known one.
    pub engine: Option<Engine>,
    /// The version, as the driver says it.
    pub version: String,
    /// How WebGL is drawn.
    pub webgl: WebGl,
    /// The families of fonts that are there, of the well-known ones.
    pub fonts: BTreeSet<String>,
    /// The codecs that it plays: `h264`, `hevc`, `vp8`, `vp9`, `av1`, `aac`, `mp3`, `opus`, `vorbis`, `flac`.
    pub codecs: BTreeSet<String>,
    /// The languages that it asks for pages in.
    pub locales: BTreeSet<String>,
    /// The time zone, such as `Europe/Berlin`.
    pub time_zone: String,
}

/// How a browser draws WebGL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WebGl {
    /// Not at all.
    #[default]
    Absent,
    /// By the processor: right, and slow.
    Software {
        /// What the browser says draws it.
        renderer: String,
    },
    /// By a graphics card, as far as the browser tells.
    Hardware {
        /// What the browser says draws it.
        renderer: String,
    },
}

/// Why nothing was found out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// No browser started.
    #[error(transparent)]
    NotOpened(#[from] OpenError),
    /// The browser did not answer.
    #[error("the browser did not say what it can do")]
    Browser(#[from] BrowserError),
    /// It took too long.
    #[error("the browser did not say within {} s what it can do", Probe::WITHIN.as_secs())]
    Late,
}

/// What the script answers.
#[derive(Debug, Deserialize)]
struct Answer {
    renderer: Option<String>,
    fonts: BTreeSet<String>,
    codecs: BTreeSet<String>,
    locales: BTreeSet<String>,
    #[serde(rename = "timeZone")]
    time_zone: String,
}

impl Probe {
    /// How long a browser may take to start and to say what it can do.
    pub const WITHIN: Duration = Duration::from_secs(30);

    /// Opens a session, finds out, and closes it.
    ///
    /// # Errors
    /// [`ProbeError`], after [`WITHIN`](Self::WITHIN) at the latest. A runner goes on without labels then.
    ///
    /// # Cancel safety
    /// Dropping the future leaves no session of a browser of this machine.
    pub async fn of(browser: &dyn Browser, clock: &dyn Clock) -> Result<Self, ProbeError> {
        within(clock, Self::WITHIN, Self::find_out(browser)).await.unwrap_or(Err(ProbeError::Late))
    }

    async fn find_out(browser: &dyn Browser) -> Result<Self, ProbeError> {
        let session = browser.open().await?;
        let answer = Page::new(&*session).ask::<Answer>(PROBE, &json!({})).await;
        let capabilities = session.capabilities();
        let version = capabilities.get("browserVersion").and_then(|version| version.as_str());
        let (engine, version) = (Engine::of(capabilities), version.unwrap_or_default().to_owned());
        session.close().await;
        let Answer { renderer, fonts, codecs, locales, time_zone } = answer?;
        Ok(Self { engine, version, webgl: WebGl::drawn_by(renderer), fonts, codecs, locales, time_zone })
    }

    /// The labels that this makes of a runner: `engine=chromium`, `chromium=131`, `webgl=software` or
    /// `webgl=hardware`, `codec=h264`, `font=noto-color-emoji`, `locale=en-us`, `time-zone=utc`. Jobs that
    /// want one wait for a runner that has it.
    #[must_use]
    pub fn labels(&self) -> BTreeSet<String> {
        let mut labels = BTreeSet::new();
        if let Some(engine) = self.engine {
            labels.insert(format!("engine={engine}"));
            let major = self.version.split('.').next().filter(|major| !major.is_empty());
            labels.extend(major.map(|major| format!("{engine}={major}")));
        }
        match self.webgl {
            WebGl::Absent => {}
            WebGl::Software { .. } => drop(labels.insert("webgl=software".to_owned())),
            WebGl::Hardware { .. } => drop(labels.insert("webgl=hardware".to_owned())),
        }
        let lists = [("codec", &self.codecs), ("font", &self.fonts), ("locale", &self.locales)];
        for (name, values) in lists {
            labels.extend(values.iter().map(|value| format!("{name}={}", plain(value))));
        }
        if !self.time_zone.is_empty() {
            labels.insert(format!("time-zone={}", plain(&self.time_zone)));
        }
        labels
    }

    /// What was found, for people: each with a name.
    #[must_use]
    pub fn described(&self) -> BTreeMap<String, String> {
        let list = |values: &BTreeSet<String>| values.iter().cloned().collect::<Vec<_>>().join(", ");
        let found = [
            ("webgl", self.webgl.to_string()),
            ("fonts", list(&self.fonts)),
            ("codecs", list(&self.codecs)),
            ("locales", list(&self.locales)),
            ("time zone", self.time_zone.clone()),
        ];
        let said = found.into_iter().filter(|(_, value)| !value.is_empty());
        said.map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

impl WebGl {
    /// What the browser says draws it, if anything does.
    #[must_use]
    pub fn renderer(&self) -> Option<&str> {
        match self {
            Self::Absent => None,
            Self::Software { renderer } | Self::Hardware { renderer } => Some(renderer),
        }
    }

    /// What the name of a renderer means.
    fn drawn_by(renderer: Option<String>) -> Self {
        const BY_SOFTWARE: &[&str] =
            &["swiftshader", "llvmpipe", "softpipe", "swrast", "software", "basic render", "lavapipe"];
        let Some(renderer) = renderer else { return Self::Absent };
        let name = renderer.to_lowercase();
        if BY_SOFTWARE.iter().any(|sign| name.contains(sign)) {
            Self::Software { renderer }
        } else {
            Self::Hardware { renderer }
        }
    }
}

impl std::fmt::Display for WebGl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Absent => f.write_str("none"),
            Self::Software { renderer } => write!(f, "by software: {renderer}"),
            Self::Hardware { renderer } => write!(f, "by hardware: {renderer}"),
        }
    }
}

/// In lower case, and with hyphens for what is neither a letter nor a digit.
fn plain(name: &str) -> String {
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn software_is_labelled_as_such() {
        let drawn = |renderer: &str| {
            let probe = Probe { webgl: WebGl::drawn_by(Some(renderer.to_owned())), ..Probe::default() };
            probe.labels().into_iter().next().unwrap()
        };
        let angle = "ANGLE (Google, Vulkan 1.3.0 (SwiftShader Device (Subzero)), SwiftShader driver)";
        assert_eq!(drawn(angle), "webgl=software");
        assert_eq!(drawn("llvmpipe (LLVM 15.0.6, 256 bits)"), "webgl=software");
        assert_eq!(drawn("ANGLE (NVIDIA, NVIDIA GeForce RTX 3060/PCIe/SSE2, OpenGL 4.5)"), "webgl=hardware");
        assert_eq!(Probe { webgl: WebGl::drawn_by(None), ..Probe::default() }.labels().len(), 0);
    }

    #[test]
    fn labels_are_plain_words_behind_what_they_are_of() {
        let probe = Probe {
            engine: Some(Engine::Firefox),
            version: "153.0.1esr".to_owned(),
            fonts: ["Noto Color Emoji".to_owned()].into(),
            codecs: ["vp9".to_owned()].into(),
            locales: ["en-US".to_owned()].into(),
            time_zone: "Europe/Berlin".to_owned(),
            ..Probe::default()
        };
        let labels: Vec<_> = probe.labels().into_iter().collect();
        let wanted = ["codec=vp9", "engine=firefox", "firefox=153", "font=noto-color-emoji", "locale=en-us"];
        assert_eq!(labels, [&wanted[..], &["time-zone=europe-berlin"]].concat());
    }
}
