//! The browsers that a few tests need beside Chromium: Firefox and WPE WebKit. Installed where everything
//! is to be tested; elsewhere the tests that miss them say that they were skipped, and why.

use crate::{browser::is_ubuntu, packages::PackageManager, process::find};
use anyhow::Result;
use std::fs;

/// What each is called where it is installed.
const PROGRAMS: &[(&str, &[&str])] = &[
    ("Firefox", &["firefox-esr", "firefox"]),
    ("cog", &["cog"]),
    ("WPEWebDriver", &["WPEWebDriver"]),
    ("dbus-run-session", &["dbus-run-session"]),
];
const USUAL_PLACES: &[&str] = &["/usr/bin", "/usr/local/bin", "/snap/bin"];

const DEBIAN: PackageManager = PackageManager {
    program: "apt-get",
    refresh: Some(&["update", "-q"]),
    install: &[
        "install",
        "-y",
        "-q",
        "--no-install-recommends",
        "firefox-esr",
        "cog",
        "wpewebkit-driver",
        "dbus",
    ],
    as_root: true,
};

/// On Ubuntu Firefox is a snap, which this package installs.
const UBUNTU: PackageManager = PackageManager {
    program: "apt-get",
    refresh: Some(&["update", "-q"]),
    install: &["install", "-y", "-q", "firefox", "cog", "wpewebkit-driver", "dbus"],
    as_root: true,
};

/// Makes sure that they are there, if the system has a package manager that we know them in.
pub(crate) fn ensure() -> Result<()> {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let manager = if is_ubuntu(&release) { &UBUNTU } else { &DEBIAN };
    manager.ensure(missing)
}

fn missing() -> Vec<&'static str> {
    let missing = PROGRAMS.iter().filter(|(_, names)| find(names, USUAL_PLACES).is_none());
    missing.map(|(name, _)| *name).collect()
}
