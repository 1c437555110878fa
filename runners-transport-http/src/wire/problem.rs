//! Problems: those that every server of the project answers, by the short names that they have here.

#[cfg(feature = "server")]
pub(crate) use runners_core::problem::ProblemCode as Code;
pub(crate) use runners_core::problem::{PROBLEM_JSON, Problem};
