//! Arguments about the servers that somebody calls, each under a name.

use super::{HomeArgs, TrustArgs};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Which server is called.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ProfileArgs {
    /// Use the server and the credential that `runners profile add` kept under this name. Without it, -s
    /// and RUNNERS_SERVER take precedence over the profile that `runners profile use` chose.
    #[arg(long, global = true, value_name = "NAME", env = "RUNNERS_PROFILE", help_heading = "Global")]
    pub(crate) profile: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProfileCommand {
    /// Keep a server under a name, with the API credential to call it with.
    ///
    /// The credential is read from --token-file, from RUNNERS_API_TOKEN or from the terminal, never from
    /// the command line. It is kept in a file that only you can read. The server is asked once whether the
    /// credential is good.
    #[command(after_help = "Examples:
  runners profile add lab -s https://runners.example.com --token-file api-token
  runners profile use lab
  runners jobs list                         # asks it
  runners jobs list --profile other         # and this one another")]
    Add(AddProfileArgs),
    /// List the profiles, and which one is used.
    #[command(after_help = "Example:\n  runners profile list")]
    List(ListProfilesArgs),
    /// Use a profile from now on, wherever no server is given.
    #[command(after_help = "Examples:\n  runners profile use lab\n  runners profile use --none")]
    Use(UseProfileArgs),
    /// Remove a profile, and the credential in it.
    #[command(after_help = "Example:\n  runners profile remove lab")]
    Remove(RemoveProfileArgs),
}

#[derive(Debug, Args)]
pub(crate) struct AddProfileArgs {
    #[command(flatten)]
    pub(crate) home: HomeArgs,
    /// What it is called: letters, digits, hyphens, underscores and points.
    pub(crate) name: String,
    /// The control plane's URL.
    #[arg(short, long, value_name = "URL")]
    pub(crate) server: String,
    /// A file with the API credential.
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Work within this tenant, by its id or name. Only the operator can.
    #[arg(long = "as-tenant", value_name = "TENANT")]
    pub(crate) tenant: Option<String>,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
    /// Replace the profile of this name, if there is one.
    #[arg(long)]
    pub(crate) force: bool,
    /// Do not ask the server.
    #[arg(long)]
    pub(crate) unchecked: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ListProfilesArgs {
    #[command(flatten)]
    pub(crate) home: HomeArgs,
    /// Print JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct UseProfileArgs {
    #[command(flatten)]
    pub(crate) home: HomeArgs,
    /// Which one.
    #[arg(required_unless_present = "none", conflicts_with = "none")]
    pub(crate) name: Option<String>,
    /// Use none.
    #[arg(long)]
    pub(crate) none: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveProfileArgs {
    #[command(flatten)]
    pub(crate) home: HomeArgs,
    /// Which one.
    pub(crate) name: String,
}
