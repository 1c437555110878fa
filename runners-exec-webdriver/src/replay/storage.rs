//! What a browser remembers of a person, put there and read back: the local storage of origins, and
//! cookies with it. Cookies alone are set in `extension`.

use super::{
    scope::{Look, Scope},
    trouble::Trouble,
};
use crate::{
    browser::{BrowserError, page::Page},
    flow::{Devtools, StoredOrigin},
};
use serde_json::{Value, json};

/// Fills the local storage if the page is of the origin, and says of which it is.
const STORE: &str = "const [to, done] = arguments;
    if (location.origin === to.origin) for (const [name, value] of to.values) localStorage.setItem(name, value);
    done({ origin: location.origin, failed: location.protocol === 'chrome-error:' });";
/// The local storage of the page's origin. A page without an origin has none.
const STORED: &str = "const done = arguments[arguments.length - 1];
    let entries = [];
    try { entries = Object.entries(localStorage); } catch {}
    done({ origin: location.origin, localStorage: entries.map(([name, value]) => ({ name, value })) });";
/// Where an origin may have a page: first an address that changes nothing there and shows nothing.
const PATHS: &[&str] = &["/favicon.ico", "/"];

impl Scope<'_> {
    /// Fills the local storage of an origin: on the page, if it is of that, else on a page of its own.
    pub(super) async fn store(&self, stored: &StoredOrigin) -> Result<(), Trouble> {
        let request = json!({ "origin": stored.origin, "values": stored.local_storage });
        let here: Value = self.page.ask(STORE, &request).await?;
        if here["origin"] == stored.origin {
            return Ok(());
        }
        self.frames().clear();
        self.place.open(self.page).await?;
        for path in PATHS {
            self.page.go_to(&format!("{}{path}", stored.origin)).await?;
            let there = self.until(|| self.stored(&request)).await?;
            if there {
                break;
            }
        }
        let (wanted, there) = (&stored.origin, self.page.ask::<Value>(STORE, &request).await?);
        self.place.close(self.page).await?;
        if there["origin"] == *wanted {
            return Ok(());
        }
        Err(Trouble::Failed(format!(
            "the storage of {wanted} is set on one of its pages, and none can be loaded"
        )))
    }

    /// Whether the page of its own has filled the storage; not if it cannot be loaded.
    async fn stored(&self, request: &Value) -> Result<Look<bool>, BrowserError> {
        let there: Value = self.page.ask(STORE, request).await?;
        Ok(if there["origin"] == request["origin"] {
            Look::Done(true)
        } else if there["failed"] == true {
            Look::Done(false)
        } else {
            Look::Again(format!("there is no answer from {}", request["origin"]))
        })
    }
}

/// The cookies of all origins, where the browser tells them, and the local storage of the page's, in the
/// form that a step of a flow takes.
pub(super) async fn state(page: Page<'_>) -> Result<String, BrowserError> {
    let cookies = match page.devtools() {
        Devtools::Spoken => page.devtools_call("Network.getAllCookies", json!({})).await?["cookies"].take(),
        Devtools::Absent => page.cookies().await?,
    };
    let cookies: Vec<Value> = cookies.as_array().into_iter().flatten().map(as_written).collect();
    let stored: Value = page.ask(STORED, &json!({})).await?;
    Ok(format!("{:#}\n", json!({ "cookies": cookies, "origins": [stored] })))
}

/// A cookie with the members that a flow knows. Drivers and DevTools differ in the name of its end.
fn as_written(cookie: &Value) -> Value {
    let names = ["name", "value", "domain", "path", "expires", "httpOnly", "secure", "sameSite"];
    let mut written: Value =
        names.iter().filter_map(|name| Some((*name, cookie.get(*name)?.clone()))).collect();
    if let Some(end) = cookie.get("expiry") {
        written["expires"] = end.clone();
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_written_as_a_flow_takes_it() {
        let told =
            json!({ "name": "a", "value": "b", "expiry": 7, "httpOnly": true, "size": 2, "session": false });
        let written = json!({ "name": "a", "value": "b", "expires": 7, "httpOnly": true });
        assert_eq!(as_written(&told), written);
    }
}
