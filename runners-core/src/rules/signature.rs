//! What a job's signature must say before a runner believes it, whoever runs the control plane.
//! Making and checking the signature itself is left to the values.

use crate::values::{id::TenantId, job::JobSpec, signature::VerifyingKey, time::Timestamp};
use std::{collections::BTreeSet, time::Duration};

/// How far the clocks of a submitter and a runner may be apart: five minutes.
pub(crate) const CLOCK_SKEW_MAX: Duration = Duration::from_secs(300);

/// Whose jobs a runner believes.
#[derive(Clone, Debug, Default)]
pub(crate) struct SignaturePolicy {
    /// Whom it trusts, and to speak for which tenant.
    pub(crate) keys: Vec<(TenantId, VerifyingKey)>,
    /// Jobs without a signature are refused.
    pub(crate) demanded: bool,
    /// The names of pools and environments it answers to.
    pub(crate) audience: BTreeSet<String>,
}

impl SignaturePolicy {
    /// Checks a specification, as it was parsed from exactly `bytes`, and answers what is wrong.
    ///
    /// A runner that trusts nobody and demands nothing believes everything; one that trusts somebody
    /// believes no signature that it cannot check.
    pub(crate) fn check(
        &self,
        spec: &JobSpec,
        bytes: &[u8],
        signature: Option<&str>,
        now: Timestamp,
    ) -> Result<(), String> {
        let Some(signature) = signature else {
            let problem = "the job is not signed, and this runner executes only what is";
            return if self.demanded { Err(problem.to_owned()) } else { Ok(()) };
        };
        if self.keys.is_empty() && !self.demanded {
            return Ok(());
        }
        let tenant = spec.tenant.ok_or("the signed job names no tenant")?;
        let mut keys = self.keys.iter().filter(|(owner, _)| *owner == tenant).peekable();
        if keys.peek().is_none() {
            return Err(format!("this runner trusts no key of {tenant}"));
        }
        if !keys.any(|(_, key)| key.verifies(bytes, signature)) {
            return Err(format!(
                "the signature is by no key that this runner trusts for {tenant}, or of another job"
            ));
        }
        self.check_audience(spec)?;
        check_times(spec, now)
    }

    fn check_audience(&self, spec: &JobSpec) -> Result<(), String> {
        let meant = |name: &String| self.audience.contains(name);
        let named =
            if spec.audience.is_empty() { meant(&spec.pool) } else { spec.audience.iter().any(meant) };
        if named {
            return Ok(());
        }
        let meant: Vec<_> = spec.audience.iter().map(String::as_str).collect();
        let meant = if meant.is_empty() { spec.pool.clone() } else { meant.join(", ") };
        Err(format!("the job is signed for {meant}, which this runner does not answer to"))
    }
}

fn check_times(spec: &JobSpec, now: Timestamp) -> Result<(), String> {
    let not_after = spec.not_after.ok_or("the signed job names no end of its time (not_after)")?;
    if not_after + CLOCK_SKEW_MAX < now {
        return Err(format!("the signature was good until {not_after}"));
    }
    match spec.start_at {
        Some(start_at) if now + CLOCK_SKEW_MAX < start_at => {
            Err(format!("the job is signed for not before {start_at}"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
