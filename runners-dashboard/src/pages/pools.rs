//! The pools: how busy each is, and a form that makes one.

use crate::{
    dashboard::Site,
    failure::Failure,
    form::Form,
    layout::{self, Page, Section, form_tokens},
    pages::{follows_from, once, paging},
    parts::{ago, empty, meter, pager, pill, table},
    visitor::Visitor,
};
use axum::{extract::State, response::Response};
use maud::{Markup, html};
use runners_core::{Placement, PoolId, PoolSpec, PoolSummary, PoolView, Timestamp};
use std::collections::BTreeMap;

const HEADS: [&str; 6] = ["Pool", "State", "Runners", "Slots", "Waiting", "What for"];

pub(crate) async fn list(
    State(site): State<Site>,
    visitor: Visitor,
    form: Form,
) -> Result<Response, Failure> {
    let now = site.now();
    let paging = paging(&form)?;
    let page = visitor.management.pools(&paging).await?;
    let summary = visitor.management.fleet_summary().await?;
    let busy: BTreeMap<PoolId, &PoolSummary> = summary.pools.iter().map(|pool| (pool.pool, pool)).collect();
    let body = html! {
        h1 { "Pools" }
        div #list data-part {
            @if page.items.is_empty() { (empty("There is no pool yet. Jobs target one by its name.")) }
            @else { (table("Pools", &HEADS, &rows(&visitor, now, &page.items, &busy))) }
            (pager(&visitor.place, "pools", &paging, page.next.as_ref()))
        }
        @if visitor.may.admin {
            section aria-labelledby="new-title" {
                h2 #new-title { "New pool" }
                form.card.wide-form method="post" action=(visitor.place.to("pools")) {
                    (form_tokens(&visitor, &site.draw_text()))
                    (fields(&PoolSpec::default()))
                    p.buttons { button.primary type="submit" { "Create pool" } }
                }
            }
        }
    };
    Ok(Page::new(Section::Pools, "Pools", body).follows(follows_from(now)).answer(&visitor))
}

pub(crate) async fn create(visitor: Visitor, form: Form) -> Result<Response, Failure> {
    let mut spec = PoolSpec::default();
    apply(&form, &mut spec)?;
    let pool = once(&visitor, &form)?.create_pool(spec).await?;
    Ok(layout::redirect(&visitor.place.to(format_args!("pools/{}", pool.id))))
}

/// Takes what is filled in.
pub(crate) fn apply(form: &Form, spec: &mut PoolSpec) -> Result<(), Failure> {
    form.text("name").clone_into(&mut spec.name);
    form.text("description").clone_into(&mut spec.description);
    spec.kind = form.filled("kind").map(str::to_owned);
    spec.region = form.filled("region").map(str::to_owned);
    spec.runners_max = form.parsed("runners_max", "whole number")?;
    spec.runners_min = form.parsed("runners_min", "whole number")?.unwrap_or(0);
    spec.slots_per_runner = form.parsed("slots_per_runner", "whole number")?;
    spec.image = form.filled("image").map(str::to_owned);
    spec.placement = if form.text("placement") == "pack" { Placement::Pack } else { Placement::Spread };
    spec.active = form.is_checked("active");
    Ok(())
}

/// What can be said of a pool.
pub(crate) fn fields(spec: &PoolSpec) -> Markup {
    let packs = spec.placement == Placement::Pack;
    html! {
        label { "Name" input name="name" value=(spec.name) required autocomplete="off" placeholder="browsers"; }
        label { "What it is for" input name="description" value=(spec.description) maxlength="1000" autocomplete="off"; }
        label { "Kind of machine" input name="kind" value=[spec.kind.as_ref()] autocomplete="off"; }
        label { "Region" input name="region" value=[spec.region.as_ref()] autocomplete="off"; }
        label { "Runners at least" input name="runners_min" type="number" min="0" max="1000000" value=(spec.runners_min); }
        label { "Runners at most" input name="runners_max" type="number" min="0" max="1000000" value=[spec.runners_max] placeholder="any number"; }
        label { "Slots of each runner at most" input name="slots_per_runner" type="number" min="0" max="1000000" value=[spec.slots_per_runner] placeholder="as many as it offers"; }
        label { "Image of container jobs that name none" input name="image" value=[spec.image.as_ref()] maxlength="1000" autocomplete="off" placeholder="that of the server"; }
        label { "Placement"
            select name="placement" {
                option value="spread" selected[!packs] { "spread: least busy first" }
                option value="pack" selected[packs] { "pack: busiest first" }
            }
        }
        label.check { input name="active" type="checkbox" checked[spec.active]; " Its runners are granted jobs" }
    }
}

fn rows(
    visitor: &Visitor,
    now: Timestamp,
    pools: &[PoolView],
    busy: &BTreeMap<PoolId, &PoolSummary>,
) -> Markup {
    html! {
        @for pool in pools {
            @let busy = busy.get(&pool.id);
            tr {
                td data-label="Pool" { a href=(visitor.place.to(format_args!("pools/{}", pool.id))) { (pool.spec.name) } }
                td data-label="State" { (state(pool)) }
                td data-label="Runners" {
                    @if let Some(busy) = busy { (busy.online) " online " span.faint { "of " (busy.registered) } }
                }
                td data-label="Slots" { @if let Some(busy) = busy { (meter(busy.slots_busy, busy.slots_busy + busy.slots_free)) } }
                td.time.told data-label="Waiting" {
                    @if let Some(busy) = busy {
                        (busy.queued)
                        @if let Some(oldest) = busy.oldest_queued_at { span.faint { ", oldest " (ago(now, oldest)) } }
                    }
                }
                td.wide data-label="" { span.faint { (pool.spec.description) } }
            }
        }
    }
}

/// Whether a pool is active, and shared.
pub(crate) fn state(pool: &PoolView) -> Markup {
    html! {
        @if pool.spec.active { (pill(("passed", "active"))) } @else { (pill(("faint", "paused"))) }
        @if !pool.spec.sharing.is_none() { " " (pill(("running", "shared"))) }
    }
}
