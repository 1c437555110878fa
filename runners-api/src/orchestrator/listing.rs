//! Runs as they are listed, filtered and page by page.

use super::access::Caller;
use crate::contract::error::{Refusal, issue};
use axum::{Json, extract::RawQuery};
use runners_core::{
    Paging, Scope, Timestamp,
    orchestration::{History, HistoryFilter, IssueCode, RequestIssue, RunFilter},
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

/// How checks fared over many runs.
pub(super) async fn history(caller: Caller, RawQuery(query): RawQuery) -> Result<Json<History>, Refusal> {
    caller.may(Scope::Read)?;
    let filter = read_history(&query.unwrap_or_default()).map_err(|issue| Refusal::issues(&[issue]))?;
    Ok(Json(caller.client.history(&filter).await?))
}

/// Reads a query, strictly: a filter that is not known would list what was not asked for.
fn read(query: &str) -> Result<(RunFilter, Paging), RequestIssue> {
    let (mut filter, mut paging) = (RunFilter::default(), Paging::default());
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "after" => {
                let after = value.parse();
                paging.after = Some(after.map_err(|error| malformed(&name, format!("{error}")))?);
            }
            "limit" => {
                let max = Paging::LIMIT_MAX;
                let limit = value.parse().ok().filter(|limit| (1..=max).contains(limit));
                paging.limit = limit.ok_or_else(|| malformed(&name, format!("must be from 1 to {max}")))?;
            }
            _ if sift(&mut filter, &name, &value)? => {}
            _ => return Err(unknown(&name, "state, tag, since, until, after, limit")),
        }
    }
    Ok((filter, paging))
}

fn read_history(query: &str) -> Result<HistoryFilter, RequestIssue> {
    let mut filter = HistoryFilter::default();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match (&*name, &*value) {
            ("check", check) => filter.check = Some(check.to_owned()),
            ("region", region) => filter.region = Some(region.to_owned()),
            ("by", "region") => filter.by_region = true,
            ("by", "engine") => filter.by_engine = true,
            ("by", "runner") => filter.by_runner = true,
            ("by", _) => return Err(malformed(&name, "must be region, engine or runner".to_owned())),
            _ if sift(&mut filter.runs, &name, &value)? => {}
            _ => return Err(unknown(&name, "check, region, by, state, tag, since, until")),
        }
    }
    Ok(filter)
}

/// Takes what says which runs are meant. Whether this was it.
fn sift(filter: &mut RunFilter, name: &str, value: &str) -> Result<bool, RequestIssue> {
    let time = || {
        let wanted = "must be a time of RFC 3339, such as 2026-01-31T12:00:00Z";
        let at: jiff::Timestamp = value.parse().map_err(|_| malformed(name, wanted.to_owned()))?;
        Ok(Timestamp::from_millis(u64::try_from(at.as_millisecond()).unwrap_or(0)))
    };
    match name {
        "state" => filter.state = Some(value.parse().map_err(|error| malformed(name, format!("{error}")))?),
        "tag" => filter.tags.push(value.to_owned()),
        "since" => filter.since = Some(time()?),
        "until" => filter.until = Some(time()?),
        _ => return Ok(false),
    }
    Ok(true)
}

fn malformed(name: &str, message: String) -> RequestIssue {
    issue(IssueCode::InvalidFormat, [name.into()], message)
}

fn unknown(name: &str, known: &str) -> RequestIssue {
    issue(IssueCode::UnrecognizedKeys, [name.into()], format!("is not known; there is {known}"))
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
        let filter = read_history("check=opens&by=region&by=engine&tag=a").unwrap();
        assert!(filter.by_region && filter.by_engine && !filter.by_runner && filter.runs.tags == ["a"]);
        for query in ["by=day", "limit=1"] {
            assert_eq!(read_history(query).unwrap_err().place(), query.split('=').next().unwrap());
        }
    }
}
