//! The fleet: every runner, whether it is there, and how busy it is.

use crate::{
    dashboard::Site,
    failure::Failure,
    form::Form,
    layout::{Page, Section},
    pages::{follows_from, paging},
    parts::{ago, empty, meter, pager, runner_pill, table},
    visitor::{Place, Visitor},
    words,
};
use axum::{extract::State, response::Response};
use maud::{Markup, html};
use runners_core::{
    FleetSummary, PoolId, PoolSummary, Presence, RunnerFilter, RunnerState, RunnerView, Timestamp,
};
use std::collections::BTreeMap;

const STATES: [(&str, RunnerState); 3] =
    [("online", RunnerState::Online), ("draining", RunnerState::Draining), ("offline", RunnerState::Offline)];

const HEADS: [&str; 6] = ["Runner", "State", "Pool", "Slots", "Machine", "Last heard"];

pub(crate) async fn list(
    State(site): State<Site>,
    visitor: Visitor,
    form: Form,
) -> Result<Response, Failure> {
    let now = site.now();
    let (pool, shown) = (form.parsed::<PoolId>("pool", "pool")?, form.text("state"));
    let state = STATES.into_iter().find(|(name, _)| *name == shown).map(|(_, state)| state);
    let paging = paging(&form)?;
    let page = visitor.management.runners_and_presence(&RunnerFilter { pool, state }, &paging).await?;
    let summary = visitor.management.fleet_summary().await?;
    let here = match pool {
        Some(pool) => format!("fleet?state={shown}&pool={pool}"),
        None => format!("fleet?state={shown}"),
    };
    let body = html! {
        h1 { "Fleet" }
        div #figures data-part { (figures(&summary)) }
        (filters(&visitor, &summary, pool, shown))
        div #list data-part {
            @if page.items.is_empty() && page.next.is_none() {
                @let none = if state.is_none() && pool.is_none() { "There is no runner yet." } else { "No runner is like this." };
                (empty(&format!("{none} A pool makes the token that one registers with.")))
                p { a.button href=(visitor.place.to("pools")) { "To the pools" } }
            } @else {
                (table("Runners", &HEADS, &rows(&visitor.place, now, &page.items, &names(&summary))))
            }
            (pager(&visitor.place, &here, &paging, page.next.as_ref()))
        }
    };
    Ok(Page::new(Section::Fleet, "Fleet", body).follows(follows_from(now)).answer(&visitor))
}

/// What pools are called.
pub(crate) fn names(summary: &FleetSummary) -> BTreeMap<PoolId, &str> {
    summary.pools.iter().map(|pool| (pool.pool, pool.name.as_str())).collect()
}

/// Rows of runners.
pub(crate) fn rows(
    place: &Place,
    now: Timestamp,
    runners: &[(RunnerView, Presence)],
    pools: &BTreeMap<PoolId, &str>,
) -> Markup {
    html! {
        @for (runner, presence) in runners {
            tr {
                td data-label="Runner" { a href=(place.to(format_args!("fleet/{}", runner.id))) { (runner.name) } }
                td data-label="State" {
                    (runner_pill(presence.state(runner.desired.mode)))
                    @if runner.retiring { span.faint { " retires" } }
                }
                td data-label="Pool" { (pools.get(&runner.pool).copied().unwrap_or("–")) }
                td data-label="Slots" { (meter(presence.busy, presence.slots)) }
                td data-label="Machine" { (machine(runner)) }
                td.time.told data-label="Last heard" {
                    @match presence.synced_at { Some(at) => { (ago(now, at)) } None => { span.faint { "never" } } }
                }
            }
        }
    }
}

fn machine(runner: &RunnerView) -> Markup {
    html! {
        @if let Some(facts) = &runner.facts {
            span { (facts.os) " " (facts.arch) ", " (words::count(u64::from(facts.cpus), "CPU")) }
            @for (name, version) in facts.browsers.iter().take(1) { span.faint { " · " (name) " " (version) } }
        } @else { span.faint { "not known yet" } }
    }
}

fn figures(summary: &FleetSummary) -> Markup {
    let total = |each: fn(&PoolSummary) -> u32| summary.pools.iter().map(each).sum::<u32>();
    let (registered, online) = (total(|pool| pool.registered), total(|pool| pool.online));
    let tiles = [
        ("online", "online", online - total(|pool| pool.draining).min(online)),
        ("waiting", "draining", total(|pool| pool.draining)),
        ("free", "offline", registered.saturating_sub(online)),
        ("running", "slots in use", total(|pool| pool.slots_busy)),
    ];
    html! {
        dl.tiles {
            @for (tone, what, number) in tiles {
                div class={ "tile " (tone) @if number == 0 { " none" } } { dt { (what) } dd { (words::number(u64::from(number))) } }
            }
        }
        @if summary.unreadable > 0 {
            p.notice.bad { (words::count(u64::from(summary.unreadable), "record")) " could not be read, and is left out." }
        }
    }
}

fn filters(visitor: &Visitor, summary: &FleetSummary, pool: Option<PoolId>, shown: &str) -> Markup {
    html! {
        form.filters method="get" action=(visitor.place.to("fleet")) {
            label { "State"
                select name="state" {
                    option value="" { "any" }
                    @for (name, _) in STATES { option value=(name) selected[name == shown] { (name) } }
                }
            }
            label { "Pool"
                select name="pool" {
                    option value="" { "any" }
                    @for each in summary.pools.iter().take(200) {
                        option value=(each.pool) selected[Some(each.pool) == pool] { (each.name) }
                    }
                }
            }
            button type="submit" { "Show" }
        }
    }
}
