//! The actors: what runs. They alone wait, spawn and talk; what they decide is decided in rules.

pub(crate) mod control_plane;
pub(crate) mod error;
pub(crate) mod records;
