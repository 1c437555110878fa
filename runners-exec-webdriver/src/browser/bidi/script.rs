//! Scripts of classic WebDriver, run over BiDi: how their arguments and answers travel. Both go as one
//! JSON text, with the elements in them beside it.

use crate::browser::BrowserError;
use serde_json::{Value, json};

/// The member by which classic WebDriver refers to an element.
pub(super) const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Around a script: revives its arguments, waits for its answer, writes that down. A document that is left may be
/// kept asleep, with whatever waits in it; so a script ends with its page.
const BEFORE: &str = "async function (text, ...nodes) {
  const KEY = 'element-6066-11e4-a52e-4f735466cecf';
  const given = JSON.parse(text, (_, value) => value !== null && typeof value === 'object' && KEY in value ? nodes[value[KEY]] : value);
  const run = function () {";
const AFTER: &str = "
  };
  const answered = new AbortController();
  const left = new Promise((_, reject) => window.addEventListener('pagehide',
    () => reject(new Error('the page was left')), { once: true, signal: answered.signal }));
  const answer = await Promise.race([RUN, left]).finally(() => answered.abort());
  const found = [];
  const write = (_, value) => {
    if (value === null || typeof value !== 'object' || typeof value.nodeType !== 'number') return value;
    found.push(value);
    return { [KEY]: found.length - 1 };
  };
  return [JSON.stringify(answer === undefined ? null : answer, write) ?? 'null', ...found];
}";

/// Whether a script answers by its return value or through its last argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answers {
    Returned,
    ThroughLastArgument,
}

/// The parameters of `script.callFunction` that run a classic script in a frame.
pub(super) fn call(context: &str, body: &Value, answers: Answers) -> Value {
    let script = body["script"].as_str().unwrap_or_default();
    let run = match answers {
        Answers::Returned => "run.apply(null, given)",
        Answers::ThroughLastArgument => "new Promise(resolve => run.apply(null, [...given, resolve]))",
    };
    let mut arguments = body["args"].clone();
    let mut nodes = Vec::new();
    take_elements(&mut arguments, &mut nodes);
    let text = json!({ "type": "string", "value": arguments.to_string() });
    let nodes = nodes.into_iter().map(|id| json!({ "sharedId": id }));
    let arguments: Vec<Value> = std::iter::once(text).chain(nodes).collect();
    json!({
        "functionDeclaration": format!("{BEFORE}\n{script}\n{}", AFTER.replace("RUN", run)),
        "awaitPromise": true,
        "target": { "context": context },
        "arguments": arguments,
        "serializationOptions": { "maxDomDepth": 0, "maxObjectDepth": 1 },
    })
}

/// What a script answered, or why it did not.
pub(super) fn answer(result: &Value) -> Result<Value, BrowserError> {
    if let Some(details) = result.get("exceptionDetails") {
        let text = details["text"].as_str().unwrap_or("the script failed");
        return Err(refused("javascript error", text));
    }
    let parts = result["result"]["value"].as_array().map(Vec::as_slice).unwrap_or_default();
    let [text, nodes @ ..] = parts else {
        return Err(refused("javascript error", "the page changed the answer of a script"));
    };
    let text = text["value"].as_str().unwrap_or("null");
    let mut answer: Value =
        serde_json::from_str(text).map_err(|error| refused("javascript error", &error.to_string()))?;
    let ids: Vec<&str> = nodes.iter().map(|node| node["sharedId"].as_str().unwrap_or_default()).collect();
    give_elements(&mut answer, &ids);
    Ok(answer)
}

/// The element that a classic reference means.
pub(super) fn element(reference: &Value) -> Option<&str> {
    reference.get(ELEMENT)?.as_str()
}

/// Numbers the elements in a value, and takes their ids.
fn take_elements(value: &mut Value, ids: &mut Vec<String>) {
    if let Some(id) = value.get(ELEMENT).and_then(Value::as_str) {
        ids.push(id.to_owned());
        *value = json!({ ELEMENT: ids.len() - 1 });
        return;
    }
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| take_elements(value, ids)),
        Value::Object(members) => members.values_mut().for_each(|value| take_elements(value, ids)),
        _ => {}
    }
}

/// Gives the numbered elements in a value their ids.
fn give_elements(value: &mut Value, ids: &[&str]) {
    if let Some(number) = value.get(ELEMENT).and_then(Value::as_u64) {
        let id = usize::try_from(number).ok().and_then(|number| ids.get(number));
        *value = id.map_or(Value::Null, |id| json!({ ELEMENT: id }));
        return;
    }
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| give_elements(value, ids)),
        Value::Object(members) => members.values_mut().for_each(|value| give_elements(value, ids)),
        _ => {}
    }
}

fn refused(code: &str, message: &str) -> BrowserError {
    let message = message.lines().next().unwrap_or_default().trim().to_owned();
    BrowserError::Refused { code: code.to_owned(), message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_travel_beside_the_text_and_come_back() {
        let body = json!({ "script": "return 1", "args": [{ "a": [{ ELEMENT: "one" }] }, { ELEMENT: "two" }, null] });
        let call = call("frame", &body, Answers::Returned);
        let sent: Value = serde_json::from_str(call["arguments"][0]["value"].as_str().unwrap()).unwrap();
        assert_eq!(sent, json!([{ "a": [{ ELEMENT: 0 }] }, { ELEMENT: 1 }, null]));
        assert_eq!(call["arguments"][2], json!({ "sharedId": "two" }));

        let text = json!({ "found": { ELEMENT: 0 }, "gone": { ELEMENT: 7 } }).to_string();
        let result = json!({ "type": "success", "result": { "type": "array", "value": [
            { "type": "string", "value": text }, { "type": "node", "sharedId": "one" },
        ] } });
        assert_eq!(answer(&result).unwrap(), json!({ "found": { ELEMENT: "one" }, "gone": null }));
    }

    #[test]
    fn what_a_script_throws_is_told_in_one_line() {
        let result = json!({ "type": "exception", "exceptionDetails": { "text": "TypeError: x\nat y" } });
        let error = answer(&result).unwrap_err().to_string();
        assert_eq!(error, "javascript error: TypeError: x");
    }
}
