//! `runners doctor`: looks at everything that a runner on this machine needs, and says what to do
//! about what is missing. It changes nothing.

mod admission;
mod browser;
mod containers;
mod network;

use crate::{
    args::{DoctorArgs, RunArgs},
    daemon::{Home, Saved},
    exit::Exit,
    terminal,
};
use anyhow::{Context as _, Result};
use console::Style;
use runners_core::{SystemClock, sleep};
use serde::Serialize;
use serde_json::json;
use std::{path::Path, time::Duration};

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
    let reached = findings.iter().any(|finding| finding.what == "server" && finding.good);
    findings.push(admission::look(&home, &saved, server, &trust, reached).await);
    let containers = containers::look(&arguments.container).await;
    // One that runs containers alone needs no browser.
    let looked = browser::look(&arguments).await;
    let is_needed = containers.is_none() || looked.iter().all(|finding| finding.good);
    findings.extend(looked.into_iter().filter(|_| is_needed));
    findings.extend(containers);
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

/// Waits a bounded time: the doctor is not kept waiting by what it looks at.
async fn within<T>(span: Duration, what: impl Future<Output = T>) -> Option<T> {
    let clock = SystemClock::default();
    tokio::select! {
        done = what => Some(done),
        () = sleep(&clock, span) => None,
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
