//! Finds browsers on this machine, and the drivers of those that have one.

use crate::browser::OpenError;
use std::{
    env,
    path::{Path, PathBuf},
};

const DRIVERS: &[&str] = &["chromedriver", "chromium.chromedriver"];
const BROWSERS: &[&str] = &[
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "Google Chrome",
    "Chromium",
];
const FIREFOX: &[&str] = &["firefox-esr", "firefox", "Firefox"];
const USUAL_PLACES: &[&str] = &[
    "/usr/bin",
    "/usr/local/bin",
    "/usr/lib/chromium",
    "/usr/lib/chromium-browser",
    "/snap/bin",
    "/opt/google/chrome",
    "/opt/homebrew/bin",
    "/Applications/Google Chrome.app/Contents/MacOS",
    "/Applications/Chromium.app/Contents/MacOS",
    "/Applications/Firefox.app/Contents/MacOS",
];

const WEBKIT_HINT: &str = "install WPE WebKit (Debian, Ubuntu: apt-get install cog wpewebkit-driver dbus)";

/// The ChromeDriver to start.
pub(super) fn driver(given: Option<&Path>) -> Result<PathBuf, OpenError> {
    let hint = "install it (Debian, Ubuntu: apt-get install chromium-driver; Fedora: dnf install chromedriver; \
                macOS: brew install chromedriver)";
    find("ChromeDriver", given, DRIVERS, hint)
}

/// The browser for ChromeDriver to start.
pub(super) fn browser(given: Option<&Path>) -> Result<PathBuf, OpenError> {
    let hint = "install it (Debian, Ubuntu: apt-get install chromium; Fedora: dnf install chromium; \
                macOS: brew install --cask chromium)";
    find("Chromium or Chrome", given, BROWSERS, hint)
}

/// The Firefox to start.
pub(super) fn firefox(given: Option<&Path>) -> Result<PathBuf, OpenError> {
    let hint = "install it (Debian: apt-get install firefox-esr; Fedora: dnf install firefox; macOS: brew \
                install --cask firefox)";
    find("Firefox", given, FIREFOX, hint)
}

/// The WebDriver of WPE WebKit to start.
pub(super) fn webkit_driver(given: Option<&Path>) -> Result<PathBuf, OpenError> {
    find("WPEWebDriver", given, &["WPEWebDriver"], WEBKIT_HINT)
}

/// The browser for WPEWebDriver to start.
pub(super) fn webkit(given: Option<&Path>) -> Result<PathBuf, OpenError> {
    find("cog", given, &["cog"], WEBKIT_HINT)
}

/// What gives WPE WebKit a session bus of its own.
pub(super) fn session_bus() -> Result<PathBuf, OpenError> {
    find("dbus-run-session", None, &["dbus-run-session"], WEBKIT_HINT)
}

fn find(
    what: &'static str,
    given: Option<&Path>,
    names: &[&str],
    install: &str,
) -> Result<PathBuf, OpenError> {
    if let Some(given) = given {
        let missing = || OpenError::Missing { what, hint: format!("there is no file {}", given.display()) };
        return given.is_file().then(|| given.to_path_buf()).ok_or_else(missing);
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let places: Vec<PathBuf> =
        env::split_paths(&path).chain(USUAL_PLACES.iter().map(PathBuf::from)).collect();
    let file = |name: &&str| format!("{name}{}", env::consts::EXE_SUFFIX);
    let candidates =
        names.iter().map(file).flat_map(|file| places.iter().map(move |place| place.join(&file)));
    let found = candidates.into_iter().find(|file| file.is_file());
    found.ok_or_else(|| OpenError::Missing {
        what,
        hint: format!("{install}, or say where it is; looked for {} on the PATH", names.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_missing_is_named_with_what_to_install() {
        let error = find("ChromeDriver", None, &["no-such-driver"], "install it").unwrap_err();
        assert_eq!(
            error.to_string(),
            "ChromeDriver was not found; install it, or say where it is; looked for no-such-driver on the PATH"
        );
        let error = driver(Some(Path::new("/nowhere/chromedriver"))).unwrap_err();
        assert_eq!(error.to_string(), "ChromeDriver was not found; there is no file /nowhere/chromedriver");
    }
}
