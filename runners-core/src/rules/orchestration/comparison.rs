//! The regions of a run side by side.

use crate::values::orchestration::{ComparedCheck, ComparedRegion, RunSummary};
use std::collections::HashMap;

impl RunSummary {
    /// Each check of each page over all regions in which it was asked for, in the order of the run.
    #[must_use]
    pub fn comparison(&self) -> Vec<ComparedCheck> {
        let mut compared: Vec<ComparedCheck> = Vec::new();
        let mut place_of: HashMap<(&str, &str), usize> = HashMap::new();
        for job in &self.jobs {
            for (at, name) in job.runners.iter().enumerate() {
                let place = *place_of.entry((&job.url, name)).or_insert_with(|| {
                    compared.push(ComparedCheck::new(job.url.clone(), name.clone()));
                    compared.len() - 1
                });
                let mut region = ComparedRegion::of(job.region.clone());
                if let Some(result) = job.results.get(at) {
                    region.state = Some(result.state);
                    region.error_message.clone_from(&result.error_message);
                    region.duration_ms.clone_from(&result.duration_ms);
                    region.artifacts.clone_from(&result.artifacts);
                    region.finding = job.finding.filter(|finding| finding.tells_of(result.state));
                }
                compared[place].regions.push(region);
            }
        }
        for check in &mut compared {
            check.agree = check.regions.windows(2).all(|pair| pair[0].state == pair[1].state);
        }
        compared
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        rules::orchestration::{
            course::{Course, EndedTry},
            fan_out::fan_out,
        },
        values::{
            orchestration::{
                AskedCheck, Finding, OrchestrationOptions, OrchestrationRequest, RegionResult, ResultState,
                RunState,
            },
            time::Timestamp,
        },
    };

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    #[test]
    fn each_check_stands_beside_itself_in_other_regions() {
        let asked = |name, region| AskedCheck::new(name, "https://a").in_region(region);
        let request = OrchestrationRequest::remote([
            asked("up", "eu"),
            asked("title", "eu"),
            asked("up", "us"),
            asked("title", "us"),
        ]);
        let options = OrchestrationOptions { second_try: false, ..OrchestrationOptions::default() };
        let mut course = Course::new(fan_out(&request).into(), options);
        let results =
            vec![RegionResult::new("up", ResultState::Pass), RegionResult::errored("title", "no title")];
        course.end(
            0,
            EndedTry {
                number: 1,
                state: RunState::Completed,
                results,
                error: None,
                notes: Vec::new(),
                started_at: NOW,
                ended_at: NOW,
            },
        );
        let summary = RunSummary {
            run_id: "run".to_owned(),
            state: RunState::Running,
            jobs: course.jobs([1; 16], NOW),
            summary: course.summary(),
            created_at: NOW,
            completed_at: None,
            duration_ms: None,
            conclusion: None,
            tags: Vec::new(),
        };
        let compared = summary.comparison();
        let shape: Vec<_> = compared
            .iter()
            .map(|check| {
                let regions = check.regions.iter().map(|region| (region.region.as_deref(), region.state));
                (check.name.as_str(), check.agree, regions.collect::<Vec<_>>())
            })
            .collect();
        let expected = [
            ("up", false, vec![(Some("eu"), Some(ResultState::Pass)), (Some("us"), None)]),
            ("title", false, vec![(Some("eu"), Some(ResultState::Error)), (Some("us"), None)]),
        ];
        assert_eq!(shape, expected);
        assert_eq!(compared[1].regions[0].error_message.as_deref(), Some("no title"));
    }

    #[test]
    fn what_is_broken_is_not_told_of_what_passed_beside_it() {
        let told = |state, finding: Finding| finding.tells_of(state);
        for broken in [Finding::RegionDown, Finding::BrokenHere, Finding::BrokenEverywhere] {
            assert!(told(ResultState::Fail, broken) && told(ResultState::Error, broken), "{broken:?}");
            assert!(!told(ResultState::Pass, broken), "{broken:?}");
        }
        assert!(told(ResultState::Pass, Finding::Flaky) && !told(ResultState::Fail, Finding::Flaky));
    }
}
