//! A runner in the background: where its files are, who claims them, and what it tells of itself.
//! The runner itself is `command::run`, started again by `command::start` without a terminal.

mod home;
mod journal;
mod record;
mod saved;
mod supervisor;
mod wish;

pub(crate) use home::{Claim, Home, private};
pub(crate) use journal::{Journal, JournalWriter};
pub(crate) use record::{Account, Paused, Record};
pub(crate) use saved::Saved;
pub(crate) use supervisor::Supervisor;
pub(crate) use wish::Wish;
