//! What a runner of this program says of its machine: what the library knows, what was found out of its
//! browser and its clock, and the space where its state is.

use crate::probe::Found;
use runners_core::{Facts, FactsSource, Load, SystemFacts};
use std::path::PathBuf;

/// Tells of this machine.
#[derive(Debug)]
pub(crate) struct Machine {
    /// The browser, with its version.
    pub(crate) browser: Option<(String, String)>,
    /// The browser, with what draws WebGL in it.
    pub(crate) renderer: Option<(String, String)>,
    /// How many milliseconds its clock is ahead of the control plane's.
    pub(crate) clock_drift_ms: Option<i64>,
    /// Where the runner keeps its state.
    pub(crate) state: PathBuf,
}

impl Machine {
    /// What was found out at the start, and where the state is.
    pub(crate) fn new(found: &Found, state: PathBuf) -> Self {
        let (browser, renderer) = (found.browser.clone(), found.renderer.clone());
        Self { browser, renderer, clock_drift_ms: found.clock_drift_ms, state }
    }
}

impl FactsSource for Machine {
    fn describe(&self, facts: &mut Facts) {
        SystemFacts::default().describe(facts);
        facts.browsers.extend(self.browser.clone());
        facts.renderers.extend(self.renderer.clone());
        facts.clock_drift_ms = self.clock_drift_ms;
    }

    fn load(&self) -> Load {
        Load { disk_free_bytes: disk_free(&self.state), ..SystemFacts::default().load() }
    }
}

#[cfg(unix)]
fn disk_free(directory: &std::path::Path) -> Option<u64> {
    let found = rustix::fs::statvfs(directory).ok()?;
    found.f_bavail.checked_mul(found.f_frsize)
}

#[cfg(not(unix))]
const fn disk_free(_directory: &std::path::Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_out_and_the_space_of_the_state_are_told() {
        let state = std::env::temp_dir();
        let named = |text: &str| Some(("chromium".to_owned(), text.to_owned()));
        let renderer = named("llvmpipe");
        let machine = Machine { browser: named("131.0"), renderer, clock_drift_ms: Some(-4000), state };
        let mut facts = Facts::default();
        machine.describe(&mut facts);
        assert_eq!(facts.browsers["chromium"], "131.0");
        assert_eq!((facts.renderers["chromium"].as_str(), facts.clock_drift_ms), ("llvmpipe", Some(-4000)));
        assert!(!facts.os.is_empty());
        if cfg!(unix) {
            assert!(machine.load().disk_free_bytes.is_some());
        }
    }
}
