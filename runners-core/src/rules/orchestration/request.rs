//! What the values of a request may be, whoever wrote it: limits, names, and what every check must
//! name.

use super::{
    fan_out::fan_out,
    shape::{self, Reader},
};
use crate::values::orchestration::{
    AskedCheck, InvalidRequest, IssueCode, OrchestrationMode, OrchestrationOptions, OrchestrationRequest,
    RegionPolicy,
};
use serde_json::Value;
use std::{collections::BTreeSet, time::Duration};

impl OrchestrationRequest {
    /// Reads a request and checks it. Members that nobody knows are ignored, except in `options`; one
    /// that is `null` is refused.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its place.
    pub fn from_json(value: &Value) -> Result<Self, InvalidRequest> {
        let mut reader = Reader::default();
        let read = shape::request(&mut reader, value);
        match read {
            Some(request) if !reader.has_issues() => request.check().map(|()| request),
            _ => Err(reader.finish().expect_err("what could not be read has an issue")),
        }
    }

    /// Checks everything that its type leaves open.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its place.
    pub fn check(&self) -> Result<(), InvalidRequest> {
        let mut reader = Reader::default();
        reader.at("runners", |reader| {
            runners_count(reader, self.runners.len());
            for (at, asked) in self.runners.iter().enumerate() {
                reader.at(at, |reader| asked_check(reader, asked, self.mode));
            }
            checks_per_job(reader, self);
        });
        reader.at("concurrency", |reader| {
            if self.concurrency == Some(0) {
                reader.too_small(1, "is 0, and must be at least 1");
            }
        });
        reader.at("timeout", |reader| self.timeout.iter().for_each(|span| positive_span(reader, *span)));
        reader.at("tags", |reader| names(reader, &self.tags, Self::TAGS_MAX));
        reader.at("runId", |reader| self.run_id.iter().for_each(|id| run_id(reader, id)));
        reader.at("options", |reader| self.check_options(reader));
        reader.finish()
    }

    fn check_options(&self, reader: &mut Reader) {
        let options = &self.options;
        let expected = &options.expected_to_fail;
        reader.at("expectedToFail", |reader| {
            let texts: Vec<String> = expected.iter().cloned().collect();
            names(reader, &texts, OrchestrationOptions::EXPECTED_MAX);
        });
        let named: BTreeSet<&str> = self.runners.iter().filter_map(|asked| asked.region.as_deref()).collect();
        let counted = named.iter().filter(|region| !expected.contains(**region)).count();
        if let RegionPolicy::AtLeast(wanted) = options.policy {
            reader.at("policy", |reader| {
                reader.at("atLeast", |reader| match wanted {
                    0 => reader.too_small(1, "is 0, and must be at least 1"),
                    wanted if self.mode == OrchestrationMode::Remote && wanted as usize > counted => {
                        let message = format!(
                            "is {wanted}, and only {counted} regions of the request count: lower it, or name more"
                        );
                        reader.too_big(counted as u64, message);
                    }
                    _ => {}
                });
            });
        }
        let max = OrchestrationOptions::RETRIES_MAX;
        if options.retries > max {
            let message = format!("is {}, and must be at most {max}", options.retries);
            reader.at("retries", |reader| reader.too_big(max.into(), message));
        }
        reader.at("checkTimeout", |reader| {
            if let Some(span) = &options.check_timeout {
                positive_span(reader, *span);
                let max = OrchestrationOptions::CHECK_TIMEOUT_MAX;
                if *span > max {
                    let max = millis(max);
                    let message = format!("is {} ms, and must be at most {max} ms", span.as_millis());
                    reader.too_big(max, message);
                }
            }
        });
    }
}

fn runners_count(reader: &mut Reader, count: usize) {
    let max = OrchestrationRequest::RUNNERS_MAX;
    match count {
        0 => reader.too_small(1, "is empty, and must name at least one check"),
        count if count > max => {
            let message = format!("has {count} elements, and at most {max} are allowed: split it");
            reader.too_big(max as u64, message);
        }
        _ => {}
    }
}

