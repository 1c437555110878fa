//! The browser and its driver: found, or installed by the system's package manager, or named.

use crate::{
    packages::PackageManager,
    process::{CannotRun, find},
};
use anyhow::Result;
use std::fs;

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
];

/// A driver without a browser, or a page without a font, is no use: each list has all three.
const PACKAGE_MANAGERS: &[PackageManager] = &[
    PackageManager {
        program: "apt-get",
        refresh: Some(&["update", "-q"]),
        install: &[
            "install",
            "-y",
            "-q",
            "--no-install-recommends",
            "chromium",
            "chromium-driver",
            "fonts-liberation",
        ],
        as_root: true,
    },
    PackageManager {
        program: "dnf",
        refresh: None,
        install: &["install", "-y", "chromium", "chromedriver", "liberation-fonts"],
        as_root: true,
    },
    PackageManager {
        program: "pacman",
        refresh: None,
        install: &["-S", "--noconfirm", "--needed", "chromium", "ttf-liberation"],
        as_root: true,
    },
    PackageManager {
        program: "brew",
        refresh: None,
        install: &["install", "--cask", "google-chrome", "chromedriver"],
        as_root: false,
    },
];

/// On Ubuntu the packages of these names only install the snap, which brings the driver.
const UBUNTU: PackageManager = PackageManager {
    program: "apt-get",
    refresh: Some(&["update", "-q"]),
    install: &["install", "-y", "-q", "chromium-browser", "chromium-chromedriver", "fonts-liberation"],
    as_root: true,
};

/// Makes sure that a browser and its driver are there. Installs them if it may, and says so
/// before; else fails with what to install.
pub(crate) fn ensure() -> Result<()> {
    let missing = missing();
    if missing.is_empty() {
        return Ok(());
    }
    let missing = missing.join(" and ");
    let Some(manager) = present_manager() else {
        let message = format!(
            "{missing} not found, and no package manager that we know: install Chromium or Chrome \
             and the ChromeDriver of the same version, both on the PATH, and run this again"
        );
        return Err(CannotRun(message).into());
    };
    manager.install(&missing)?;
    let still = self::missing();
    if still.is_empty() {
        return Ok(());
    }
    let still = still.join(" and ");
    let message =
        format!("{} installed its packages, but there is still no {still} on the PATH", manager.program);
    Err(CannotRun(message).into())
}

fn missing() -> Vec<&'static str> {
    let wanted = [("Chromium or Chrome", BROWSERS), ("ChromeDriver", DRIVERS)];
    wanted
        .into_iter()
        .filter(|(_, names)| find(names, USUAL_PLACES).is_none())
        .map(|(name, _)| name)
        .collect()
}

fn present_manager() -> Option<&'static PackageManager> {
    let manager = PACKAGE_MANAGERS.iter().find(|manager| find(&[manager.program], &[]).is_some())?;
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    Some(if manager.program == "apt-get" && is_ubuntu(&release) { &UBUNTU } else { manager })
}

pub(crate) fn is_ubuntu(release: &str) -> bool {
    release.lines().any(|line| line == "ID=ubuntu" || line == "ID=\"ubuntu\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_we_may_not_install_the_exact_command_is_named() {
        let apt = &PACKAGE_MANAGERS[0];
        let text = apt.by_hand("ChromeDriver");
        assert!(text.contains("\n  sudo apt-get update -q\n  sudo apt-get install -y"), "{text}");
        assert!(text.contains("chromium chromium-driver"), "{text}");
        let brew = PACKAGE_MANAGERS.iter().find(|manager| manager.program == "brew").unwrap();
        assert!(brew.by_hand("ChromeDriver").contains("\n  brew install --cask"), "as the user, not as root");
    }

    #[test]
    fn ubuntu_is_told_from_debian() {
        assert!(is_ubuntu("NAME=\"Ubuntu\"\nID=ubuntu\nID_LIKE=debian\n"));
        assert!(!is_ubuntu("NAME=\"Debian GNU/Linux\"\nID=debian\n"));
    }
}
