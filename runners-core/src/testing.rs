//! For tests: what every implementation of a seam must keep, one named test for each rule.

pub mod artifact_suite;
pub mod samples;
pub mod suite;
pub mod transport_suite;
