//! A browser in a container for the flows of a runner: one for all of them, for as long as the runner runs.

use crate::{
    bridge::Reach, browser::BrowserImage, companion::Companion, error::EngineError,
    executor::ContainerExecutor,
};
use runners_core::Fault;
use std::net::IpAddr;

/// A browser that runs in a container of this machine until this is dropped; if it dies, the engine starts it
/// again at the same URL. Its network leads to this machine and nowhere else.
#[derive(Debug)]
pub struct ContainerBrowser {
    companion: Companion,
    machine: IpAddr,
}

impl ContainerBrowser {
    /// The URL of its WebDriver, as it is reached from this machine.
    #[must_use]
    pub fn url(&self) -> &str {
        self.companion.url()
    }

    /// The address of this machine, as the browser reaches it: its way out, if it is to have one.
    #[must_use]
    pub const fn machine(&self) -> IpAddr {
        self.machine
    }

    /// Ends it, and removes its network.
    ///
    /// # Errors
    /// [`EngineError`]; what is left is removed in the background, as it is if the future is dropped.
    ///
    /// # Cancel safety
    /// [`ContainerExecutor::settle`] waits for what is left.
    pub async fn stop(self) -> Result<(), EngineError> {
        self.companion.remove().await
    }
}

impl ContainerExecutor {
    /// Starts a browser for the flows of this runner. The engine has to be on this machine, which has to run
    /// Linux: elsewhere, nobody reaches the networks of an engine from outside. What is worth telling of a pull
    /// goes to `told`, in lines.
    ///
    /// # Errors
    /// A [`Fault`] that names the image, and what it said.
    ///
    /// # Cancel safety
    /// Dropping the future removes what was made.
    pub async fn start_browser(
        &self,
        image: &BrowserImage,
        told: &(dyn Fn(String) + Send + Sync),
    ) -> Result<ContainerBrowser, Fault> {
        let wrong = |message: String| Fault::permanent("invalid", message);
        if !self.is_reached_from_here() {
            return Err(wrong(
                "a browser for flows has to be in an engine of this machine, on Linux".to_owned(),
            ));
        }
        let reference = image.reference().map_err(wrong)?;
        let provided = self.provide(&reference, told).await?;
        let companion = self.accompany((self.mark(), Reach::Machine), (image, &provided), None).await?;
        let machine = companion.machine().await?.ok_or_else(|| {
            Fault::permanent("engine_refused", "the engine does not say how its network reaches this machine")
        })?;
        companion.restart().await?;
        Ok(ContainerBrowser { companion, machine })
    }
}
