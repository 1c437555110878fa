//! The check that the reference replayer ships for others, where its npm package is installed. Its
//! own recording goes through a shim to this program, and it compares what its page saw.

use crate::stage::{Stage, has_browser};
use std::{env, path::PathBuf, process::Command};

/// Where `npm install @puppeteer/replay` was run.
const PACKAGE: &str = "REPLAY_PACKAGE_DIRECTORY";

/// Hands the flow on as a whole.
const EXTENSION: &str = "import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { RunnerExtension } from '@puppeteer/replay';
export default class extends RunnerExtension {
  async runStep() {}
  async afterAllSteps(flow) {
    const file = `${process.env.FLOW_DIRECTORY}/spec.json`;
    writeFileSync(file, JSON.stringify(flow));
    const replayer = spawn(process.env.REPLAYER, ['flow', 'run', file], { cwd: process.env.FLOW_DIRECTORY });
    await new Promise(done => replayer.on('close', done));
  }
}
";

#[test]
fn the_check_of_the_reference_replayer_passes() {
    let Some(package) = env::var_os(PACKAGE).map(PathBuf::from) else {
        println!("skipped: {PACKAGE} does not say where @puppeteer/replay is installed");
        return;
    };
    if !has_browser() {
        return;
    }
    let stage = Stage::new();
    // Node looks for the package beside the file that wants it.
    let shim = package.join("runners-shim.mjs");
    std::fs::write(&shim, EXTENSION).unwrap();
    let ended = Command::new("node")
        .arg(package.join("node_modules/@puppeteer/replay/lib/extension-test.js"))
        .arg("--extension")
        .arg(&shim)
        .env("FLOW_DIRECTORY", stage.path("."))
        .env("REPLAYER", env!("CARGO_BIN_EXE_runners"))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&ended.stdout);
    let trouble = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() && told.contains("Run matches the expectations"), "{told}{trouble}");
}
