//! Ctrl-C and `SIGTERM`: the first asks to end well, the second to end now.

use anyhow::Context as _;

/// Counts how often the process was asked to end.
#[derive(Debug)]
pub(crate) struct Interrupts {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Interrupts {
    /// From now on neither ends the process by itself.
    #[cfg(unix)]
    pub(crate) fn listen() -> anyhow::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| signal(kind).context("the system does not tell of Ctrl-C and SIGTERM");
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    /// From now on Ctrl-C does not end the process by itself.
    #[cfg(not(unix))]
    pub(crate) fn listen() -> anyhow::Result<Self> {
        Ok(Self {})
    }

    /// Completes when the process is asked to end once more.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    #[cfg(unix)]
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            Some(()) = self.interrupt.recv() => {}
            Some(()) = self.terminate.recv() => {}
            else => std::future::pending().await,
        }
    }

    /// Completes when the process is asked to end once more.
    #[cfg(not(unix))]
    pub(crate) async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.context("no Ctrl-C").is_err() {
            std::future::pending().await
        }
    }
}

/// `SIGUSR1`: something else is wanted, and written where the runner knows.
#[derive(Debug)]
pub(crate) struct Nudges {
    #[cfg(unix)]
    signal: tokio::sync::Mutex<tokio::signal::unix::Signal>,
}

impl Nudges {
    /// From now on it does not end the process.
    #[cfg(unix)]
    pub(crate) fn listen() -> anyhow::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let signal = signal(SignalKind::user_defined1()).context("the system does not tell of SIGUSR1")?;
        Ok(Self { signal: signal.into() })
    }

    /// There is none here.
    #[cfg(not(unix))]
    pub(crate) fn listen() -> anyhow::Result<Self> {
        Ok(Self {})
    }

    /// Completes when it was sent since the last time.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    #[cfg(unix)]
    pub(crate) async fn next(&self) {
        if self.signal.lock().await.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }

    /// Never completes.
    #[cfg(not(unix))]
    pub(crate) async fn next(&self) {
        std::future::pending().await
    }
}
