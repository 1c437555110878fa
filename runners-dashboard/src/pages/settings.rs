//! What holds for the whole tenant: how long what has ended is kept, and what is rolled out to it.

use crate::{
    dashboard::Site,
    failure::Failure,
    form::Form,
    layout::{self, Page, Section, form_token},
    parts::{facts, pill},
    visitor::Visitor,
    words,
};
use axum::{extract::State, response::Response};
use maud::{Markup, html};
use runners_core::{
    AuditEntry, Facts, FlowSpec, JobOptions, Retention, WebhookSpec, protocol::SubmitRequest,
};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);

pub(crate) async fn show(State(site): State<Site>, visitor: Visitor) -> Result<Response, Failure> {
    let retention = visitor.management.retention().await?;
    let artifacts = visitor.management.artifact_use().await?;
    let rollout = visitor.management.rollout()?;
    let switch = |on| if on { pill(("passed", "on")) } else { pill(("faint", "off")) };
    let kept = |span: Option<Duration>, none: &str| match span {
        Some(span) => html! { (words::span(span)) },
        None => html! { (none) },
    };
    let count = |count: Option<u32>| match count {
        Some(count) => html! { "the newest " (words::number(u64::from(count))) },
        None => html! { "any number" },
    };
    let body = html! {
        h1 { "Settings" }
        section aria-labelledby="retention-title" {
            h2 #retention-title { "How long what has ended is kept" }
            (facts(&[
                ("Jobs", kept(retention.concluded_for, "for ever")),
                ("How many jobs", count(retention.jobs_max)),
                ("Artifacts", kept(retention.artifacts_for, "as long as their job")),
                ("How many artifacts", count(retention.artifacts_max)),
                ("Events", kept(Some(retention.events_for), "")),
            ]))
            @if visitor.may.admin { (form(&visitor, &retention)) }
        }
        section aria-labelledby="quota-title" {
            h2 #quota-title { "What artifacts may take" }
            (facts(&[
                ("Artifacts", html! { (words::used(&artifacts)) @if artifacts.quota.is_none() { ", and there is no limit" } }),
            ]))
            @if artifacts.is_used_up() { p.faint { "What jobs leave is refused until something goes, and they end without it. Keep less above, or ask the operator for more." } }
        }
        section aria-labelledby="rollout-title" {
            h2 #rollout-title { "Rolled out to this tenant" }
            (facts(&[
                ("Pools and runners of its own", switch(rollout.self_hosted)),
                ("Live views", switch(rollout.relay)),
            ]))
        }
        (limits())
        section aria-labelledby="server-title" {
            h2 #server-title { "This control plane" }
            (facts(&[
                ("Version", html! { (env!("CARGO_PKG_VERSION")) }),
                ("Protocol", html! { (Facts::PROTOCOL) }),
                ("Address", html! { @match &site.server_url { Some(url) => { code { (url) } } None => { "–" } } }),
                ("Tenant", html! { code.break { (visitor.management.tenant()) } }),
            ]))
        }
    };
    Ok(Page::new(Section::Settings, "Settings", body).answer(&visitor))
}

/// What a tenant may have at most.
fn limits() -> Markup {
    let number = |number: u64| words::number(number);
    let small = |number: usize| words::number(number as u64);
    html! {
        section aria-labelledby="limits-title" {
            h2 #limits-title { "Limits of a tenant" }
            (facts(&[
                ("Flows", html! { (number(FlowSpec::COUNT_MAX.into())) ", each with its newest " (small(FlowSpec::VERSIONS_MAX)) " versions" }),
                ("Webhooks", html! { (number(WebhookSpec::COUNT_MAX.into())) }),
                ("Changes in the audit", html! { "the newest " (number(AuditEntry::COUNT_MAX.into())) ", for " (words::span(AuditEntry::KEPT_FOR)) }),
                ("Jobs of one submit", html! { (small(SubmitRequest::JOBS_MAX)) }),
                ("A payload in the queue", html! { (words::size(SubmitRequest::PAYLOAD_BYTES_MAX as u64)) ", larger ones as artifacts" }),
                ("Jobs that one waits for", html! { (small(JobOptions::AFTER_MAX)) }),
                ("Labels of a job", html! { (small(JobOptions::LABELS_MAX)) }),
                ("Secrets of a job", html! { (small(JobOptions::SECRETS_MAX)) }),
                ("An attempt", html! { (words::span(JobOptions::TIMEOUT_MAX)) }),
            ]))
            p.faint { "How many runners a pool may have is said by the pool, and how many of its jobs run at once by their concurrency keys." }
        }
    }
}

pub(crate) async fn set_retention(visitor: Visitor, form: Form) -> Result<Response, Failure> {
    let days = |name: &str| -> Result<Option<Duration>, Failure> {
        Ok(form.parsed::<u32>(name, "whole number of days")?.map(|days| DAY * days))
    };
    let wanted = Retention {
        concluded_for: days("concluded_days")?,
        jobs_max: form.parsed("jobs_max", "whole number")?,
        artifacts_for: days("artifacts_days")?,
        artifacts_max: form.parsed("artifacts_max", "whole number")?,
        events_for: days("events_days")?.unwrap_or(Retention::default().events_for),
    };
    visitor.management.set_retention(wanted).await?;
    Ok(layout::redirect(&visitor.place.to("settings")))
}

fn form(visitor: &Visitor, retention: &Retention) -> Markup {
    let days = |span: Option<Duration>| span.map(|span| span.as_secs().div_ceil(DAY.as_secs()));
    let fields = [
        ("concluded_days", "Jobs, in days", days(retention.concluded_for), "for ever"),
        ("jobs_max", "Jobs, how many", retention.jobs_max.map(u64::from), "any number"),
        ("artifacts_days", "Artifacts, in days", days(retention.artifacts_for), "as long as their job"),
        ("artifacts_max", "Artifacts, how many", retention.artifacts_max.map(u64::from), "any number"),
        ("events_days", "Events, in days", days(Some(retention.events_for)), "1"),
    ];
    html! {
        details.edit {
            summary.button { "Change" }
            form.card.wide-form method="post" action=(visitor.place.to("settings/retention")) {
                (form_token(visitor))
                @for (name, words, value, placeholder) in fields {
                    label { (words) input name=(name) type="number" min="1" max="1000000" value=[value] placeholder=(placeholder); }
                }
                p.faint { "What is over is removed for good, with its logs and artifacts. What runs is never touched." }
                p.buttons { button.danger type="submit" { "Save" } }
            }
        }
    }
}
