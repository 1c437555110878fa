//! How much memory a browser has for itself, with all its processes. Read from `/proc`; elsewhere it is
//! not known.

use serde_json::{Map, Value};
use std::{collections::HashMap, fs};

/// The memory of a browser and its children that is shared with nobody, in bytes.
pub(super) fn of_browser(capabilities: &Map<String, Value>) -> Option<u64> {
    let id = ["goog:processID", "ms:processID", "moz:processID"]
        .iter()
        .find_map(|name| capabilities.get(*name)?.as_u64())?;
    let id = u32::try_from(id).ok()?;
    let children = children()?;
    let (mut family, mut next) = (vec![id], 0);
    while next < family.len() {
        family.extend(children.get(&family[next]).into_iter().flatten());
        next += 1;
    }
    let pages: u64 = family.into_iter().filter_map(own_pages).sum();
    (pages > 0).then(|| pages * page_size())
}

/// Who started whom.
fn children() -> Option<HashMap<u32, Vec<u32>>> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    let entries = fs::read_dir("/proc").ok()?;
    for id in entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        if let Some(parent) = parent(&stat) {
            children.entry(parent).or_default().push(id);
        }
    }
    Some(children)
}

/// The parent out of `/proc/<id>/stat`. The name in it may hold blanks and parentheses.
fn parent(stat: &str) -> Option<u32> {
    stat[stat.rfind(')')? + 1..].split_ascii_whitespace().nth(1)?.parse().ok()
}

/// The pages in memory that are not shared, out of `/proc/<id>/statm`.
fn own_pages(id: u32) -> Option<u64> {
    let statm = fs::read_to_string(format!("/proc/{id}/statm")).ok()?;
    let mut numbers = statm.split_ascii_whitespace().skip(1).map(str::parse::<u64>);
    let (resident, shared) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    Some(resident.saturating_sub(shared))
}

#[cfg(unix)]
fn page_size() -> u64 {
    rustix::param::page_size() as u64
}

#[cfg(not(unix))]
const fn page_size() -> u64 {
    4096
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_parent_is_found_behind_any_name() {
        assert_eq!(parent("12 (a) b (c)) S 7 2 3"), Some(7));
        assert_eq!(parent(""), None);
    }

    #[test]
    fn a_process_has_memory_of_its_own() {
        let this = json!({ "goog:processID": std::process::id() });
        let found = of_browser(this.as_object().unwrap());
        if fs::exists("/proc/self/statm").unwrap() {
            assert!(found.unwrap() > 100_000, "{found:?}");
        }
        assert_eq!(of_browser(&Map::new()), None);
    }
}
