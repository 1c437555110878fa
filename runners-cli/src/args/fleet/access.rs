//! What may be asked of tenants, of what is rolled out to them, and of their API credentials.

use super::{Asked, FleetArgs, NamedArgs, QuotaArgs, RenameTenantArgs};
use crate::span::Span;
use clap::{Args, Subcommand, ValueEnum};
use runners_core::TokenId;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum TenantsCommand {
    /// List every tenant. Only the operator can.
    #[command(after_help = "Example:\n  runners tenants list --token-file runners-data/operator-token")]
    List(FleetArgs),
    /// Make a tenant, and the first credential in it. Only the operator can.
    #[command(after_help = "Example:
  runners tenants create acme --credential-file acme-token
  runners pools create lab --token-file acme-token")]
    Create(Asked<CreateTenantArgs>),
    /// Rename a tenant. Only the operator can.
    #[command(after_help = "Example:\n  runners tenants rename acme acme-corp")]
    Rename(Asked<RenameTenantArgs>),
    /// Limit how many bytes the artifacts of a tenant may have. Nothing that is kept already is removed. Only
    /// the operator can.
    #[command(after_help = "Examples:
  runners tenants quota acme 50g
  runners tenants quota acme default")]
    Quota(Asked<QuotaArgs>),
    /// Suspend a tenant: its calls are refused until it is reinstated. Only the operator can.
    #[command(after_help = "Example:\n  runners tenants suspend acme")]
    Suspend(Asked<NamedArgs>),
    /// Reinstate a tenant that was suspended. Only the operator can.
    #[command(after_help = "Example:\n  runners tenants reinstate acme")]
    Reinstate(Asked<NamedArgs>),
}

#[derive(Debug, Args)]
pub(crate) struct CreateTenantArgs {
    /// What it is called.
    pub(crate) name: String,
    /// Write an API credential that may do everything in it to this file, which only you can read.
    #[arg(long, value_name = "FILE")]
    pub(crate) credential_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RolloutCommand {
    /// Show what is rolled out, and to whom. Only the operator can.
    #[command(after_help = "Example:\n  runners rollout show")]
    Show(FleetArgs),
    /// Say whom something is rolled out to, from now on and after any restart of the server. What is said
    /// replaces what was said before: name with --to every tenant that has it. Pools and runners that are
    /// there stay. Only the operator can.
    #[command(after_help = "Examples:
  runners rollout set self-hosted on --to acme --to globex
  runners rollout set relay off")]
    Set(Asked<SetRolloutArgs>),
    /// Have something rolled out again as the server was started. Only the operator can.
    #[command(after_help = "Example:\n  runners rollout reset self-hosted")]
    Reset(Asked<ResetRolloutArgs>),
}

#[derive(Debug, Args)]
pub(crate) struct SetRolloutArgs {
    /// What is rolled out.
    #[arg(value_enum)]
    pub(crate) feature: RolloutFeature,
    /// Whether anybody has it.
    #[arg(value_enum)]
    pub(crate) switch: Switch,
    /// With on, a tenant that has it, by its id or name; may be repeated, and replaces those named before
    /// [default: everybody].
    #[arg(long = "to", value_name = "TENANT")]
    pub(crate) tenants: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ResetRolloutArgs {
    /// What is rolled out.
    #[arg(value_enum)]
    pub(crate) feature: RolloutFeature,
}

/// What can be rolled out to some tenants first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RolloutFeature {
    /// Pools of a tenant's own, and runners in them.
    SelfHosted,
    /// Live views of what a tenant's own runners do.
    Relay,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    /// It is switched on.
    On,
    /// It is switched off.
    Off,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CredentialsCommand {
    /// List the API credentials. Their text cannot be shown again.
    #[command(after_help = "Example:\n  runners credentials list")]
    List(FleetArgs),
    /// Make an API credential.
    ///
    /// Its text is shown once: on standard output, or in a file that only you can read.
    #[command(after_help = "Examples:
  runners credentials create nightly --scope submit --scope read --file nightly-token
  runners credentials create audit --scope read --expires-in 30d --json")]
    Create(Asked<CreateCredentialArgs>),
    /// Revoke an API credential: the next call with it is refused, and what it follows ends.
    #[command(visible_alias = "delete", after_help = "Example:\n  runners credentials revoke token_018f…")]
    Revoke(Asked<RevokeCredentialArgs>),
}

#[derive(Debug, Args)]
pub(crate) struct CreateCredentialArgs {
    /// Who holds it, for people.
    pub(crate) name: String,
    /// What it may do; may be repeated. No more than the credential that makes it.
    #[arg(long = "scope", value_name = "SCOPE", value_enum, required = true)]
    pub(crate) scopes: Vec<CredentialScope>,
    /// How long it is good for [default: for ever].
    #[arg(long, value_name = "TIME")]
    pub(crate) expires_in: Option<Span>,
    /// Write its text to this file, which only you can read, instead of printing it.
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

/// What a credential may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CredentialScope {
    /// Queue and cancel jobs, send signals.
    Submit,
    /// See what there is.
    Read,
    /// Change what there is.
    Admin,
}

#[derive(Debug, Args)]
pub(crate) struct RevokeCredentialArgs {
    /// The credential, by the id that `list` shows.
    #[arg(value_name = "CREDENTIAL")]
    pub(crate) revoked: TokenId,
}
