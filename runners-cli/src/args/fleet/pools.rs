//! What may be asked of pools, of the tokens that admit runners to them, and of environments.

use super::{Asked, FleetArgs, NamedArgs, SetPoolArgs};
use crate::span::Span;
use clap::{ArgGroup, Args, Subcommand};
use runners_core::TokenId;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum PoolsCommand {
    /// List the pools.
    #[command(after_help = "Example:\n  runners pools list")]
    List(FleetArgs),
    /// Make a pool.
    #[command(after_help = "Example:\n  runners pools create lab --region eu-west --max-runners 20")]
    Create(Asked<CreatePoolArgs>),
    /// Show one pool.
    #[command(after_help = "Example:\n  runners pools show lab")]
    Show(Asked<NamedArgs>),
    /// Change a pool. What is not said stays as it is.
    #[command(after_help = "Examples:
  runners pools set lab --max-runners 40 --slots-per-runner 2
  runners pools set lab --active no         # its runners are granted nothing")]
    Set(Asked<SetPoolArgs>),
    /// Delete a pool that has no runner and no job that is ready.
    #[command(after_help = "Example:\n  runners pools delete lab")]
    Delete(Asked<NamedArgs>),
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
    /// The image of container jobs that name none [default: that of the server].
    #[arg(long)]
    pub(crate) image: Option<String>,
    /// Fill one runner after the other, instead of spreading jobs over them.
    #[arg(long)]
    pub(crate) pack: bool,
    /// Let other tenants target it. Only the operator's pools can be shared.
    #[arg(long)]
    pub(crate) shared: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokensCommand {
    /// List the registration tokens of a pool. Their text cannot be shown again.
    #[command(after_help = "Example:\n  runners tokens list default")]
    List(Asked<PoolArgs>),
    /// Make a registration token, with which runners join a pool.
    ///
    /// Its text is shown once: on standard output, or in a file that only you can read.
    #[command(after_help = "Examples:
  runners tokens create default --file registration-token
  runners tokens create lab --uses 20 --expires-in 30d --name rack-7 --file lab-token")]
    Create(Asked<CreateTokenArgs>),
    /// Revoke a registration token. Runners that have joined with it stay.
    #[command(after_help = "Example:\n  runners tokens revoke default token_018f…")]
    Revoke(Asked<RevokeTokenArgs>),
}

/// A pool that is named.
#[derive(Debug, Args)]
pub(crate) struct PoolArgs {
    /// The pool, by its id or name.
    pub(crate) pool: String,
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
    /// Write it there in place of what is there already.
    #[arg(long, requires = "file")]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RevokeTokenArgs {
    /// The pool, by its id or name.
    pub(crate) pool: String,
    /// The token, by the id that `list` shows.
    #[arg(value_name = "TOKEN")]
    pub(crate) revoked: TokenId,
}

#[derive(Debug, Subcommand)]
pub(crate) enum EnvironmentsCommand {
    /// List the environments, and where they lead.
    #[command(after_help = "Example:\n  runners environments list")]
    List(FleetArgs),
    /// Make or change an environment: it leads to a pool, or to the operator's runners. New jobs go there;
    /// those that are queued already stay where they are.
    #[command(after_help = "Examples:
  runners environments set staging --pool lab
  runners environments set staging --hosted")]
    Set(Asked<SetEnvironmentArgs>),
    /// Delete an environment.
    #[command(after_help = "Example:\n  runners environments delete staging")]
    Delete(Asked<NamedArgs>),
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("target").required(true))]
pub(crate) struct SetEnvironmentArgs {
    /// Its name, by which jobs ask for it.
    pub(crate) name: String,
    /// The pool that it leads to, by its id or name.
    #[arg(long, group = "target")]
    pub(crate) pool: Option<String>,
    /// It leads to the operator's runners.
    #[arg(long, group = "target")]
    pub(crate) hosted: bool,
}
