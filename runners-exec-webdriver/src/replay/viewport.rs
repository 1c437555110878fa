//! The screen that a page sees, emulated through the DevTools protocol.

use super::{scope::Scope, trouble::Trouble};
use crate::flow::Viewport;
use serde_json::json;
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
