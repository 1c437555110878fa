//! How checks fared over many runs.

use super::RunFilter;
use serde::{Deserialize, Serialize};

/// Which results a history is made of, and how finely it tells them apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers write `HistoryFilter { check, ..HistoryFilter::default() }`"
)]
pub struct HistoryFilter {
    /// Results of these runs.
    pub runs: RunFilter,
    /// Results of this check.
    pub check: Option<String>,
    /// Results of this region.
    pub region: Option<String>,
    /// Whether regions are told apart.
    pub by_region: bool,
    /// Whether browser engines are told apart.
    pub by_engine: bool,
    /// Whether runners are told apart.
    pub by_runner: bool,
}

/// How checks fared over the newest runs that a filter finds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct History {
    /// One line for each check of each page, and for each region, engine and runner if those are told
    /// apart.
    pub lines: Vec<HistoryLine>,
    /// How many runs were read.
    pub runs: u64,
    /// Whether there are older runs that were not read.
    pub truncated: bool,
}

impl History {
    /// How many runs are read at most, the newest of those that the filter finds.
    pub const RUNS_MAX: usize = 500;

    pub(crate) const fn new(lines: Vec<HistoryLine>, runs: u64, truncated: bool) -> Self {
        Self { lines, runs, truncated }
    }
}

/// How one check fared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct HistoryLine {
    /// The page.
    pub url: String,
    /// The check.
    pub check: String,
    /// The region, if regions are told apart and the results have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The browser engine, if engines are told apart and the results say which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// The runner, if runners are told apart and the results say which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner: Option<String>,
    /// How many results reached no verdict. They count in neither rate.
    pub errored: u64,
    /// How many of the verdicts were passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passed: Option<Rate>,
    /// How many of the verdicts were others than the verdict before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flipped: Option<Rate>,
}

/// A share of many, and how far the true one may be from it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Rate {
    /// How many.
    pub count: u64,
    /// Of how many; at least one.
    pub of: u64,
    /// The share, from 0 to 1.
    pub rate: f64,
    /// The lower end of its 95 % interval (Wilson's score interval).
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Rate {
    pub(crate) const fn new(count: u64, of: u64, rate: f64, [low, high]: [f64; 2]) -> Self {
        Self { count, of, rate, low, high }
    }
}
