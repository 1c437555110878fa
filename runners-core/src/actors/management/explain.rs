//! Why a job is where it is, as an operator or a user of its tenant asks.

use super::{Management, not_found};
use crate::{
    actors::error::Error,
    values::{
        explanation::Explanation,
        id::{JobId, RunnerId},
        principal::Scope,
    },
};

impl Management {
    /// Tells why a job is where it is, and for each of its pools and runners the first thing that keeps
    /// it from there; of each pool the runners after `after`, by their ids.
    /// [`Explanation::advice`] says what would start it now.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn explain(&self, job: JobId, after: Option<RunnerId>) -> Result<Explanation, Error> {
        let tenant = self.with(Scope::Read)?;
        let found = self.plane.explanation(tenant, job, after).await.map_err(Error::Store)?;
        found.ok_or_else(|| not_found("job", job))
    }
}
