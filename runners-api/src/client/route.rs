//! Calls as they stand on the wire: method, address, body.

use bytes::Bytes;
use http::Method;
use reqwest::Url;
use runners_core::{
    Cursor, Digest, Paging,
    orchestration::{HistoryFilter, OrchestrationRequest, OrchestratorError, RunFilter, RunLine},
};
use serde::{Deserialize, Deserializer, de::Error as _};
use std::time::Duration;

/// One call.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) body: Option<Bytes>,
    /// The run that it is about, if that is there already.
    pub(super) run: Option<String>,
}

/// The answer to a submit.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Submitted {
    pub(super) run_id: String,
}

/// The answer to a removal, of which nothing matters.
#[derive(Debug, Deserialize)]
pub(super) struct Deleted {}

/// The answer to a listing.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    pub(super) items: Vec<RunLine>,
    #[serde(default, deserialize_with = "cursor")]
    pub(super) next: Option<Cursor>,
}

impl Route {
    pub(super) fn submit(base: &Url, request: &OrchestrationRequest) -> Result<Self, OrchestratorError> {
        // What nobody would take is not sent.
        request.check().map_err(OrchestratorError::Invalid)?;
        let body = serde_json::to_vec(request).expect("invariant: a request is plain data");
        Ok(Self { method: Method::POST, url: base.clone(), body: Some(body.into()), run: None })
    }

    pub(super) fn progress(base: &Url, run: &str) -> Result<Self, OrchestratorError> {
        Self::of_run(Method::GET, base, run, &["status"])
    }

    pub(super) fn results(base: &Url, run: &str, park: Duration) -> Result<Self, OrchestratorError> {
        let mut route = Self::of_run(Method::GET, base, run, &[])?;
        if !park.is_zero() {
            route.url.query_pairs_mut().append_pair("wait", &park.as_millis().to_string());
        }
        Ok(route)
    }

    pub(super) fn partial_results(base: &Url, run: &str) -> Result<Self, OrchestratorError> {
        let mut route = Self::of_run(Method::GET, base, run, &[])?;
        route.url.query_pairs_mut().append_pair("partial", "1");
        Ok(route)
    }

    pub(super) fn events(base: &Url, run: &str) -> Result<Self, OrchestratorError> {
        Self::of_run(Method::GET, base, run, &["events"])
    }

    pub(super) fn artifact(base: &Url, run: &str, digest: Digest) -> Result<Self, OrchestratorError> {
        Self::of_run(Method::GET, base, run, &["artifacts", &digest.to_string()])
    }

    pub(super) fn cancel(base: &Url, run: &str) -> Result<Self, OrchestratorError> {
        Self::of_run(Method::POST, base, run, &["cancel"])
    }

    pub(super) fn delete(base: &Url, run: &str) -> Result<Self, OrchestratorError> {
        Self::of_run(Method::DELETE, base, run, &[])
    }

    pub(super) fn list(base: &Url, filter: &RunFilter, paging: &Paging) -> Self {
        let mut url = base.clone();
        sift(&mut url, filter);
        let mut pairs = url.query_pairs_mut();
        pairs.append_pair("limit", &paging.limit.to_string());
        if let Some(after) = &paging.after {
            pairs.append_pair("after", &after.to_string());
        }
        drop(pairs);
        Self { method: Method::GET, url, body: None, run: None }
    }

    pub(super) fn history(base: &Url, filter: &HistoryFilter) -> Self {
        let HistoryFilter { runs, check, region, by_region, by_engine, by_runner } = filter;
        let mut url = below(base, &["history"]);
        sift(&mut url, runs);
        let told_apart = [("region", by_region), ("engine", by_engine), ("runner", by_runner)];
        let by = told_apart.into_iter().filter(|(_, wanted)| **wanted).map(|(name, _)| ("by", name));
        let one = [("check", check), ("region", region)];
        let one = one.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
        for (name, value) in one.chain(by) {
            url.query_pairs_mut().append_pair(name, value);
        }
        Self { method: Method::GET, url, body: None, run: None }
    }

    fn of_run(method: Method, base: &Url, run: &str, rest: &[&str]) -> Result<Self, OrchestratorError> {
        // Such a segment of an address means another address.
        if matches!(run, "" | "." | "..") {
            return Err(OrchestratorError::NotFound { run: run.to_owned() });
        }
        let parts: Vec<&str> = std::iter::once(run).chain(rest.iter().copied()).collect();
        Ok(Self { method, url: below(base, &parts), body: None, run: Some(run.to_owned()) })
    }
}

fn below(base: &Url, parts: &[&str]) -> Url {
    let mut url = base.clone();
    let mut segments = url.path_segments_mut().expect("invariant: http and https have paths");
    segments.pop_if_empty().extend(parts);
    drop(segments);
    url
}

fn sift(url: &mut Url, filter: &RunFilter) {
    let RunFilter { state, tags, since, until } = filter;
    let one = state.map(|state| ("state", state.as_str().to_owned()));
    let tags = tags.iter().map(|tag| ("tag", tag.clone()));
    let since = since.map(|since| ("since", since.to_string()));
    let until = until.map(|until| ("until", until.to_string()));
    // Nothing at all is no query.
    for (name, value) in one.into_iter().chain(tags).chain(since).chain(until) {
        url.query_pairs_mut().append_pair(name, &value);
    }
}

fn cursor<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cursor>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.parse()).transpose().map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;
    use runners_core::{Timestamp, orchestration::RunState};

    fn base() -> Url {
        "https://tests.example/api/orchestrator".parse().expect("it is a URL")
    }

    #[test]
    fn whatever_a_run_is_called_it_is_one_segment_of_its_address() {
        for (run, segment) in [
            ("night run/1 ü", "night%20run%2F1%20%C3%BC"),
            ("a?b#c", "a%3Fb%23c"),
            ("%2e", "%252e"),
            ("...", "..."),
        ] {
            let route = Route::progress(&base(), run).expect("it has an address");
            assert_eq!(route.url.path(), format!("/api/orchestrator/{segment}/status"));
            assert_eq!((route.url.query(), route.url.fragment()), (None, None));
        }
        for run in ["", ".", ".."] {
            assert!(matches!(Route::progress(&base(), run), Err(OrchestratorError::NotFound { .. })));
        }
    }

    #[test]
    fn a_filter_is_a_query() {
        let filter = RunFilter {
            state: Some(RunState::TimedOut),
            tags: vec!["a b".to_owned(), "c&d".to_owned()],
            since: Some(Timestamp::from_millis(1_767_225_600_000)),
            until: None,
        };
        let route = Route::list(&base(), &filter, &Paging::default());
        let expected = "state=timed_out&tag=a+b&tag=c%26d&since=2026-01-01T00%3A00%3A00.000Z&limit=100";
        assert_eq!(route.url.query(), Some(expected));
        let filter =
            HistoryFilter { check: Some("opens".to_owned()), by_runner: true, ..HistoryFilter::default() };
        let route = Route::history(&base(), &filter);
        assert_eq!(
            route.url.as_str(),
            "https://tests.example/api/orchestrator/history?check=opens&by=runner"
        );
        assert_eq!(Route::history(&base(), &HistoryFilter::default()).url.query(), None);
    }
}
