//! Keys that are pressed and released by steps of their own.

use super::{scope::Scope, trouble::Trouble};
use crate::{
    browser::BrowserError,
    flow::{Bare, Key, Mode},
};
use runners_core::sleep;
use serde_json::json;
use std::time::Duration;

/// The pause after each key, which recorded flows were made with.
const KEY_PAUSE: Duration = Duration::from_millis(100);

impl Scope<'_> {
    pub(super) async fn key_down(&self, key: &str) -> Result<(), Trouble> {
        self.clicks.held(key);
        match Key::of(key) {
            Key::Point(point) => self.page.key_down(point).await?,
            Key::Unmapped(bare) => self.bare_key("rawKeyDown", bare).await?,
            Key::Unknown => return Err(unknown(key)),
        }
        self.key_pause().await;
        Ok(())
    }

    pub(super) async fn key_up(&self, key: &str) -> Result<(), Trouble> {
        match Key::of(key) {
            Key::Point(point) => self.page.key_up(point).await?,
            Key::Unmapped(bare) => self.bare_key("keyUp", bare).await?,
            Key::Unknown => return Err(unknown(key)),
        }
        self.clicks.released(key);
        self.key_pause().await;
        Ok(())
    }

    /// In `strict` mode what comes next waits for what it needs, and not for the clock.
    async fn key_pause(&self) {
        if self.mode == Mode::Compat {
            sleep(self.clock, KEY_PAUSE).await;
        }
    }

    /// A key for which WebDriver has no code point.
    async fn bare_key(&self, event: &str, bare: Bare) -> Result<(), BrowserError> {
        let event = json!({
            "type": event,
            "key": bare.key,
            "code": bare.code,
            "windowsVirtualKeyCode": bare.key_code,
        });
        self.page.devtools_call("Input.dispatchKeyEvent", event).await.map(drop)
    }
}

fn unknown(key: &str) -> Trouble {
    Trouble::Failed(format!("no keyboard has the key {key:?}"))
}
