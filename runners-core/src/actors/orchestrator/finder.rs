//! Regions that a host finds by their names when they are asked for, since they come and go: pools,
//! of which each tenant has its own.

use crate::{seams::region::Region, values::id::TenantId};
use std::{fmt, sync::Arc};

/// Finds a region of a tenant by its name.
pub(super) struct Finder(Box<Find>);

type Find = dyn Fn(TenantId, &str) -> Option<Arc<dyn Region>> + Send + Sync;

impl Finder {
    pub(super) fn new(
        find: impl Fn(TenantId, &str) -> Option<Arc<dyn Region>> + Send + Sync + 'static,
    ) -> Self {
        Self(Box::new(find))
    }

    pub(super) fn find(&self, tenant: TenantId, name: &str) -> Option<Arc<dyn Region>> {
        (self.0)(tenant, name)
    }
}

impl fmt::Debug for Finder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Finder")
    }
}
