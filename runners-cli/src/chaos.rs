//! A fleet of real processes, of two tenants and three pools, that are killed, stopped and cut off at
//! random while two clients submit; then everything that was promised is checked. The command says what
//! is asked for, and shows what comes of it.

mod account;
mod clients;
mod database;
mod deeds;
mod fleet;
mod journal;
mod management;
mod outages;
mod process;
mod proxy;
mod runner;
mod server;
mod verdict;
mod visit;

pub(crate) use clients::Clients;
pub(crate) use database::Database;
pub(crate) use fleet::Fleet;
pub(crate) use outages::Outages;
pub(crate) use verdict::Verdict;
pub(crate) use visit::{Post, serve};
