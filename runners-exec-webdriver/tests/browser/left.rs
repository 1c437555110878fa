//! What is left of a browser that was closed or killed: nothing.

use crate::stage::engine_options;
use runners_exec_webdriver::{Browser as _, Driver, DriverOptions, Engine};
use std::{env, fs, path::PathBuf, process::Command};

const ENGINE: &str = "RUNNERS_TEST_ENGINE";
const STATE: &str = "RUNNERS_TEST_STATE_OF_CLOSED";

#[tokio::test]
async fn a_browser_that_was_closed_or_killed_leaves_nothing_among_temporary_files() {
    for engine in Engine::ALL.iter().copied() {
        let (state, temporary) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        if engine_options(engine, &state).is_none() {
            continue;
        }
        // A process of its own: where temporary files go is said to the whole of one.
        let ended = Command::new(env::current_exe().unwrap())
            .args(["--exact", "left::opens_and_ends_browsers_where_it_is_told_to", "--nocapture"])
            .env(ENGINE, engine.name())
            .env(STATE, state.path())
            .env("TMPDIR", temporary.path())
            .output()
            .unwrap();
        assert!(ended.status.success(), "{engine:?}: {}", String::from_utf8_lossy(&ended.stderr));
        let left = |directory| fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
        assert_eq!(left(temporary.path()).collect::<Vec<_>>(), Vec::<PathBuf>::new(), "{engine:?}");
        assert_eq!(left(state.path()).collect::<Vec<_>>(), Vec::<PathBuf>::new(), "{engine:?}");
    }
}

/// Not a test of its own: the process that is started above.
#[tokio::test]
async fn opens_and_ends_browsers_where_it_is_told_to() {
    let (Some(name), Some(state)) = (env::var_os(ENGINE), env::var_os(STATE)) else { return };
    let engine = Engine::ALL.iter().copied().find(|engine| *engine.name() == *name).unwrap();
    let mut options = DriverOptions::of(engine);
    options.state = Some(state.into());
    let driver = Driver::new(options);
    let kept = driver.open().await.unwrap();
    driver.open().await.unwrap().close().await;
    // The driver goes before the last of its sessions, and has no time to tidy up.
    driver.stop().await;
    drop(kept);
}
