//! Flows replayed in real headless browsers, Chromium where a test names no other, on pages served from
//! this process. Where there is no browser, each test says so and passes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::needless_pass_by_value, reason = "steps are written where they are passed")]

mod background;
mod bad_input;
#[cfg(target_os = "linux")]
mod calls;
mod canonical;
#[cfg(feature = "checks")]
mod checks;
mod clicks;
mod corpus;
mod cut_short;
mod differential;
#[cfg(target_os = "linux")]
mod dragging;
mod egress;
mod elements;
mod endurance;
mod engines;
mod every_step;
mod evidence;
mod extensions;
mod failures;
mod filling;
mod film;
mod forms;
mod frames;
#[cfg(unix)]
mod grid;
#[cfg(target_os = "linux")]
mod hiding;
mod hung;
mod keys;
#[cfg(target_os = "linux")]
mod left;
mod lent;
#[cfg(target_os = "linux")]
mod life;
mod live;
mod long;
#[cfg(target_os = "linux")]
mod lost;
mod pace;
mod pages;
mod places;
mod probe;
mod record;
#[cfg(target_os = "linux")]
mod remote;
mod scripts;
mod stage;
mod strict;
mod told;
mod visual;
mod waits;
#[cfg(target_os = "linux")]
mod warm;
