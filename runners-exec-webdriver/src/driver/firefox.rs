//! How Firefox is started: headless, on a profile of its own, listening for WebDriver BiDi.

use super::{
    DriverOptions, locate,
    process::{Launch, Listening},
};
use crate::browser::OpenError;
use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

/// What makes it quiet and the same everywhere, beside what it does by itself when it is automated. A proxy,
/// which a session may name, is then used for everything, also for this machine and for calls of pages. Its mouse goes
/// by way of the browser, not of the page: else it does not reach frames of another site.
const PREFERENCES: &str = r#"user_pref("app.normandy.enabled", false);
user_pref("app.update.enabled", false);
user_pref("app.update.auto", false);
user_pref("browser.aboutwelcome.enabled", false);
user_pref("browser.download.start_downloads_in_tmp_dir", true);
user_pref("browser.safebrowsing.update.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.startup.homepage", "about:blank");
user_pref("browser.startup.page", 0);
user_pref("browser.tabs.warnOnClose", false);
user_pref("browser.translations.enable", false);
user_pref("datareporting.healthreport.uploadEnabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("dom.disable_open_during_load", false);
user_pref("extensions.getAddons.cache.enabled", false);
user_pref("extensions.update.enabled", false);
user_pref("media.peerconnection.ice.proxy_only_if_behind_proxy", true);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("network.http.prompt-temp-redirect", false);
user_pref("network.proxy.allow_hijacking_localhost", true);
user_pref("network.proxy.failover_direct", false);
user_pref("network.proxy.no_proxies_on", "");
user_pref("network.proxy.socks_remote_dns", true);
user_pref("network.proxy.socks5_remote_dns", true);
user_pref("remote.active-protocols", 1);
user_pref("remote.events.async.mouse.enabled", true);
user_pref("services.settings.server", "data:,none");
user_pref("signon.rememberSignons", false);
user_pref("toolkit.telemetry.reportingpolicy.firstRun", false);
user_pref("toolkit.telemetry.server", "data:,none");
"#;

/// A Firefox of this machine.
#[derive(Debug)]
pub(super) struct Program {
    path: PathBuf,
    headless: bool,
    arguments: Vec<String>,
}

impl Program {
    pub(super) fn find(options: &DriverOptions) -> Result<Self, OpenError> {
        let path = locate::firefox(options.browser.as_deref())?;
        Ok(Self { path, headless: options.headless, arguments: options.arguments.clone() })
    }

    /// A start on a directory, which becomes its profile.
    pub(super) fn launch(&self, directory: &Path) -> io::Result<Launch> {
        fs::write(directory.join("user.js"), PREFERENCES)?;
        let mut command = Command::new(&self.path);
        command.args(["--no-remote", "--remote-debugging-port=0", "--width=1280", "--height=800"]);
        if self.headless {
            command.arg("--headless");
        }
        command.arg("--profile").arg(directory).args(&self.arguments).arg("about:blank");
        command.env("MOZ_CRASHREPORTER_DISABLE", "1").env("MOZ_DISABLE_AUTO_SAFE_MODE", "1");
        // What it downloads or unpacks goes when the profile goes.
        command.env("TMPDIR", directory);
        Ok(Launch { what: "Firefox", command, listening: Listening::Said(port), profile: None })
    }
}

/// The port that Firefox says it listens on.
fn port(log: &str) -> Option<u16> {
    let (_, after) = log.split_once("WebDriver BiDi listening on ws://127.0.0.1:")?;
    let (digits, _) = after.split_once(|c: char| !c.is_ascii_digit())?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_read_once_its_line_is_whole() {
        let log = "*** You are running in headless mode.\nWebDriver BiDi listening on ws://127.0.0.1:4120";
        assert_eq!(port(log), None, "a digit may still come");
        assert_eq!(port(&format!("{log}1\n")), Some(41201));
    }
}
