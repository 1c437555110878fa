//! How a runner in the background is, as a person or a program reads it.

use crate::{
    daemon::{Home, Record},
    health, terminal,
};
use console::Style;
use runners_core::{Clock as _, SystemClock};
use serde_json::{Value, json};
use std::path::Path;

/// Asks the server whether it is there. What is wrong, if anything.
pub(super) async fn ask_server(server: &str, ca_file: Option<&str>) -> Option<String> {
    match health::ask(server, ca_file.map(Path::new)).await {
        Ok(answer) if answer.is_control_plane => None,
        Ok(_) => Some("what answers there is no control plane".to_owned()),
        Err(error) => Some(terminal::chain(&error)),
    }
}

/// Prints that there is none, and what is known of the last one.
pub(super) fn print_absent(home: &Home, last: Option<&Record>, as_json: bool) {
    let trouble = last.and_then(|record| record.last_error.as_ref());
    if as_json {
        return terminal::print_json(&json!({ "running": false, "home": home.directory(), "last": last }));
    }
    terminal::print(format!("no runner runs in {}", home.directory().display()));
    if let Some(trouble) = trouble {
        terminal::print(format!("last error, at {}: {}", trouble.at, trouble.text));
    }
    terminal::print("`runners start` starts it");
}

/// Prints how it is.
pub(super) fn print(home: &Home, process: u32, record: &Record, server: Option<&str>, as_json: bool) {
    if as_json {
        let mut told: Value = serde_json::to_value(record).expect("invariant: it is plain data");
        told["running"] = json!(true);
        told["connected"] = json!(record.connected_since.is_some());
        told["home"] = json!(home.directory());
        told["server_error"] = json!(server);
        told["program_here"] = json!(super::super::run::PROGRAM);
        return terminal::print_json(&told);
    }
    for (name, text) in lines(home, process, record, server) {
        terminal::print(format!("{:<11} {text}", Style::new().dim().apply_to(format!("{name:<10}"))));
    }
}

fn lines(home: &Home, process: u32, record: &Record, server: Option<&str>) -> Vec<(&'static str, String)> {
    let now = SystemClock::default().wall();
    let (green, yellow) = (Style::new().green(), Style::new().yellow());
    let state = match record.connected_since {
        Some(since) => format!("{} for {}", green.apply_to("connected"), terminal::span(now.since(since))),
        None => format!("{}", yellow.apply_to("not connected")),
    };
    let draining = if record.draining { ", draining" } else { "" };
    let mut lines = vec![
        ("state", format!("{state}{draining}")),
        ("runner", format!("{}, {} in the pool {}", record.name, record.runner, record.pool)),
        (
            "server",
            match server {
                None => format!("{}, which answers", record.server),
                Some(error) => format!("{}: {}", record.server, yellow.apply_to(error)),
            },
        ),
        ("process", format!("{process}, up for {}", terminal::span(now.since(record.started_at)))),
        ("program", program(&record.program)),
        ("slots", format!("{} of {} in use", record.jobs.len(), record.slots)),
    ];
    for job in &record.jobs {
        let span = terminal::span(now.since(job.since));
        lines.push(("job", format!("{}, {} for {span}, attempt {}", job.job, job.kind, job.attempt)));
    }
    if let Some(trouble) = &record.last_error {
        lines.push(("last error", format!("{} at {}", trouble.text, trouble.at)));
    }
    lines.push(("log", home.log().display().to_string()));
    lines
}

/// A program that was replaced since runs on as it was.
fn program(running: &str) -> String {
    let here = super::super::run::PROGRAM;
    if running == here { running.to_owned() } else { format!("{running}; here is {here}: `runners restart`") }
}
