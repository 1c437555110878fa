//! Which process is meant: an id alone may mean another one tomorrow, so its start time goes with
//! it. Read from `/proc`; where there is none, a process has no identity and is not swept.

use serde::{Deserialize, Serialize};
use std::{fs, path::Path};

/// One process, told from a later one with the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ProcessIdentity {
    pub(super) id: u32,
    /// When it was started, in the kernel's ticks since boot.
    started: u64,
}

impl ProcessIdentity {
    /// The process that has this id now, unless it is gone or only waits to be reaped.
    pub(super) fn of(id: u32) -> Option<Self> {
        stat(id).map(|stat| Self { id, started: stat.started })
    }

    pub(super) fn is_alive(self) -> bool {
        Self::of(self.id) == Some(self)
    }

    /// Kills it if it is still the same.
    pub(super) fn kill(self) {
        if self.is_alive() {
            kill(self.id);
        }
    }

    /// Kills the process group it leads, if it is still the same.
    pub(super) fn kill_group(self) {
        if self.is_alive() {
            kill_group(self.id);
        }
    }
}

/// The processes that were started with exactly this argument.
pub(super) fn with_argument(argument: &str) -> Vec<ProcessIdentity> {
    with_part("cmdline", argument)
}

/// The processes that were started with exactly this `NAME=value` in their environment.
pub(super) fn with_variable(variable: &str) -> Vec<ProcessIdentity> {
    with_part("environ", variable)
}

/// These processes and all that descend from them, each before its children.
pub(super) fn with_descendants(mut family: Vec<ProcessIdentity>) -> Vec<ProcessIdentity> {
    let is_other = |id: &u32| family.iter().all(|process| process.id != *id);
    let others = ids().filter(is_other).filter_map(|id| Some((id, stat(id)?)));
    let mut others: Vec<(u32, Stat)> = others.collect();
    let mut at = 0;
    while let Some(parent) = family.get(at).map(|process| process.id) {
        let children = others.extract_if(.., |(_, stat)| stat.parent == parent);
        family.extend(children.map(|(id, stat)| ProcessIdentity { id, started: stat.started }));
        at += 1;
    }
    family
}

/// The processes of which a file in `/proc` has this part.
fn with_part(file: &str, part: &str) -> Vec<ProcessIdentity> {
    ids()
        .filter(|id| {
            let bytes = fs::read(Path::new("/proc").join(id.to_string()).join(file)).unwrap_or_default();
            bytes.split(|byte| *byte == 0).any(|found| found == part.as_bytes())
        })
        .filter_map(ProcessIdentity::of)
        .collect()
}

/// Every process that can be seen.
fn ids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// What `/proc/<id>/stat` tells of a process that is not gone.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    parent: u32,
    started: u64,
}

fn stat(id: u32) -> Option<Stat> {
    parse(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?)
}

/// Kills the group that a process of ours leads.
#[cfg(unix)]
pub(super) fn kill_group(leader: u32) {
    use rustix::process::{Pid, Signal, kill_process_group};
    if let Some(group) = i32::try_from(leader).ok().and_then(Pid::from_raw) {
        // It may be gone already, which is what was wanted.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

#[cfg(unix)]
fn kill(id: u32) {
    use rustix::process::{Pid, Signal, kill_process};
    if let Some(process) = i32::try_from(id).ok().and_then(Pid::from_raw) {
        // It may be gone already, which is what was wanted.
        let _ = kill_process(process, Signal::KILL);
    }
}

#[cfg(not(unix))]
pub(super) fn kill_group(_: u32) {}

#[cfg(not(unix))]
fn kill(_: u32) {}

/// The name in it may hold blanks and parentheses.
fn parse(stat: &str) -> Option<Stat> {
    let mut fields = stat[stat.rfind(')')? + 1..].split_ascii_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    let threads: u64 = fields.nth(15)?.parse().ok()?;
    // Its first thread may be gone before the others, which still have its files open.
    let is_gone = matches!(state, "Z" | "X" | "x") && threads <= 1;
    let started = fields.nth(1)?.parse().ok()?;
    (!is_gone).then_some(Stat { parent, started })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_time_is_found_behind_any_name() {
        let stat = |state: &str, threads: u32| {
            parse(&format!(
                "12 (a) b (c)) {state} 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 {threads} 18 4711 20"
            ))
        };
        let found = Some(Stat { parent: 1, started: 4711 });
        assert_eq!(stat("S", 1), found);
        assert_eq!(stat("Z", 1), None, "a zombie is gone");
        assert_eq!(stat("Z", 2), found, "one of its threads still ends");
        assert_eq!(parse(""), None);
    }

    #[test]
    fn the_family_of_a_process_is_found() {
        let Some(this) = ProcessIdentity::of(std::process::id()) else { return };
        let mut child = std::process::Command::new("sh").args(["-c", "sleep 60; true"]).spawn().unwrap();
        let of_child = loop {
            let found = with_descendants(ProcessIdentity::of(child.id()).into_iter().collect());
            if found.len() == 2 {
                break found;
            }
            std::thread::yield_now();
        };
        assert_eq!(of_child[0].id, child.id());
        let family = with_descendants(vec![this]);
        assert!(of_child.iter().all(|one| family.contains(one)), "{family:?}");
        of_child.into_iter().for_each(ProcessIdentity::kill);
        child.wait().unwrap();
    }

    #[test]
    fn a_later_process_with_the_same_id_is_another() {
        if let Some(this) = ProcessIdentity::of(std::process::id()) {
            assert!(this.is_alive());
            assert!(!ProcessIdentity { started: this.started + 1, ..this }.is_alive());
        }
    }
}
