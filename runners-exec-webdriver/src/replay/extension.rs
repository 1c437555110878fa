//! The steps that this replayer adds to the format, carried out. What they are is in the flow's
//! `extension`; pictures are taken by whoever keeps them.

use super::{
    element::in_order,
    navigation::Sight,
    scope::{Look, Scope},
    trouble::Trouble,
};
use crate::{
    browser::{BrowserError, script::Script},
    flow::{Cookie, Devtools, Extension, Selectors, UploadedFile},
};
use serde_json::{Map, Value, json};
use std::sync::PoisonError;

const EXPECT: Script = Script::new(
    "expect",
    concat!(
        include_str!("../scripts/find.js"),
        include_str!("../scripts/names.js"),
        include_str!("../scripts/expect.js")
    ),
);
const UPLOAD: Script = Script::new(
    "upload",
    concat!(
        include_str!("../scripts/find.js"),
        include_str!("../scripts/names.js"),
        include_str!("../scripts/upload.js")
    ),
);
const SELECT: Script = Script::new(
    "select",
    concat!(
        include_str!("../scripts/find.js"),
        include_str!("../scripts/names.js"),
        include_str!("../scripts/fill.js"),
        include_str!("../scripts/select.js")
    ),
);

impl Scope<'_> {
    pub(super) async fn extension(&self, extension: &Extension) -> Result<(), Trouble> {
        match extension {
            Extension::AssertText { selectors, text, exact } => {
                let request = json!({ "text": text, "exact": exact, "visible": null });
                let wanted = if *exact { "to say" } else { "to say something with" };
                self.expect(selectors, request, &format!("{wanted} {text:?}")).await
            }
            Extension::AssertVisible { selectors, visible } => {
                let wanted = if *visible { "to be seen" } else { "not to be seen" };
                self.expect(selectors, json!({ "text": null, "visible": visible }), wanted).await
            }
            Extension::AssertUrl { url, exact } => self.expect_address(url, *exact).await,
            // Whoever watches the steps takes it.
            Extension::Screenshot { .. } | Extension::SaveStorageState { .. } => Ok(()),
            Extension::Upload { selectors, files } => self.upload(selectors, files).await,
            Extension::Select { selectors, values } => {
                let request = Map::from_iter([("values".to_owned(), json!(values))]);
                self.give(&SELECT, selectors, request).await
            }
            Extension::Drag { selectors, to } => self.drag(selectors, to).await,
            Extension::Dialog { accept, message, value } => {
                self.answer_dialog(*accept, message.as_deref(), value.as_deref()).await
            }
            Extension::Cookies { clear, set } => {
                if *clear {
                    self.clear_cookies().await?;
                }
                self.set_cookies(set).await
            }
            Extension::StorageState { cookies, origins } => {
                self.set_cookies(cookies).await?;
                for origin in origins {
                    self.store(origin).await?;
                }
                Ok(())
            }
            Extension::AssertScreenshot(comparison) => self.compare(comparison).await,
        }
    }

    async fn expect(&self, selectors: &Selectors, request: Value, wanted: &str) -> Result<(), Trouble> {
        let alternatives = in_order(selectors);
        let request = request.as_object().expect("invariant: requests are objects").clone();
        self.until(|| async {
            let answer = self.look(&EXPECT, &alternatives, request.clone()).await?;
            Ok(answer.ended(|why| format!("waited for {selectors} {wanted}: {why}")))
        })
        .await
    }

    async fn expect_address(&self, wanted: &str, exact: bool) -> Result<(), Trouble> {
        self.until_told(|| async {
            let now = Sight::of(self.page, false).await?;
            let is = now.url();
            let holds = if exact { is == wanted } else { is.contains(wanted) };
            let what = if exact { "at" } else { "at an address with" };
            Ok(if holds {
                Look::Done(())
            } else {
                Look::Again(format!("the page should be {what} {wanted:?} and is at {is:?}"))
            })
        })
        .await
    }

    async fn upload(&self, selectors: &Selectors, files: &[UploadedFile]) -> Result<(), Trouble> {
        self.give(&UPLOAD, selectors, Map::from_iter([("files".to_owned(), json!(files))])).await
    }

    /// Has a script give a control something, once it can take it.
    async fn give(
        &self,
        script: &Script,
        selectors: &Selectors,
        request: Map<String, Value>,
    ) -> Result<(), Trouble> {
        let alternatives = in_order(selectors);
        self.until(|| async {
            let answer = self.look(script, &alternatives, request.clone()).await?;
            Ok(answer.ended(|why| why))
        })
        .await
    }

    /// Waits for a dialog, looks at what it says, and answers it.
    async fn answer_dialog(
        &self,
        accept: bool,
        message: Option<&str>,
        value: Option<&str>,
    ) -> Result<(), Trouble> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((popups, dialog)) = self.popups.zip(heard) {
            should_say(message, &dialog.says)?;
            return popups.answer(&dialog, accept, value).await;
        }
        let says = self
            .until_told(|| async {
                Ok(match self.page.dialog().await? {
                    Some(says) => Look::Done(says),
                    None => Look::Again("no dialog is open".to_owned()),
                })
            })
            .await?;
        should_say(message, &says)?;
        if let Some(value) = value {
            self.page.type_into_dialog(value).await?;
        }
        Ok(self.page.answer_dialog(accept).await?)
    }

    async fn clear_cookies(&self) -> Result<(), Trouble> {
        match self.page.devtools() {
            Devtools::Spoken => {
                self.page.devtools_call("Network.clearBrowserCookies", json!({})).await?;
            }
            Devtools::Absent => self.page.clear_cookies().await?,
        }
        Ok(())
    }

    async fn set_cookies(&self, cookies: &[Cookie]) -> Result<(), Trouble> {
        if cookies.is_empty() {
            return Ok(());
        }
        let here = self.page.address().await?;
        for cookie in cookies {
            let set = match self.page.devtools() {
                Devtools::Spoken => self.set_any_cookie(cookie, &here).await,
                // Of the page's own domain only.
                Devtools::Absent => self.page.set_cookie(written(cookie, "expiry")).await,
            };
            set.map_err(|error| match error {
                BrowserError::Refused { message, .. } => {
                    Trouble::Failed(format!("the cookie {:?} was refused: {message}", cookie.name))
                }
                error => error.into(),
            })?;
        }
        Ok(())
    }

    async fn set_any_cookie(&self, cookie: &Cookie, here: &str) -> Result<(), BrowserError> {
        let mut request = written(cookie, "expires");
        if cookie.domain.is_none() {
            request["url"] = json!(here);
        }
        let answer = self.page.devtools_call("Network.setCookie", request).await?;
        if answer["success"] == false {
            let (code, message) =
                ("invalid cookie domain".to_owned(), "the browser did not take it".to_owned());
            return Err(BrowserError::Refused { code, message });
        }
        Ok(())
    }
}

fn should_say(message: Option<&str>, says: &str) -> Result<(), Trouble> {
    match message.filter(|message| *message != says) {
        Some(message) => Err(Trouble::Failed(format!("the dialog should say {message:?} and says {says:?}"))),
        None => Ok(()),
    }
}

/// A cookie as WebDriver and DevTools write it; they differ in the name of its end.
fn written(cookie: &Cookie, end: &str) -> Value {
    let mut request = json!({
        "name": cookie.name,
        "value": cookie.value,
        "path": cookie.path.as_deref().unwrap_or("/"),
        "httpOnly": cookie.http_only,
        "secure": cookie.secure,
    });
    let members = [
        ("domain", cookie.domain.as_ref().map(|domain| json!(domain))),
        ("sameSite", cookie.same_site.as_ref().map(|policy| json!(policy))),
        (end, cookie.expires.map(|seconds| json!(seconds.trunc()))),
    ];
    for (name, value) in members {
        value.into_iter().for_each(|value| request[name] = value);
    }
    request
}
