//! The examples are beside this file; here the README's own is compiled and run with the tests.
#![doc = include_str!("../README.md")]

#[doc = include_str!("../docs/orchestrating.md")]
pub mod orchestrating {}
