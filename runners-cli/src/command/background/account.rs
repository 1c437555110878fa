//! How a runner in the background is, as a person or a program reads it.

use crate::{
    args::{ApiArgs, FleetArgs, TrustArgs},
    daemon::{Home, Record, Saved},
    health,
    management::Management,
    profiles::Profiles,
    terminal,
};
use console::Style;
use runners_core::{Clock as _, SystemClock};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What the server says of itself and, where there is a credential to ask it with, of the runner.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Why it was not reached.
    error: Option<String>,
    /// The newest version of the protocol that it speaks.
    protocol: Option<u32>,
    /// The runner, as the management API shows it.
    runner: Option<Value>,
}

/// Asks the server.
pub(super) async fn ask_server(home: Option<&Path>, record: &Record, settings: &Saved) -> Asked {
    let (server, ca_file) = (record.server.as_str(), settings.text("ca-file").map(PathBuf::from));
    match health::ask(server, ca_file.as_deref()).await {
        Ok(answer) if answer.is_control_plane => {
            let trust = TrustArgs { ca_file, insecure_http: settings.has("insecure-http") };
            let runner = ask_for(home, record, trust).await;
            Asked { error: None, protocol: answer.protocol, runner }
        }
        Ok(_) => {
            Asked { error: Some("what answers there is no control plane".to_owned()), ..Asked::default() }
        }
        Err(error) => Asked { error: Some(terminal::chain(&error)), ..Asked::default() },
    }
}

/// How the server sees the runner, if there is a credential to ask with: in the environment, or in a profile
/// for that server. A runner's own is not for that.
async fn ask_for(home: Option<&Path>, record: &Record, mut trust: TrustArgs) -> Option<Value> {
    let mut token = std::env::var("RUNNERS_API_TOKEN").ok();
    let mut tenant = None;
    if token.is_none()
        && let Some(profile) = Profiles::at(home).ok().and_then(|profiles| profiles.of_server(&record.server))
    {
        (token, tenant) = (profile.token, profile.tenant);
        trust.ca_file = trust.ca_file.or(profile.ca_file);
        trust.insecure_http |= profile.insecure_http;
    }
    let api = ApiArgs { server: record.server.clone(), token, token_file: None, as_tenant: tenant, trust };
    let management = Management::new(&FleetArgs { api, json: true }).ok()?;
    management.get(&format!("/self-hosted/runners/{}", record.runner)).await.ok()
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
pub(super) fn print(home: &Home, process: u32, record: &Record, asked: &Asked, as_json: bool) {
    if as_json {
        let mut told: Value = serde_json::to_value(record).expect("invariant: it is plain data");
        told["running"] = json!(true);
        told["connected"] = json!(record.connected_since.is_some());
        told["home"] = json!(home.directory());
        told["server_error"] = json!(asked.error);
        told["server_protocol"] = json!(asked.protocol);
        told["at_server"] = json!(asked.runner);
        told["program_here"] = json!(crate::version::PROGRAM);
        return terminal::print_json(&told);
    }
    for (name, text) in lines(home, process, record, asked) {
        terminal::print(format!("{:<11} {text}", Style::new().dim().apply_to(format!("{name:<10}"))));
    }
}

fn lines(home: &Home, process: u32, record: &Record, asked: &Asked) -> Vec<(&'static str, String)> {
    let now = SystemClock::default().wall();
    let (green, doubtful) = (Style::new().green(), Style::new().magenta());
    let state = match record.connected_since {
        Some(since) => format!("{} for {}", green.apply_to("connected"), terminal::span(now.since(since))),
        None => format!("{}", doubtful.apply_to("not connected")),
    };
    let draining = match (record.draining, &record.paused) {
        (true, _) => ", draining as its operator wants, or about to end",
        (false, Some(_)) => ", draining as was said here",
        (false, None) => "",
    };
    let mut lines = vec![
        ("state", format!("{state}{draining}")),
        ("runner", format!("{}, {} in the pool {}", record.name, record.runner, record.pool)),
        (
            "server",
            match &asked.error {
                None => {
                    let protocol = asked.protocol.map(|version| format!(" and speaks protocol {version}"));
                    format!("{}, which answers{}", record.server, protocol.unwrap_or_default())
                }
                Some(error) => format!("{}: {}", record.server, doubtful.apply_to(error)),
            },
        ),
    ];
    lines.extend(asked.runner.as_ref().map(|runner| ("seen as", seen(runner))));
    lines.extend([
        ("process", format!("{process}, up for {}", terminal::span(now.since(record.started_at)))),
        ("program", program(&record.program)),
        ("slots", format!("{} of {} in use", record.jobs.len(), record.slots)),
    ]);
    if let Some(paused) = &record.paused {
        let note = paused.note.as_deref().unwrap_or("`runners resume` has it serve again");
        let by = paused.by.map(|by| format!("; what runs is given up in {}", terminal::span(by.since(now))));
        let since = terminal::span(now.since(paused.since));
        lines.push(("draining", format!("for {since}{}: {note}", by.unwrap_or_default())));
    }
    for job in &record.jobs {
        let span = terminal::span(now.since(job.since));
        lines.push(("job", format!("{}, {} for {span}, attempt {}", job.job, job.kind, job.attempt)));
    }
    lines.extend(record.warnings.iter().map(|text| ("warning", doubtful.apply_to(text).to_string())));
    if let Some(trouble) = &record.last_error {
        lines.push(("last error", format!("{} at {}", trouble.text, trouble.at)));
    }
    lines.push(("log", home.log().display().to_string()));
    lines
}

/// How the server sees it.
fn seen(runner: &Value) -> String {
    let state = runner["status"].as_str().unwrap_or("of another version").to_lowercase();
    let free = runner["availableSlots"].as_u64().unwrap_or_default();
    let note = runner["note"].as_str().map(|note| format!(": {note}")).unwrap_or_default();
    format!("{state}, {} free{note}", terminal::count(usize::try_from(free).unwrap_or_default(), "slot"))
}

/// A program that was replaced since runs on as it was.
fn program(running: &str) -> String {
    let here = crate::version::PROGRAM;
    if running == here { running.to_owned() } else { format!("{running}; here is {here}: `runners restart`") }
}
