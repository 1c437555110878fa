//! Pages for people: what waits and why, what runs, what became of it, and on which machines.
//!
//! A [`Dashboard`] is routes that a host mounts beside its own, under any prefix. What a visitor may
//! see and do is decided by [`Management`](runners_core::Management), call by call; this crate turns
//! it into pages, and forms into its methods. Pages are made on the server and work without script;
//! one small script keeps them current.
#![doc = "\n\n"]
#![doc = include_str!("../README.md")]

mod access;
mod assets;
mod charts;
mod dashboard;
mod failure;
mod form;
mod history;
mod layout;
mod live;
mod origin;
mod pages;
mod parts;
mod session;
mod visitor;
mod words;

pub use dashboard::{Dashboard, DashboardBuilder};
pub use visitor::SignedIn;
