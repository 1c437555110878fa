//! A source of frames that does what a test says.

use crate::{
    actors::turn::Turn,
    seams::frames::{FrameError, FrameSource, Frames},
    values::{
        live::{Frame, FrameFormat, FrameWish, Input},
        time::Timestamp,
    },
};
use async_trait::async_trait;
use bytes::Bytes;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// With what a PNG begins. Whatever does not is said to be a JPEG.
const PNG: &[u8] = b"\x89PNG";

/// A source whose pictures a test puts into it. Clones are the same source.
#[derive(Clone, Debug, Default)]
pub struct ScriptedFrames {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    turn: Turn,
}

#[derive(Debug, Default)]
struct State {
    newest: Option<Bytes>,
    /// How many pictures were put in.
    pictures: u64,
    /// How many pictures were taken.
    taken: u64,
    /// How many take pictures now.
    open: usize,
    /// How often one began to.
    opened: usize,
    /// What was wished by who began last.
    wish: Option<FrameWish>,
    stuck: bool,
    closed: bool,
    inputs: Vec<Input>,
}

/// One who takes pictures of it.
#[derive(Debug)]
struct Taking {
    inner: Arc<Inner>,
    seen: u64,
}

impl ScriptedFrames {
    /// Of what size the page is that it shows.
    pub const VIEWPORT: (u32, u32) = (800, 600);

    /// Shows another picture.
    pub fn put(&self, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        self.change(|state| {
            state.newest = Some(bytes);
            state.pictures += 1;
        });
    }

    /// Gives no picture any more, until it is not stuck.
    pub fn stick(&self, stuck: bool) {
        self.change(|state| state.stuck = stuck);
    }

    /// Closes what is shown.
    pub fn close(&self) {
        self.change(|state| state.closed = true);
    }

    /// How often somebody began to take pictures.
    #[must_use]
    pub fn opened(&self) -> usize {
        self.inner.lock().opened
    }

    /// How many pictures were taken.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.inner.lock().taken
    }

    /// Completes once so many take pictures.
    pub async fn until_open(&self, open: usize) {
        self.until(|state| (state.open == open).then_some(())).await;
    }

    /// Completes once so many began to take pictures, those before included.
    pub async fn until_opened(&self, opened: usize) {
        self.until(|state| (state.opened >= opened).then_some(())).await;
    }

    /// Completes once somebody has begun to take pictures with this wish.
    pub async fn until_wish(&self, wish: FrameWish) {
        self.until(|state| (state.wish == Some(wish)).then_some(())).await;
    }

    /// What was done to it, once it is so much.
    pub async fn inputs(&self, count: usize) -> Vec<Input> {
        self.until(|state| (state.inputs.len() >= count).then(|| state.inputs.clone())).await
    }

    async fn until<T>(&self, found: impl Fn(&State) -> Option<T>) -> T {
        let mut turns = self.inner.turn.subscribe();
        loop {
            let look = found(&self.inner.lock());
            match look {
                Some(found) => return found,
                None => turns.changed().await,
            }
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        self.inner.change(change);
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.turn.next();
    }
}

#[async_trait]
impl FrameSource for ScriptedFrames {
    async fn open(&self, wish: FrameWish) -> Result<Box<dyn Frames>, FrameError> {
        self.change(|state| {
            state.open += 1;
            state.opened += 1;
            state.wish = Some(wish);
        });
        Ok(Box::new(Taking { inner: Arc::clone(&self.inner), seen: 0 }))
    }

    async fn input(&self, input: Input) -> Result<(), FrameError> {
        if input == Input::Forward {
            return Err(FrameError::Unsupported("to go forward".to_owned()));
        }
        self.change(|state| state.inputs.push(input));
        Ok(())
    }
}

#[async_trait]
impl Frames for Taking {
    async fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        let mut turns = self.inner.turn.subscribe();
        loop {
            {
                let mut state = self.inner.lock();
                if state.closed {
                    return Ok(None);
                }
                let newest = state.newest.clone().filter(|_| !state.stuck && state.pictures > self.seen);
                if let Some(bytes) = newest {
                    self.seen = state.pictures;
                    state.taken += 1;
                    let at = Timestamp::from_millis(state.pictures);
                    let format = if bytes.starts_with(PNG) { FrameFormat::Png } else { FrameFormat::Jpeg };
                    return Ok(Some(Frame::new(at, format, ScriptedFrames::VIEWPORT, bytes)));
                }
            }
            turns.changed().await;
        }
    }
}

impl Drop for Taking {
    fn drop(&mut self) {
        self.inner.change(|state| state.open -= 1);
    }
}
