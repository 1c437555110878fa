//! The whole fleet in simulated time, over many seeds.

mod crowd;
mod seeds;
