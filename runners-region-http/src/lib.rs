//! Regions of an orchestrator that are called over HTTP.
//!
#![doc = include_str!("../README.md")]

mod builder;
mod circuit;
mod exchange;
mod fetch;
mod left;
mod permitted;
mod region;
mod reply;
mod settings;

pub use builder::{HttpRegionBuilder, RegionBuildError};
pub use region::{HttpRegion, RegionHealth};
pub use settings::{REGIONS_VARIABLE, RegionSettings, RegionSettingsError, RegionTenants};
