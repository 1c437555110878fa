//! How much is in an output folder while its container runs: looked at often where the folder is on this
//! machine, and less often through the engine, which has to read all of it.

use crate::{command::ContainerJob, container::Container, engine::Engine, plan::output, policy::Policy};
use runners_core::{Clock as _, sleep};
use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

/// What an archive has beside the bytes of each file, and what each costs here.
const ENTRY_BYTES: u64 = 512;
/// What an archive may have beside the bytes of its files.
const ARCHIVE_BYTES_MAX: u64 = 1 << 20;
/// How often a folder of this machine is looked at most.
const HERE_EVERY: Duration = Duration::from_millis(200);
/// How often one is through the engine at most.
const THERE_EVERY: Duration = Duration::from_secs(1);
/// How long it is left alone after a look, in the time that that took.
const PAUSE: u32 = 5;

/// How large an output folder in memory is: so much that it is seen to have too much.
pub(crate) const fn most(policy: &Policy) -> u64 {
    policy.output_bytes_max.saturating_add(2 * ARCHIVE_BYTES_MAX)
}

/// Completes once the output of a container is larger than it may be.
pub(crate) async fn is_full(engine: &Engine, container: &Container, job: &ContainerJob, policy: &Policy) {
    let bytes_max = policy.output_bytes_max.saturating_add(ARCHIVE_BYTES_MAX);
    let here = match engine.socket() {
        Some(_) => here(container, output(job)).await,
        None => None,
    };
    let every = if here.is_some() { HERE_EVERY } else { THERE_EVERY };
    let mut pause = every;
    loop {
        sleep(&*engine.clock, pause).await;
        let began = engine.clock.boot();
        let measured = match here.clone() {
            Some(folder) => measure_here(folder, bytes_max).await,
            // What cannot be read now is tried again.
            None => container.measure(output(job), bytes_max).await.unwrap_or_default(),
        };
        if measured > bytes_max {
            return;
        }
        pause = every.max(engine.clock.boot().since(began) * PAUSE);
    }
}

/// Where a folder is on this machine, if it can be read.
async fn here(container: &Container, folder: &str) -> Option<PathBuf> {
    let place = container.place(folder).await?;
    fs::read_dir(&place).is_ok().then_some(place)
}

async fn measure_here(folder: PathBuf, bytes_max: u64) -> u64 {
    tokio::task::spawn_blocking(move || measure(&folder, bytes_max)).await.unwrap_or_default()
}

/// How many bytes are in a folder, as far as a little over `bytes_max`. What is gone meanwhile is nothing.
fn measure(folder: &Path, bytes_max: u64) -> u64 {
    let mut bytes = 0;
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        let Ok(entries) = fs::read_dir(folder) else { continue };
        for entry in entries.filter_map(io::Result::ok) {
            // Of the link itself, not of what it leads to.
            let Ok(found) = entry.metadata() else { continue };
            bytes += ENTRY_BYTES + if found.is_file() { found.len() } else { 0 };
            if bytes > bytes_max {
                return bytes;
            }
            if found.is_dir() {
                waiting.push(entry.path());
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_measured_with_what_is_below_it_and_no_further_than_needed() {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("below")).unwrap();
        fs::write(home.path().join("a"), [0; 1000]).unwrap();
        fs::write(home.path().join("below/b"), [0; 500]).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("/", home.path().join("link")).unwrap();
        let links = u64::from(cfg!(unix));
        assert_eq!(measure(home.path(), 1 << 20), 1500 + (3 + links) * ENTRY_BYTES);
        assert!(measure(home.path(), 100) <= 1000 + 4 * ENTRY_BYTES);
        assert_eq!(measure(&home.path().join("none"), 100), 0);
    }
}
