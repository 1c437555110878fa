//! `runners runners …`: everything about runners in one place. The shorter verbs do the same.

use super::{Asked, DrainArgs, ListRunnersArgs, RemoveArgs, RenameArgs, ResumeArgs, RunnerArgs, SlotsArgs};
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum RunnersCommand {
    /// List the runners, and how they are.
    #[command(
        after_help = "Examples:\n  runners runners list --pool lab\n  runners runners list --state offline"
    )]
    List(Asked<ListRunnersArgs>),
    /// Show one runner: how it is, its system, its browsers and its labels.
    #[command(after_help = "Example:\n  runners runners show rack-7")]
    Show(Asked<RunnerArgs>),
    /// Make a runner in advance, with the credential that it is to be started with.
    ///
    /// Its text is shown once: on standard output, or in a file that only you can read.
    #[command(after_help = "Example:\n  runners runners create rack-7 --pool lab --file rack-7-credential")]
    Create(Asked<CreateRunnerArgs>),
    /// Have a runner take nothing new and finish what it holds.
    #[command(after_help = "Example:\n  runners runners drain rack-7 --note \"new disk\" --within 30m")]
    Drain(Asked<DrainArgs>),
    /// Have a runner that drains serve again.
    #[command(after_help = "Example:\n  runners runners resume rack-7")]
    Resume(Asked<ResumeArgs>),
    /// Have a runner drain, and end its process.
    #[command(after_help = "Example:\n  runners runners shut-down rack-7")]
    ShutDown(Asked<RunnerArgs>),
    /// Remove a runner: its credential is good for nothing afterwards.
    #[command(after_help = "Example:\n  runners runners remove rack-7")]
    Remove(Asked<RemoveArgs>),
    /// Limit how many jobs a runner executes at once.
    #[command(after_help = "Example:\n  runners runners slots rack-7 2")]
    Slots(Asked<SlotsArgs>),
    /// Call a runner something else.
    #[command(after_help = "Example:\n  runners runners rename rack-7 rack-8")]
    Rename(Asked<RenameArgs>),
    /// Revoke every credential of a runner, because one has leaked. What it holds is lost when its term
    /// ends.
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
