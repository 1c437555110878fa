//! One runner: what it is, what it can do, and what is wanted of it.

use crate::{
    dashboard::Site,
    failure::Failure,
    form::Form,
    layout::{self, Page, Section, form_token},
    pages::follows_from,
    parts::{action, ago, confirmed, facts, made, meter, runner_pill, until},
    visitor::Visitor,
    words,
};
use axum::{
    extract::{Path, State},
    response::Response,
};
use maud::{Markup, html};
use runners_core::{Drain, Facts, Mode, Presence, RunnerId, RunnerView, Timestamp};
use std::time::Duration;

/// How long a runner that is retired may take, unless said otherwise.
const RETIRE_WITHIN: Duration = Duration::from_secs(3600);

pub(crate) async fn show(
    State(site): State<Site>,
    visitor: Visitor,
    Path(runner): Path<RunnerId>,
) -> Result<Response, Failure> {
    let now = site.now();
    let view = visitor.management.runner(runner).await?;
    let presence = visitor.management.presence(&[runner]).await?.pop().unwrap_or_default();
    let pool = visitor.management.pool(view.pool).await?;
    let body = html! {
        div #head data-part {
            p.crumbs { a href=(visitor.place.to("fleet")) { "Fleet" } " / runner" }
            div.title {
                h1 { (view.name) }
                (runner_pill(presence.state(view.desired.mode)))
                span.actions { (actions(&visitor, &view)) }
            }
            (wanted(now, &view, &presence))
            (facts(&[
                ("Pool", html! { a href=(visitor.place.to(format_args!("pools/{}", view.pool))) { (pool.spec.name) } }),
                ("Slots", meter(presence.busy, presence.slots)),
                ("Last heard", html! { @match presence.synced_at { Some(at) => { (ago(now, at)) } None => { "never" } } }),
                ("Registered", made(now, view.made_at)),
                ("Starts", html! { @match presence.incarnation { Some(start) => { (start.boots) } None => { "–" } } }),
                ("Id", html! { code.break { (view.id) } }),
            ]))
        }
        div #machine data-part {
            @match &view.facts {
                Some(known) => { (machine(known)) }
                None => { p.empty { "It has not spoken yet, so nothing is known of its machine." } }
            }
        }
        @if visitor.may.admin { (controls(&visitor, &view)) }
    };
    Ok(Page::new(Section::Fleet, view.name.clone(), body).follows(follows_from(now)).answer(&visitor))
}

/// Changes what is wanted of a runner.
pub(crate) async fn change(
    visitor: Visitor,
    Path((runner, verb)): Path<(RunnerId, String)>,
    form: Form,
) -> Result<Response, Failure> {
    let management = &visitor.management;
    let drain = || -> Result<Drain, Failure> {
        Ok(Drain { note: form.filled("note").map(str::to_owned), within: form.span("within")? })
    };
    match verb.as_str() {
        "drain" => management.drain_runner(runner, &drain()?).await?,
        "shut-down" => management.shut_down_runner(runner, &drain()?).await?,
        "resume" => management.resume_runner(runner).await?,
        "slots" => management.set_slots(runner, form.parsed("slots", "whole number")?).await?,
        "rename" => management.rename_runner(runner, form.text("name")).await?,
        "revoke" => management.revoke_runner_credentials(runner).await?,
        "retire" => management.retire_runner(runner, form.span("within")?.unwrap_or(RETIRE_WITHIN)).await?,
        "remove" => {
            management.remove_runner(runner).await?;
            return Ok(layout::redirect(&visitor.place.to("fleet")));
        }
        _ => return Err(Failure::not_found("There is no such thing to do with a runner.")),
    }
    Ok(layout::redirect(&visitor.place.to(format_args!("fleet/{runner}"))))
}

fn actions(visitor: &Visitor, view: &RunnerView) -> Markup {
    html! {
        @if visitor.may.admin && (view.desired.mode != Mode::Serve || view.retiring) {
            (action(visitor, &format!("fleet/{}/resume", view.id), "Resume", "primary"))
        }
    }
}

