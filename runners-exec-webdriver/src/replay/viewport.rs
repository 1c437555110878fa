//! The screen that a page sees, emulated by what the browser has for it: the DevTools protocol, BiDi, or
//! the size of its window.

use super::{scope::Scope, trouble::Trouble};
use crate::flow::{Devtools, Viewport};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError, atomic::Ordering},
};

/// What is emulated now, by page, and only takes effect on what is loaded after it: whether it is a
/// phone, and whether it can be touched.
#[derive(Debug, Default)]
pub(super) struct Emulated(Mutex<HashMap<Option<String>, (bool, bool)>>);

impl Scope<'_> {
    /// Emulates a screen, and reloads the page if it would otherwise not notice.
    pub(super) async fn set_viewport(&self, viewport: &Viewport) -> Result<(), Trouble> {
        if self.is_frame_target.load(Ordering::Relaxed) {
            return Ok(());
        }
        if self.page.devtools() == Devtools::Absent {
            return self.resize(viewport).await;
        }
        let orientation = if viewport.is_landscape {
            json!({ "angle": 90, "type": "landscapePrimary" })
        } else {
            json!({ "angle": 0, "type": "portraitPrimary" })
        };
        let metrics = json!({
            "width": viewport.width.round(),
            "height": viewport.height.round(),
            "deviceScaleFactor": viewport.device_scale_factor,
            "mobile": viewport.is_mobile,
            "screenOrientation": orientation,
        });
        self.page.devtools_call("Emulation.setDeviceMetricsOverride", metrics).await?;
        let touch = json!({ "enabled": viewport.has_touch });
        self.page.devtools_call("Emulation.setTouchEmulationEnabled", touch).await?;
        let now = (viewport.is_mobile, viewport.has_touch);
        let page = self.place.page();
        let before = self.emulated.0.lock().unwrap_or_else(PoisonError::into_inner).insert(page, now);
        if before.unwrap_or_default() != now {
            self.reload().await?;
        }
        Ok(())
    }

    /// Gives the page a size without the DevTools protocol.
    async fn resize(&self, viewport: &Viewport) -> Result<(), Trouble> {
        const AROUND: &str =
            "const [, done] = arguments; done([outerWidth - innerWidth, outerHeight - innerHeight]);";
        let (width, height) = (viewport.width.round(), viewport.height.round());
        if self.page.abilities().bidi() {
            let size = json!({
                "context": null,
                "viewport": { "width": whole(width), "height": whole(height) },
                "devicePixelRatio": viewport.device_scale_factor,
            });
            self.page.bidi_call("browsingContext.setViewport", size).await?;
            return Ok(());
        }
        // A window is larger than its page.
        let (wide, high): (f64, f64) = self.page.ask(AROUND, &Value::Null).await?;
        self.page.set_window_size(width + wide.max(0.0), height + high.max(0.0)).await?;
        Ok(())
    }

    /// Emulates a network until the flow ends; without any throughput there is none.
    pub(super) async fn set_network(&self, download: f64, upload: f64, latency: f64) -> Result<(), Trouble> {
        // It has no effect on requests that nobody watches.
        self.page.devtools_call("Network.enable", json!({})).await?;
        let conditions = json!({
            "offline": download == 0.0 && upload == 0.0,
            "latency": latency,
            "downloadThroughput": download,
            "uploadThroughput": upload,
        });
        self.page.devtools_call("Network.emulateNetworkConditions", conditions).await?;
        Ok(())
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a parsed size is positive")]
const fn whole(size: f64) -> u64 {
    size as u64
}
