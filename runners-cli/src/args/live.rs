//! Arguments of how much of live views a server has.

use clap::Args;

/// How much of live views there is, as far as it is given.
#[derive(Debug, Args)]
#[command(next_help_heading = "Settings")]
pub(crate) struct GivenLive {
    /// Have no live views: whoever asks for one is told so.
    #[arg(long, env = "RUNNERS_NO_LIVE")]
    pub(crate) no_live: bool,
    /// Where the other servers on the same database reach this one, so that a live view is found whichever of them
    /// somebody comes to, as https://10.0.0.5:7878 [default: the address that it listens on, if that is one].
    #[arg(long, value_name = "URL", env = "RUNNERS_LIVE_ADDRESS")]
    pub(crate) live_address: Option<String>,
    /// How many live views are open at once at most [default: 200].
    #[arg(long, value_name = "COUNT", env = "RUNNERS_LIVE_STREAMS")]
    pub(crate) live_streams: Option<usize>,
    /// How many live views of one tenant are open at once at most [default: 20].
    #[arg(long, value_name = "COUNT", env = "RUNNERS_LIVE_TENANT_STREAMS")]
    pub(crate) live_tenant_streams: Option<usize>,
    /// How many may look at the same attempt at most [default: 32].
    #[arg(long, value_name = "COUNT", env = "RUNNERS_LIVE_VIEWERS")]
    pub(crate) live_viewers: Option<usize>,
    /// How many pictures a second somebody who looks may wish for, from 1 to 30 [default: 30].
    #[arg(long, value_name = "COUNT", env = "RUNNERS_LIVE_RATE")]
    pub(crate) live_rate: Option<u32>,
    /// How wide a picture somebody who looks may wish for, in pixels from 64 to 4096 [default: 1920].
    #[arg(long, value_name = "PIXELS", env = "RUNNERS_LIVE_WIDTH")]
    pub(crate) live_width: Option<u32>,
}
