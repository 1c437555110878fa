//! What may be asked on the command line. What is made of it is in `command`.

#[cfg(unix)]
mod chaos;
mod container;
mod fleet;
mod groups;
mod guard;
mod job;
mod left;
mod live;
mod machine;
mod orchestrate;
mod overview;
mod profiles;
mod reading;
mod record;
mod runner;
mod schedule;
mod submit;

#[cfg(unix)]
pub(crate) use chaos::ChaosArgs;
pub(crate) use container::{ContainerArgs, ContainerCommand, SubmitContainerArgs};
pub(crate) use fleet::{
    Asked, CreateCredentialArgs, CreatePoolArgs, CreateRunnerArgs, CreateTenantArgs, CreateTokenArgs,
    CreateWebhookArgs, CredentialsCommand, DeliveriesArgs, DrainArgs, EnvironmentsCommand, FleetArgs,
    FleetCommand, FlowsCommand, GetFlowArgs, JobsCommand, ListFlowsArgs, ListJobsArgs, ListRunnersArgs,
    NamedArgs, OneJobArgs, Placement, PoolsCommand, PutFlowArgs, QuotaArgs, RemoveArgs, RenameArgs,
    RenameTenantArgs, ResetRolloutArgs, ResumeArgs, RetentionCommand, RolloutCommand, RolloutFeature,
    RotateSecretArgs, RunFlowsArgs, RunnerArgs, RunnersCommand, SecretArgs, SetEnvironmentArgs, SetPoolArgs,
    SetRetentionArgs, SetRolloutArgs, SignalArgs, SlotsArgs, SlotsLimit, Switch, TenantsCommand,
    TokensCommand, WebhooksCommand, YesNo,
};
pub(crate) use groups::{
    ApiArgs, BrowserArgs, Captured, GivenSettings, HostArgs, OutputArgs, ParameterArgs, TrustArgs,
};
pub(crate) use guard::{GuardArgs, KeyCommand, KeyGenerateArgs, SignArgs, TenureArgs};
pub(crate) use job::{JobArgs, PingArgs};
pub(crate) use left::{
    ArtifactsCommand, GetArtifactsArgs, JobLogArgs, ListArtifactsArgs, OneRunArgs, PageArgs, RunsCommand,
};
pub(crate) use machine::{LogoutArgs, RegisterArgs, ServiceArgs, ServiceCommand, ServiceKind};
pub(crate) use orchestrate::{
    AskArgs, ConfigCommand, OrchestrateArgs, RegionsCommand, ResultArgs, RunChecksArgs, RunOverArgs,
};
pub(crate) use profiles::{AddProfileArgs, ProfileCommand, UseProfileArgs};
pub(crate) use record::FlowRecordArgs;
pub(crate) use runner::{
    CompletionArgs, DoctorArgs, HomeArgs, LogArgs, ManArgs, RunArgs, StartArgs, StatusArgs, StopArgs,
};
pub(crate) use schedule::ScheduleArgs;
pub(crate) use submit::{QueueArgs, RetryArgs, SubmitArgs};

use clap::{Args, Parser, Subcommand, ValueEnum};
use profiles::ProfileArgs;
use runners_core::Runner;
use runners_exec_webdriver::Engine;
use std::path::PathBuf;

/// Run recorded browser flows, and other work, on machines that need no open port.
#[derive(Debug, Parser)]
#[command(
    name = "runners",
    version = crate::version::VERSION,
    max_term_width = 100,
    after_help = "Try it, all on this machine:
  runners flow record URL -o FLOW.json      # do it once in a browser, and every step is recorded
  runners flow run FLOW.json                # replay it right here, without any server
  runners dev                               # a server (control plane) and a runner in one process
  runners submit FLOW.json --wait           # in another terminal, same directory

The Recorder panel of Chrome or Edge exports a FLOW.json too.

