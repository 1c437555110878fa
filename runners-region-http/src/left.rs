//! What a region says that its checks left: read without trust, and put where the result names what is
//! kept here and what is missing. Bytes are fetched elsewhere.

use crate::reply::said;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use reqwest::Url;
use runners_core::{Digest, orchestration::ResultArtifact, protocol::Attachment};
use serde_json::{Map, Value};

/// How many artifacts of one result are looked at.
const OF_RESULT_MAX: usize = 100;
/// How many artifacts of one call are looked at.
const OF_CALL_MAX: usize = 1000;
/// The media type of what nobody has named one for.
const UNKNOWN_TYPE: &str = "application/octet-stream";

/// One artifact, as a region names it.
#[derive(Debug)]
pub(crate) struct Left {
    /// The place of its result.
    pub(crate) result: usize,
    pub(crate) name: String,
    /// Its media type, if the region says one.
    media_type: Option<String>,
    /// What its bytes are to have, if the region says so.
    digest: Option<Digest>,
    pub(crate) bytes: Source,
}

/// Where its bytes are.
#[derive(Debug)]
pub(crate) enum Source {
    Here(Bytes),
    At(Url),
    /// Nowhere, for this reason.
    Nowhere(String),
}

/// What became of an artifact: it is kept here, or it is missing, and why.
pub(crate) type Fate = Result<ResultArtifact, String>;

/// Takes out of the results what they name as artifacts: nothing is taken for one of ours by its name or
/// digest alone. References are relative to the URL of the call.
pub(crate) fn take(results: &mut [Value], call: &Url) -> Vec<Left> {
    let mut all: Vec<Left> = Vec::new();
    for (at, result) in results.iter_mut().enumerate() {
        let Some(members) = result.as_object_mut() else { continue };
        let Some(Value::Array(named)) = members.remove("artifacts") else { continue };
        let named = named.iter().filter_map(Value::as_object);
        // What comes far beyond the limits is not even named.
        for (number, members) in named.enumerate().take(2 * OF_RESULT_MAX) {
            if all.len() >= 2 * OF_CALL_MAX {
                return all;
            }
            let mut left = Left::read(at, number, members, call);
            if number >= OF_RESULT_MAX || all.len() >= OF_CALL_MAX {
                let limits = format!("{OF_RESULT_MAX} of one result and {OF_CALL_MAX} of one call");
                left.bytes = Source::Nowhere(format!("it is over the limits of {limits}"));
            }
            all.push(left);
        }
    }
    all
}

/// Puts into the results what became of each artifact.
pub(crate) fn give(results: &mut [Value], fates: impl IntoIterator<Item = (usize, String, Fate)>) {
    for (at, name, fate) in fates {
        let Some(members) = results.get_mut(at).and_then(Value::as_object_mut) else { continue };
        match fate {
            Ok(kept) => {
                // One name has the bytes that were named last, as it is where checks leave something here.
                let list = list(members, "artifacts");
                list.retain(|other| other["name"] != kept.name.as_str());
                list.push(serde_json::to_value(kept).expect("invariant: an artifact is plain data"));
            }
            Err(why) => list(members, "missing").push(format!("{name}: {why}").into()),
        }
    }
}

fn list<'m>(members: &'m mut Map<String, Value>, name: &str) -> &'m mut Vec<Value> {
    let value = members.entry(name).or_insert(Value::Null);
    if !value.is_array() {
        *value = Value::Array(Vec::new());
    }
    value.as_array_mut().expect("invariant: it was just made one")
}

impl Left {
    fn read(result: usize, number: usize, members: &Map<String, Value>, call: &Url) -> Self {
        let text = |name: &str| members.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let named = text("name").map(said);
        let mut left = Self {
            result,
            name: named.clone().unwrap_or_else(|| format!("artifact {}", number + 1)),
            media_type: text("mediaType").filter(|kind| is_media_type(kind)).map(str::to_owned),
            digest: None,
            bytes: Source::Nowhere("the region calls it nothing".to_owned()),
        };
        let Some(named) = named else { return left };
        left.bytes = match (text("url"), text("digest").map(str::parse::<Digest>)) {
            _ if !is_name(&named) => {
                let max = Attachment::NAME_BYTES_MAX;
                Source::Nowhere(format!("its name is no relative path of at most {max} bytes"))
            }
            (None, _) => {
                Source::Nowhere("it stays where the region is, which names no url for it".to_owned())
            }
            (_, Some(Err(_))) => Source::Nowhere("its digest is no SHA-256".to_owned()),
            (Some(url), digest) => {
                left.digest = digest.and_then(Result::ok);
                left.source(url, call)
            }
        };
        left
    }

    fn source(&mut self, url: &str, call: &Url) -> Source {
        let Some(inline) = strip_data(url) else {
            return match call.join(url) {
                Ok(url) => Source::At(url),
                Err(error) => Source::Nowhere(format!("its url is none: {error}")),
            };
        };
        let parts = inline.split_once(',');
        let Some((head, data)) = parts.filter(|(head, _)| head.to_ascii_lowercase().ends_with(";base64"))
        else {
            return Source::Nowhere("its data: URL is not in base64".to_owned());
        };
        let kind = head.split(';').next().filter(|kind| is_media_type(kind));
        self.media_type = self.media_type.take().or_else(|| kind.map(str::to_owned));
        match STANDARD.decode(data.trim()) {
            Ok(bytes) => Source::Here(bytes.into()),
            Err(error) => Source::Nowhere(format!("its data: URL is not in base64: {error}")),
        }
    }

