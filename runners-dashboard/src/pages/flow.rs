//! One flow of the library: what it does step by step, its versions, and running it now.

use crate::{
    dashboard::Site,
    failure::Failure,
    form::Form,
    layout::{self, Page, Section, form_token, form_tokens},
    pages::{
        artifact::encoded,
        flows::{address, fields, tag_list},
        once,
    },
    parts::{ago, confirmed, empty, facts, table},
    visitor::Visitor,
    words,
};
use axum::{
    body::Body,
    extract::{Path, State},
    response::Response,
};
use http::{HeaderValue, header};
use maud::{Markup, html};
use runners_core::{FlowDocument, FlowVersion, JobId, JobOptions, Paging, PoolView, Timestamp};

/// How many steps are shown.
const STEPS_MAX: usize = 1_000;

/// The labels by which a runner tells its engine, as people choose among them.
const ENGINES: [(&str, &str); 3] =
    [("engine=chromium", "Chromium"), ("engine=firefox", "Firefox"), ("engine=webkit", "WebKit")];

pub(crate) async fn show(
    State(site): State<Site>,
    visitor: Visitor,
    Path(name): Path<String>,
    form: Form,
) -> Result<Response, Failure> {
    let now = site.now();
    let management = &visitor.management;
    let found = management.flow(&name, form.parsed("version", "version")?).await?;
    let versions = management.flow_versions(&name).await?;
    let pools = management.pools(&Paging { after: None, limit: Paging::LIMIT_MAX }).await?.items;
    let FlowDocument { flow, version, steps, document, .. } = &found;
    let is_newest = version.version == flow.newest.version;
    let text = String::from_utf8_lossy(document.as_bytes());
    let download = visitor.place.to(format_args!("{}/document?version={}", address(&name), version.version));
    let body = html! {
        p.crumbs { a href=(visitor.place.to("flows")) { "Flows" } " / flow" }
        div.title {
            h1 { (flow.name) }
            span.actions { a.button href=(download) { "Download" } }
        }
        @if !is_newest {
            p.notice { "This is version " (version.version) ". " a href=(visitor.place.to(address(&name))) { "The newest is " (flow.newest.version) } "." }
        }
        @if let Some(description) = &flow.description { p.lead { (description) } }
        (facts(&[
            ("Title", html! { @if let Some(title) = &flow.title { (title) } @else { "–" } }),
            ("Version", html! { (version.version) }),
            ("Changed", html! { (ago(now, version.made_at)) " by " (version.author.words()) }),
            ("Size", html! { (words::size(version.length)) }),
            ("Kind", html! { (flow.kind) }),
            ("Tags", html! { @if flow.tags.is_empty() { "–" } @else { (tag_list(&visitor.place, &flow.tags)) } }),
        ]))
        @if visitor.may.submit { (run_form(&visitor, &name, version, &pools, &site.draw_text())) }
        section aria-labelledby="steps-title" {
            h2 #steps-title { "Steps" }
            (step_list(steps))
        }
        section aria-labelledby="document-title" {
            h2 #document-title { "Document" }
            details.edit {
                summary.button { "Show" }
                pre.code tabindex="0" aria-labelledby="document-title" { (text) }
            }
        }
        section aria-labelledby="versions-title" {
            h2 #versions-title { "Versions" }
            (table("Versions", &["Version", "Made", "By", "Size", "SHA-256"], &version_rows(&visitor, now, &name, &versions)))
        }
        @if visitor.may.submit { (changes(&visitor, &found, &text)) }
    };
    Ok(Page::new(Section::Flows, flow.name.clone(), body).answer(&visitor))
}

/// Queues it, and leads to its job.
pub(crate) async fn run(
    State(site): State<Site>,
    visitor: Visitor,
    Path(name): Path<String>,
    form: Form,
) -> Result<Response, Failure> {
    // The same form is the same job.
    once(&visitor, &form)?;
    let key = runners_core::Digest::of(form.text(crate::form::FORM_KEY).as_bytes()).short();
    let job = if key == [0; 16] { site.draw(JobId::new) } else { JobId::from_bytes(key) };
    let options = JobOptions {
        pool: form.filled("pool").unwrap_or("default").to_owned(),
        wanted: form.filled("engine").map(str::to_owned).into_iter().collect(),
        ..JobOptions::default()
    };
    let version = form.parsed("version", "version")?;
    let line = visitor.management.run_flow(&name, version, job, options).await?;
    Ok(layout::redirect(&visitor.place.to(format_args!("jobs/{}", line.job))))
}

