//! What keeps an output folder in memory until it was read: its engine lets go of one as soon as no container
//! that runs has it, so one that only waits has it beside that of the job.

use crate::{
    container::Container,
    engine::Engine,
    error::EngineError,
    image::ImageReference,
    plan::{self, Mark},
    policy::Policy,
    provide::Provided,
    removal::Removals,
};

/// A container that waits until this is dropped.
#[derive(Debug)]
pub(crate) struct Anchor {
    container: Container,
    image: ImageReference,
}

impl Anchor {
    /// Starts one for the volumes of a container that was made.
    pub(crate) async fn start(
        (engine, removals, policy): (&Engine, &Removals, &Policy),
        mark: Mark,
        (image, provided): (&ImageReference, &Provided),
        of: &Container,
    ) -> Result<Self, EngineError> {
        let body = plan::anchor(provided, policy, mark, (&engine.version, of.id()));
        let container = Container::create(engine, removals, body).await?;
        container.start().await?;
        Ok(Self { container, image: image.clone() })
    }

    /// What is to be told if it has not waited until now: what it kept may be gone.
    pub(crate) async fn problem(&self) -> Result<Option<String>, EngineError> {
        let state = self.container.state().await?;
        Ok((!state.running.unwrap_or_default()).then(|| {
            format!(
                "the container of {} that keeps the output in memory has ended with exit code {}: its \
                 program has to wait until it is killed",
                self.image,
                state.exit_code.unwrap_or_default()
            )
        }))
    }

    /// Ends it.
    pub(crate) async fn remove(self) -> Result<(), EngineError> {
        self.container.remove().await
    }
}
