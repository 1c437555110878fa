//! Runs as they are listed, filtered and page by page.

use super::access::Caller;
use crate::contract::error::{Refusal, issue};
use axum::{Json, extract::RawQuery};
use runners_core::{
    Paging, Scope, Timestamp,
    orchestration::{IssueCode, RequestIssue, RunFilter},
};
use serde_json::{Value, json};

pub(super) async fn list(caller: Caller, RawQuery(query): RawQuery) -> Result<Json<Value>, Refusal> {
    caller.may(Scope::Read)?;
    let (filter, paging) = read(&query.unwrap_or_default()).map_err(|issue| Refusal::issues(&[issue]))?;
    let listing = caller.client.list(&filter, &paging).await?;
    let mut page = json!({ "items": listing.items });
    if let Some(next) = listing.next {
        page["next"] = next.to_string().into();
    }
    Ok(Json(page))
}

/// Reads a query, strictly: a filter that is not known would list what was not asked for.
fn read(query: &str) -> Result<(RunFilter, Paging), RequestIssue> {
    let (mut filter, mut paging) = (RunFilter::default(), Paging::default());
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let wrong = |code, message: String| issue(code, [(&*name).into()], message);
        let malformed = |message: String| wrong(IssueCode::InvalidFormat, message);
        let time = || {
            let at: jiff::Timestamp = value.parse().map_err(|_| {
                malformed("must be a time of RFC 3339, such as 2026-01-31T12:00:00Z".to_owned())
            })?;
            Ok(Timestamp::from_millis(u64::try_from(at.as_millisecond()).unwrap_or(0)))
        };
        match &*name {
            "state" => {
                let state =
                    value.parse().map_err(|error| wrong(IssueCode::InvalidValue, format!("{error}")))?;
                filter.state = Some(state);
            }
            "tag" => filter.tags.push(value.into_owned()),
            "since" => filter.since = Some(time()?),
            "until" => filter.until = Some(time()?),
            "after" => paging.after = Some(value.parse().map_err(|error| malformed(format!("{error}")))?),
            "limit" => {
                let max = Paging::LIMIT_MAX;
                let limit = value.parse().ok().filter(|limit| (1..=max).contains(limit));
                let not_one = || wrong(IssueCode::InvalidValue, format!("must be from 1 to {max}"));
                paging.limit = limit.ok_or_else(not_one)?;
            }
            _ => {
                let known = "state, tag, since, until, after, limit";
                return Err(wrong(IssueCode::UnrecognizedKeys, format!("is not known; there is {known}")));
            }
        }
    }
    Ok((filter, paging))
}

#[cfg(test)]
mod tests {
    use super::*;
    use runners_core::orchestration::RunState;

    #[test]
    fn a_query_is_read_strictly() {
        let query = "state=timed_out&tag=a&tag=b%20c&since=2026-01-01T00:00:00Z&limit=7";
        let (filter, paging) = read(query).unwrap();
        assert_eq!((filter.state, filter.tags.len(), paging.limit), (Some(RunState::TimedOut), 2, 7));
        assert_eq!(filter.since, Some(Timestamp::from_millis(1_767_225_600_000)));
        for query in
            ["state=pending", "since=yesterday", "limit=0", "limit=501", "limit=x", "after=%20", "tags=a"]
        {
            let name = query.split('=').next().unwrap();
            assert_eq!(read(query).unwrap_err().place(), name, "{query}");
        }
    }
}
