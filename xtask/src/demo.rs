//! The demo: the shop page, its recorded flows, a control plane and a runner, and what they prove.
//!
//! One of the three flows fails, because the shop has a real fault. The demo succeeds exactly when
//! the flows came to what is expected of them, in the time that is promised.

pub(crate) mod program;
mod proof;
pub(crate) mod shop;

use crate::{browser, process, process::cargo, stopwatch::Stopwatch, workspace::Workspace};
use anyhow::{Context, Result, bail};
use program::Program;
use shop::Shop;
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// Where the flows were recorded; they are replayed where the shop is now.
const RECORDED_AT: &str = "http://localhost:4173";

const FLOWS: &[(&str, &str)] = &[
    ("search", include_str!("../demo/flows/search.json")),
    ("checkout", include_str!("../demo/flows/checkout.json")),
    ("coupon", include_str!("../demo/flows/coupon.json")),
];

/// How long a program may take to say that it is there.
const READY_MAX: Duration = Duration::from_secs(60);
/// How long the flows may take together.
const FLOWS_MAX: Duration = Duration::from_secs(60);
/// How long a program may take to stop well.
const STOP_MAX: Duration = Duration::from_secs(60);
/// How long the README promises that all of it takes at the most, once the program is built.
const DEMO_MAX: Duration = Duration::from_secs(60);

/// Installs the browser, builds the program `runners` and runs the demo.
pub(crate) fn command(workspace: &Workspace) -> Result<()> {
    browser::ensure()?;
    process::run(cargo(&workspace.root).args(["build", "--package", "runners-cli"]))?;
    run(workspace)
}

/// Runs the demo with the program that was built.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let watch = Stopwatch::start();
    let program = workspace.target.join("debug").join(format!("runners{}", env::consts::EXE_SUFFIX));
    let folder = tempfile::Builder::new().prefix("runners-demo-").tempdir().context("no temporary folder")?;
    let output = workspace.root.join("runners-output");
    let shop = Shop::open()?;
    println!("\n1. A shop is open at {}", shop.url());
    let flows = write_flows(folder.path(), shop.url())?;

    let data = folder.path().join("data");
    let server = Program::start(
        "server",
        Command::new(&program).args(["server", "--json", "--listen", "127.0.0.1:0", "--data"]).arg(&data),
        &folder.path().join("server.log"),
    )?;
    let listening = server.wait_for("listening", READY_MAX)?;
    let url = listening["url"].as_str().context("the server names no URL")?.to_owned();
    println!("2. `runners server` (process {}) listens at {url}, its queue is a SQLite file", server.id());

    let runner = Program::start(
        "runner",
        Command::new(&program)
            .args(["run", "--json", "--slots", "2", "--name", "demo", "-s", &url, "--token-file"])
            .arg(data.join("registration-token"))
            .arg("--state")
            .arg(folder.path().join("runner")),
        &folder.path().join("runner.log"),
    )?;
    runner.wait_for("connected", READY_MAX)?;
    println!("3. `runners run` (process {}) has connected to it; it only connects out", runner.id());

    println!("4. `runners submit --wait` sends three recorded flows\n");
    let submit = submit(&program, &url, &data, &output, &flows)?;
    let submitted = Program::watch("submit", submit)?.wait(FLOWS_MAX)?;

    let runner_stopped = runner.stop(STOP_MAX)?;
    let server_stopped = server.stop(STOP_MAX)?;
    let mut proof = proof::of(&output, &data)?;
    proof.hold(submitted.code() == Some(1), "`runners submit` exited with 1: something failed");
    let stopped_well = runner_stopped.success() && server_stopped.success();
    proof.hold(stopped_well, "both processes stopped when they were asked to, the runner drained");
    drop(shop);
    let elapsed = watch.elapsed();
    proof.hold(elapsed.is_below(DEMO_MAX), format!("it ended in less than {} s", DEMO_MAX.as_secs()));
    println!("\nWhat this showed, in {elapsed}:");
    let is_good = proof.tell();
    println!("\nLook at {} and what lies beside it.", short(&output.join("report.json")).display());
    if is_good { Ok(()) } else { bail!("the demo did not come out as expected: see above") }
}

fn submit(program: &Path, url: &str, data: &Path, output: &Path, flows: &[PathBuf]) -> Result<Command> {
    let mut command = Command::new(program);
    command.arg("submit").args(flows).args(["--wait", "--steps", "-s", url, "--timeout", "30s"]);
    command.arg("--token-file").arg(data.join("api-token")).arg("--output").arg(short(output));
    Ok(command)
}

/// Writes the flows with the address of this shop.
pub(crate) fn write_flows(folder: &Path, url: &str) -> Result<Vec<PathBuf>> {
    let folder = folder.join("flows");
    fs::create_dir(&folder)?;
    let write = |(name, text): &(&str, &str)| {
        let path = folder.join(format!("{name}.json"));
        fs::write(&path, text.replace(RECORDED_AT, url))?;
        Ok(path)
    };
    FLOWS.iter().map(write).collect()
}

/// A path as somebody here would type it.
fn short(path: &Path) -> &Path {
    env::current_dir().ok().and_then(|here| path.strip_prefix(here).ok()).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_of_a_flow_is_one_of_the_shop() {
        let folder = tempfile::tempdir().unwrap();
        let paths = write_flows(folder.path(), "http://127.0.0.1:1").unwrap();
        assert_eq!(paths.len(), FLOWS.len());
        for path in paths {
            let text = fs::read_to_string(&path).unwrap();
            assert!(
                text.contains("http://127.0.0.1:1/") && !text.contains("localhost"),
                "{}",
                path.display()
            );
        }
    }
}
