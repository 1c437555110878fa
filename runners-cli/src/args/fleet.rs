//! Verbs over the management API, and what all of them take. What each may be asked is in the files
//! below.

mod access;
mod changes;
mod flows;
mod group;
mod pools;
mod queue;
mod runners;
mod webhooks;

pub(crate) use access::{
    CreateCredentialArgs, CreateTenantArgs, CredentialsCommand, ResetRolloutArgs, RolloutCommand,
    RolloutFeature, SetRolloutArgs, Switch, TenantsCommand,
};
pub(crate) use changes::{Placement, QuotaArgs, RenameTenantArgs, SetPoolArgs, YesNo};
pub(crate) use flows::{FlowsCommand, GetFlowArgs, ListFlowsArgs, PutFlowArgs, RunFlowsArgs};
pub(crate) use group::{CreateRunnerArgs, RunnersCommand};
pub(crate) use pools::{
    CreatePoolArgs, CreateTokenArgs, EnvironmentsCommand, PoolsCommand, SetEnvironmentArgs, TokensCommand,
};
pub(crate) use queue::{JobsCommand, ListJobsArgs, OneJobArgs, SignalArgs};
pub(crate) use runners::{
    DrainArgs, ListRunnersArgs, RemoveArgs, RenameArgs, ResumeArgs, RunnerArgs, SlotsArgs, SlotsLimit,
};
pub(crate) use webhooks::{
    CreateWebhookArgs, DeliveriesArgs, RetentionCommand, RotateSecretArgs, SecretArgs, SetRetentionArgs,
    WebhooksCommand,
};

use super::{ApiArgs, PageArgs, RunsCommand};
use clap::{Args, Subcommand};
use std::ops::Deref;

/// What may be asked of a fleet.
#[derive(Debug, Subcommand)]
pub(crate) enum FleetCommand {
    /// List the runners, with their state and load.
    #[command(after_help = "Examples:\n  runners list --pool lab\n  runners list --state offline")]
    List(Asked<ListRunnersArgs>),
    /// Drain a runner: it takes no new jobs and finishes those it has. It stays, and can be resumed.
    ///
    /// Without a name, the runner in the background on this machine drains until it is resumed or
    /// restarted; no credential is needed. A runner that is named is drained by the server, and stays so
    /// after a restart.
    #[command(after_help = "Examples:
  runners drain --note \"new disk\" --deadline 30m    # the one of this machine
  runners drain rack-7 --note \"new disk\" --within 30m")]
    Drain(Asked<DrainArgs>),
    /// Let a drained runner take jobs again.
    #[command(after_help = "Examples:\n  runners resume\n  runners resume rack-7")]
    Resume(Asked<ResumeArgs>),
    /// Remove a runner from the server. Its credential is revoked.
    #[command(after_help = "Examples:\n  runners remove rack-7\n  runners remove rack-7 --force")]
    Remove(Asked<RemoveArgs>),
    /// Limit how many jobs a runner executes at once.
    #[command(after_help = "Examples:\n  runners slots rack-7 2\n  runners slots rack-7 own")]
    Slots(Asked<SlotsArgs>),
    /// Rename a runner.
    #[command(after_help = "Example:\n  runners rename rack-7 rack-8")]
    Rename(Asked<RenameArgs>),
    /// List, show, create, drain, resume, rename and remove runners: all such commands in one place.
    #[command(subcommand)]
    Runners(RunnersCommand),
    /// Make, list and delete pools.
    #[command(subcommand)]
    Pools(PoolsCommand),
    /// Make, list and revoke registration tokens, with which runners join a pool.
    #[command(subcommand)]
    Tokens(TokensCommand),
    /// Set, list and delete environments: names that lead jobs to a pool.
    #[command(subcommand)]
    Environments(EnvironmentsCommand),
    /// Make and list tenants, as the operator.
    #[command(subcommand)]
    Tenants(TenantsCommand),
    /// Show and set which features which tenants have, as the operator.
    #[command(subcommand)]
    Rollout(RolloutCommand),
    /// Make, list and revoke API credentials, which pipelines and people call the server with.
    #[command(subcommand)]
    Credentials(CredentialsCommand),
    /// Make, list and delete webhooks, and list deliveries that failed.
    #[command(subcommand)]
    Webhooks(WebhooksCommand),
    /// Show and set how long ended jobs, artifacts and events are kept.
    #[command(subcommand)]
    Retention(RetentionCommand),
    /// Keep flows on the server, with their versions, and run them from there.
    #[command(subcommand)]
    Flows(FlowsCommand),
    /// Look at jobs that were submitted together, and stop them.
    #[command(subcommand)]
    Runs(RunsCommand),
    /// List who changed what on the server, newest first.
    #[command(after_help = "Examples:\n  runners audit\n  runners audit --limit 500 --json")]
    Audit(Asked<PageArgs>),
    /// Look at the queue: list, inspect, cancel, retry and explain jobs.
    #[command(subcommand)]
    Jobs(JobsCommand),
    /// Explain why a job is not running: what keeps it from each pool and runner, and what would start it.
    #[command(after_help = "Example:\n  runners explain job_018f…")]
    Explain(Asked<OneJobArgs>),
    /// Send a command to a runner, or to the attempt of a job, and print what it answers.
    #[command(after_help = "Examples:
  runners signal rack-7 runners.diagnostics --json
  runners signal rack-7 runners.ping '{\"text\": \"hello\"}'")]
    Signal(Asked<SignalArgs>),
}

/// What one verb takes, beside how the API is asked.
#[derive(Debug, Args)]
pub(crate) struct Asked<A: Args> {
    #[command(flatten)]
    pub(crate) what: A,
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
}

impl<A: Args> Deref for Asked<A> {
    type Target = A;

    fn deref(&self) -> &A {
        &self.what
    }
}

/// How the management API is asked, and how the answer is shown.
#[derive(Debug, Args)]
pub(crate) struct FleetArgs {
    #[command(flatten)]
    pub(crate) api: ApiArgs,
    /// Print the answer as JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Something that is named by a text.
#[derive(Debug, Args)]
pub(crate) struct NamedArgs {
    /// Its id or its name.
    pub(crate) name: String,
}
