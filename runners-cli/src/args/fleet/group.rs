//! `runners runners …`: everything about runners in one place. The shorter verbs do the same.

use super::{Asked, DrainArgs, ListRunnersArgs, RemoveArgs, RenameArgs, ResumeArgs, RunnerArgs, SlotsArgs};
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum RunnersCommand {
    /// List the runners, with their state and load.
    #[command(
        after_help = "Examples:\n  runners runners list --pool lab\n  runners runners list --state offline"
    )]
    List(Asked<ListRunnersArgs>),
    /// Show one runner: its state, its system, its browsers and its labels.
    #[command(after_help = "Example:\n  runners runners show rack-7")]
    Show(Asked<RunnerArgs>),
    /// Register a runner in advance, and make the credential to start it with.
    ///
    /// The credential is shown once: on standard output, or in a file that only you can read.
    #[command(after_help = "Example:\n  runners runners create rack-7 --pool lab --file rack-7-credential")]
    Create(Asked<CreateRunnerArgs>),
    /// Drain a runner: it takes no new jobs and finishes those it has.
    #[command(after_help = "Example:\n  runners runners drain rack-7 --note \"new disk\" --within 30m")]
    Drain(Asked<DrainArgs>),
    /// Let a drained runner take jobs again.
    #[command(after_help = "Example:\n  runners runners resume rack-7")]
    Resume(Asked<ResumeArgs>),
    /// Drain a runner, then end its process.
    #[command(after_help = "Example:\n  runners runners shut-down rack-7")]
    ShutDown(Asked<RunnerArgs>),
    /// Remove a runner from the server. Its credential is revoked.
    #[command(after_help = "Example:\n  runners runners remove rack-7")]
    Remove(Asked<RemoveArgs>),
    /// Limit how many jobs a runner executes at once.
    #[command(after_help = "Example:\n  runners runners slots rack-7 2")]
    Slots(Asked<SlotsArgs>),
    /// Rename a runner.
    #[command(after_help = "Example:\n  runners runners rename rack-7 rack-8")]
    Rename(Asked<RenameArgs>),
    /// Revoke every credential of a runner, because one has leaked. Its running jobs are tried again
    /// elsewhere once their leases expire.
    #[command(after_help = "Example:\n  runners runners revoke rack-7")]
    Revoke(Asked<RunnerArgs>),
}

#[derive(Debug, Args)]
pub(crate) struct CreateRunnerArgs {
    /// What it is called.
    pub(crate) name: String,
    /// The pool that it is in, by its id or name.
    #[arg(long, default_value = "default")]
    pub(crate) pool: String,
    /// Write the credential to this file, which only you can read, instead of printing it.
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}
