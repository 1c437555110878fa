//! Verbs over the management API: pools, tokens, environments, runners, tenants, jobs and signals.

use super::ApiArgs;
use crate::span::Span;
use clap::{Args, Subcommand};
use runners_core::{JobId, TokenId};
use std::path::PathBuf;

/// How the management API is asked, and how the answer is shown.
#[derive(Debug, Args)]
pub(crate) struct FleetArgs {
    #[command(flatten)]
    pub(crate) api: ApiArgs,
    /// Work within this tenant, by its id or name. Only the operator can: the credential is then
    /// [default for a server on this machine: runners-data/operator-token, if it is there].
    #[arg(long = "as-tenant", value_name = "TENANT")]
    pub(crate) tenant: Option<String>,
    /// Print the answer as JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Something that is named by a text.
#[derive(Debug, Args)]
pub(crate) struct NamedArgs {
    /// Its id or its name.
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PoolsCommand {
    /// List the pools.
    #[command(after_help = "Example:\n  runners pools list")]
    List(FleetArgs),
    /// Make a pool.
    #[command(after_help = "Example:\n  runners pools create lab --region eu-west --max-runners 20")]
    Create(CreatePoolArgs),
    /// Delete a pool that has no runner and no job that is ready.
    #[command(after_help = "Example:\n  runners pools delete lab")]
    Delete(NamedArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CreatePoolArgs {
    /// What jobs call it.
    pub(crate) name: String,
    /// What it is for, for people.
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// Where its machines are.
    #[arg(long)]
    pub(crate) region: Option<String>,
    /// How many runners an autoscaler keeps there at least.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) min_runners: Option<u32>,
    /// How many runners it takes at most.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) max_runners: Option<u32>,
    /// How many jobs each of its runners executes at once at most.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) slots_per_runner: Option<u32>,
    /// Fill one runner after the other, instead of spreading jobs over them.
    #[arg(long)]
    pub(crate) pack: bool,
    /// Let other tenants target it. Only the operator's pools can be shared.
    #[arg(long)]
    pub(crate) shared: bool,
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokensCommand {
    /// List the registration tokens of a pool. Their text is known to nobody any more.
    #[command(after_help = "Example:\n  runners tokens list default")]
    List(PoolArgs),
    /// Make a registration token, which admits runners to a pool.
    ///
    /// Its text is shown once: on standard output, or in a file that only you can read.
    #[command(after_help = "Examples:
  runners tokens create default --file registration-token
  runners tokens create lab --uses 20 --expires-in 30d --name rack-7 --file lab-token")]
    Create(CreateTokenArgs),
    /// Revoke a registration token. Runners that it has admitted stay.
    #[command(after_help = "Example:\n  runners tokens revoke default token_018f…")]
    Revoke(RevokeTokenArgs),
}

/// A pool that is named.
#[derive(Debug, Args)]
pub(crate) struct PoolArgs {
    /// The pool, by its id or name.
    pub(crate) pool: String,
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CreateTokenArgs {
    /// The pool, by its id or name.
    pub(crate) pool: String,
    /// How often it may be used: once, unless said otherwise.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) uses: Option<u32>,
    /// How long it is good for [default: 1d].
    #[arg(long, value_name = "TIME")]
    pub(crate) expires_in: Option<Span>,
    /// What it is for, for people.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Write its text to this file, which only you can read, instead of printing it.
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RevokeTokenArgs {
    /// The pool, by its id or name.
    pub(crate) pool: String,
    /// The token, by the id that `list` shows.
    #[arg(value_name = "TOKEN")]
    pub(crate) revoked: TokenId,
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum EnvironmentsCommand {
    /// List the environments, and where they lead.
    #[command(after_help = "Example:\n  runners environments list")]
    List(FleetArgs),
    /// Have an environment lead to a pool, or to the operator's runners. New jobs go there; those that
    /// are queued already stay where they are.
    #[command(after_help = "Examples:
  runners environments set staging --pool lab
  runners environments set staging --hosted")]
    Set(SetEnvironmentArgs),
    /// Delete an environment.
    #[command(after_help = "Example:\n  runners environments delete staging")]
    Delete(NamedArgs),
}

#[derive(Debug, Args)]
pub(crate) struct SetEnvironmentArgs {
    /// What jobs call it.
    pub(crate) name: String,
    /// The pool that it leads to, by its id or name.
    #[arg(long, required_unless_present = "hosted", conflicts_with = "hosted")]
    pub(crate) pool: Option<String>,
    /// It leads to the operator's runners.
    #[arg(long)]
    pub(crate) hosted: bool,
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
}

/// Which runners are listed.
#[derive(Debug, Args)]
pub(crate) struct ListRunnersArgs {
    /// Those of this pool only, by its id or name.
    #[arg(long)]
    pub(crate) pool: Option<String>,
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
}

/// A runner that is named.
#[derive(Debug, Args)]
pub(crate) struct RunnerArgs {
    /// The runner, by its id or name.
    pub(crate) runner: String,
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DrainArgs {
    /// The runner, by its id or name.
    pub(crate) runner: String,
    /// Why, for people.
    #[arg(long, value_name = "TEXT")]
    pub(crate) note: Option<String>,
    /// When what it still runs is taken from it and goes on elsewhere [default: never].
    #[arg(long, value_name = "TIME")]
    pub(crate) within: Option<Span>,
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveArgs {
    /// The runner, by its id or name.
    pub(crate) runner: String,
    /// Remove it at once: what it holds is tried elsewhere. It drains first unless this is given.
    #[arg(long)]
    pub(crate) force: bool,
    /// How long it may drain before [default: 1h].
    #[arg(long, value_name = "TIME", conflicts_with = "force")]
    pub(crate) within: Option<Span>,
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SlotsArgs {
    /// The runner, by its id or name.
    pub(crate) runner: String,
    /// How many jobs it executes at once at most, or `own` for as many as it was started with.
    #[arg(value_parser = slots_limit)]
    pub(crate) slots: SlotsLimit,
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
}

/// A limit on slots, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlotsLimit(pub(crate) Option<u32>);

#[derive(Debug, Args)]
pub(crate) struct RenameArgs {
    /// The runner, by its id or name.
    pub(crate) runner: String,
    /// What it is called from now on.
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TenantsCommand {
    /// List every tenant. Only the operator can.
    #[command(after_help = "Example:\n  runners tenants list --token-file runners-data/operator-token")]
    List(FleetArgs),
    /// Make a tenant, and the first credential in it. Only the operator can.
    #[command(after_help = "Example:
  runners tenants create acme --credential-file acme-token
  runners pools create lab --token-file acme-token")]
    Create(CreateTenantArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CreateTenantArgs {
    /// What it is called.
    pub(crate) name: String,
    /// Write an API credential that may do everything in it to this file, which only you can read.
    #[arg(long, value_name = "FILE")]
    pub(crate) credential_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum JobsCommand {
    /// List jobs, newest first.
    #[command(after_help = "Examples:
  runners jobs list --state ready --pool lab
  runners jobs list --conclusion failed --limit 20 --json")]
    List(ListJobsArgs),
    /// Show how a job is, its attempts and what it left.
    #[command(after_help = "Example:\n  runners jobs inspect job_018f…")]
    Inspect(OneJobArgs),
    /// Stop a job.
    #[command(after_help = "Example:\n  runners jobs cancel job_018f…")]
    Cancel(OneJobArgs),
    /// Queue a job that has ended once more, as a new one.
    #[command(after_help = "Example:\n  runners jobs retry job_018f…")]
    Retry(OneJobArgs),
    /// Tell why a job is where it is, and what would start it.
    #[command(after_help = "Example:\n  runners jobs explain job_018f…")]
    Explain(OneJobArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ListJobsArgs {
    /// Those in this state: scheduled, blocked, ready, offered, running or concluded.
    #[arg(long)]
    pub(crate) state: Option<String>,
    /// Those that ended like this: passed, flaky, failed, errored, timed_out, cancelled or expired.
    #[arg(long)]
    pub(crate) conclusion: Option<String>,
    /// Those that target the pool of this name.
    #[arg(long)]
    pub(crate) pool: Option<String>,
    /// How many at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
}

/// A job.
#[derive(Debug, Args)]
pub(crate) struct OneJobArgs {
    /// The job, as `submit` says: `job_` and 32 hex digits.
    pub(crate) job: JobId,
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SignalArgs {
    /// Who is asked: a job that runs (`job_…`), or a runner by its id or name.
    pub(crate) to: String,
    /// The kind of command, such as runners.ping or runners.diagnostics.
    pub(crate) kind: String,
    /// The command, as JSON.
    #[arg(default_value = "{}", value_name = "JSON")]
    pub(crate) payload: String,
    /// How long an answer is waited for.
    #[arg(long, value_name = "TIME", default_value = "1m")]
    pub(crate) within: Span,
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
}

fn slots_limit(text: &str) -> Result<SlotsLimit, String> {
    match text {
        "own" => Ok(SlotsLimit(None)),
        _ => text
            .parse()
            .map(|slots| SlotsLimit(Some(slots)))
            .map_err(|_| format!("{text:?} is neither a number nor `own`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_on_slots_is_a_number_or_lifted() {
        assert_eq!(slots_limit("3"), Ok(SlotsLimit(Some(3))));
        assert_eq!(slots_limit("own"), Ok(SlotsLimit(None)));
        assert!(slots_limit("many").is_err());
    }
}