pub(crate) async fn delete(visitor: Visitor, Path(name): Path<String>) -> Result<Response, Failure> {
    visitor.management.delete_flow(&name, None).await?;
    Ok(layout::redirect(&visitor.place.to("flows")))
}

/// The document as a file.
pub(crate) async fn document(
    visitor: Visitor,
    Path(name): Path<String>,
    form: Form,
) -> Result<Response, Failure> {
    let found = visitor.management.flow(&name, form.parsed("version", "version")?).await?;
    let mut response = Response::new(Body::from(found.document.into_bytes()));
    let headers = response.headers_mut();
    // A browser never shows it: what somebody has written must not run in the origin of the host.
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    let file = format!("attachment; filename*=UTF-8''{}.json", encoded(&name, false));
    let file = HeaderValue::try_from(file).expect("invariant: it is percent-encoded");
    headers.insert(header::CONTENT_DISPOSITION, file);
    Ok(response)
}

fn run_form(visitor: &Visitor, name: &str, version: &FlowVersion, pools: &[PoolView], key: &str) -> Markup {
    html! {
        section aria-labelledby="run-title" {
            h2 #run-title { "Run now" }
            form.filters method="post" action=(visitor.place.to(format_args!("{}/run", address(name)))) {
                (form_tokens(visitor, key))
                input type="hidden" name="version" value=(version.version);
                label { "Pool"
                    select name="pool" {
                        @for pool in pools {
                            option value=(pool.spec.name) selected[pool.spec.name == "default"] { (pool.spec.name) }
                        }
                    }
                }
                label { "Browser"
                    select name="engine" {
                        option value="" { "any" }
                        @for (label, words) in ENGINES { option value=(label) { (words) } }
                    }
                }
                button.primary type="submit" { "Run now" }
            }
        }
    }
}

fn step_list(steps: &[String]) -> Markup {
    html! {
        @if steps.is_empty() { (empty("Its document is not one whose steps are known here.")) }
        @else {
            ol.steps {
                @for (at, step) in steps.iter().take(STEPS_MAX).enumerate() {
                    li.faint { span.number { (at + 1) } span.what { (step) } }
                }
            }
            @if steps.len() > STEPS_MAX { p.faint { "and " (words::count((steps.len() - STEPS_MAX) as u64, "more step")) } }
        }
    }
}

fn version_rows(visitor: &Visitor, now: Timestamp, name: &str, versions: &[FlowVersion]) -> Markup {
    html! {
        @for version in versions {
            @let at = visitor.place.to(format_args!("{}?version={}", address(name), version.version));
            tr {
                td.told.figure data-label="Version" { a href=(at) { (version.version) } }
                td.time.told data-label="Made" { (ago(now, version.made_at)) }
                td.told data-label="By" { (version.author.words()) }
                td.time.told.figure data-label="Size" { (words::size(version.length)) }
                td data-label="SHA-256" { code.faint title=(version.digest) { (version.digest.to_string().chars().take(12).collect::<String>()) } }
            }
        }
    }
}

fn changes(visitor: &Visitor, found: &FlowDocument, text: &str) -> Markup {
    let flow = &found.flow;
    html! {
        section aria-labelledby="change-title" {
            h2 #change-title { "Change" }
            details.edit {
                summary.button { "Make another version" }
                form.card.wide method="post" action=(visitor.place.to("flows")) {
                    (form_token(visitor))
                    input type="hidden" name="name" value=(flow.name);
                    input type="hidden" name="expected" value=(flow.newest.version);
                    (fields(Some(flow), text))
                    p.faint { "It is saved over version " (flow.newest.version) ": if somebody else has saved one meanwhile, you are told." }
                    p.buttons { button.primary type="submit" { "Save" } }
                }
            }
            div.dangers {
                (confirmed(visitor, &format!("{}/delete", address(&flow.name)), "Delete", "The flow and all its versions. Jobs that were made of it have their own copy.", &html! {}))
            }
        }
    }
}
