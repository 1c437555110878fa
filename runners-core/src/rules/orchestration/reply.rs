//! What a region's answer comes to: one result for each check that it was asked for, whatever the
//! answer looks like. A malformed result spoils no other.

use crate::values::orchestration::{AskedCheck, RegionResult, ResultState};
use serde_json::{Map, Value};

/// The largest text of an error in bytes; a longer one is cut at a character.
pub(crate) const MESSAGE_BYTES_MAX: usize = 4096;
/// What messages, details and artifacts of one answer may take together, in bytes of JSON: 512 KiB.
/// What goes beyond it is left out, and that is noted.
pub(crate) const ANSWER_BYTES_MAX: usize = 512 << 10;
/// How many oddities of one answer are noted.
const NOTES_MAX: usize = 20;
/// How much one result may tell that is not kept.
const MISSING_MAX: usize = 100;
/// The largest error that stands in place of each result, in bytes.
const REASON_BYTES_MAX: usize = 300;

/// An answer, made regular.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Regular {
    /// What it has taken of [`ANSWER_BYTES_MAX`].
    taken: usize,
    /// One for each check, in their order.
    pub(crate) results: Vec<RegionResult>,
    /// What was odd about it.
    pub(crate) notes: Vec<String>,
}

impl Regular {
    fn note(&mut self, note: String) {
        if self.notes.len() < NOTES_MAX {
            self.notes.push(cut(note, REASON_BYTES_MAX));
        }
    }

    /// Whether there is room for so many bytes. What there is none for is noted.
    fn has_room(&mut self, bytes: usize, what: impl FnOnce() -> String) -> bool {
        if self.taken + bytes <= ANSWER_BYTES_MAX {
            self.taken += bytes;
            return true;
        }
        self.note(format!("{} was left out: one answer may have {ANSWER_BYTES_MAX} bytes of that", what()));
        false
    }
}

/// Finds the result of each check in an answer: by its name, and in order where one name was asked
/// for more than once. One without a name is that of the check at the same place.
pub(crate) fn regular(asked: &[AskedCheck], answered: &[Value]) -> Regular {
    let mut regular = Regular::default();
    if answered.len() != asked.len() {
        let (answered, asked) = (answered.len(), asked.len());
        regular.note(format!("the region answered {answered} results to {asked} checks"));
    }
    let mut found: Vec<Option<RegionResult>> = Vec::with_capacity(answered.len());
    for (at, value) in answered.iter().enumerate() {
        let name = name_of(value).map(str::to_owned);
        let name = name.or_else(|| asked.get(at).map(|asked| asked.name.clone()));
        let name = name.unwrap_or_else(|| format!("runner_{at}"));
        found.push(Some(result(name, at, value, &mut regular)));
    }
    for asked in asked {
        let is_its = |found: &&mut Option<RegionResult>| {
            found.as_ref().is_some_and(|result| result.name == asked.name)
        };
        let its = found.iter_mut().find(is_its).and_then(Option::take);
        let none =
            || RegionResult::errored(asked.name.clone(), "the region answered no result for this check");
        regular.results.push(its.unwrap_or_else(none));
    }
    for over in found.into_iter().flatten() {
        regular.note(format!("the region answered a result for {:?}, which it was not asked for", over.name));
    }
    regular
}

/// What stands for the results of checks whose region gave no answer.
pub(crate) fn without_answer(asked: &[AskedCheck], error: &str) -> Vec<RegionResult> {
    asked
        .iter()
        .map(|asked| RegionResult::errored(asked.name.clone(), cut(error.to_owned(), REASON_BYTES_MAX)))
        .collect()
}

fn name_of(value: &Value) -> Option<&str> {
    value.get("name").and_then(Value::as_str).filter(|name| !name.is_empty())
}

