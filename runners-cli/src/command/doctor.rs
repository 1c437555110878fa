//! `runners doctor`: looks at everything that a runner on this machine needs, and says what to do
//! about what is missing. It changes nothing.

mod network;

use crate::{
    args::{DoctorArgs, RunArgs},
    connection::TokenSource,
    daemon::{Home, Record, Saved},
    exit::Exit,
    identity::{self, Identity},
    local::LocalBrowser,
    terminal,
};
use anyhow::{Context as _, Error, Result};
use console::Style;
use runners_core::TokenKind;
use serde::Serialize;
use serde_json::json;
use std::path::Path;

/// What was looked at, and what was found.
#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    good: bool,
    text: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

pub(super) async fn execute(arguments: DoctorArgs) -> Result<Exit> {
    let home = Home::at(arguments.home.home.as_deref())?;
    let saved = Saved::read(&home)?;
    let server = arguments.server.as_deref().or(saved.text("server")).unwrap_or(RunArgs::SERVER);
    let mut findings = vec![folder(&home)];
    let mut trust = arguments.trust.clone();
    trust.ca_file = trust.ca_file.or(saved.text("ca-file").map(Into::into));
    findings.extend(network::look(server, &trust).await);
    findings.push(admission(&home, &saved, server));
    findings.push(browser(&arguments).await);
    let good = findings.iter().all(|finding| finding.good);
    if arguments.json {
        terminal::print_json(&json!({ "good": good, "server": server, "findings": findings }));
    } else {
        findings.iter().for_each(print);
    }
    Ok(if good { Exit::Passed } else { Exit::CouldNotRun })
}

impl Finding {
    fn good(what: &'static str, text: impl Into<String>) -> Self {
        Self { what, good: true, text: text.into(), fix: None }
    }

    fn bad(what: &'static str, text: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { what, good: false, text: text.into(), fix: Some(fix.into()) }
    }
}

fn print(finding: &Finding) {
    let (mark, style) =
        if finding.good { ("✓", Style::new().green()) } else { ("✗", Style::new().red()) };
    terminal::print(format!("{} {:<9} {}", style.apply_to(mark), finding.what, finding.text));
    if let Some(fix) = &finding.fix {
        terminal::print(format!("            fix: {fix}"));
    }
}

/// Whether the runner can keep its state.
fn folder(home: &Home) -> Finding {
    let path = home.directory().display();
    let probed = home
        .make()
        .and_then(|()| tempfile_in(home.directory()).with_context(|| format!("could not write in {path}")));
    match probed {
        Ok(()) => Finding::good("folder", format!("{path} can be written")),
        Err(error) => Finding::bad(
            "folder",
            terminal::chain(&error),
            "give its rights to this user, free the disk, or choose another with --home DIR",
        ),
    }
}

fn tempfile_in(directory: &Path) -> std::io::Result<()> {
    let path = directory.join("doctor.probe");
    std::fs::write(&path, b"probe")?;
    std::fs::remove_file(path)
}

/// Whether the server lets a runner of this machine in.
fn admission(home: &Home, saved: &Saved, server: &str) -> Finding {
    admitted(home, saved, server).unwrap_or_else(|error: Error| {
        Finding::bad("token", terminal::chain(&error), "repair it, or give another with --token-file")
    })
}

fn admitted(home: &Home, saved: &Saved, server: &str) -> Result<Finding> {
    if home.running()?.is_some()
        && let Some(record) = Record::read(home)?
    {
        let Record { name, runner, pool, .. } = &record;
        return Ok(match (&record.connected_since, &record.last_error) {
            (Some(since), _) => Finding::good(
                "runner",
                format!("{name}, {runner} in the pool {pool}, connected since {since}"),
            ),
            (None, Some(error)) => Finding::bad("runner", &error.text, "`runners log` tells more"),
            (None, None) => Finding::bad("runner", "it is not connected yet", "`runners log` tells more"),
        });
    }
    let name = saved.text("name").map_or_else(identity::machine_name, str::to_owned);
    let state = identity::state_directory(home.directory(), server, &name);
    if state.is_dir() {
        let kept = Identity::kept(&identity::open_spool(&state)?, server)?;
        if let Some(kept) = kept {
            let (runner, pool) = (kept.enrolled.runner, kept.enrolled.pool_name);
            return Ok(Finding::good("token", format!("{name} is enrolled as {runner} in the pool {pool}")));
        }
    }
    let token = std::env::var("RUNNERS_TOKEN").ok();
    let source = TokenSource {
        kinds: &[TokenKind::Registration, TokenKind::Runner],
        text: token.as_deref(),
        file: saved.text("token-file").map(Path::new),
        server,
    };
    match source.find()? {
        Some(_) => Ok(Finding::good("token", "there is one, for the first start")),
        None => {
            let text = "this machine is not enrolled there, and there is no registration token";
            Ok(Finding::bad("token", text, source.missing("RUNNERS_TOKEN").to_string()))
        }
    }
}

async fn browser(arguments: &DoctorArgs) -> Finding {
    let browser = match LocalBrowser::new(&arguments.browser) {
        Ok(browser) => browser,
        Err(error) => {
            let fix = "on Debian and Ubuntu: apt-get install chromium chromium-driver";
            return Finding::bad("browser", terminal::chain(&error), fix);
        }
    };
    match (browser.version().await, &arguments.browser.webdriver) {
        (Some((name, version)), _) => Finding::good("browser", format!("{name} {version}, with its driver")),
        (None, Some(_)) => Finding::good("browser", "elsewhere, by --webdriver"),
        (None, None) => Finding::bad("browser", "it does not tell its version", "start it by hand once"),
    }
}