Exit codes: 0 passed, 1 failed, 2 could not run. RUST_LOG=info shows more of what happens."
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) home: HomeArgs,
    #[command(flatten)]
    profile: ProfileArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start a control plane and one runner in this process, and open the dashboard: to try things out.
    #[command(after_help = "Example:
  runners dev --slots 2
  runners submit checkout.json --wait       # in another terminal, same directory")]
    Dev(DevArgs),
    /// Start a control plane that runners connect to.
    ///
    /// The first start makes the tenant and the pool `default`, a registration token for runners and
    /// a credential for the API. Both are written to files that only you can read; the output names
    /// the files. Ctrl-C stops it: runners go on with what they hold and come back when it does.
    #[command(after_help = "Example:
  runners server --data /var/lib/runners --listen 127.0.0.1:7878
  runners server --config runners.toml      # the same names: listen = \"127.0.0.1:7878\"
  runners server --print-config             # what counts, and where it comes from")]
    Server(ServerArgs),
    /// Start a runner in the foreground. It needs no open port: it only connects out.
    ///
    /// The first start exchanges the registration token for a credential that is made here and never
    /// leaves this machine; later starts need no token. Ctrl-C or SIGTERM drains: nothing new is
    /// taken, what runs is finished. A second one stops at once; what was running is tried again elsewhere.
    #[command(after_help = "Examples:
  runners run -s https://runners.example.com --token-file registration-token --slots 4
  RUNNERS_TOKEN=rreg_… runners run -s https://runners.example.com --label eu --label chrome
  runners run --single-use --idle-exit 10m  # on a machine that is thrown away