fn result(name: String, at: usize, value: &Value, regular: &mut Regular) -> RegionResult {
    let Value::Object(members) = value else {
        let message = format!("results[{at}] of the region's answer is no object");
        return RegionResult::errored(name, message);
    };
    let mut result = RegionResult::new(name, ResultState::Error);
    result.error_message =
        members.get("errorMessage").map(|message| cut(text_of(message), MESSAGE_BYTES_MAX));
    match members.get("status").map(|word| serde_json::from_value::<ResultState>(word.clone())) {
        Some(Ok(state)) => result.state = state,
        found => {
            let found = found.map_or("is missing".to_owned(), |_| format!("is {}", members["status"]));
            let odd = format!(
                "results[{at}].status of the region's answer {found}, and must be pass, fail or error"
            );
            let message =
                result.error_message.take().map_or(odd.clone(), |message| format!("{odd}: {message}"));
            result.error_message = Some(cut(message, MESSAGE_BYTES_MAX));
        }
    }
    let bytes = result.error_message.as_ref().map_or(0, String::len);
    if !regular.has_room(bytes, || format!("results[{at}].errorMessage")) {
        result.error_message = None;
    }
    result.details = members.get("details").and_then(|details| details_of(details, at, regular));
    result.duration_ms = members.get("durationMs").and_then(|duration| match duration {
        Value::Number(millis) if millis.as_f64().is_some_and(|millis| millis >= 0.0) => Some(millis.clone()),
        other => {
            regular.note(format!(
                "results[{at}].durationMs is {}, and no span",
                cut(other.to_string(), REASON_BYTES_MAX)
            ));
            None
        }
    });
    let text = |name: &str| {
        members.get(name).and_then(Value::as_str).map(|text| cut(text.to_owned(), REASON_BYTES_MAX))
    };
    (result.engine, result.runner) = (text("engine"), text("runner"));
    if let Some(artifacts) = members.get("artifacts")
        && regular.has_room(artifacts.to_string().len(), || format!("results[{at}].artifacts"))
    {
        result.artifacts = serde_json::from_value(artifacts.clone()).unwrap_or_default();
    }
    let missing = members.get("missing").and_then(Value::as_array).into_iter().flatten();
    for what in missing.filter_map(Value::as_str).take(MISSING_MAX) {
        let what = cut(what.to_owned(), REASON_BYTES_MAX);
        if regular.has_room(what.len(), || format!("results[{at}].missing")) {
            result.missing.push(what);
        }
    }
    result
}

