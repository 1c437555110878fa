#![doc = include_str!("../README.md")]

mod ctrf;
mod html;
mod junit;
mod words;

pub use ctrf::ctrf;
pub use html::Html;
pub use junit::junit;
