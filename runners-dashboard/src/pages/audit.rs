//! The audit: who changed what, newest first.

use crate::{
    dashboard::Site,
    failure::Failure,
    form::Form,
    layout::{Page, Section},
    pages::{flows, paging},
    parts::{ago, empty, pager, table},
    visitor::{Place, Visitor},
    words,
};
use axum::{extract::State, response::Response};
use maud::{Markup, html};
use runners_core::{AuditEntry, Timestamp};

pub(crate) async fn list(
    State(site): State<Site>,
    visitor: Visitor,
    form: Form,
) -> Result<Response, Failure> {
    let now = site.now();
    let paging = paging(&form)?;
    let page = visitor.management.audit(&paging).await?;
    let body = html! {
        h1 { "Audit" }
        p.lead {
            "Who changed what, newest first: the newest " (words::number(u64::from(AuditEntry::COUNT_MAX)))
            " changes, for " (words::span(AuditEntry::KEPT_FOR)) ". Jobs that are submitted tell by themselves."
        }
        div #list data-part {
            @if page.items.is_empty() { (empty("Nothing was changed yet.")) }
            @else { (table("Changes", &["When", "Who", "What", "Which", "About it"], &rows(&visitor.place, now, &page.items))) }
            (pager(&visitor.place, "audit", &paging, page.next.as_ref()))
        }
    };
    Ok(Page::new(Section::Audit, "Audit", body).answer(&visitor))
}

fn rows(place: &Place, now: Timestamp, entries: &[AuditEntry]) -> Markup {
    html! {
        @for entry in entries {
            tr {
                td.time data-label="When" { (ago(now, entry.at)) }
                td data-label="Who" title=[entry.author.credential] { b { (entry.author.words()) } }
                td data-label="What" { (entry.deed) " " (entry.subject) }
                td data-label="Which" { (which(place, entry)) }
                td.wide data-label="" { @if let Some(note) = &entry.note { span.break { (note) } } }
            }
        }
    }
}

/// What was changed, as a link where it has a page.
fn which(place: &Place, entry: &AuditEntry) -> Markup {
    let page = match entry.subject.as_str() {
        "pool" => Some(format!("pools/{}", entry.id)),
        "runner" => Some(format!("fleet/{}", entry.id)),
        "job" => Some(format!("jobs/{}", entry.id)),
        "run" => Some(format!("runs/{}", entry.id)),
        "flow" => Some(flows::address(&entry.id)),
        _ => None,
    };
    let words = match entry.id.split_once('_') {
        Some((_, digits)) if digits.len() == 32 => words::short(&entry.id),
        _ => entry.id.clone(),
    };
    html! {
        @match page {
            Some(page) if entry.deed != "deleted" && entry.deed != "removed" => {
                a.break href=(place.to(page)) title=(entry.id) { (words) }
            }
            _ => { span.break title=(entry.id) { (words) } }
        }
    }
}
