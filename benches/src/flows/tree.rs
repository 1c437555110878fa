//! Processor time of a program and of everything that it has started, as Linux counts it.

use std::{collections::HashMap, fs, time::Duration};

/// The processor time that a process and all below it have used, those included that have ended and were
/// waited for.
#[must_use]
pub fn used(root: u32) -> Duration {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    let mut ticks: HashMap<u32, u64> = HashMap::new();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    for id in entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
        let Some((parent, used)) = read(id) else { continue };
        children.entry(parent).or_default().push(id);
        ticks.insert(id, used);
    }
    let (mut todo, mut sum) = (vec![root], 0);
    while let Some(id) = todo.pop() {
        sum += ticks.get(&id).copied().unwrap_or_default();
        todo.extend(children.remove(&id).unwrap_or_default());
    }
    let per_second = rustix::param::clock_ticks_per_second();
    Duration::from_micros(sum * 1_000_000 / per_second)
}

/// The parent of a process, and its ticks in user and system, its own and of its ended children.
fn read(id: u32) -> Option<(u32, u64)> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name of the program stands in parentheses, and may have spaces.
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let ticks = fields.get(11..15)?.iter().filter_map(|field| field.parse::<u64>().ok()).sum();
    Some((fields.get(1)?.parse().ok()?, ticks))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_process_has_used_is_counted() {
        let (parent, _) = read(std::process::id()).unwrap();
        assert!(parent > 0);
        assert!(used(parent) >= used(std::process::id()));
    }
}
