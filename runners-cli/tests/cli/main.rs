//! The program as its users meet it: real processes, real files, a real browser where one is
//! needed. Every wait is for a line that a process prints, or for its end.

#![expect(clippy::unwrap_used, reason = "these are tests")]

mod access;
mod arguments;
mod axe;
mod background;
mod canonical;
mod checks;
mod compose;
#[cfg(target_os = "linux")]
mod containers;
mod dashboard;
mod engines;
mod flows;
mod kubernetes;
mod library;
mod looking;
mod machine;
mod measures;
#[cfg(unix)]
mod nginx;
mod others;
mod outage;
mod pages;
#[cfg(unix)]
mod postgres;
mod processes;
mod profiles;
mod record;
mod regions;
mod reports;
mod secrets;
mod secured;
mod servers;
mod stage;
#[cfg(unix)]
mod storage;
mod trust;
mod verbs;
mod visual;
mod whole_way;
