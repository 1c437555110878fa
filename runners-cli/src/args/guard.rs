//! Arguments that say how long a runner stays, whose jobs it executes, and which secrets it knows.

use crate::span::Span;
use clap::{Args, Subcommand};
use runners_core::TenantId;
use std::{path::PathBuf, str::FromStr, time::Duration};

/// How long a runner stays.
#[derive(Debug, Args)]
pub(crate) struct TenureArgs {
    /// Take one job, deregister, and end: the credential is good for nothing afterwards. For machines
    /// that are thrown away. There is one slot then.
    #[arg(long, conflicts_with = "slots")]
    pub(crate) single_use: bool,
    /// End once there was nothing to do for this long, such as 10m or 1h.
    #[arg(long, value_name = "TIME", value_parser = super::groups::time)]
    pub(crate) idle_exit: Option<Duration>,
}

/// Whose jobs a runner executes, and which secrets it knows.
#[derive(Debug, Args)]
pub(crate) struct GuardArgs {
    /// A public key whose signatures are believed, of `runners key generate`; may be repeated. It
    /// speaks for the runner's own tenant, or for the one before the `=`.
    #[arg(long = "trust-key", value_name = "[TENANT=]FILE")]
    pub(crate) trust_keys: Vec<TrustKey>,
    /// Execute only jobs that are signed by such a key, whoever runs the control plane.
    #[arg(long, requires = "trust_keys")]
    pub(crate) demand_signatures: bool,
    /// A pool or environment that signed jobs may be for; may be repeated [default: the runner's pool].
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
    /// Sign with this private key, of `runners key generate`.
    #[arg(long, value_name = "FILE")]
    pub(crate) sign_key: Option<PathBuf>,
    /// The tenant that is signed for: the one that the token speaks for [default: the first one].
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
    /// Draw a key pair: FILE is for who submits, FILE.pub for runners.
    ///
    /// Both are PEM, as openssl reads and writes them too. FILE can be read by you alone; nothing that
    /// is there is replaced.
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