    /// The artifact that these bytes are, if they are what the region says; `told` is the media type that
    /// came with them.
    pub(crate) fn kept(&self, digest: Digest, length: usize, told: Option<&str>) -> Fate {
        if let Some(expected) = self.digest.filter(|expected| *expected != digest) {
            return Err(format!(
                "its bytes are not those that the region names: {digest}, and not {expected}"
            ));
        }
        let told = told.filter(|kind| is_media_type(kind));
        let kind = self.media_type.as_deref().or(told).unwrap_or(UNKNOWN_TYPE);
        Ok(ResultArtifact::new(self.name.as_str(), digest, length as u64, kind))
    }
}

/// What follows `data:`, if a URL begins so.
fn strip_data(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once(':')?;
    scheme.trim_start().eq_ignore_ascii_case("data").then_some(rest)
}

/// Whether it leads to nowhere but below where it is put.
fn is_name(name: &str) -> bool {
    let part = |part: &str| !matches!(part, "" | "." | "..");
    name.len() <= Attachment::NAME_BYTES_MAX && !name.contains('\\') && name.split('/').all(part)
}

fn is_media_type(kind: &str) -> bool {
    let is_plain = kind.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    let has_parts = kind.split_once('/').is_some_and(|(kind, rest)| !kind.is_empty() && !rest.is_empty());
    kind.len() <= Attachment::NAME_BYTES_MAX && is_plain && has_parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn taken(artifact: &Value) -> (Vec<Value>, Left) {
        let mut results = vec![json!({ "name": "a", "status": "pass", "artifacts": [artifact] })];
        let call = "https://eu.example/api/runner/execute?key=1".parse().unwrap();
        let left = take(&mut results, &call).remove(0);
        (results, left)
    }

    #[test]
    fn what_a_region_names_is_taken_for_nothing_of_ours() {
        let digest = "0".repeat(64);
        let (results, left) = taken(&json!({ "name": "shot.png", "digest": digest, "length": 5 }));
        assert_eq!(results, [json!({ "name": "a", "status": "pass" })]);
        assert!(matches!(left.bytes, Source::Nowhere(why) if why.contains("names no url")));
    }

    #[test]
    fn a_reference_is_relative_to_the_call() {
        for (url, expected) in [
            ("artifacts/5", "https://eu.example/api/runner/artifacts/5"),
            ("/shots/5?x=1", "https://eu.example/shots/5?x=1"),
            ("http://other.example/5", "http://other.example/5"),
        ] {
            let (_, left) = taken(&json!({ "name": "shots/1.png", "url": url }));
            assert!(matches!(&left.bytes, Source::At(found) if found.as_str() == expected), "{left:?}");
        }
    }

    #[test]
    fn bytes_may_stand_in_the_answer() {
        let url = "DATA:text/plain;charset=utf-8;base64,aGVsbG8=";
        let (_, left) = taken(&json!({ "name": "a.txt", "url": url }));
        assert!(matches!(&left.bytes, Source::Here(bytes) if &bytes[..] == b"hello"), "{left:?}");
        let kept = left.kept(Digest::of(b"hello"), 5, Some("image/png")).unwrap();
        assert_eq!((kept.media_type.as_str(), kept.length), ("text/plain", 5));
        for url in ["data:text/plain,hello", "data:text/plain;base64,%%%"] {
            let (_, left) = taken(&json!({ "name": "a.txt", "url": url }));
            assert!(matches!(&left.bytes, Source::Nowhere(why) if why.contains("base64")), "{left:?}");
        }
    }

    #[test]
    fn a_name_or_a_digest_that_is_none_is_told() {
        for name in ["", "../../etc/passwd", "/etc/passwd", "a\\b", &"x".repeat(201)] {
            let (_, left) = taken(&json!({ "name": name, "url": "artifacts/5" }));
            assert!(matches!(left.bytes, Source::Nowhere(_)), "{left:?}");
        }
        let (_, left) = taken(&json!({ "name": "a", "url": "artifacts/5", "digest": "abc" }));
        assert!(matches!(left.bytes, Source::Nowhere(_)), "{left:?}");
        let expected = Digest::of(b"another").to_string();
        let (_, left) = taken(&json!({ "name": "a", "url": "artifacts/5", "digest": expected }));
        assert!(left.kept(Digest::of(b"hello"), 5, None).unwrap_err().contains("not those"));
    }

    #[test]
    fn how_many_are_looked_at_has_a_limit_and_what_is_odd_spoils_nothing() {
        let many: Vec<Value> = (0..5000).map(|at| json!({ "name": at.to_string(), "url": "a" })).collect();
        let mut results =
            vec![json!({ "artifacts": many }), json!(5), json!({ "artifacts": 5, "missing": 5 })];
        let left = take(&mut results, &"https://eu.example/execute".parse().unwrap());
        assert_eq!(left.len(), 2 * OF_RESULT_MAX);
        let at = left.iter().filter(|left| matches!(left.bytes, Source::At(_))).count();
        assert_eq!(at, OF_RESULT_MAX);
        let gone = |at| (at, "a.png".to_owned(), Err("gone".to_owned()));
        give(&mut results, [gone(2), gone(9)]);
        assert_eq!(results[2], json!({ "missing": ["a.png: gone"] }));
    }
}
