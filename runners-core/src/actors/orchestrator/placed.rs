//! The regions that an orchestrator was given by their names, and whose requests each is for.

use crate::{seams::region::Region, values::id::TenantId};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Regions by their names.
#[derive(Debug, Default)]
pub(super) struct Placed(BTreeMap<String, Place>);

#[derive(Debug)]
struct Place {
    region: Arc<dyn Region>,
    /// Whose requests it is for; everybody's if nobody is named.
    tenants: Option<BTreeSet<TenantId>>,
}

impl Place {
    fn is_for(&self, tenant: TenantId) -> bool {
        self.tenants.as_ref().is_none_or(|tenants| tenants.contains(&tenant))
    }
}

impl Placed {
    /// Adds a region.
    ///
    /// # Panics
    /// When there is one of that name already.
    pub(super) fn add(&mut self, name: String, region: Arc<dyn Region>, tenants: Option<BTreeSet<TenantId>>) {
        assert!(!self.0.contains_key(&name), "two regions with the name {name:?}");
        self.0.insert(name, Place { region, tenants });
    }

    /// The region of that name, if it is for requests of `tenant`.
    pub(super) fn get(&self, name: &str, tenant: TenantId) -> Option<Arc<dyn Region>> {
        self.0.get(name).filter(|place| place.is_for(tenant)).map(|place| Arc::clone(&place.region))
    }

    /// The names of all, in order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The names of those that are for requests of `tenant`, in order.
    pub(super) fn names_of(&self, tenant: TenantId) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(_, place)| place.is_for(tenant)).map(|(name, _)| name.as_str())
    }

    /// All of them, in the order of their names.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &dyn Region)> {
        self.0.iter().map(|(name, place)| (name.as_str(), &*place.region))
    }
}
