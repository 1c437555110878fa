//! What may be asked of webhooks, and of what is kept.

use super::{Asked, FleetArgs};
use crate::span::Span;
use clap::{Args, Subcommand};
use runners_core::{DeliveryId, WebhookId};
use std::{path::PathBuf, str::FromStr};

#[derive(Debug, Subcommand)]
pub(crate) enum WebhooksCommand {
    /// List the webhooks.
    #[command(after_help = "Example:\n  runners webhooks list")]
    List(FleetArgs),
    /// Make a webhook: events from now on are posted to its address.
    ///
    /// The secret that every call is signed with is shown once: on standard output, or in a file that
    /// only you can read. A server calls public addresses only, unless it was started with
    /// --webhook-allow.
    #[command(after_help = "Examples:
  runners webhooks create https://ci.example.com/runners --event concluded --event closed
  runners webhooks create https://ci.example.com/runners --file webhook-secret")]
    Create(Asked<CreateWebhookArgs>),
    /// Delete a webhook, and its deliveries that are still to be made.
    #[command(after_help = "Example:\n  runners webhooks delete webhook_018f…")]
    Delete(Asked<OneWebhookArgs>),
    /// Replace the secret of a webhook. Every call from now on is signed with the new one.
    #[command(after_help = "Example:\n  runners webhooks rotate-secret webhook_018f… --file webhook-secret")]
    RotateSecret(Asked<RotateSecretArgs>),
    /// List deliveries that failed or are tried again, and why.
    #[command(after_help = "Examples:
  runners webhooks deliveries
  runners webhooks deliveries --given-up")]
    Deliveries(Asked<DeliveriesArgs>),
    /// Try a delivery anew, from its first try on.
    #[command(after_help = "Example:\n  runners webhooks redeliver delivery_018f…")]
    Redeliver(Asked<RedeliverArgs>),
}

#[derive(Debug, Args)]
pub(crate) struct CreateWebhookArgs {
    /// The address, by HTTPS or HTTP, without a user or password.
    pub(crate) url: String,
    /// The name of an event to be told of, such as concluded; may be repeated [default: all of them].
    #[arg(long = "event", value_name = "NAME")]
    pub(crate) events: Vec<String>,
    #[command(flatten)]
    pub(crate) secret: SecretArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RotateSecretArgs {
    #[command(flatten)]
    pub(crate) webhook: OneWebhookArgs,
    #[command(flatten)]
    pub(crate) secret: SecretArgs,
}

/// What calls are signed with.
#[derive(Debug, Args)]
pub(crate) struct SecretArgs {
    /// A file with the secret to sign with, of 16 to 256 bytes [default: one is made].
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    pub(crate) secret_file: Option<PathBuf>,
    /// Write the secret that is made to this file, which only you can read, instead of printing it.
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

/// A webhook.
#[derive(Debug, Args)]
pub(crate) struct OneWebhookArgs {
    /// The webhook, by the id that `list` shows.
    pub(crate) webhook: WebhookId,
}

#[derive(Debug, Args)]
pub(crate) struct DeliveriesArgs {
    /// Those that were given up, which are kept for a week, instead of those that are tried again.
    #[arg(long)]
    pub(crate) given_up: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RedeliverArgs {
    /// The delivery, by the id that `deliveries` shows.
    pub(crate) delivery: DeliveryId,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RetentionCommand {
    /// Show how long ended jobs, artifacts and events are kept.
    #[command(after_help = "Example:\n  runners retention show")]
    Show(FleetArgs),
    /// Set how long ended jobs, artifacts and events are kept. What is not given stays as it is. Whatever
    /// is over a limit is removed within minutes, and for good.
    #[command(after_help = "Examples:
  runners retention set --jobs-for 7d --jobs-max 100000
  runners retention set --jobs-for forever --artifacts-for 30d")]
    Set(Asked<SetRetentionArgs>),
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct SetRetentionArgs {
    /// How long after its end a job is kept, with everything that it left, or `forever`.
    #[arg(long, value_name = "TIME")]
    pub(crate) jobs_for: Option<Limit<Span>>,
    /// How many ended jobs are kept, the newest, or `all`.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) jobs_max: Option<Limit<u32>>,
    /// How long an artifact is kept, if its job is kept longer, or `forever`.
    #[arg(long, value_name = "TIME")]
    pub(crate) artifacts_for: Option<Limit<Span>>,
    /// How many artifacts of ended jobs are kept, the newest, or `all`.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) artifacts_max: Option<Limit<u32>>,
    /// How long the feed of events is kept.
    #[arg(long, value_name = "TIME")]
    pub(crate) events_for: Option<Span>,
}

/// A limit, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit<T>(pub(crate) Option<T>);

impl<T: FromStr> FromStr for Limit<T>
where
    T::Err: std::fmt::Display,
{
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "forever" | "all" => Ok(Self(None)),
            _ => text.parse().map(|limit| Self(Some(limit))).map_err(|error: T::Err| error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_may_be_lifted() {
        assert_eq!("all".parse(), Ok(Limit::<u32>(None)));
        assert_eq!("7".parse(), Ok(Limit(Some(7_u32))));
        assert_eq!("forever".parse(), Ok(Limit::<Span>(None)));
        assert!("7".parse::<Limit<Span>>().unwrap_err().contains("such as 90s"));
    }
}
