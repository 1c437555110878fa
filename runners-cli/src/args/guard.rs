//! Arguments that say how long a runner stays, whose jobs it executes, and which secrets it knows.

use crate::span::Span;
use clap::{Args, Subcommand};
use runners_core::TenantId;
use std::{path::PathBuf, str::FromStr, time::Duration};

/// How long a runner stays.
#[derive(Debug, Args)]
pub(crate) struct TenureArgs {
    /// Take one job, deregister, and end; the credential cannot be used again. For machines that are
    /// thrown away. The runner has one slot.
    #[arg(long, conflicts_with = "slots")]
    pub(crate) single_use: bool,
    /// End once there has been no job for this long, such as 10m or 1h.
    #[arg(long, value_name = "TIME", value_parser = super::groups::time)]
    pub(crate) idle_exit: Option<Duration>,
}

/// Whose jobs a runner executes, and which secrets it knows.
#[derive(Debug, Args)]
pub(crate) struct GuardArgs {
    /// A file with a public key of `runners key generate` whose signatures are accepted, for jobs of the
    /// runner's own tenant or of the TENANT that is given; may be repeated.
    #[arg(long = "trust-key", value_name = "[TENANT=]FILE")]
    pub(crate) trust_keys: Vec<TrustKey>,
    /// Execute only jobs that are signed by a key of --trust-key, so that even the control plane cannot
    /// make up or change one.
    #[arg(long, requires = "trust_keys")]
    pub(crate) demand_signatures: bool,
    /// A pool or environment for which this runner accepts signed jobs; may be repeated [default: the
    /// runner's pool].
    #[arg(long = "audience", value_name = "NAME")]
    pub(crate) audience: Vec<String>,
    /// A directory of secrets that flows may name, one in each file (mode 0600). Environment variables
    /// RUNNERS_SECRET_NAME are secrets too.
    #[arg(long, value_name = "DIR")]
    pub(crate) secrets: Option<PathBuf>,
}

/// Who signs what is submitted.
#[derive(Debug, Default, Args)]
pub(crate) struct SignArgs {
    /// Sign with this private key, made by `runners key generate`.
    #[arg(long, value_name = "FILE")]
    pub(crate) sign_key: Option<PathBuf>,
    /// The tenant to sign for, which has to be that of the API token or --as-tenant [default: that of
    /// --as-tenant, if it is an id, or else the tenant `default`].
    #[arg(long, value_name = "TENANT", requires = "sign_key")]
    pub(crate) tenant: Option<TenantId>,
    /// A pool or environment that the signature is for; may be repeated [default: the pool].
    #[arg(long = "audience", value_name = "NAME", requires = "sign_key")]
    pub(crate) audience: Vec<String>,
    /// How long the signature is good for [default: 7d].
    #[arg(long, value_name = "TIME", requires = "sign_key")]
    pub(crate) good_for: Option<Span>,
}

/// A file with a public key, and for whom it speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TrustKey {
    /// The runner's own tenant unless given.
    pub(crate) tenant: Option<TenantId>,
    pub(crate) file: PathBuf,
}

impl FromStr for TrustKey {
    type Err = runners_core::IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((tenant, file)) if tenant.starts_with("tenant_") => {
                Ok(Self { tenant: Some(tenant.parse()?), file: file.into() })
            }
            _ => Ok(Self { tenant: None, file: text.into() }),
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key pair: FILE signs what you submit, FILE.pub goes to the runners.
    ///
    /// Both are PEM, as openssl reads and writes. Only you can read FILE. Existing files are not replaced.
    #[command(after_help = "Example:
  runners key generate release.key
  runners submit checkout.json --sign-key release.key
  runners run --trust-key release.key.pub --demand-signatures")]
    Generate(KeyGenerateArgs),
}

#[derive(Debug, Args)]
pub(crate) struct KeyGenerateArgs {
    /// Where the private key goes; the public one goes beside it, with `.pub` at the end.
    pub(crate) file: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trusted_key_may_be_of_another_tenant() {
        let key: TrustKey = format!("{}=a=b.pub", TenantId::DEFAULT).parse().unwrap();
        assert_eq!(key, TrustKey { tenant: Some(TenantId::DEFAULT), file: "a=b.pub".into() });
        assert_eq!("a=b.pub".parse(), Ok(TrustKey { tenant: None, file: "a=b.pub".into() }));
        assert!("tenant_1=a.pub".parse::<TrustKey>().is_err());
    }
}
