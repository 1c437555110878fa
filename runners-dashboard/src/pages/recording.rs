//! One recording: what the browser shows, the steps as they are made, and what a person changes in them.

mod steps;

use crate::{
    dashboard::Site,
    failure::Failure,
    form::Form,
    layout::{self, Page, Section, form_token},
    pages::{flows, job, record},
    parts::{action, confirmed, facts, pill},
    visitor::Visitor,
    words,
};
use axum::{
    extract::{Path, State},
    response::{IntoResponse as _, Response},
};
use futures::StreamExt as _;
use http::{HeaderValue, header};
use maud::{Markup, html};
use runners_core::{
    Client, Command, Error, EventCursor, JobId, JobOptions,
    protocol::{JobView, StateView},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::{collections::BTreeSet, time::Duration};
use steps::Steps;

/// The artifact that has the flow so far.
const ARTIFACT: &str = "flow.json";
/// The largest flow that is shown.
const FLOW_BYTES_MAX: u64 = 8 << 20;
/// How long a recording may take to do what it is told.
const STEER_WITHIN: Duration = Duration::from_secs(20);

/// What a recording is told. The fields are those of its command.
#[derive(Debug, Serialize, Deserialize)]
struct Steer(Value);

impl Command for Steer {
    const KIND: &'static str = "record_flow.steer";
    type Result = Value;
}

/// The result of a recording, as far as the page shows it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Recorded {
    flow: Value,
    recorded: Vec<Described>,
    secrets: BTreeSet<String>,
    notes: Vec<String>,
    ended: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Described {
    description: String,
}

pub(crate) async fn show(
    State(site): State<Site>,
    visitor: Visitor,
    Path(job): Path<JobId>,
) -> Result<Response, Failure> {
    let now = site.now();
    let view = inspect(&visitor, job).await?;
    let recorded = recorded(&visitor, &view).await;
    let steps = match &recorded {
        Some(recorded) => {
            Steps::ended(&recorded.flow, recorded.recorded.iter().map(|step| &*step.description))
        }
        None => Steps::so_far(kept(&visitor, &view).await.as_ref()),
    };
    let is_running = matches!(view.state, StateView::Running { .. });
    let is_over = view.conclusion().is_some();
    let may_steer = is_running && visitor.may.submit;
    let log = job::log_section(&visitor, &view).await?;
    let body = html! {
        div #head data-part {
            p.crumbs { a href=(visitor.place.to("record")) { "Record" } " / recording" }
            div.title {
                h1 { @if steps.title.is_empty() { "Recording" } @else { (steps.title) } }
                (pill(words::state(&view.state)))
                span.actions { (actions(&visitor, job, is_running, is_over)) }
            }
            (about(&view, &steps, recorded.as_ref()))
        }
        div #live-part data-part data-about=(if is_running { "running" } else { "quiet" }) {
            @if is_running { (live(&visitor, job)) }
        }
        section #steps data-part aria-labelledby="steps-title" {
            h2 #steps-title { "Steps" }
            (steps.show(&visitor, job, may_steer))
        }
        div #next data-part data-about=(if may_steer { "steered" } else if is_over { "over" } else { "waiting" }) {
            @if may_steer { section aria-labelledby="add-title" { h2 #add-title { "Add" } (steps::adding(&visitor, job)) } }
            @if is_over && !steps.is_empty() && visitor.may.submit { (keep(&visitor, job, site.draw(JobId::new))) }
        }
        div data-looks { (log) }
    };
    let title = format!("Recording {}: {}", words::short(job), words::state(&view.state).1);
    let page = Page::new(Section::Record, title, body);
    let follows = format!("job={job}&after={}", EventCursor::at(now));
    Ok(if is_over { page } else { page.follows(follows) }.answer(&visitor))
}

/// Tells the recording something.
pub(crate) async fn steer(
    visitor: Visitor,
    Path((job, verb)): Path<(JobId, String)>,
    form: Form,
) -> Result<Response, Failure> {
    let client = Client::new(visitor.management.caller());
    let told = client.signal(job, &Steer(steps::command(&verb, &form)?), STEER_WITHIN).await;
    match told {
        Ok(_) => {}
        // It has ended since the page was made, and the page says so.
        Err(Error::SignalFault(fault)) if fault.code == "attempt_ended" => {}
        Err(Error::SignalFault(fault)) => return Err(Failure::invalid(fault.message)),
        Err(error) => return Err(error.into()),
    }
    Ok(layout::redirect(&visitor.place.to(format_args!("record/{job}"))))
}

