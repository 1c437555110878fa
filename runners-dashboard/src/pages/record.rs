//! Recording: where one begins, on any runner that can. What is shown of one is in `recording`.

use crate::{
    dashboard::Site,
    failure::Failure,
    form::Form,
    layout::{self, Page, Section, form_token},
    parts::{ROWS, empty, table},
    visitor::Visitor,
};
use axum::{extract::State, response::Response};
use maud::{Markup, html};
use runners_core::{
    Client, JobId, JobOptions, JobSpec, Paging, PoolId, PoolView, Presence, RetryPolicy, RunnerFilter,
    RunnerView,
};
use serde_json::json;
use std::time::Duration;

/// The kind of a recording.
pub(crate) const KIND: &str = "record_flow";
/// The kind of a flow that is replayed.
pub(crate) const FLOW_KIND: &str = "browser_flow";
/// How long a recording may take, unless said otherwise.
const TIME_LIMIT: Duration = Duration::from_secs(30 * 60);
/// How much longer its attempt may: to start the browser, and to end.
const AROUND: Duration = Duration::from_secs(2 * 60);
/// How long a recording waits for a runner: whoever wants it waits as well.
const QUEUE_TTL: Duration = Duration::from_secs(5 * 60);
/// The longest address that is begun with, in bytes.
const URL_BYTES_MAX: usize = 4096;

/// Whether something can be recorded in a pool.
struct Offer {
    pool: PoolView,
    /// How many runners can, and are there.
    runners: usize,
    /// Why none can.
    reason: String,
}

pub(crate) async fn show(
    State(site): State<Site>,
    visitor: Visitor,
    form: Form,
) -> Result<Response, Failure> {
    let pools = visitor.management.pools(&Paging { after: None, limit: ROWS }).await?;
    let mut offers = Vec::with_capacity(pools.items.len());
    for pool in pools.items {
        offers.push(Offer::of(&visitor, pool).await?);
    }
    let body = html! {
        h1 { "Record" }
        p.lead { "Do something once in a browser, and have it done again: every click, text and page becomes a step of a flow." }
        (begin(&site, &visitor, &form, &offers))
        section #pools data-part aria-labelledby="pools-title" {
            h2 #pools-title { "Where" }
            @if offers.is_empty() { (empty("There is no pool yet.")) }
            @else { (table("Pools, and what can record there", &["Pool", "Recording"], &rows(&visitor, &offers))) }
        }
    };
    Ok(Page::new(Section::Record, "Record", body).answer(&visitor))
}

