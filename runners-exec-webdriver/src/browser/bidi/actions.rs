//! Actions of classic WebDriver, as BiDi writes them.

use super::script;
use serde_json::{Value, json};

/// The parameters of `input.performActions` for a classic body.
pub(super) fn perform(context: &str, body: &Value) -> Value {
    let mut sources = body["actions"].clone();
    for source in sources.as_array_mut().into_iter().flatten() {
        for action in source["actions"].as_array_mut().into_iter().flatten() {
            write_action(action);
        }
    }
    json!({ "context": context, "actions": sources })
}

/// BiDi takes whole milliseconds, and elements by their shared ids.
fn write_action(action: &mut Value) {
    if let Some(duration) = action.get("duration").and_then(Value::as_f64) {
        action["duration"] = json!(whole(duration));
    }
    if let Some(id) = action.get("origin").and_then(script::element) {
        action["origin"] = json!({ "type": "element", "element": { "sharedId": id } });
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is within 0 and 2^53")]
pub(super) fn whole(number: f64) -> u64 {
    const WHOLE_MAX: f64 = 9_007_199_254_740_991.0;
    number.clamp(0.0, WHOLE_MAX) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_keep_their_form_but_for_origins_and_fractions() {
        let element = json!({ script::ELEMENT: "e" });
        let body = json!({ "actions": [{ "type": "pointer", "id": "mouse", "actions": [
            { "type": "pointerMove", "origin": element, "x": 1.5, "y": 2, "duration": 0 },
            { "type": "pause", "duration": 12.7 },
        ] }] });
        let sent = perform("page", &body);
        let actions = &sent["actions"][0]["actions"];
        assert_eq!(actions[0]["origin"], json!({ "type": "element", "element": { "sharedId": "e" } }));
        assert_eq!((&actions[0]["x"], &actions[1]["duration"]), (&json!(1.5), &json!(12)));
        assert_eq!(sent["context"], "page");
    }
}
