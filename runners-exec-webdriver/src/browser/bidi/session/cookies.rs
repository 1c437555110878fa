//! Cookies of classic WebDriver, as BiDi writes them.

use super::{super::actions::whole, BidiSession};
use crate::browser::BrowserError;
use serde_json::{Map, Value, json};
use url::Url;

impl BidiSession {
    /// The cookies that pages beside this one have, whatever their domain.
    pub(super) async fn cookies(&self) -> Result<Value, BrowserError> {
        let partition = json!({ "type": "context", "context": self.page() });
        let told = self.command("storage.getCookies", &json!({ "partition": partition })).await?;
        let cookies = told["cookies"].as_array().map(Vec::as_slice).unwrap_or_default();
        cookies.iter().map(as_classic).collect()
    }

    pub(super) async fn set_cookie(&self, body: &Value) -> Result<Value, BrowserError> {
        let address = self.address().await?;
        let address = address.as_str().unwrap_or_default();
        let params = set_cookie(&self.page(), &body["cookie"], address);
        self.command("storage.setCookie", &params).await.map(|_| Value::Null)
    }

    pub(super) async fn clear_cookies(&self) -> Result<Value, BrowserError> {
        let partition = json!({ "type": "context", "context": self.page() });
        self.command("storage.deleteCookies", &json!({ "partition": partition })).await.map(|_| Value::Null)
    }
}

/// The parameters of `storage.setCookie` for a classic cookie on a page at an address.
fn set_cookie(context: &str, cookie: &Value, address: &str) -> Value {
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

/// A cookie of BiDi as classic WebDriver writes it.
fn as_classic(told: &Value) -> Result<Value, BrowserError> {
    let mut cookie = told.clone();
    if told["value"]["type"] != "string" {
        let message = format!("the value of the cookie {} is no text", told["name"]);
        return Err(BrowserError::Refused { code: "unable to get cookie".to_owned(), message });
    }
    cookie["value"] = told["value"]["value"].clone();
    let policies = [("strict", "Strict"), ("lax", "Lax"), ("none", "None")];
    let policy = policies.into_iter().find(|(theirs, _)| told["sameSite"] == *theirs);
    match (policy, cookie.as_object_mut()) {
        (Some((_, classic)), _) => cookie["sameSite"] = json!(classic),
        (None, Some(members)) => drop(members.remove("sameSite")),
        (None, None) => {}
    }
    Ok(cookie)
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn a_cookie_that_is_told_is_written_as_it_is_set() {
        let text = json!({ "type": "string", "value": "b" });
        let told =
            json!({ "name": "a", "value": text, "domain": "shop.example", "sameSite": "lax", "expiry": 5 });
        let classic =
            json!({ "name": "a", "value": "b", "domain": "shop.example", "sameSite": "Lax", "expiry": 5 });
        assert_eq!(as_classic(&told).unwrap(), classic);
        let told = json!({ "name": "a", "value": text, "sameSite": "default" });
        assert_eq!(as_classic(&told).unwrap(), json!({ "name": "a", "value": "b" }));
        let bytes = json!({ "name": "a", "value": { "type": "base64", "value": "/w==" } });
        assert!(as_classic(&bytes).unwrap_err().to_string().contains("cookie \"a\" is no text"));
    }
}