/// Replays what was recorded, in the same pool.
pub(crate) async fn replay(
    visitor: Visitor,
    Path(job): Path<JobId>,
    form: Form,
) -> Result<Response, Failure> {
    let again = form.parsed::<JobId>("job", "job")?;
    let again = again.ok_or_else(|| Failure::invalid("The form is not complete: open the page again."))?;
    let view = inspect(&visitor, job).await?;
    let (document, secrets) = flow(&visitor, &view).await?;
    let title = document["title"].as_str().and_then(JobOptions::title_of);
    let options = JobOptions { pool: view.pool.clone(), secrets, title, ..JobOptions::default() };
    record::submit(&visitor, again, record::FLOW_KIND, &document.to_string(), options).await?;
    Ok(layout::redirect(&visitor.place.to(format_args!("jobs/{again}"))))
}

/// Puts what was recorded into the library.
pub(crate) async fn save(visitor: Visitor, Path(job): Path<JobId>, form: Form) -> Result<Response, Failure> {
    let view = inspect(&visitor, job).await?;
    let (document, _) = flow(&visitor, &view).await?;
    let name = form.text("name");
    flows::put(&visitor, name, format!("{document:#}").into_bytes()).await?;
    Ok(layout::redirect(&visitor.place.to(flows::address(name))))
}

/// The flow, as a file.
pub(crate) async fn download(visitor: Visitor, Path(job): Path<JobId>) -> Result<Response, Failure> {
    let view = inspect(&visitor, job).await?;
    let (document, _) = flow(&visitor, &view).await?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"flow.json\"")),
    ];
    Ok((headers, format!("{document:#}\n")).into_response())
}

async fn inspect(visitor: &Visitor, job: JobId) -> Result<JobView, Failure> {
    let view = visitor.inspect(job).await?;
    if view.kind == record::KIND {
        return Ok(view);
    }
    Err(Failure::not_found("That job is no recording."))
}

/// What was recorded, with the secrets that it needs.
async fn flow(visitor: &Visitor, view: &JobView) -> Result<(Value, BTreeSet<String>), Failure> {
    if let Some(recorded) = recorded(visitor, view).await {
        return Ok((recorded.flow, recorded.secrets));
    }
    let kept = kept(visitor, view).await;
    let kept =
        kept.ok_or_else(|| Failure::not_found("Nothing was recorded yet, or it is not kept any more."))?;
    let declared = kept["runners"]["params"].as_object().into_iter().flatten();
    let secrets = declared.filter(|(_, one)| one["secret"] == true).map(|(name, _)| name.clone()).collect();
    Ok((steps::plain(kept), secrets))
}

/// The result, once there is one.
async fn recorded(visitor: &Visitor, view: &JobView) -> Option<Recorded> {
    let bytes = job::result_bytes(visitor, view).await?;
    let recorded: Recorded = serde_json::from_slice(&bytes).ok()?;
    recorded.flow.is_object().then_some(recorded)
}

/// The flow as the newest attempt has kept it.
async fn kept(visitor: &Visitor, view: &JobView) -> Option<Value> {
    let artifact = view.artifacts.iter().rev().find(|artifact| artifact.name == ARTIFACT)?;
    if artifact.length > FLOW_BYTES_MAX {
        return None;
    }
    let mut pieces = visitor.management.read_artifact(artifact.digest, None).await.ok()?;
    let mut bytes = Vec::new();
    while let Some(piece) = pieces.next().await {
        bytes.extend_from_slice(&piece.ok()?);
    }
    serde_json::from_slice(&bytes).ok()
}

