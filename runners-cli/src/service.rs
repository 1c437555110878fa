//! The files that have a system start the runner: a unit of systemd, or a property list of launchd.
//! What is in them is decided here; `command::service` writes them.

mod launchd;
mod systemd;

use crate::args::ServiceKind;
use anyhow::{Context as _, Result, bail};
use std::{
    env,
    path::{Path, PathBuf},
};

/// A runner that a system is to start.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) kind: ServiceKind,
    pub(crate) name: String,
    pub(crate) program: PathBuf,
    /// Where the runner has its files.
    pub(crate) home: PathBuf,
    /// The user that it runs as, if it is for the whole machine.
    pub(crate) user: Option<String>,
}

impl Service {
    /// The kind of this system, if there is one.
    pub(crate) fn kind_here() -> Option<ServiceKind> {
        if cfg!(target_os = "macos") {
            Some(ServiceKind::Launchd)
        } else if cfg!(target_os = "linux") {
            Some(ServiceKind::Systemd)
        } else {
            None
        }
    }

    /// What stands in the file.
    ///
    /// # Errors
    /// A path that such a file cannot hold.
    pub(crate) fn text(&self) -> Result<String> {
        for path in [&self.program, &self.home] {
            let text = path.to_str().with_context(|| format!("{} is not Unicode", path.display()))?;
            if text.contains(char::is_control) {
                bail!("{text:?} has a control character in it: no service can name it");
            }
        }
        if let Some(user) = &self.user
            && !user.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        {
            bail!("{user:?} is not the name of a user");
        }
        Ok(match self.kind {
            ServiceKind::Systemd => systemd::unit(self),
            ServiceKind::Launchd => launchd::list(self),
        })
    }

    /// Where the system looks for it.
    pub(crate) fn file(&self) -> Result<PathBuf> {
        let of_user = |below: &str| {
            let home = env::home_dir().filter(|home| !home.as_os_str().is_empty());
            home.map(|home| home.join(below)).context("there is no home directory: give --file FILE")
        };
        Ok(match (self.kind, &self.user) {
            (ServiceKind::Systemd, None) => {
                let config =
                    env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
                let config = config.map_or_else(|| of_user(".config"), Ok)?;
                config.join("systemd/user").join(format!("{}.service", self.name))
            }
            (ServiceKind::Systemd, Some(_)) => {
                Path::new("/etc/systemd/system").join(format!("{}.service", self.name))
            }
            (ServiceKind::Launchd, None) => of_user("Library/LaunchAgents")?.join(self.label() + ".plist"),
            (ServiceKind::Launchd, Some(_)) => {
                Path::new("/Library/LaunchDaemons").join(self.label() + ".plist")
            }
        })
    }

    /// The commands that switch it on, and those that switch it off before it is removed.
    pub(crate) fn commands(&self, file: &Path) -> (Vec<String>, Vec<String>) {
        let (name, file) = (&self.name, file.display());
        match (self.kind, &self.user) {
            (ServiceKind::Systemd, None) => (
                vec![
                    "systemctl --user daemon-reload".to_owned(),
                    format!("systemctl --user enable --now {name}"),
                    "loginctl enable-linger    # so that it runs while you are not logged in".to_owned(),
                ],
                vec![format!("systemctl --user disable --now {name}")],
            ),
            (ServiceKind::Systemd, Some(_)) => (
                vec!["systemctl daemon-reload".to_owned(), format!("systemctl enable --now {name}")],
                vec![format!("systemctl disable --now {name}")],
            ),
            (ServiceKind::Launchd, None) => (
                vec![format!("launchctl bootstrap gui/$(id -u) {file}")],
                vec![format!("launchctl bootout gui/$(id -u)/{}", self.label())],
            ),
            (ServiceKind::Launchd, Some(_)) => (
                vec![format!("launchctl bootstrap system {file}")],
                vec![format!("launchctl bootout system/{}", self.label())],
            ),
        }
    }

    /// What launchd calls it.
    fn label(&self) -> String {
        format!("runners.{}", self.name)
    }

    /// The command line of the runner, with the settings that its home keeps.
    fn command_line(&self) -> [&str; 5] {
        let program = self.program.to_str().unwrap_or_default();
        [program, "start", "--foreground", "--home", self.home.to_str().unwrap_or_default()]
    }
}

#[cfg(test)]
mod tests;
