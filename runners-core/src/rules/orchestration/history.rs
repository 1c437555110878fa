//! How checks fared over many runs: how often they passed, and how often they changed their mind, each
//! with the interval in which the true rate lies.

use crate::values::orchestration::{HistoryFilter, HistoryLine, Rate, ResultState, RunSummary};
use std::collections::BTreeMap;

/// What a line is told apart by: page, check, region, engine, runner.
type Place = (String, String, Option<String>, Option<String>, Option<String>);

/// What was counted of one line.
#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    passed: u64,
    failed: u64,
    errored: u64,
    flipped: u64,
    last: Option<ResultState>,
}

/// Counts results over runs that are given oldest first.
#[derive(Debug)]
pub(crate) struct Counting<'f> {
    filter: &'f HistoryFilter,
    lines: BTreeMap<Place, Counted>,
}

impl<'f> Counting<'f> {
    pub(crate) const fn new(filter: &'f HistoryFilter) -> Self {
        Self { filter, lines: BTreeMap::new() }
    }

    /// Counts the results of a run; those of a first try before those of the second.
    pub(crate) fn add(&mut self, run: &RunSummary) {
        let HistoryFilter { check, region, by_region, by_engine, by_runner, .. } = self.filter;
        for job in run.jobs.iter().filter(|job| region.is_none() || job.region == *region) {
            let first = job.first_try.iter().flat_map(|first| &first.results);
            for result in first.chain(&job.results) {
                if check.as_ref().is_some_and(|check| *check != result.name) {
                    continue;
                }
                let told = |wanted: &bool, text: &Option<String>| text.clone().filter(|_| *wanted);
                let place = (
                    job.url.clone(),
                    result.name.clone(),
                    told(by_region, &job.region),
                    told(by_engine, &result.engine),
                    told(by_runner, &result.runner),
                );
                self.lines.entry(place).or_default().count(result.state);
            }
        }
    }

    /// The lines, in the order of what they are told apart by.
    pub(crate) fn finish(self) -> Vec<HistoryLine> {
        let line = |(place, counted): (Place, Counted)| {
            let (url, check, region, engine, runner) = place;
            let Counted { passed, failed, errored, flipped, .. } = counted;
            let verdicts = passed + failed;
            HistoryLine {
                url,
                check,
                region,
                engine,
                runner,
                errored,
                passed: rate(passed, verdicts),
                flipped: rate(flipped, verdicts.saturating_sub(1)),
            }
        };
        self.lines.into_iter().map(line).collect()
    }
}

impl Counted {
    fn count(&mut self, state: ResultState) {
        match state {
            ResultState::Pass => self.passed += 1,
            ResultState::Fail => self.failed += 1,
            ResultState::Error => {
                self.errored += 1;
                return;
            }
        }
        let before = self.last.replace(state);
        self.flipped += u64::from(before.is_some_and(|before| before != state));
    }
}

/// The quantile of the normal distribution that leaves 2.5 % on each side.
const Z: f64 = 1.959_963_984_540_054;

/// A share with Wilson's score interval at 95 % (E. B. Wilson, 1927). Nothing of nothing.
fn rate(count: u64, of: u64) -> Option<Rate> {
    if of == 0 {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    let (hits, all) = (count as f64, of as f64);
    let share = hits / all;
    let scale = 1.0 + Z * Z / all;
    let centre = (share + Z * Z / (2.0 * all)) / scale;
    let half = Z * (share * (1.0 - share) / all + Z * Z / (4.0 * all * all)).sqrt() / scale;
    Some(Rate::new(count, of, share, [(centre - half).max(0.0), (centre + half).min(1.0)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64) -> bool {
        (found - expected).abs() < 0.0005
    }

    #[test]
    fn intervals_are_those_of_the_tables() {
        // Newcombe (1998), table I, method 3.
        let table = [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ];
        for (count, of, low, high) in table {
            let found = rate(count, of).unwrap();
            assert!(near(found.low, low) && near(found.high, high), "{found:?}");
        }
        let all = rate(20, 20).unwrap();
        assert!(near(all.low, 0.8389) && near(all.high, 1.0), "{all:?}");
        assert_eq!(rate(0, 0), None);
    }

    #[test]
    fn errors_are_neither_verdicts_nor_flips() {
        use ResultState::{Error, Fail, Pass};
        let mut counted = Counted::default();
        for state in [Pass, Error, Pass, Fail, Error, Error, Fail, Pass] {
            counted.count(state);
        }
        assert_eq!((counted.passed, counted.failed, counted.errored, counted.flipped), (3, 2, 3, 2));
    }
}
