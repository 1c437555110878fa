//! What a runner of this program says of its machine: what the library knows, the browser, and the
//! space where its state is.

use runners_core::{Facts, FactsSource, Load, SystemFacts};
use std::path::PathBuf;

/// Tells of this machine.
#[derive(Debug)]
pub(crate) struct Machine {
    /// The browser, with its version.
    pub(crate) browser: Option<(String, String)>,
    /// Where the runner keeps its state.
    pub(crate) state: PathBuf,
}

impl FactsSource for Machine {
    fn describe(&self, facts: &mut Facts) {
        SystemFacts::default().describe(facts);
        facts.browsers.extend(self.browser.clone());
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
    fn the_browser_and_the_space_of_the_state_are_told() {
        let state = std::env::temp_dir();
        let machine = Machine { browser: Some(("chromium".into(), "131.0".into())), state };
        let mut facts = Facts::default();
        machine.describe(&mut facts);
        assert_eq!(facts.browsers["chromium"], "131.0");
        assert!(!facts.os.is_empty());
        if cfg!(unix) {
            assert!(machine.load().disk_free_bytes.is_some());
        }
    }
}
