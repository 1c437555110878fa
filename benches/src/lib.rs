//! What the benches share: jobs that travel, what they travel through, and the figures that come
//! of it. What is measured, and what each number means, is in the README.

pub mod bed;
pub mod cancel;
pub mod crowd;
pub mod figures;
pub mod fleet;
pub mod floor;
pub mod flows;
pub mod grants;
pub mod journey;
pub mod lean;
pub mod live;
pub mod machine;
pub mod orchestrated;
pub mod peer;
pub mod rows;
pub mod sample;
pub mod scale;
pub mod settings;
pub mod stopwatch;
pub mod wire;

/// Everything measured here has the allocator that the program `runners` has.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
