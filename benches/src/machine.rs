//! On what a figure was measured: what stands beside it, so that it says something to others.

use std::{env::consts, fs, num::NonZero, thread};

/// The machine in one line: system, processor, how many cores this process may use, and memory. What
/// cannot be told is left out.
#[must_use]
pub fn machine() -> String {
    let cores = thread::available_parallelism().map_or(0, NonZero::get);
    let field = |path: &str, name: &str| {
        let text = fs::read_to_string(path).ok()?;
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let memory = field("/proc/meminfo", "MemTotal").and_then(|text| {
        let kib: u64 = text.split_whitespace().next()?.parse().ok()?;
        Some(format!("{} GiB", kib >> 20))
    });
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").ok();
    let system = match release {
        Some(release) => format!("{} {}", consts::OS, release.trim()),
        None => consts::OS.to_owned(),
    };
    let build =
        if cfg!(debug_assertions) { Some("a debug build: no figure counts".to_owned()) } else { None };
    let parts = [
        Some(system),
        Some(consts::ARCH.to_owned()),
        field("/proc/cpuinfo", "model name"),
        Some(if cores == 1 { "1 core".to_owned() } else { format!("{cores} cores") }),
        memory,
        build,
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Whether a figure is within its aim, as it stands in a line. The unit is that of both.
#[must_use]
pub fn against(figure: f64, aim: f64, unit: &str) -> String {
    let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
    let word = if figure < aim { "met" } else { "MISSED" };
    format!("aim: under {aim}{unit}, {word}")
}

/// The same for a figure that is to be at least as large.
#[must_use]
pub fn at_least(figure: f64, aim: f64) -> String {
    let word = if figure >= aim { "met" } else { "MISSED" };
    format!("aim: at least {aim}, {word}")
}

/// How busy the machine was in the last minute: a figure that was taken beside others says little.
#[must_use]
pub fn load() -> String {
    let told = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    match told.split_whitespace().next() {
        Some(load) => format!("{load} processes wanted a core in the last minute"),
        None => "how busy it was is not told".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_aim_is_met_by_less_and_missed_by_as_much() {
        assert_eq!(against(2.9, 3.0, "ms"), "aim: under 3 ms, met");
        assert_eq!(against(3.0, 3.0, ""), "aim: under 3, MISSED");
    }

    #[test]
    fn what_is_to_be_large_is_met_by_as_much_and_missed_by_less() {
        assert_eq!(at_least(0.6, 0.6), "aim: at least 0.6, met");
        assert_eq!(at_least(0.59, 0.6), "aim: at least 0.6, MISSED");
    }

    #[test]
    fn a_machine_is_told_in_one_line() {
        let told = machine();
        assert!(told.contains("core") && !told.contains('\n'), "{told}");
    }
}
