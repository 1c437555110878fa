//! What a machine asks to be a runner, and what it is answered.

use super::{POOL, RUNNER, digest};
use crate::{
    protocol::{EnrolRequest, Enrolled},
    values::id::TenantId,
};

/// Asks to be in a pool, or in the one that its token admits to.
pub(super) fn request(pool: Option<&str>) -> EnrolRequest {
    let pool = pool.map(ToOwned::to_owned);
    EnrolRequest { credential: digest(), name: "büro 7 \"east\"".into(), pool }
}

pub(super) fn enrolled() -> Enrolled {
    Enrolled {
        runner: RUNNER,
        tenant: TenantId::DEFAULT,
        pool: POOL,
        pool_name: "default".into(),
        rotate_in: None,
    }
}
