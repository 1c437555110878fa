//! Keys that are pressed and released by steps of their own.

use super::{scope::Scope, trouble::Trouble};
use crate::{browser::BrowserError, flow::Key};
use runners_core::sleep;
use serde_json::json;
use std::time::Duration;

/// The pause after each key, which recorded flows were made with.
const KEY_PAUSE: Duration = Duration::from_millis(100);

impl Scope<'_> {
    pub(super) async fn key_down(&self, key: &str) -> Result<(), Trouble> {
        match Key::of(key) {
            Key::Point(point) => self.page.key_down(point).await?,
            Key::Unmapped => self.bare_key("rawKeyDown", key).await?,
            Key::Unknown => return Err(unknown(key)),
        }
        sleep(self.clock, KEY_PAUSE).await;
        Ok(())
    }

    pub(super) async fn key_up(&self, key: &str) -> Result<(), Trouble> {
        match Key::of(key) {
            Key::Point(point) => self.page.key_up(point).await?,
            Key::Unmapped => self.bare_key("keyUp", key).await?,
            Key::Unknown => return Err(unknown(key)),
        }
        sleep(self.clock, KEY_PAUSE).await;
        Ok(())
    }

    /// A key for which WebDriver has no code point.
    async fn bare_key(&self, event: &str, key: &str) -> Result<(), BrowserError> {
        let event = json!({ "type": event, "key": key, "code": key });
        self.page.devtools_call("Input.dispatchKeyEvent", event).await.map(drop)
    }
}

fn unknown(key: &str) -> Trouble {
    Trouble::Failed(format!("no keyboard has the key {key:?}"))
}