/// Queues a recording, and shows it.
pub(crate) async fn begin_one(visitor: Visitor, form: Form) -> Result<Response, Failure> {
    let url = form.text("url");
    let is_address = url.parse::<http::Uri>().is_ok_and(|url| url.scheme().is_some() && url.host().is_some());
    if !is_address || url.len() > URL_BYTES_MAX {
        return Err(Failure::invalid(format!(
            "url: {url:?} is not an absolute address: write it with https:// before"
        )));
    }
    let job = form.parsed::<JobId>("job", "job")?;
    let job = job.ok_or_else(|| Failure::invalid("The form is not complete: open the page again."))?;
    let sides = (form.parsed::<u32>("width", "number")?, form.parsed::<u32>("height", "number")?);
    let minutes = form.parsed::<u64>("minutes", "whole number")?;
    let limit = minutes.map_or(TIME_LIMIT, |minutes| Duration::from_secs(minutes.clamp(1, 24 * 60) * 60));
    let mut command = json!({ "url": url, "name": form.text("name") });
    command["time_limit_ms"] = json!(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
    if let (Some(width), Some(height)) = sides {
        command["viewport"] = json!([width, height]);
    }
    let options = JobOptions {
        pool: form.text("pool").to_owned(),
        timeout: limit + AROUND,
        queue_ttl: Some(QUEUE_TTL),
        // Nobody does it all again because a browser was lost.
        retry: RetryPolicy::never(),
        title: JobOptions::title_of(Some(form.text("name")).filter(|name| !name.is_empty()).unwrap_or(url)),
        ..JobOptions::default()
    };
    submit(&visitor, job, KIND, &command.to_string(), options).await?;
    Ok(layout::redirect(&visitor.place.to(format_args!("record/{job}"))))
}

/// Queues a job; one that is sent again is the same job.
pub(crate) async fn submit(
    visitor: &Visitor,
    job: JobId,
    kind: &str,
    payload: &str,
    options: JobOptions,
) -> Result<(), Failure> {
    let spec = JobSpec::new(job, kind, payload.as_bytes(), options);
    let client = Client::new(visitor.management.caller());
    client.submit_spec(&spec, payload.as_bytes().to_vec()).await?;
    Ok(())
}

impl Offer {
    async fn of(visitor: &Visitor, pool: PoolView) -> Result<Self, Failure> {
        let filter = RunnerFilter { pool: Some(pool.id), state: None };
        let paging = Paging { after: None, limit: ROWS };
        let known = visitor.management.runners_and_presence(&filter, &paging).await?;
        let records = |runner: &&(RunnerView, Presence)| has_kind(&runner.0, KIND);
        let runners = known.items.iter().filter(records).filter(|(_, presence)| presence.online).count();
        Ok(Self { reason: reason(&known.items), pool, runners })
    }
}

/// Why nothing can be recorded by these runners.
fn reason(runners: &[(RunnerView, Presence)]) -> String {
    let online: Vec<&RunnerView> =
        runners.iter().filter(|(_, presence)| presence.online).map(|(runner, _)| runner).collect();
    let has_webkit = |runner: &&RunnerView| {
        runner.facts.as_ref().is_some_and(|facts| {
            facts.labels.contains("engine=webkit")
                || facts.browsers.keys().any(|name| name.to_lowercase().contains("webkit"))
        })
    };
    if runners.is_empty() {
        "no runner has joined".to_owned()
    } else if online.is_empty() {
        "no runner is online".to_owned()
    } else if online.iter().all(has_webkit) {
        "its browsers are WPE WebKit, which cannot tell what a person does".to_owned()
    } else if online.iter().any(|runner| has_kind(runner, FLOW_KIND)) {
        "its runners replay flows and record none: their browsers are at a WebDriver elsewhere, or their program is older".to_owned()
    } else {
        "its runners have no browser".to_owned()
    }
}

fn has_kind(runner: &RunnerView, kind: &str) -> bool {
    runner.facts.as_ref().is_some_and(|facts| facts.kinds.contains(kind))
}

fn begin(site: &Site, visitor: &Visitor, form: &Form, offers: &[Offer]) -> Markup {
    let able: Vec<&Offer> = offers.iter().filter(|offer| offer.runners > 0).collect();
    let chosen = form.parsed::<PoolId>("pool", "pool").ok().flatten();
    html! {
        @if !visitor.may.submit {
            p.notice { "Recording takes a credential with the scope submit." }
        } @else if able.is_empty() {
            p.notice { "Nothing can be recorded now: no runner that is online can. Below is why. On a machine with a screen, " code { "runners flow record URL" } " does it without a server." }
        } @else {
            form.card.wide-form method="post" action=(visitor.place.to("record")) {
                (form_token(visitor))
                input type="hidden" name="job" value=(site.draw(JobId::new));
                label { "Page to begin with" input name="url" type="url" required maxlength="4096" placeholder="https://shop.example/" value=(form.text("url")); }
                label { "Pool" select name="pool" {
                    @for offer in able { option value=(offer.pool.spec.name) selected[chosen == Some(offer.pool.id)] { (offer.pool.spec.name) } }
                } }
                label { "Name of the flow" input name="name" maxlength="200" autocomplete="off" placeholder="checkout"; }
                label { "Width of the page" input name="width" type="number" min="100" max="8192" value="1280"; }
                label { "Height of the page" input name="height" type="number" min="100" max="8192" value="800"; }
                label { "Ends by itself after, in minutes" input name="minutes" type="number" min="1" max="1440" value="30"; }
                p.faint { "A runner of the pool opens the page in a browser of its own. What is typed where a password belongs is not recorded: the flow has a secret in its place." }
                p.buttons { button.primary type="submit" { "Record" } }
            }
        }
    }
}

fn rows(visitor: &Visitor, offers: &[Offer]) -> Markup {
    html! {
        @for offer in offers {
            tr {
                td data-label="Pool" { a href=(visitor.place.to(format_args!("pools/{}", offer.pool.id))) { (offer.pool.spec.name) } }
                td.wide data-label="Recording" {
                    @match offer.runners {
                        0 => { span.faint { "not here: " (offer.reason) } }
                        1 => { "one runner can" }
                        count => { (count) " runners can" }
                    }
                }
            }
        }
    }
}
