//! The runner of Selenium IDE: the flow as its project, several times in one test, so that the time of one
//! more can be told from that of its start. It has a session for each test, whatever a suite asks for: the
//! second one of a suite that keeps its session finds it closed.

use super::{
    install,
    site::{MAIL, NAME, NOTE},
};
use anyhow::ensure;
use serde_json::{Value, json};
use std::{path::Path, process::Command};

/// How long it lets a test take, in milliseconds.
const TEST_MILLIS: &str = "300000";

/// A project that has the flow so many times in one test, and so in one session.
#[must_use]
pub fn project(origin: &str, times: u32) -> Value {
    let steps = [
        ("open", "/", ""),
        ("type", "id=name", NAME),
        ("type", "id=mail", MAIL),
        ("select", "id=country", "value=fr"),
        ("click", "id=gift", ""),
        ("mouseOver", "id=menu-title", ""),
        ("click", "id=wrap", ""),
        ("waitForText", "id=count", "1"),
        ("type", "id=note", NOTE),
        ("click", "id=order", ""),
        ("waitForElementPresent", "css=h1", "30000"),
        ("click", "id=again", ""),
    ];
    let command = |number: u32, at: usize| {
        let (command, target, value) = steps[at];
        json!({ "id": format!("c{number}-{at}"), "command": command, "target": target, "value": value,
            "comment": "", "targets": [] })
    };
    let commands: Vec<Value> =
        (0..times).flat_map(|number| (0..steps.len()).map(move |at| command(number, at))).collect();
    json!({
        "id": "p", "version": "3.0", "name": "shop", "url": origin, "urls": [origin], "plugins": [],
        "tests": [{ "id": "t", "name": "orders", "commands": commands }],
        "suites": [{ "id": "s", "name": "all", "persistSession": false, "parallel": false, "timeout": 300,
            "tests": ["t"] }],
    })
}

/// Runs a project in a file to its end.
///
/// # Errors
/// If the runner cannot be installed, or the project fails.
pub fn execute(project: &Path) -> anyhow::Result<()> {
    let folder = install::npm("selenium", install::SELENIUM)?;
    let browser = install::browser()?;
    let capabilities = format!(
        "browserName=chrome goog:chromeOptions.binary={} \
         goog:chromeOptions.args=[--headless=new,--no-sandbox,--disable-gpu,--window-size=1280,800]",
        browser.display()
    );
    let output = Command::new(install::program(&["node"])?)
        .arg(folder.join("node_modules/selenium-side-runner/dist/bin.js"))
        .args(["-c", &capabilities, "--jest-timeout", TEST_MILLIS])
        .arg(project)
        .env("SE_OFFLINE", "true")
        .current_dir(&folder)
        .output()?;
    ensure!(
        output.status.success(),
        "the runner of Selenium IDE failed: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
