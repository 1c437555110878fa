//! The secrets of checks that this process carries out: which they are, their commands say; what they
//! are, the operator's sources.

use crate::{
    actors::secrets,
    seams::{checks::CheckCommands, executor::Secrets, region::RegionCall, secrets::SecretSource},
    values::{
        check::RunCheck,
        command::Command as _,
        id::TenantId,
        job::{JobOptions, JobSpec},
        result::Fault,
    },
};
use std::sync::Arc;

/// Where the secrets of checks are.
#[derive(Clone, Debug)]
pub(super) struct Safe {
    pub(super) tenant: TenantId,
    pub(super) commands: Arc<dyn CheckCommands>,
    /// Asked in this order.
    pub(super) sources: Vec<Arc<dyn SecretSource>>,
}

impl Safe {
    /// The secrets of a check. One whose input does not fit has none: whoever carries it out says so.
    pub(super) async fn secrets(&self, call: &RegionCall, command: &RunCheck) -> Result<Secrets, Fault> {
        let Ok(Some(named)) = self.commands.command(command) else { return Ok(Secrets::new()) };
        let options = JobOptions { secrets: named.secrets, ..JobOptions::default() };
        let mut spec = JobSpec::new(call.job, RunCheck::KIND, &named.payload, options);
        spec.tenant = Some(call.tenant.unwrap_or(self.tenant));
        // What is kept for one tenant is nobody else's.
        let ours = spec.tenant == Some(self.tenant);
        let sources = self.sources.iter().map(|source| &**source as &dyn SecretSource);
        let sources = sources.filter(|source| ours || source.tells_tenants_apart());
        secrets::resolve(&spec, sources, "this process").await
    }
}
