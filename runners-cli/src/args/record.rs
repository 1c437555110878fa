//! What may be asked of a recording.

use super::groups::ApiArgs;
use clap::Args;
use runners_exec_webdriver::{Engine, RecordFlow};
use std::{path::PathBuf, time::Duration};

/// A recording in a browser of this machine, or of a runner.
#[derive(Debug, Args)]
pub(crate) struct FlowRecordArgs {
    /// The page to begin with.
    pub(crate) url: String,
    /// Where the flow goes.
    #[arg(short, long, value_name = "FLOW.json", default_value = "flow.json")]
    pub(crate) output: PathBuf,
    /// Replace the file if it is there already.
    #[arg(long)]
    pub(crate) force: bool,
    /// Which browser to record in: chromium or firefox [default: chromium, and on a runner whichever it
    /// has].
    #[arg(long, alias = "browser", value_name = "ENGINE", env = "RUNNERS_ENGINE")]
    pub(crate) engine: Option<Engine>,
    /// Show the browser's window, which is usual.
    #[arg(long, conflicts_with = "headless")]
    pub(crate) headed: bool,
    /// Start the browser without a window: for programs that drive it.
    #[arg(long)]
    pub(crate) headless: bool,
    /// What the flow is called [default: the address of the page].
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// The size of the page, such as 1280x800 [default: that of the window].
    #[arg(long, value_name = "WIDTHxHEIGHT", value_parser = viewport)]
    pub(crate) viewport: Option<(u32, u32)>,
    /// When it ends by itself, such as 90s, 5m or 1h.
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = super::groups::time)]
    pub(crate) time_limit: Duration,
    /// Print one JSON object a line instead of text.
    #[arg(long)]
    pub(crate) json: bool,
    /// Record on a runner of this pool, driven through the live view of the server's dashboard
    /// [default with -s or --profile: default].
    #[arg(long, value_name = "NAME", conflicts_with_all = ["headed", "headless"])]
    #[arg(help_heading = "On a runner")]
    pub(crate) pool: Option<String>,
    #[command(flatten, next_help_heading = "On a runner")]
    pub(crate) api: ApiArgs,
}

impl FlowRecordArgs {
    /// The pool of those who name a server and no pool.
    pub(crate) const POOL: &str = "default";
}

/// Reads `1280x800`.
fn viewport(text: &str) -> Result<(u32, u32), String> {
    let sides = text.split_once('x').and_then(|(width, height)| {
        let side = |text: &str| text.parse().ok().filter(|side| RecordFlow::SIDE.contains(side));
        Some((side(width)?, side(height)?))
    });
    let (least, most) = (RecordFlow::SIDE.start(), RecordFlow::SIDE.end());
    sides.ok_or_else(|| format!("write WIDTHxHEIGHT, such as 1280x800, each from {least} to {most}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_viewport_is_two_sides_that_a_page_can_have() {
        assert_eq!(viewport("1280x800"), Ok((1280, 800)));
        for bad in ["", "1280", "1280 x 800", "1x1", "1280x80000", "ax800"] {
            assert!(viewport(bad).is_err(), "{bad}");
        }
    }
}