fn details_of(details: &Value, at: usize, regular: &mut Regular) -> Option<Map<String, Value>> {
    let Value::Object(members) = details else {
        if !details.is_null() {
            regular.note(format!("results[{at}].details is no object, and was left out"));
        }
        return None;
    };
    let bytes = details.to_string().len();
    regular.has_room(bytes, || format!("results[{at}].details of {bytes} bytes")).then(|| members.clone())
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A text that is not too long, cut at a character.
pub(crate) fn cut(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        let end = (0..=bytes_max).rev().find(|&at| text.is_char_boundary(at));
        text.truncate(end.unwrap_or(0));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn asked(names: &[&str]) -> Vec<AskedCheck> {
        names.iter().map(|name| AskedCheck::new(*name, "https://a")).collect()
    }

    fn found(regular: &Regular) -> Vec<(&str, ResultState)> {
        regular.results.iter().map(|result| (result.name.as_str(), result.state)).collect()
    }

    use ResultState::{Error, Fail, Pass};

    #[test]
    fn a_good_answer_is_taken_as_it_is() {
        let answered = [
            json!({ "name": "b", "status": "fail", "errorMessage": "no title", "durationMs": 12 }),
            json!({ "name": "a", "status": "pass", "details": { "title": "A" }, "colour": "red" }),
        ];
        let regular = regular(&asked(&["a", "b"]), &answered);
        assert_eq!(found(&regular), [("a", Pass), ("b", Fail)]);
        assert_eq!(regular.results[0].details.as_ref().unwrap()["title"], "A");
        assert_eq!(regular.results[1].error_message.as_deref(), Some("no title"));
        assert!(regular.notes.is_empty());
        let json = serde_json::to_value(&regular.results[1]).unwrap();
        let expected = json!({ "name": "b", "status": "fail", "errorMessage": "no title", "durationMs": 12 });
        assert_eq!(json, expected);
    }

    #[test]
    fn a_result_without_a_name_is_that_of_the_check_at_its_place() {
        let answered = [json!({ "status": "pass" }), json!({ "name": "", "status": "fail" })];
        assert_eq!(found(&regular(&asked(&["a", "b"]), &answered)), [("a", Pass), ("b", Fail)]);
    }

    #[test]
    fn a_name_that_is_asked_for_twice_gets_its_results_in_order() {
        let answered = [json!({ "name": "a", "status": "pass" }), json!({ "name": "a", "status": "fail" })];
        assert_eq!(found(&regular(&asked(&["a", "a"]), &answered)), [("a", Pass), ("a", Fail)]);
    }

    #[test]
    fn every_bad_result_is_an_error_with_its_place_and_spoils_no_other() {
        let table = [
            (json!("up"), "results[0] of the region's answer is no object"),
            (json!(null), "results[0] of the region's answer is no object"),
            (json!({ "name": "a" }), "results[0].status of the region's answer is missing, and must be"),
            (
                json!({ "name": "a", "status": "skipped", "errorMessage": "why" }),
                "results[0].status of the region's answer is \"skipped\", and must be pass, fail or error: why",
            ),
            (
                json!({ "name": "a", "status": 1 }),
                "results[0].status of the region's answer is 1, and must be",
            ),
        ];
        for (bad, message) in table {
            let answered = [bad, json!({ "name": "b", "status": "pass" })];
            let regular = regular(&asked(&["a", "b"]), &answered);
            assert_eq!(found(&regular), [("a", Error), ("b", Pass)]);
            let found = regular.results[0].error_message.as_deref().unwrap();
            assert!(found.starts_with(message), "{found}");
        }
    }

    #[test]
    fn too_few_too_many_and_wrong_names_are_said_and_each_check_has_one_result() {
        let few = regular(&asked(&["a", "b"]), &[json!({ "name": "b", "status": "pass" })]);
        assert_eq!(found(&few), [("a", Error), ("b", Pass)]);
        assert_eq!(few.notes, ["the region answered 1 results to 2 checks"]);
        let none = regular(&asked(&["a"]), &[]);
        assert_eq!(
            none.results[0].error_message.as_deref(),
            Some("the region answered no result for this check")
        );
        let wrong = regular(&asked(&["a"]), &[json!({ "name": "x", "status": "pass" })]);
        assert_eq!(found(&wrong), [("a", Error)]);
        assert_eq!(wrong.notes, ["the region answered a result for \"x\", which it was not asked for"]);
        let many: Vec<Value> = (0..90).map(|_| json!({ "name": "a", "status": "pass" })).collect();
        let many = regular(&asked(&["a"]), &many);
        assert_eq!((found(&many), many.notes.len()), (vec![("a", Pass)], NOTES_MAX));
    }

    #[test]
    fn what_is_odd_in_a_result_is_left_out_and_noted() {
        let long = "x".repeat(ANSWER_BYTES_MAX);
        let answered = [
            json!({ "name": "a", "status": "pass", "details": [1], "durationMs": -1 }),
            json!({ "name": "b", "status": "fail", "details": { "long": long }, "errorMessage": { "a": 1 } }),
        ];
        let regular = regular(&asked(&["a", "b"]), &answered);
        assert_eq!(found(&regular), [("a", Pass), ("b", Fail)]);
        assert_eq!(regular.results[1].error_message.as_deref(), Some("{\"a\":1}"));
        assert_eq!(regular.notes.len(), 3, "{:?}", regular.notes);
        assert!(regular.results.iter().all(|result| result.details.is_none()));
    }

    #[test]
    fn a_long_message_is_cut_at_a_character() {
        let answered = [json!({ "name": "a", "status": "fail", "errorMessage": "é".repeat(9000) })];
        let regular = regular(&asked(&["a"]), &answered);
        assert_eq!(regular.results[0].error_message.as_ref().unwrap().len(), MESSAGE_BYTES_MAX);
    }
}
