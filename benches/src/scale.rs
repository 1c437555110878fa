//! What a queue in PostgreSQL carries: with one control plane and several, beside a queue written by hand
//! and beside other queues, and what a server of PostgreSQL does for it.

pub mod burned;
pub mod contest;
pub mod idle;
mod meetings;
pub mod ours;
pub mod peers;
pub mod planes;
pub mod share;
pub mod skip_locked;
pub mod usage;