/// What is wanted of it, as far as that is not simply to serve.
fn wanted(now: Timestamp, view: &RunnerView, presence: &Presence) -> Markup {
    let does = match (view.retiring, view.desired.mode) {
        (true, _) => Some("It drains, and is removed then."),
        (_, Mode::Leave) => Some("It drains, and exits then."),
        (_, Mode::Drain) => Some("It drains: it takes nothing new and finishes what it holds."),
        _ => None,
    };
    html! {
        @if let Some(does) = does {
            div.notice {
                p {
                    (does)
                    @if presence.drained { " It has drained." }
                    @if let Some(by) = view.drain_by { " What it holds is taken from it " (until(now, by)) "." }
                    @if presence.online && presence.seen_generation < view.desired.generation { " It has not heard of it yet." }
                }
                @if let Some(note) = &view.desired.note { p.note { (note) } }
            }
        }
        @if let Some(at) = presence.held_back_until {
            p.notice.bad { "It was started again and again: it is offered nothing for now, and again " (until(now, at)) "." }
        }
    }
}

fn machine(known: &Facts) -> Markup {
    let list = |texts: &mut dyn Iterator<Item = String>| {
        let texts: Vec<String> = texts.collect();
        html! { @if texts.is_empty() { "–" } @else { ul.tags { @for text in &texts { li { (text) } } } } }
    };
    html! {
        section aria-labelledby="machine-title" {
            h2 #machine-title { "Machine" }
            (facts(&[
                ("System", html! { (known.os) " " (known.arch) " " span.faint { (known.kernel) } }),
                ("CPUs", html! { (known.cpus) }),
                ("Memory", html! { @if known.memory_bytes > 0 { (words::size(known.memory_bytes)) } @else { "–" } }),
                ("Program", html! { (known.program) }),
                ("Protocol", html! { (known.protocol) }),
                ("Browsers", list(&mut known.browsers.iter().map(|(name, version)| format!("{name} {version}")))),
                ("WebGL", list(&mut known.renderers.values().cloned())),
                ("Clock", html! {
                    @match known.clock_drift_ms {
                        Some(drift) => (words::drift(drift)),
                        None => "–",
                    }
                }),
                ("Executes", list(&mut known.kinds.iter().cloned())),
                ("Labels", list(&mut known.labels.iter().cloned())),
            ]))
        }
    }
}

fn controls(visitor: &Visitor, view: &RunnerView) -> Markup {
    let to = |verb: &str| visitor.place.to(format_args!("fleet/{}/{verb}", view.id));
    let path = |verb: &str| format!("fleet/{}/{verb}", view.id);
    html! {
        section aria-labelledby="controls-title" {
            h2 #controls-title { "Change" }
            div.forms {
                form.card method="post" action=(to("drain")) {
                    (form_token(visitor))
                    h3 { "Drain" }
                    label { "Why, for others" input name="note" maxlength="500" autocomplete="off" placeholder="kernel update"; }
                    label { "Within" (span_field("within", "minutes", "any")) }
                    p.faint { "It takes nothing new and finishes what it holds. Without a time it may take as long as it likes." }
                    p.buttons {
                        button type="submit" { "Drain" }
                        button type="submit" formaction=(to("shut-down")) { "Drain and exit" }
                    }
                }
                form.card method="post" action=(to("slots")) {
                    (form_token(visitor))
                    h3 { "Slots" }
                    label { "At most" input name="slots" type="number" min="0" max="1000000" value=[view.desired.slots] placeholder="as many as it offers"; }
                    p.buttons { button type="submit" { "Set slots" } }
                }
                form.card method="post" action=(to("rename")) {
                    (form_token(visitor))
                    h3 { "Name" }
                    label { "Name" input name="name" value=(view.name) required autocomplete="off"; }
                    p.buttons { button type="submit" { "Rename" } }
                }
            }
            div.dangers {
                (confirmed(visitor, &path("retire"), "Retire", "It drains, and is removed once it has, or after the time below.",
                    &html! { label { "Within" (span_field("within", "minutes", "60")) } }))
                (confirmed(visitor, &path("revoke"), "Revoke credentials", "Its next call is refused. What it holds is lost when its term ends.", &html! {}))
                (confirmed(visitor, &path("remove"), "Remove", "At once: its credentials are good no longer, and what it holds is lost.", &html! {}))
            }
        }
    }
}

/// A number and its unit.
pub(crate) fn span_field(name: &str, unit: &str, usual: &str) -> Markup {
    html! {
        span.span-field {
            input name=(name) type="number" min="1" max="100000" placeholder=(usual) aria-label="How many";
            select name={ (name) "_unit" } aria-label="Unit" {
                @for each in ["minutes", "hours", "days"] { option value=(each) selected[each == unit] { (each) } }
            }
        }
    }
}
