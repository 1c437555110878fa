//! Arguments of `runners chaos`.

use clap::Args;
use std::time::Duration;

#[derive(Debug, Args)]
pub(crate) struct ChaosArgs {
    /// Where the servers keep their queue: `sqlite`, `postgres` for a server of its own that is gone
    /// afterwards, or the URL of a database, as of `runners server --store`.
    #[arg(long, default_value = "sqlite", value_name = "STORE")]
    pub(crate) store: String,
    /// For how long processes are killed, stopped and cut off.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) seconds: u64,
    /// What chance is drawn from [default: drawn, and printed].
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// How many servers there are, from 1 to 8 [default: 1 on sqlite, otherwise 3].
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=8))]
    pub(crate) servers: Option<u8>,
    /// Print JSON instead of text, at the end.
    #[arg(long)]
    pub(crate) json: bool,
}

impl ChaosArgs {
    pub(crate) const fn span(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}
