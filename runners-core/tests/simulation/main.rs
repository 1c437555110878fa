//! The whole fleet in simulated time, over many seeds.

#[path = "../protocol/hand.rs"]
mod hand;
mod seeds;
mod spans;
