//! The request: read from a file, or made of names, pages and regions.

use crate::args::RunOverArgs;
use anyhow::{Context as _, Result, bail};
use runners_core::orchestration::{AskedCheck, InvalidRequest, OrchestrationRequest};
use serde_json::Value;
use std::{
    fs::File,
    io::{Read, stdin},
    path::Path,
};

/// Reads a request; `-` is standard input.
pub(super) fn read(path: &Path) -> Result<Result<OrchestrationRequest, InvalidRequest>> {
    let told = || format!("could not read {}", path.display());
    let mut bytes = Vec::new();
    let limit = OrchestrationRequest::BYTES_MAX;
    let source: Box<dyn Read> = match path.as_os_str() == "-" {
        true => Box::new(stdin().lock()),
        false => Box::new(File::open(path).with_context(told)?),
    };
    source.take(limit as u64 + 1).read_to_end(&mut bytes).with_context(told)?;
    if bytes.len() > limit {
        bail!("{} is over the limit of {limit} bytes: split the request", path.display());
    }
    let value: Value =
        serde_json::from_slice(&bytes).with_context(|| format!("{} is not JSON", path.display()))?;
    Ok(OrchestrationRequest::from_json(&value))
}

/// Every check at every page from every region; here if there is no region.
pub(super) fn of(
    names: &[String],
    urls: &[String],
    regions: &[String],
    input: &[(String, String)],
) -> OrchestrationRequest {
    let check = |name: &String, url: &String| {
        let check = AskedCheck::new(name, url);
        input.iter().fold(check, |check, (name, value)| check.with_input(name, plain(value)))
    };
    let here = urls.iter().flat_map(|url| names.iter().map(move |name| check(name, url)));
    match regions {
        [] => OrchestrationRequest::local(here),
        regions => OrchestrationRequest::remote(
            here.flat_map(|check| regions.iter().map(move |region| check.clone().in_region(region))),
        ),
    }
}

/// The request with what was said beside it.
pub(super) fn with(mut request: OrchestrationRequest, arguments: &RunOverArgs) -> OrchestrationRequest {
    request.run_id = arguments.run_id.clone().or(request.run_id);
    request.concurrency = arguments.concurrency.or(request.concurrency);
    request.timeout = arguments.timeout.or(request.timeout);
    request.tags.extend(arguments.tags.iter().cloned());
    request
}

/// A value as JSON has it, where it is a number or a truth.
fn plain(text: &str) -> Value {
    let value =
        serde_json::from_str(text).ok().filter(|value: &Value| value.is_number() || value.is_boolean());
    value.unwrap_or_else(|| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use runners_core::orchestration::OrchestrationMode;

    fn texts(all: &[&str]) -> Vec<String> {
        all.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn every_check_looks_at_every_page_from_every_region() {
        let input = [("count".to_owned(), "3".to_owned()), ("who".to_owned(), "007".to_owned())];
        let request = of(&texts(&["a", "b"]), &texts(&["https://x"]), &texts(&["eu", "us"]), &input);
        let asked: Vec<_> =
            request.runners.iter().map(|check| (&*check.name, check.region.as_deref())).collect();
        assert_eq!(asked, [("a", Some("eu")), ("a", Some("us")), ("b", Some("eu")), ("b", Some("us"))]);
        assert_eq!(
            (&request.runners[0].input["count"], &request.runners[0].input["who"]),
            (&3.into(), &"007".into())
        );
        assert!(request.check().is_ok());
    }

    #[test]
    fn without_a_region_it_is_done_here() {
        let request = of(&texts(&["a"]), &texts(&["https://x"]), &[], &[]);
        assert_eq!(request.mode, OrchestrationMode::Local);
    }
}
