//! Whether a browser's window has a place to be.

use anyhow::{Result, bail};
use std::env;

/// The variables that name a display.
const NAMES: [&str; 2] = ["DISPLAY", "WAYLAND_DISPLAY"];

/// Makes sure that there is a display, and says what to do `otherwise`.
pub(crate) fn check(is_asked: bool, otherwise: &str) -> Result<()> {
    let is_missing = cfg!(all(unix, not(target_os = "macos")))
        && NAMES.iter().all(|name| env::var_os(name).is_none_or(|display| display.is_empty()));
    if is_missing {
        let asked = if is_asked { "--headed needs a display" } else { "a person needs to see the browser" };
        let [one, other] = NAMES;
        bail!("{asked}, and there is none here (neither {one} nor {other} is set): {otherwise}");
    }
    Ok(())
}
