//! Fan-out: which jobs a request becomes. Checks of the same page in the same region travel together.

use crate::values::orchestration::{AskedCheck, OrchestrationMode, OrchestrationRequest};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// The checks of one page in one region, in the order in which they were asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PlannedJob {
    pub(crate) url: String,
    /// None in local mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) region: Option<String>,
    pub(crate) checks: Vec<AskedCheck>,
}

impl PlannedJob {
    /// The names of its checks.
    pub(crate) fn names(&self) -> Vec<String> {
        self.checks.iter().map(|asked| asked.name.clone()).collect()
    }
}

/// The jobs of a request: pages in the order in which they first appear, and those of a page in the
/// order of their regions. Pages and regions are told apart byte by byte, and a check that stands
/// there twice is carried out twice.
pub(crate) fn fan_out(request: &OrchestrationRequest) -> Vec<PlannedJob> {
    let mut pages: Vec<Vec<PlannedJob>> = Vec::new();
    let mut page_of: HashMap<&str, usize> = HashMap::new();
    let mut job_of: HashMap<(usize, Option<&str>), usize> = HashMap::new();
    for asked in &request.runners {
        let url = asked.url();
        let region = match request.mode {
            OrchestrationMode::Remote => asked.region.as_deref(),
            OrchestrationMode::Local => None,
        };
        let page = *page_of.entry(url).or_insert_with(|| {
            pages.push(Vec::new());
            pages.len() - 1
        });
        let jobs = &mut pages[page];
        let job = *job_of.entry((page, region)).or_insert_with(|| {
            let region = region.map(str::to_owned);
            jobs.push(PlannedJob { url: url.to_owned(), region, checks: Vec::new() });
            jobs.len() - 1
        });
        // The region stands in the job.
        jobs[job].checks.push(AskedCheck { region: None, ..asked.clone() });
    }
    pages.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: &str, url: &str, region: &str) -> AskedCheck {
        AskedCheck::new(name, url).in_region(region)
    }

    fn shape(jobs: &[PlannedJob]) -> Vec<(&str, Option<&str>, String)> {
        jobs.iter().map(|job| (job.url.as_str(), job.region.as_deref(), job.names().join(" "))).collect()
    }

    #[test]
    fn pages_and_then_regions_stand_in_the_order_of_their_first_appearance() {
        let request = OrchestrationRequest::remote([
            asked("one", "https://b", "eu"),
            asked("two", "https://a", "us"),
            asked("three", "https://b", "us"),
            asked("four", "https://a", "eu"),
            asked("five", "https://b", "eu"),
            asked("one", "https://b", "eu"),
        ]);
        let expected = [
            ("https://b", Some("eu"), "one five one".to_owned()),
            ("https://b", Some("us"), "three".to_owned()),
            ("https://a", Some("us"), "two".to_owned()),
            ("https://a", Some("eu"), "four".to_owned()),
        ];
        assert_eq!(shape(&fan_out(&request)), expected);
    }

    #[test]
    fn addresses_are_compared_as_they_are_written() {
        let request =
            OrchestrationRequest::remote([asked("one", "https://a", "eu"), asked("one", "https://a/", "eu")]);
        assert_eq!(fan_out(&request).len(), 2);
    }

    #[test]
    fn regions_are_not_looked_at_in_local_mode() {
        let request =
            OrchestrationRequest::local([asked("one", "https://a", "eu"), asked("two", "https://a", "us")]);
        assert_eq!(shape(&fan_out(&request)), [("https://a", None, "one two".to_owned())]);
    }
}
