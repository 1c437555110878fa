//! Arguments of what is done with the runner of this machine beside starting and stopping it.

use super::{HomeArgs, RunArgs, StopArgs, groups};
use crate::daemon::Saved;
use clap::{Args, Subcommand, ValueEnum};
use std::{path::PathBuf, time::Duration};

#[derive(Debug, Args)]
pub(crate) struct RegisterArgs {
    #[command(flatten)]
    pub(crate) run: RunArgs,
    #[command(flatten)]
    pub(crate) home: HomeArgs,
    /// How long it may take until the server has answered.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = groups::time)]
    pub(crate) within: Duration,
    /// The flags of the runner that were given, as they are kept.
    #[arg(skip)]
    pub(crate) given: Saved,
}

#[derive(Debug, Args)]
pub(crate) struct LogoutArgs {
    #[command(flatten)]
    pub(crate) home: HomeArgs,
    /// The server that it is registered at [default: the one of the last `start` or `register`].
    #[arg(short, long, value_name = "URL", env = "RUNNERS_SERVER")]
    pub(crate) server: Option<String>,
    /// What it is called [default: as at the last `start` or `register`].
    #[arg(long, env = "RUNNER_NAME")]
    pub(crate) name: Option<String>,
    /// Do not wait for running jobs: they are tried again elsewhere.
    #[arg(long)]
    pub(crate) now: bool,
    /// How long running jobs may take to finish, and their results to be recorded by the server.
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = groups::time)]
    pub(crate) within: Duration,
    /// Delete the credential even if the server cannot be reached, or has not recorded all results: these
    /// are lost then.
    #[arg(long)]
    pub(crate) force: bool,
    /// Print JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

impl LogoutArgs {
    /// How the runner is stopped before.
    pub(crate) fn stop(&self) -> StopArgs {
        StopArgs { home: self.home.clone(), now: self.now, within: self.within }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum ServiceCommand {
    /// Install a service that starts the runner, and starts it again if it fails.
    ///
    /// Writes a unit of systemd (Type=notify, hardened) on Linux or a property list of launchd on macOS, and
    /// prints the commands that switch it on. The service starts the runner of `runners register`, so
    /// register first.
    #[command(after_help = "Examples:
  runners register -s https://runners.example.com --token-file registration-token --slots 4
  runners service install                            # for you, while you are logged in
  sudo runners service install --system --as ci --home /var/lib/runners")]
    Install(ServiceArgs),
    /// Remove what `install` has written.
    #[command(after_help = "Example:\n  runners service uninstall")]
    Uninstall(ServiceArgs),
    /// Print what `install` would write, and where.
    #[command(after_help = "Example:\n  runners service show --kind launchd")]
    Show(ServiceArgs),
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ServiceArgs {
    #[command(flatten)]
    pub(crate) home: HomeArgs,
    /// Install it for the whole machine, to start at boot, instead of for your own user.
    #[arg(long, requires = "user")]
    pub(crate) system: bool,
    /// The user that it runs as, who owns its --home.
    #[arg(long = "as", value_name = "USER", id = "user", requires = "system")]
    pub(crate) user: Option<String>,
    /// Whose file is written [default: the one of this system].
    #[arg(long, value_enum)]
    pub(crate) kind: Option<ServiceKind>,
    /// Where the file goes [default: where the system looks for it].
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// What the service is called, for several runners on one machine.
    #[arg(long, value_name = "NAME", default_value = "runners", value_parser = service_name)]
    pub(crate) name: String,
    /// Print JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Who looks after a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ServiceKind {
    /// Most Linux systems.
    Systemd,
    /// macOS.
    Launchd,
}

fn service_name(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if (1..=64).contains(&text.len()) && text.bytes().all(plain) {
        return Ok(text.to_owned());
    }
    Err(format!("{text:?} is not a name: use 1 to 64 letters, digits, hyphens and underscores"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_service_leads_nowhere_else() {
        assert_eq!(service_name("rack-7_b"), Ok("rack-7_b".to_owned()));
        for bad in ["", "../x", "a b", "a%i", &"a".repeat(65)] {
            assert!(service_name(bad).is_err(), "{bad}");
        }
    }
}
