//! For whom what a store writes is no news: every row of hints says who wrote it, and who reads them leaves
//! out its own.

use runners_core::{Random as _, SystemRandom};
use std::sync::{Mutex, PoisonError};

/// The id under which a store writes, which those who write and who reads share.
#[derive(Debug)]
pub(crate) struct WriterId(Mutex<[u8; 16]>);

impl WriterId {
    /// One that nobody else has.
    pub(crate) fn fresh() -> Self {
        Self(Mutex::new(drawn()))
    }

    /// The id as it is now.
    pub(crate) fn now(&self) -> [u8; 16] {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes another one. Of a commit nobody knows whether it will land: if it does, then as news, since
    /// whoever asked for it may have looked for it before.
    pub(crate) fn renew(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = drawn();
    }
}

/// An id by chance.
pub(crate) fn drawn() -> [u8; 16] {
    let mut id = [0; 16];
    SystemRandom::default().fill(&mut id);
    id
}
