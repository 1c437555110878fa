//! The library of flows: searched, and added to.

use crate::{
    dashboard::Site,
    failure::Failure,
    form::Form,
    layout::{self, Page, Section, form_token},
    pages::{artifact::encoded, paging},
    parts::{ago, empty, pager, table},
    visitor::{Place, Visitor},
    words,
};
use axum::{extract::State, response::Response};
use maud::{Markup, html};
use runners_core::{FlowFilter, FlowSpec, FlowView, Timestamp};
use std::collections::BTreeSet;

pub(crate) async fn list(
    State(site): State<Site>,
    visitor: Visitor,
    form: Form,
) -> Result<Response, Failure> {
    let now = site.now();
    let text = |name| form.filled(name).map(str::to_owned);
    let filter = FlowFilter { text: text("search"), tag: text("tag") };
    let paging = paging(&form)?;
    let page = visitor.management.flows(&filter, &paging).await?;
    let mut here = form_urlencoded::Serializer::new("flows?".to_owned());
    for name in ["search", "tag"] {
        if let Some(value) = form.filled(name) {
            here.append_pair(name, value);
        }
    }
    let here = here.finish();
    let nothing = if filter == FlowFilter::default() {
        "There is no flow yet. Add one below, or record one with `runners flow record`."
    } else {
        "No flow is like this."
    };
    let body = html! {
        h1 { "Flows" }
        p.lead { "Recorded scripts with names. A change makes another version, and older ones are kept for a while." }
        form.filters method="get" action=(visitor.place.to("flows")) {
            label { "Search" input name="search" type="search" value=(form.text("search")) autocomplete="off"; }
            label { "Tag" input name="tag" value=(form.text("tag")) autocomplete="off"; }
            button type="submit" { "Show" }
        }
        div #list data-part {
            @if page.items.is_empty() && page.next.is_none() { (empty(nothing)) }
            @else if page.items.is_empty() { (empty("None here: the next page goes on looking.")) }
            @else { (table("Flows", &["Flow", "About it", "Tags", "Steps", "Version", "Changed"], &rows(&visitor.place, now, &page.items))) }
            (pager(&visitor.place, &here, &paging, page.next.as_ref()))
        }
        @if visitor.may.submit { (new(&visitor)) }
    };
    Ok(Page::new(Section::Flows, "Flows", body).answer(&visitor))
}

/// Saves a version of a flow: what is sent without description and tags leaves those as they are.
pub(crate) async fn save(visitor: Visitor, form: Form) -> Result<Response, Failure> {
    let name = form.text("name");
    let known = visitor.management.flow(name, None).await.ok().map(|found| found.flow);
    let described = form.is_checked("description");
    let spec = FlowSpec {
        kind: known.as_ref().map_or_else(|| FlowSpec::KIND.to_owned(), |flow| flow.kind.clone()),
        description: match described {
            true => form.filled("description").map(str::to_owned),
            false => known.as_ref().and_then(|flow| flow.description.clone()),
        },
        tags: match form.is_checked("tags") {
            true => tags_of(form.text("tags")),
            false => known.map(|flow| flow.tags).unwrap_or_default(),
        },
        document: form.text("document").as_bytes().to_vec().into(),
    };
    let expected = form.parsed("expected", "version")?;
    visitor.management.put_flow(name, &spec, expected).await?;
    Ok(layout::redirect(&visitor.place.to(address(name))))
}

/// Puts a document into the library, with what is known there of the flow of that name.
pub(crate) async fn put(visitor: &Visitor, name: &str, document: Vec<u8>) -> Result<(), Failure> {
    let known = visitor.management.flow(name, None).await.ok().map(|found| found.flow);
    let mut spec = FlowSpec::new(document);
    if let Some(known) = known {
        spec = FlowSpec { kind: known.kind, description: known.description, tags: known.tags, ..spec };
    }
    visitor.management.put_flow(name, &spec, None).await?;
    Ok(())
}

/// What leads to a flow.
pub(crate) fn address(name: &str) -> String {
    format!("flows/{}", encoded(name, false))
}

/// The fields of a flow, with what is there.
pub(crate) fn fields(flow: Option<&FlowView>, document: &str) -> Markup {
    let description = flow.and_then(|flow| flow.description.as_deref()).unwrap_or_default();
    let tags: Vec<&str> = flow.into_iter().flat_map(|flow| &flow.tags).map(String::as_str).collect();
    html! {
        label { "What it is for" input name="description" value=(description) maxlength="2000" autocomplete="off"; }
        label { "Tags, with commas between them" input name="tags" value=(tags.join(", ")) autocomplete="off" placeholder="checkout, smoke"; }
        label { "Document"
            textarea name="document" rows="10" required spellcheck="false" placeholder="{ \"title\": …, \"steps\": [ … ] }" { (document) }
        }
        p { label.file hidden { "Or take it from a file" input type="file" accept=".json,application/json" data-into="document"; } }
    }
}

fn new(visitor: &Visitor) -> Markup {
    html! {
        section aria-labelledby="new-title" {
            h2 #new-title { "Add a flow" }
            details.edit {
                summary.button { "Paste or upload one" }
                form.card.wide method="post" action=(visitor.place.to("flows")) {
                    (form_token(visitor))
                    input type="hidden" name="expected" value="0";
                    label { "Name" input name="name" required maxlength="100" autocomplete="off" placeholder="checkout"; }
                    (fields(None, ""))
                    p.faint { "The document is what the Recorder panel of Chrome or Edge exports as JSON." }
                    p.buttons { button.primary type="submit" { "Add" } }
                }
            }
        }
    }
}

fn rows(place: &Place, now: Timestamp, flows: &[FlowView]) -> Markup {
    html! {
        @for flow in flows {
            tr {
                td data-label="Flow" { a href=(place.to(address(&flow.name))) { b { (flow.name) } } }
                td.wide data-label="" {
                    @if let Some(about) = flow.description.as_ref().or(flow.title.as_ref()) { (about) }
                }
                td data-label="Tags" { (tag_list(place, &flow.tags)) }
                td.told.figure data-label="Steps" { @if let Some(steps) = flow.steps { (words::number(u64::from(steps))) } @else { "–" } }
                td.told.figure data-label="Version" { (flow.newest.version) }
                td.time.told data-label="Changed" { (ago(now, flow.newest.made_at)) " by " (flow.newest.author.words()) }
            }
        }
    }
}

/// Tags, each leading to the flows that have it.
pub(crate) fn tag_list(place: &Place, tags: &BTreeSet<String>) -> Markup {
    html! {
        @if !tags.is_empty() {
            ul.tags {
                @for tag in tags {
                    @let query = form_urlencoded::Serializer::new(String::new()).append_pair("tag", tag).finish();
                    li { a href=(place.to(format_args!("flows?{query}"))) { (tag) } }
                }
            }
        }
    }
}

/// The tags of a text that has commas between them.
fn tags_of(text: &str) -> BTreeSet<String> {
    text.split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned).collect()
}
