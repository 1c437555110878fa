//! What was made of an engine, until it is removed: once its use is over, or in the background if whoever has
//! it is dropped. It is so from the moment that the engine is asked to make it.

use crate::{
    engine::{CALL_WITHIN, Engine},
    error::{EngineError, TooLong},
    removal::{self, Made, Removals},
    within::within,
};
use bollard::errors::Error as Met;
use std::time::Duration;
use tokio::sync::oneshot;

/// How long the engine may take to make something until it is left to the next sweep.
const MADE_WITHIN: Duration = Duration::from_secs(3600);

/// What was made, which is removed once this is dropped.
#[derive(Debug)]
pub(crate) struct Guard {
    engine: Engine,
    removals: Removals,
    made: Made,
    is_removed: bool,
}

impl Guard {
    /// Has the engine make something, `what` in words.
    ///
    /// # Cancel safety
    /// What the engine makes although nobody waits for it any more is removed, be it that the future was
    /// dropped or that the engine took too long.
    pub(crate) async fn make(
        (engine, removals): (&Engine, &Removals),
        what: &'static str,
        making: impl Future<Output = Result<Made, Met>> + Send + 'static,
    ) -> Result<Self, EngineError> {
        let (give, take) = oneshot::channel();
        let by = (engine.clone(), removals.clone());
        // To drop a call takes nothing back: the engine goes on with what it was asked.
        removals.spawn(async move {
            let (engine, removals) = by;
            let Some(made) = within(&*engine.clock, MADE_WITHIN, making).await else { return };
            let guarded = made.map(|made| Self { engine, removals, made, is_removed: false });
            if let Err(Ok(unclaimed)) = give.send(guarded) {
                removal::told(unclaimed.remove().await);
            }
        });
        match within(&*engine.clock, CALL_WITHIN, take).await {
            Some(Ok(made)) => made.map_err(|error| engine.error(what, error)),
            Some(Err(dropped)) => Err(EngineError::Broken { what, source: dropped.into() }),
            None => Err(EngineError::Broken { what, source: TooLong(CALL_WITHIN).into() }),
        }
    }

    /// What the engine knows it by.
    pub(crate) fn id(&self) -> &str {
        self.made.id()
    }

    /// Removes it. What the engine does not remove now, it is asked for again in the background.
    pub(crate) async fn remove(mut self) -> Result<(), EngineError> {
        removal::remove(&self.engine, &self.made).await?;
        self.is_removed = true;
        Ok(())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !self.is_removed {
            self.removals.begin(self.engine.clone(), self.made.clone());
        }
    }
}
