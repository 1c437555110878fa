//! Arguments of one request over many regions, and of the file of settings.

use super::{BrowserArgs, HostArgs, TrustArgs, groups};
use clap::{Args, Subcommand};
use std::{path::PathBuf, time::Duration};

/// Verbs of requests over many regions, and of what they are set up with.
#[derive(Debug, Subcommand)]
pub(crate) enum RegionsCommand {
    /// Run checks in many regions at once, and come to one conclusion.
    ///
    /// A region is a pool of the server, an HTTP endpoint of PLAYWRIGHT_RUNNERS or of the file of
    /// settings, or in mode local the process itself, whose checks are recorded flows. Shows progress by
    /// region, then a table; with GITHUB_ACTIONS set, also an annotation for each check that did not pass.
    /// Ctrl-C cancels the run; a second one ends at once.
    #[command(after_help = "Examples:
  runners orchestrate request.json --server https://runners.example.com --junit junit.xml
  PLAYWRIGHT_RUNNERS='{\"eu\": \"https://eu.example.com/api/runner\"}' runners orchestrate request.json

request.json:
  { \"mode\": \"remote\", \"runners\": [
    { \"name\": \"checkout\", \"region\": \"eu\", \"input\": { \"url\": \"https://shop.example.com/\" } } ] }

Exit codes: 0 passed; 1 failed or timed out; 2 could not run, was cancelled, or errored.")]
    Orchestrate(Box<OrchestrateArgs>),
    /// Run checks by their names: `orchestrate` without writing a request.
    ///
    /// Every check looks at every page from every region.
    #[command(after_help = "Examples:
  runners run-checks checkout --url https://shop.example.com/ --flows flows
  runners run-checks checkout search --url https://shop.example.com/ --region eu --region us \\
    --server https://runners.example.com")]
    RunChecks(Box<RunChecksArgs>),
    /// Show the settings of a server, or the schema of their file, runners.toml.
    #[command(subcommand)]
    Config(ConfigCommand),
}

#[derive(Debug, Args)]
pub(crate) struct OrchestrateArgs {
    /// The request, as the orchestrator's API takes it; `-` reads it from standard input.
    #[arg(value_name = "REQUEST.json")]
    pub(crate) request: PathBuf,
    #[command(flatten)]
    pub(crate) run: RunOverArgs,
    #[command(flatten)]
    pub(crate) ask: AskArgs,
    #[command(flatten)]
    pub(crate) results: ResultArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RunChecksArgs {
    /// Checks, by the names under which the regions know them.
    #[arg(required = true, value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// A page to look at; may be repeated.
    #[arg(long = "url", required = true, value_name = "URL")]
    pub(crate) urls: Vec<String>,
    /// A region to look at it from; may be repeated [default: this process, or that of --server].
    #[arg(long = "region", value_name = "NAME")]
    pub(crate) regions: Vec<String>,
    /// A member of the input of every check; may be repeated. Numbers, true and false are read as such.
    #[arg(long = "input", value_name = "NAME=VALUE", value_parser = groups::parameter)]
    pub(crate) input: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) run: RunOverArgs,
    #[command(flatten)]
    pub(crate) ask: AskArgs,
    #[command(flatten)]
    pub(crate) results: ResultArgs,
}

/// What is asked of the run as a whole. It goes before what a request says.
#[derive(Debug, Args)]
pub(crate) struct RunOverArgs {
    /// The name of the run: the same request under the same name is the same run.
    #[arg(long, value_name = "NAME")]
    pub(crate) run_id: Option<String>,
    /// How many jobs may be under way at once: the checks of one page in one region are a job.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) concurrency: Option<u64>,
    /// How long the whole run may take, such as 90s, 5m or 1h.
    #[arg(long, value_name = "TIME", value_parser = groups::time)]
    pub(crate) timeout: Option<Duration>,
    /// A word by which the run is found again; may be repeated.
    #[arg(long = "tag", value_name = "WORD")]
    pub(crate) tags: Vec<String>,
}

/// Who is asked: an orchestrator that is served, or one in this process.
#[derive(Debug, Args)]
pub(crate) struct AskArgs {
    /// The server whose orchestrator is asked [default: one in this process, without a server].
    #[arg(short, long, value_name = "URL", env = "RUNNERS_SERVER")]
    pub(crate) server: Option<String>,
    /// The API credential; safer are --token-file and RUNNERS_API_TOKEN.
    #[arg(short, long, value_name = "TOKEN", env = "RUNNERS_API_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// A file with the API credential [default for a server on this machine: runners-data/api-token,
    /// if it is there].
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
    /// A file of settings, of which regions, flows and secrets count here [default: runners.toml, if it is there].
    #[arg(long, value_name = "FILE", env = "RUNNERS_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// A directory of recorded flows, each a check of this process under the name of its file.
    #[arg(long, value_name = "DIR", env = "RUNNERS_FLOWS")]
    pub(crate) flows: Option<PathBuf>,
    /// A directory of secrets that those flows may name, one in each file (mode 0600). Environment
    /// variables RUNNERS_SECRET_NAME are secrets too.
    #[arg(long, value_name = "DIR", env = "RUNNERS_SECRETS")]
    pub(crate) secrets: Option<PathBuf>,
    /// How many checks this process carries out at once, each in a browser, from 1 to 64 [default: 4].
    #[arg(long, value_name = "COUNT", env = "RUNNERS_BROWSERS", value_parser = groups::browsers)]
    pub(crate) browsers: Option<usize>,
    #[command(flatten)]
    pub(crate) browser: BrowserArgs,
}

/// What is shown and left of a run.
#[derive(Debug, Args)]
pub(crate) struct ResultArgs {
    /// Write a report as JUnit XML.
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Write a report as one HTML page; what checks left is put beside it.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Write a report as CTRF JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) ctrf: Option<PathBuf>,
    /// Print what became of the run as JSON, as the API tells it, instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the JSON Schema of runners.toml, for editors.
    #[command(after_help = "Example:
  runners config schema > runners.schema.json
  # and as the first line of runners.toml: #:schema ./runners.schema.json")]
    Schema,
    /// Print the settings in effect, each with where it comes from.
    #[command(after_help = "Example:\n  runners config show --config runners.toml")]
    Show(Box<ShowConfigArgs>),
}

#[derive(Debug, Args)]
pub(crate) struct ShowConfigArgs {
    #[command(flatten)]
    pub(crate) host: HostArgs,
}