fn about(view: &JobView, steps: &Steps, recorded: Option<&Recorded>) -> Markup {
    let ended = recorded.map(|recorded| match &*recorded.ended {
        "closed" => "the page that it began with was closed",
        "time_limit" => "its time was over",
        "full" => "the flow has as many steps as it may have",
        "cancelled" => "it was cancelled; what was recorded is kept",
        _ => "it was stopped",
    });
    let secrets: Vec<&str> = recorded.iter().flat_map(|one| &one.secrets).map(String::as_str).collect();
    let mut pairs = vec![("Pool", html! { (view.pool) }), ("Steps", html! { (steps.len()) })];
    pairs.extend(ended.map(|ended| ("Ended", html! { (ended) })));
    if !secrets.is_empty() {
        pairs.push(("Secrets to give", html! { (secrets.join(", ")) }));
    }
    html! {
        (facts(&pairs))
        @for note in recorded.iter().flat_map(|recorded| &recorded.notes) { p.notice { (note) } }
        @if let Some(fault) = view.fault().filter(|_| view.conclusion().is_some()) {
            p.reason.errored { b { (fault.code) } " " (fault.message) }
        }
        @if matches!(view.state, StateView::Ready { .. } | StateView::Offered { .. }) {
            p.notice { "It waits for a runner. " a href=(format!("../jobs/{}", view.job)) { "Why" } }
        }
    }
}

fn actions(visitor: &Visitor, job: JobId, is_running: bool, is_over: bool) -> Markup {
    html! {
        @if visitor.may.submit && is_running {
            form.inline method="post" data-in-place action=(visitor.place.to(format_args!("record/{job}/undo"))) {
                (form_token(visitor))
                button.quiet type="submit" { "Undo" }
            }
            (action(visitor, &format!("record/{job}/stop"), "Stop", "primary"))
        } @else if visitor.may.submit && !is_over {
            (confirmed(visitor, &format!("jobs/{job}/cancel"), "Cancel", "The recording ends before it has begun.", &html! {}))
        }
        a.button href=(visitor.place.to(format_args!("jobs/{job}"))) { "Job" }
    }
}

/// Where the browser is seen, and driven. The script of live views fills it.
fn live(visitor: &Visitor, job: JobId) -> Markup {
    html! {
        section.live-view data-live=(visitor.place.to(format_args!("jobs/{job}/watch"))) data-live-auto aria-labelledby="live-title" {
            div.heading {
                h2 #live-title { "Browser" }
                span.actions {
                    button type="button" data-live-do="look" { "Look" }
                    button.quiet type="button" data-live-do="control" aria-pressed="false" hidden { "Take control" }
                    button.quiet type="button" data-live-do="screen" hidden { "Full screen" }
                }
            }
            p.live-state role="status" { "Look, take control, and do what the flow is to do." }
            div.live-tools hidden {
                button.quiet type="button" data-live-do="back" { "Back" }
                button.quiet type="button" data-live-do="forward" { "Forward" }
                button.quiet type="button" data-live-do="reload" { "Reload" }
                label { span.unseen { "Text to put in" } input type="text" data-live-text placeholder="Text, then Enter" autocomplete="off"; }
            }
            div.live-frame hidden { canvas tabindex="0" aria-label="The browser that is recorded" {} }
        }
    }
}

/// What can be done with a flow that was recorded.
fn keep(visitor: &Visitor, job: JobId, again: JobId) -> Markup {
    html! {
        section aria-labelledby="keep-title" {
            h2 #keep-title { "What now?" }
            div.forms {
                form.card method="post" action=(visitor.place.to(format_args!("record/{job}/replay"))) {
                    (form_token(visitor))
                    input type="hidden" name="job" value=(again);
                    h3 { "Replay now" }
                    p.faint { "In the same pool. Secrets are those that its runners have under these names." }
                    p.buttons { button.primary type="submit" { "Replay" } }
                }
                form.card method="post" action=(visitor.place.to(format_args!("record/{job}/save"))) {
                    (form_token(visitor))
                    h3 { "Save to the library" }
                    label { "Name" input name="name" required maxlength="100" autocomplete="off" placeholder="checkout"; }
                    p.buttons { button type="submit" { "Save" } }
                }
                div.card {
                    h3 { "Download" }
                    p { a.button href=(visitor.place.to(format_args!("record/{job}/flow.json"))) download="flow.json" { "flow.json" } }
                    p.faint { code { "runners flow run flow.json" } " replays it anywhere, " code { "runners flow export" } " makes it one for the Recorder panel." }
                }
            }
        }
    }
}

/// A member of a command, unless the form leaves it out.
fn member(members: &mut Map<String, Value>, name: &str, text: Option<&str>) {
    if let Some(text) = text {
        members.insert(name.to_owned(), json!(text));
    }
}
