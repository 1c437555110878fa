//! Problems: those that every server of the project answers, by the short names that they have here.

pub(crate) use runners_core::problem::{PROBLEM_JSON, Problem, ProblemCode as Code};