A token after -t can be read by everybody on this machine for the moment until the runner is
enrolled, and stays in your shell's history: --token-file and RUNNERS_TOKEN are safer.")]
    Run(RunArgs),
    /// Start a runner in the background, and wait until it is connected.
    ///
    /// It takes the flags of `runners run` and remembers them, except for the token, so that a later
    /// start needs none of them; a flag that is given then replaces the remembered one. If the runner does
    /// not connect in time, the reason is printed, the exit code is 2, and nothing is left running.
    #[command(after_help = "Examples:
  RUNNERS_TOKEN=rreg_… runners start -s https://runners.example.com --slots 2
  runners start                             # as the last time
  runners status && runners log -f")]
    Start(Box<StartArgs>),
    /// Stop the runner in the background: what it runs is finished first.
    #[command(after_help = "Examples:\n  runners stop --within 5m\n  runners stop --now")]
    Stop(StopArgs),
    /// Stop the runner in the background if there is one, and start it again.
    #[command(after_help = "Example:\n  runners restart --slots 4")]
    Restart(Box<StartArgs>),
    /// Exchange a registration token for a credential, and start nothing.
    ///
    /// It takes the flags of `runners run` and remembers them, except for the token: `runners start` and
    /// `runners service install` need none of them afterwards. If no token is given, the terminal asks for
    /// it.
    #[command(after_help = "Examples:
  runners register -s https://runners.example.com --slots 4 --label eu
  runners register -s https://runners.example.com --token-file registration-token && runners start")]
    Register(Box<RegisterArgs>),
    /// Deregister the runner of this machine from the server, and delete its credential.
    ///
    /// A runner in the background is stopped first, once it has finished its jobs. Results that the server
    /// has not recorded yet are sent before; if that fails, nothing is deleted unless --force is given.
    #[command(after_help = "Examples:\n  runners logout\n  runners logout --now --force")]
    Logout(LogoutArgs),
    /// Have the system start the runner of this machine, by systemd or launchd.
    #[command(subcommand)]
    Service(ServiceCommand),
    /// Keep servers under names, with the credentials to call them with.
    #[command(subcommand)]
    Profile(ProfileCommand),
    /// Show whether the runner in the background runs and is connected, and what it does.
    ///
    /// Exit codes: 0 it is connected, 2 it is not at the moment, 3 it is not running.
    #[command(after_help = "Example:\n  runners status --json")]
    Status(StatusArgs),
    /// Check everything that a runner on this machine needs, and say how to get what is missing.
    #[command(after_help = "Example:\n  runners doctor -s https://runners.example.com")]
    Doctor(DoctorArgs),
    /// Print the log of the runner in the background.
    #[command(after_help = "Example:\n  runners log -f -n 20")]
    Log(LogArgs),
    /// Submit recorded flows to a server, and with --wait show their progress and results.
    ///
    /// All flows are validated before anything is sent. With --wait, progress is shown, then a table;
    /// screenshots, page sources and reports are written below --output: report.html for people, and
    /// one of each flow in its directory; junit.xml and ctrf.json for CI servers; report.json for
    /// scripts. Ctrl-C cancels what was submitted; a second one leaves it running and ends.
    #[command(after_help = "Examples:
  runners submit checkout.json --wait
  runners submit flows/*.json --wait --attempts 2 --retry-failed
  runners submit nightly.json --start-at 2h --fallback spare=5m --limit shop.example=2
  runners submit flows/*.json --wait --json -s https://runners.example.com --token-file api-token

report.json, and what --json prints with --wait:
  { \"version\": 1, \"conclusion\": \"failed\", \"started_at\": \"2026-01-31T12:00:00.000Z\",
    \"duration_ms\": 5120, \"counts\": { \"flows\": 2, \"passed\": 1, \"failed\": 1, \"could_not_run\": 0 },
    \"flows\": [ { \"name\": \"checkout\", \"file\": \"flows/checkout.json\", \"title\": \"…\",
      \"conclusion\": \"failed\", \"duration_ms\": 2210, \"job\": \"job_…\", \"attempts\": 1,
      \"failure\": \"step 3 (click \\\"Pay\\\"): …\",
      \"steps\": [ { \"index\": 0, \"type\": \"navigate\", \"description\": \"…\", \"state\": \"passed\",
        \"duration_ms\": 310, \"reason\": \"…\", \"page_url\": \"…\", \"artifacts\": [\"steps/03-failed.png\"] } ],
      \"artifacts\": [ { \"name\": \"steps/03-failed.png\", \"path\": \"checkout/steps/03-failed.png\",
        \"media_type\": \"image/png\", \"bytes\": 20480, \"sha256\": \"…\" } ] } ] }
Paths are relative to report.json. What does not apply is left out. Later versions only add members.

Exit codes: 0 all passed; 1 one failed or timed out; 2 one could not run, was cancelled or expired.")]
    Submit(SubmitArgs),
    /// Record, validate and convert flows, or replay them on this machine.
    #[command(subcommand)]
    Flow(FlowCommand),
    /// Run programs in containers, on runners that were started with --containers.
    #[command(subcommand)]
    Container(ContainerCommand),
    #[command(flatten)]
    Regions(RegionsCommand),
    /// Make keys for signed jobs: runners can be told to execute only what you have signed.
    #[command(subcommand)]
    Key(KeyCommand),
    #[command(flatten)]
    Fleet(FleetCommand),
    /// Print the log of a job, and with -f what is added until it ends.
    #[command(after_help = "Examples:\n  runners logs -f job_018f…\n  runners logs job_018f… --grant 1")]
    Logs(JobLogArgs),
    /// List and fetch what a job has left.
    #[command(subcommand)]
    Artifacts(ArtifactsCommand),
    /// Check that a runner is alive: it answers at once if it is online.
    Ping(PingArgs),
    /// Show the state of a job, and how it came to it.
    Job(JobArgs),
    /// Stop a job.
    Cancel(JobArgs),
    /// Test, by killing processes at random, that a fleet loses no job and runs none twice.
    ///
    /// Starts servers and nine runners as processes of their own and submits jobs all the time, while
    /// processes are killed, stopped (some for longer than a lease is good for) and cut off at random. Then
    /// everything that was accepted is seen through and judged: no job may be lost, none trusted or recorded
    /// twice, no log wrong. Nothing is left behind, but for a schema chaos_… where a URL was given.
    #[cfg(unix)]
    #[command(after_help = "Examples:
  runners chaos --seconds 30
  runners chaos --store postgres --seconds 300 --servers 4
  runners chaos --store postgres --seed 4711       # the same draws again
  PGPASSWORD=… runners chaos --store postgres://runners@db.example/scratch

Exit codes: 0 every promise was kept, 1 one was not, 2 it could not be found out. The same seed draws the
same harm; what it meets depends on the machine.")]
    Chaos(ChaosArgs),
    /// Print the script by which a shell completes these commands.
    #[command(after_help = "Example:\n  source <(runners completion bash)")]
    Completion(CompletionArgs),
    /// Write the manual pages, one for each command.
    #[command(after_help = "Example:\n  runners man ~/.local/share/man/man1")]
    Man(ManArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum FlowCommand {
    /// Replay flows in a browser on this machine, without any server.
    ///
    /// Progress, reports and exit codes are those of `runners submit --wait`; its help describes
    /// report.json. Each flow has one attempt: to have what failed tried again, submit it with
    /// --retry-failed.
    #[command(after_help = "Examples:
  runners flow run checkout.json
  runners flow run flows/*.json --headed --steps")]
    Run(FlowRunArgs),
    /// Record a flow: do it once in a browser on this machine, or on a runner.
    ///
    /// Every click, text, key and page becomes a step, which is printed and saved at once. Ctrl-C, or
    /// closing the browser, ends the recording. What is typed into a password field is not recorded: the
    /// flow names a secret instead.
    ///
    /// With --pool the browser is on a runner, and you see and drive it on a page of the dashboard, whose
    /// address is printed. Commands such as `undo` can be typed here meanwhile; `help` lists them.
    #[command(after_help = "Examples:
  runners flow record https://shop.example/ -o checkout.json
  runners flow record https://shop.example/ -s https://runners.example.com --pool lab -o checkout.json
  runners flow record https://shop.example/ --engine firefox --viewport 1280x800")]
    Record(FlowRecordArgs),
    /// List everything that is wrong with flows, each with its place (a JSON pointer). Starts no browser.
    #[command(after_help = "Examples:
  runners flow validate flows/*.json
  runners flow validate checkout.json --param user=grace")]
    Validate(FlowValidateArgs),
    /// Convert projects of Selenium IDE into flows, one for each test.
    ///
    /// Each command that cannot be converted is listed with its line; the flow has the rest.
    #[command(after_help = "Example:
  runners flow import shop.side --output flows")]
    Import(FlowImportArgs),
    /// Convert a flow so that the Recorder panel of the browser can import it.
    #[command(after_help = "Example:
  runners flow export flows/checkout.json --output checkout.json")]
    Export(FlowExportArgs),
    /// Print the JSON Schema of flows, for editors.
    Schema,
}

#[derive(Debug, Args)]
pub(crate) struct ServerArgs {
    #[command(flatten)]
    pub(crate) host: HostArgs,
    #[command(flatten)]
    pub(crate) browser: BrowserArgs,
    /// Print the settings in effect, each with where it comes from, and start nothing.
    #[arg(long)]
    pub(crate) print_config: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DevArgs {
    #[command(flatten)]
    pub(crate) host: HostArgs,
    /// How many flows the runner replays at once.
    #[arg(long, default_value_t = 1, env = "MAX_CONCURRENCY", value_parser = slots())]
    pub(crate) slots: u32,
    /// Do not open the dashboard in a browser.
    #[arg(long)]
    pub(crate) no_open: bool,
    #[command(flatten)]
    pub(crate) browser: BrowserArgs,
    #[command(flatten)]
    pub(crate) container: Box<ContainerArgs>,
}

#[derive(Debug, Args)]
pub(crate) struct FlowRunArgs {
    /// Flows, as the browser's Recorder panel exports them.
    #[arg(required = true, value_name = "FLOW.json")]
    pub(crate) flows: Vec<PathBuf>,
    /// How strictly the steps are checked, whatever the flows say.
    #[arg(long)]
    pub(crate) mode: Option<FlowMode>,
    #[command(flatten)]
    pub(crate) parameters: ParameterArgs,
    /// How many flows are replayed at once.
    #[arg(long, default_value_t = 1, env = "MAX_CONCURRENCY", value_parser = slots())]
    pub(crate) slots: u32,
    #[command(flatten)]
    pub(crate) browser: BrowserArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// How strictly the steps of a flow are checked.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum FlowMode {
    /// As Chrome's own replayer does.
    Compat,
    /// Nothing may cover an element that is clicked, and a page must have the asserted URL and title.
    Strict,
}

#[derive(Debug, Args)]
pub(crate) struct FlowValidateArgs {
    /// Flows, as the browser's Recorder panel exports them; `-` reads one from standard input.
    #[arg(required = true, value_name = "FLOW.json")]
    pub(crate) flows: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) parameters: ParameterArgs,
    /// Also report steps that this browser cannot do: chromium, firefox or webkit.
    #[arg(long, value_name = "ENGINE", env = "RUNNERS_ENGINE")]
    pub(crate) engine: Option<Engine>,
    /// Print JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct FlowImportArgs {
    /// Projects, as Selenium IDE saves them.
    #[arg(required = true, value_name = "PROJECT.side")]
    pub(crate) projects: Vec<PathBuf>,
    /// Where the flows go, a file for each test.
    #[arg(short, long, value_name = "DIR", default_value = "flows")]
    pub(crate) output: PathBuf,
    /// Replace files that are there already.
    #[arg(long)]
    pub(crate) force: bool,
    /// Print JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct FlowExportArgs {
    /// A flow.
    #[arg(value_name = "FLOW.json")]
    pub(crate) flow: PathBuf,
    /// The file to write [default: standard output].
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Replace the file if it is there already.
    #[arg(long)]
    pub(crate) force: bool,
}

fn slots() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=i64::from(Runner::SLOTS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
