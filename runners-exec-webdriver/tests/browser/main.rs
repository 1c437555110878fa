//! Flows replayed in a real headless Chromium, on pages served from this process. Where there is
//! no browser, each test says so and passes.

mod elements;
mod failures;
mod forms;
mod keys;
mod life;
mod pages;
mod stage;
mod waits;
