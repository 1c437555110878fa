//! How WPE WebKit is started: its driver with a session bus and a run-time directory of its own.

use super::{
    DriverOptions, locate,
    process::{Launch, Listening, free_port},
};
use crate::browser::OpenError;
use serde_json::{Map, Value, json};
use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

/// The session bus that machines have, except that its socket is in the run-time directory: it is killed with
/// the driver, and in `/tmp` nobody would remove what it leaves.
const BUS: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <keep_umask/>
  <listen>unix:runtime=yes</listen>
  <auth>EXTERNAL</auth>
  <standard_session_servicedirs/>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#;

/// WPE WebKit on this machine.
#[derive(Debug)]
pub(super) struct Program {
    bus: PathBuf,
    driver: PathBuf,
    browser: PathBuf,
    headless: bool,
    arguments: Vec<String>,
}

impl Program {
    pub(super) fn find(options: &DriverOptions) -> Result<Self, OpenError> {
        Ok(Self {
            bus: locate::session_bus()?,
            driver: locate::webkit_driver(options.driver.as_deref())?,
            browser: locate::webkit(options.browser.as_deref())?,
            headless: options.headless,
            arguments: options.arguments.clone(),
        })
    }

    /// A start in a directory. The driver does not say which port it took, so it is given one that
    /// was free a moment ago.
    pub(super) fn launch(&self, directory: &Path) -> io::Result<Launch> {
        let port = free_port()?;
        let configuration = directory.join("bus.conf");
        fs::write(&configuration, BUS)?;
        let mut command = Command::new(&self.bus);
        command.arg("--config-file").arg(&configuration);
        command.arg("--").arg(&self.driver).arg(format!("--port={port}")).arg("--host=127.0.0.1");
        command.env("XDG_RUNTIME_DIR", directory).env("HOME", directory);
        for name in ["XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"] {
            command.env(name, directory);
        }
        Ok(Launch { what: "WPEWebDriver", command, listening: Listening::At(port), profile: None })
    }

    /// What makes the driver start this browser, with its gate.
    pub(super) fn capabilities(&self, gate: Option<u16>) -> Map<String, Value> {
        let platform = self.headless.then(|| "--platform=headless".to_owned());
        let proxy = gate.map(|port| format!("--proxy=socks5://127.0.0.1:{port}"));
        let arguments: Vec<String> = std::iter::once("--automation".to_owned())
            .chain(platform)
            .chain(proxy)
            .chain(self.arguments.clone())
            .collect();
        let options = json!({ "binary": self.browser, "args": arguments });
        Map::from_iter([("wpe:browserOptions".to_owned(), options)])
    }
}
