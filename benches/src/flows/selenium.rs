//! The runner of Selenium IDE: the flow as its project, several times in one session, so that the time
//! of one more can be told from that of its start.

use super::{
    install,
    site::{MAIL, NAME, NOTE},
};
use anyhow::ensure;
use serde_json::{Value, json};
use std::{path::Path, process::Command};

/// A project that has the flow as a test so many times, in one session.
#[must_use]
pub fn project(origin: &str, times: usize) -> Value {
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
    let test = |number: usize| {
        let command = |(at, (command, target, value)): (usize, &(&str, &str, &str))| {
            json!({ "id": format!("c{number}-{at}"), "command": command, "target": target, "value": value,
                "comment": "", "targets": [] })
        };
        let commands: Vec<Value> = steps.iter().enumerate().map(command).collect();
        json!({ "id": format!("t{number}"), "name": format!("order {number}"), "commands": commands })
    };
    let tests: Vec<Value> = (0..times).map(test).collect();
    let ids: Vec<String> = (0..times).map(|number| format!("t{number}")).collect();
    json!({
        "id": "p", "version": "3.0", "name": "shop", "url": origin, "urls": [origin], "plugins": [],
        "tests": tests,
        "suites": [{ "id": "s", "name": "all", "persistSession": true, "parallel": false, "timeout": 300,
            "tests": ids }],
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
        .args(["-c", &capabilities])
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
