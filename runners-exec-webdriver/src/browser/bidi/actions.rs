//! Cookies and pointer actions of classic WebDriver, as BiDi writes them.

use super::script;
use serde_json::{Map, Value, json};
use url::Url;

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

/// The parameters of `storage.setCookie` for a classic cookie on a page at an address.
pub(super) fn set_cookie(context: &str, cookie: &Value, address: &str) -> Value {
    let text = |name: &str| cookie.get(name).and_then(Value::as_str);
    let here = || Url::parse(address).ok()?.host_str().map(str::to_owned);
    let domain = text("domain").map(str::to_owned).or_else(here).unwrap_or_default();
    let mut written = Map::from_iter([
        ("name".to_owned(), json!(text("name"))),
        ("value".to_owned(), json!({ "type": "string", "value": text("value") })),
        ("domain".to_owned(), json!(domain)),
    ]);
    for member in ["path", "httpOnly", "secure"] {
        if let Some(value) = cookie.get(member) {
            written.insert(member.to_owned(), value.clone());
        }
    }
    if let Some(policy) = text("sameSite") {
        written.insert("sameSite".to_owned(), json!(policy.to_lowercase()));
    }
    if let Some(end) = cookie.get("expiry").and_then(Value::as_f64) {
        written.insert("expiry".to_owned(), json!(whole(end)));
    }
    json!({ "cookie": written, "partition": { "type": "context", "context": context } })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is within 0 and 2^53")]
fn whole(number: f64) -> u64 {
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

    #[test]
    fn a_cookie_without_a_domain_is_of_the_page() {
        let cookie = json!({ "name": "a", "value": "b", "path": "/", "sameSite": "Lax", "expiry": 5.0 });
        let sent = set_cookie("page", &cookie, "http://shop.example:81/cart");
        assert_eq!(
            sent["cookie"],
            json!({
                "name": "a", "value": { "type": "string", "value": "b" }, "domain": "shop.example",
                "path": "/", "sameSite": "lax", "expiry": 5,
            })
        );
    }
}
