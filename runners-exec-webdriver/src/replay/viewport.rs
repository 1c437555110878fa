//! The screen that a page sees, emulated through the DevTools protocol.

use super::{scope::Scope, trouble::Trouble};
use crate::flow::Viewport;
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};

/// What is emulated now and only takes effect on a page that is loaded after it.
#[derive(Debug, Default)]
pub(super) struct Emulated {
    mobile: AtomicBool,
    touch: AtomicBool,
}

impl Scope<'_> {
    /// Emulates a screen, and reloads the page if it would otherwise not notice.
    pub(super) async fn set_viewport(&self, viewport: &Viewport) -> Result<(), Trouble> {
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
        let was_mobile = self.emulated.mobile.swap(viewport.is_mobile, Ordering::Relaxed);
        let was_touch = self.emulated.touch.swap(viewport.has_touch, Ordering::Relaxed);
        if (was_mobile, was_touch) != (viewport.is_mobile, viewport.has_touch) {
            self.reload().await?;
        }
        Ok(())
    }
}