fn checks_per_job(reader: &mut Reader, request: &OrchestrationRequest) {
    let max = OrchestrationRequest::CHECKS_PER_JOB_MAX;
    if request.runners.len() <= max {
        return;
    }
    for job in fan_out(request).iter().filter(|job| job.checks.len() > max) {
        let (count, url) = (job.checks.len(), &job.url);
        let region = job.region.as_deref().unwrap_or("this process");
        let message =
            format!("asks for {count} checks of {url} in {region}, and at most {max} are allowed: split it");
        reader.too_big(max as u64, message);
    }
}

fn asked_check(reader: &mut Reader, asked: &AskedCheck, mode: OrchestrationMode) {
    reader.at("name", |reader| name(reader, &asked.name));
    reader.at("region", |reader| match (&asked.region, mode) {
        (Some(region), OrchestrationMode::Remote) => name(reader, region),
        (None, OrchestrationMode::Remote) => {
            let message = "is missing: in mode \"remote\" every check names the region it is carried out in";
            if let Some(issue) = reader.wrong(IssueCode::InvalidType, message) {
                issue.expected = Some("string".into());
            }
        }
        (_, OrchestrationMode::Local) => {}
    });
    reader.at("input", |reader| reader.at("url", |reader| url(reader, asked.input.get("url"))));
}

fn url(reader: &mut Reader, value: Option<&Value>) {
    let max = OrchestrationRequest::URL_BYTES_MAX;
    match value {
        Some(Value::String(url)) if url.is_empty() => {
            reader.too_small(1, "is empty: name the page that the check looks at");
        }
        Some(Value::String(url)) if url.len() > max => {
            reader.too_big(max as u64, format!("has {} bytes, and at most {max} are allowed", url.len()));
        }
        Some(Value::String(_)) => {}
        found => {
            let found = if found.is_some() { "is no string" } else { "is missing" };
            let message = format!("{found}: name the page that the check looks at");
            if let Some(issue) = reader.wrong(IssueCode::InvalidType, message) {
                issue.expected = Some("string".into());
            }
        }
    }
}

fn run_id(reader: &mut Reader, id: &str) {
    length(reader, id, OrchestrationRequest::RUN_ID_BYTES_MAX);
    if OrchestrationRequest::RESERVED.contains(&id) {
        let reserved = OrchestrationRequest::RESERVED.join(", ");
        let message = format!("is one of {reserved}, where other things stand: choose another name");
        reader.wrong(IssueCode::InvalidValue, message);
    }
}

fn names(reader: &mut Reader, names: &[String], count_max: usize) {
    if names.len() > count_max {
        let message = format!("has {} elements, and at most {count_max} are allowed", names.len());
        reader.too_big(count_max as u64, message);
        return;
    }
    for (at, text) in names.iter().enumerate() {
        reader.at(at, |reader| name(reader, text));
    }
}

fn name(reader: &mut Reader, name: &str) {
    length(reader, name, OrchestrationRequest::NAME_BYTES_MAX);
}

fn length(reader: &mut Reader, text: &str, max: usize) {
    if text.is_empty() {
        reader.too_small(1, "is empty, and must have at least one character");
    } else if text.len() > max {
        reader.too_big(max as u64, format!("has {} bytes, and at most {max} are allowed", text.len()));
    } else if text.chars().any(char::is_control) {
        reader.wrong(IssueCode::InvalidFormat, "holds control characters: leave them out");
    }
}

fn positive_span(reader: &mut Reader, span: Duration) {
    let max = OrchestrationRequest::NUMBER_MAX;
    match millis(span) {
        0 => reader.too_small(1, "is 0 ms, and must be at least 1 ms"),
        span if span > max => reader.too_big(max, format!("is {span} ms, and must be at most {max} ms")),
        _ => {}
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
