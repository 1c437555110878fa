//! What may be asked of the library of flows.

use super::{Asked, NamedArgs};
use crate::args::QueueArgs;
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum FlowsCommand {
    /// List the flows, those that were changed last first.
    #[command(
        after_help = "Examples:\n  runners flows list\n  runners flows list --search checkout --tag paid"
    )]
    List(Asked<ListFlowsArgs>),
    /// Print the document of a flow, or write it to a file.
    #[command(after_help = "Examples:
  runners flows get checkout > checkout.json
  runners flows get checkout --version 3 -o checkout.json")]
    Get(Asked<GetFlowArgs>),
    /// Put a flow into the library, as another version if it is there.
    ///
    /// What the newest version is already is not put again.
    #[command(after_help = "Examples:
  runners flows put checkout.json
  runners flows put recording.json --name checkout --tag paid --over 3")]
    Put(Asked<PutFlowArgs>),
    /// Delete a flow with all its versions. Jobs that were made of it have their own copy.
    #[command(after_help = "Example:\n  runners flows delete checkout")]
    Delete(Asked<NamedArgs>),
    /// List the versions of a flow that are kept, newest first.
    #[command(after_help = "Example:\n  runners flows versions checkout")]
    Versions(Asked<NamedArgs>),
    /// Queue flows of the library as the jobs of a run, and with --wait see them through.
    #[command(after_help = "Examples:
  runners flows run checkout sign-in --wait
  runners flows run checkout --pool lab --param user=ada")]
    Run(Box<RunFlowsArgs>),
}

#[derive(Debug, Args)]
pub(crate) struct ListFlowsArgs {
    /// Those whose name, title or description has this text.
    #[arg(long, value_name = "TEXT")]
    pub(crate) search: Option<String>,
    /// Those with this tag.
    #[arg(long)]
    pub(crate) tag: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct GetFlowArgs {
    /// Its name.
    pub(crate) name: String,
    /// Which version [default: the newest].
    #[arg(long, value_name = "NUMBER")]
    pub(crate) version: Option<u32>,
    /// Write it to this file instead of printing it.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct PutFlowArgs {
    /// The flow, as the browser's Recorder panel exports it.
    #[arg(value_name = "FLOW.json")]
    pub(crate) file: PathBuf,
    /// What it is called [default: the name of the file without its ending].
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// What it is for [default: as it is].
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// A word to find it by; may be repeated [default: as it is].
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    /// Only over this version: 0 if there is to be none.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) over: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct RunFlowsArgs {
    /// Their names.
    #[arg(required = true, value_name = "NAME")]
    pub(crate) names: Vec<String>,
    #[command(flatten)]
    pub(crate) queue: QueueArgs,
}
