//! The seam of frames: what an executor shows of its work, and what a person may do to it.

use crate::values::live::{Frame, FrameWish, Input};
use async_trait::async_trait;
use std::{error::Error, fmt::Debug};

/// What an attempt shows while it works, such as the page of a browser. An executor offers it by
/// [`Attempt::show`](crate::Attempt::show); nothing is taken of it until somebody looks.
#[async_trait]
pub trait FrameSource: Debug + Send + Sync + 'static {
    /// Begins to take pictures. The first is what is to be seen now, as soon as it can be had; another follows
    /// when something has changed. Several may be open at once; each gets pictures of its own.
    ///
    /// # Errors
    /// The source is over, or cannot show.
    ///
    /// # Cancel safety
    /// Dropping the future leaves nothing running.
    async fn open(&self, wish: FrameWish) -> Result<Box<dyn Frames>, FrameError>;

    /// Does to the page what a person did. Inputs are carried out in the order of the calls; the caller waits for
    /// each before the next.
    ///
    /// # Errors
    /// [`FrameError::Unsupported`] if the source cannot be controlled, or not like this.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the input carried out or not.
    async fn input(&self, input: Input) -> Result<(), FrameError>;

    /// Whether [`input`](Self::input) can do anything.
    fn takes_input(&self) -> bool {
        true
    }
}

/// Pictures of a source, taken as long as this lives.
#[async_trait]
pub trait Frames: Debug + Send {
    /// Waits for a picture that was not given yet, and answers the newest one; older ones are skipped. `None`
    /// when the source is over.
    ///
    /// # Errors
    /// The source is stuck or broken. It may be opened again.
    ///
    /// # Cancel safety
    /// Dropping the future loses no picture.
    async fn next(&mut self) -> Result<Option<Frame>, FrameError>;
}

/// Why a source does not show, or does not do what it was told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// What was shown is closed.
    #[error("what was shown is closed")]
    Closed,
    /// The source cannot do this.
    #[error("{0} is not supported here")]
    Unsupported(String),
    /// It may work when it is tried again.
    #[error("the source does not answer")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
}
