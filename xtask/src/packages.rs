//! Package managers: what they are asked, with which rights, and what is told where we have none.

use crate::process::{self, CannotRun, Skipped, find};
use anyhow::Result;
use std::process::{Command, Stdio};

/// How one system's package manager installs some packages.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PackageManager {
    pub(crate) program: &'static str,
    /// Run before, so that the lists of packages are there and fresh.
    pub(crate) refresh: Option<&'static [&'static str]>,
    pub(crate) install: &'static [&'static str],
    /// Whether it is root that installs.
    pub(crate) as_root: bool,
}

impl PackageManager {
    /// Installs its packages, and says so before; `missing` names what for. Where it may not, it
    /// fails with the lines to type.
    pub(crate) fn install(&self, missing: &str) -> Result<()> {
        let Some(sudo) = sudo_for(self) else { return Err(CannotRun(self.by_hand(missing)).into()) };
        println!("{missing} not found: installing with {}", self.program);
        for arguments in self.refresh.iter().chain([&self.install]) {
            let mut command = install_command(self, sudo, arguments);
            process::run(&mut command)
                .map_err(|error| CannotRun(format!("{error:#}: {}", self.by_hand(missing))))?;
        }
        Ok(())
    }

    /// Makes sure that what `missing` names is there, for tests that can be left out: where it cannot
    /// be had, it says so, and nothing has failed.
    pub(crate) fn ensure(&self, missing: impl Fn() -> Vec<&'static str>) -> Result<()> {
        let named = missing().join(", ");
        if named.is_empty() {
            return Ok(());
        }
        if find(&[self.program], &[]).is_none() {
            let told = format!("{named} not found: install them with the system's package manager");
            return Err(Skipped(told).into());
        }
        self.install(&named).map_err(|error| Skipped(format!("{error:#}")))?;
        match missing() {
            still if still.is_empty() => Ok(()),
            still => Err(Skipped(format!("there is still no {} on the PATH", still.join(", "))).into()),
        }
    }

    /// What to type where we may not install.
    pub(crate) fn by_hand(&self, missing: &str) -> String {
        let sudo = if self.as_root { "sudo " } else { "" };
        let lines = self.refresh.iter().chain([&self.install]);
        let lines: Vec<String> =
            lines.map(|arguments| format!("{sudo}{} {}", self.program, arguments.join(" "))).collect();
        format!(
            "{missing} could not be installed from here; run this, then try again:\n  {}",
            lines.join("\n  ")
        )
    }
}

/// Whether to install with `sudo`. `None` if root is needed and cannot be had without a question.
fn sudo_for(manager: &PackageManager) -> Option<bool> {
    let succeeds = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stderr(Stdio::null());
        command.output().is_ok_and(|output| {
            output.status.success() && (program != "id" || output.stdout.trim_ascii() == b"0")
        })
    };
    if !manager.as_root || succeeds("id", &["-u"]) {
        Some(false)
    } else {
        succeeds("sudo", &["-n", "true"]).then_some(true)
    }
}

fn install_command(manager: &PackageManager, sudo: bool, arguments: &[&str]) -> Command {
    let mut command = Command::new(if sudo { "sudo" } else { manager.program });
    if sudo {
        command.args(["-n", "env", "DEBIAN_FRONTEND=noninteractive", manager.program]);
    } else if manager.as_root {
        command.env("DEBIAN_FRONTEND", "noninteractive");
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sudo_is_asked_only_if_it_asks_nothing_back() {
        let apt = PackageManager { program: "apt-get", refresh: None, install: &[], as_root: true };
        let command = install_command(&apt, true, &["update"]);
        assert_eq!(process::line_of(&command), "sudo -n env DEBIAN_FRONTEND=noninteractive apt-get update");
    }
}
