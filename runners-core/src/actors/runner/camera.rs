//! Takes pictures of what an attempt shows while somebody looks, and begins again with a source that is stuck.

use super::{show::Shown, stream::Desk};
use crate::{
    seams::{
        clock::{Clock, sleep},
        frames::{FrameError, Frames},
        relay::Piece,
    },
    values::{
        live::{Frame, FrameWish},
        relay::{FromSource, encode},
    },
};
use std::{ops::ControlFlow, sync::Arc, time::Duration};
use tokio::sync::watch;

/// How long a source may take to its first picture: one that takes longer is stuck.
const FIRST_WITHIN: Duration = Duration::from_secs(10);
/// How long nothing may change until the source is begun again, which gives a picture unless it is stuck.
const STILL_MAX: Duration = Duration::from_secs(30);
/// The wait before a source that failed is begun again; it doubles with each failure in a row.
const RESTART_AFTER: Duration = Duration::from_millis(500);
/// The longest such wait.
const RESTART_AFTER_MAX: Duration = Duration::from_secs(10);

/// Takes pictures for one connection.
pub(super) struct Camera<'a> {
    source: watch::Receiver<Shown>,
    clock: Arc<dyn Clock>,
    desk: &'a Desk,
    /// Counts pictures over all connections.
    pictures: &'a mut u64,
}

impl<'a> Camera<'a> {
    pub(super) const fn new(
        source: watch::Receiver<Shown>,
        clock: Arc<dyn Clock>,
        desk: &'a Desk,
        pictures: &'a mut u64,
    ) -> Self {
        Self { source, clock, desk, pictures }
    }

    /// Takes pictures until the attempt is over.
    pub(super) async fn film(mut self) {
        let mut wishes = self.desk.wish.subscribe();
        let mut failures = 0;
        loop {
            let wish = *wishes.borrow_and_update();
            let mut source = self.source.clone();
            source.mark_unchanged();
            let shot = tokio::select! {
                // Either way, what follows is another source or another wish.
                changed = source.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return,
                },
                _ = wishes.changed() => continue,
                shot = self.shoot(wish, &mut failures) => shot,
            };
            match shot {
                Ok(()) => failures = 0,
                Err(message) => {
                    tracing::info!(message, "a live view is begun again");
                    self.desk.say(&FromSource::Trouble { message }).await;
                    let wait = RESTART_AFTER.saturating_mul(1 << failures.min(10)).min(RESTART_AFTER_MAX);
                    failures += 1;
                    let mut source = self.source.clone();
                    source.mark_unchanged();
                    tokio::select! {
                        changed = source.changed() => if changed.is_err() { return },
                        () = sleep(&*self.clock, wait) => {}
                    }
                }
            }
        }
    }

    /// Opens the source and takes pictures of it until it is to be begun again, and why.
    async fn shoot(&mut self, wish: Option<FrameWish>, failures: &mut u32) -> Result<(), String> {
        let source = self.source.borrow().clone();
        let (Some(source), Some(wish)) = (source, wish) else { return std::future::pending().await };
        let clock = self.clock.clone();
        let mut frames = within(&*clock, FIRST_WITHIN, source.open(wish)).await?;
        let first = within(&*clock, FIRST_WITHIN, frames.next()).await?;
        if self.take(first).await.is_break() {
            return self.closed(frames).await;
        }
        *failures = 0;
        loop {
            // Whoever looks is to see what is now, so the picture is taken once there is room for it.
            self.desk.room().await;
            let next = tokio::select! {
                next = frames.next() => next.map_err(|error| told(&error))?,
                () = sleep(&*clock, STILL_MAX) => return Ok(()),
            };
            if self.take(next).await.is_break() {
                return self.closed(frames).await;
            }
        }
    }

    /// The source is over. The attempt may show another yet.
    async fn closed(&self, frames: Box<dyn Frames>) -> Result<(), String> {
        drop(frames);
        self.desk.say(&FromSource::Trouble { message: told(&FrameError::Closed) }).await;
        std::future::pending().await
    }

    async fn take(&mut self, frame: Option<Frame>) -> ControlFlow<()> {
        let Some(frame) = frame else { return ControlFlow::Break(()) };
        if frame.bytes.len() > Frame::BYTES_MAX {
            let message =
                format!("a picture has {} bytes, and the limit is {}", frame.bytes.len(), Frame::BYTES_MAX);
            self.desk.say(&FromSource::Trouble { message }).await;
            return ControlFlow::Continue(());
        }
        self.desk.room().await;
        *self.pictures += 1;
        self.desk.sent(*self.pictures);
        drop(self.desk.outgoing.send(Piece::Bytes(encode(*self.pictures, &frame))).await);
        ControlFlow::Continue(())
    }
}

async fn within<T>(
    clock: &dyn Clock,
    span: Duration,
    work: impl Future<Output = Result<T, FrameError>>,
) -> Result<T, String> {
    tokio::select! {
        done = work => done.map_err(|error| told(&error)),
        () = sleep(clock, span) => Err(format!("the source was stuck for {} s", span.as_secs())),
    }
}

fn told(error: &FrameError) -> String {
    crate::actors::error::with_causes(error)
}
