//! One flow of twelve steps in real browsers: replayed by us, written by hand, and replayed by others.
//! What is compared and how is in `flows/README.md`.

pub mod by_hand;
pub mod grid;
pub mod install;
pub mod reference;
pub mod selenium;
pub mod site;
pub mod tree;
