//! Arguments of a runner, in the foreground and in the background.

use super::{BrowserArgs, ContainerArgs, GuardArgs, TenureArgs, TrustArgs, groups};
use crate::daemon::Saved;
use clap::Args;
use std::{net::SocketAddr, path::PathBuf, time::Duration};

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The control plane's URL.
    #[arg(short, long, value_name = "URL", env = "RUNNERS_SERVER", default_value = groups::SERVER)]
    pub(crate) server: String,
    /// The registration token. Needed once; safer are --token-file and RUNNERS_TOKEN.
    #[arg(short, long, value_name = "TOKEN", env = "RUNNERS_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// A file with the registration token [default for a server on this machine:
    /// runners-data/registration-token, if it is there].
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// How many flows are replayed at once.
    #[arg(long, default_value_t = 1, env = "MAX_CONCURRENCY", value_parser = super::slots())]
    pub(crate) slots: u32,
    /// What the runner is called, for people [default: the name of this machine].
    #[arg(long, env = "RUNNER_NAME")]
    pub(crate) name: Option<String>,
    /// The pool that the runner should join, by its id or name. The token decides which it joins: with
    /// this, a token of another pool is refused.
    #[arg(long, value_name = "POOL", env = "RUNNER_POOL_ID")]
    pub(crate) pool: Option<String>,
    /// A directory of recorded flows that this runner offers as checks, each under the name of its file, so
    /// that the server need not have them. Secrets that they name are resolved here, as with --secrets.
    #[arg(long, value_name = "DIR")]
    pub(crate) flows: Option<PathBuf>,
    /// A label that flows may ask for; may be repeated.
    #[arg(long = "label", value_name = "LABEL")]
    pub(crate) labels: Vec<String>,
    /// Serve metrics as Prometheus text on this address, or on this port of 127.0.0.1. Whoever reaches
    /// it can read them.
    #[arg(long, value_name = "ADDRESS", value_parser = groups::metrics_address)]
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// Where the runner keeps its credential, and results until the server has recorded them. Two runners
    /// cannot share one [default: below ~/.local/state/runners, by server and name].
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// How long running jobs may take to finish once the runner was told to end (Ctrl-C, SIGTERM); after
    /// that they are stopped and tried again elsewhere.
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = groups::time)]
    pub(crate) drain_within: Duration,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
    #[command(flatten)]
    pub(crate) tenure: TenureArgs,
    #[command(flatten)]
    pub(crate) guard: GuardArgs,
    #[command(flatten)]
    pub(crate) browser: BrowserArgs,
    #[command(flatten)]
    pub(crate) container: ContainerArgs,
    /// Print one JSON object a line instead of text.
    #[arg(long)]
    pub(crate) json: bool,
    /// The home of the runner in the background that this is.
    #[arg(long, hide = true, value_name = "DIR")]
    pub(crate) background: Option<PathBuf>,
    /// Where its state goes unless `state` says so.
    #[arg(skip)]
    pub(crate) home: Option<PathBuf>,
}

impl RunArgs {
    /// The usual control plane.
    pub(crate) const SERVER: &str = groups::SERVER;
}

/// Which runner in the background is meant.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct HomeArgs {
    /// Where the runner of this machine has its files: runner.pid, runner.log, runner.config.json and
    /// its state, and where profiles are [default: ~/.local/state/runners, and ~/.config/runners].
    #[arg(long, global = true, value_name = "DIR", env = "RUNNERS_HOME", help_heading = "Global")]
    pub(crate) home: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct StartArgs {
    #[command(flatten)]
    pub(crate) run: RunArgs,
    #[command(flatten)]
    pub(crate) home: HomeArgs,
    /// How long it may take until the runner is connected.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = groups::time)]
    pub(crate) within: Duration,
    /// Run in the foreground, in this very process: for service managers and containers, which restart it
    /// by themselves.
    #[arg(long)]
    pub(crate) foreground: bool,
    /// The flags of the runner that were given, as they are kept.
    #[arg(skip)]
    pub(crate) given: Saved,
}

#[derive(Debug, Args)]
pub(crate) struct StopArgs {
    #[command(flatten)]
    pub(crate) home: HomeArgs,
    /// Do not wait for running jobs: they are tried again elsewhere.
    #[arg(long)]
    pub(crate) now: bool,
    /// How long running jobs may take to finish before they are stopped.
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = groups::time)]
    pub(crate) within: Duration,
}

impl StopArgs {
    /// The usual time that what runs has to finish.
    pub(crate) const WITHIN: Duration = Duration::from_secs(600);
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) home: HomeArgs,
    /// Print JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// The control plane's URL [default: the one of the last `runners start`].
    #[arg(short, long, value_name = "URL", env = "RUNNERS_SERVER")]
    pub(crate) server: Option<String>,
    #[command(flatten)]
    pub(crate) home: HomeArgs,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
    #[command(flatten)]
    pub(crate) browser: BrowserArgs,
    #[command(flatten)]
    pub(crate) container: ContainerArgs,
    /// Print JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    #[command(flatten)]
    pub(crate) home: HomeArgs,
    /// Go on printing what is added, until Ctrl-C.
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// How many of the last lines are printed.
    #[arg(short = 'n', long, value_name = "LINES", default_value_t = 50)]
    pub(crate) lines: usize,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionArgs {
    /// The shell.
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Where the pages go.
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
}
