//! One pool: its runners, the tokens that machines join with, and what is asked of it.

use crate::{
    dashboard::Site,
    failure::Failure,
    form::Form,
    layout::{self, Page, Section, form_token, form_tokens},
    pages::{fleet, follows_from, once, pools, runner::span_field},
    parts::{ROWS, action, ago, confirmed, empty, facts, made, pill, secret, table, until},
    visitor::Visitor,
};
use axum::{
    extract::{Path, State},
    response::Response,
};
use maud::{Markup, html};
use runners_core::{
    Paging, PoolId, PoolView, RegistrationSpec, RegistrationView, RunnerFilter, Timestamp, TokenId,
};
use std::collections::BTreeMap;

pub(crate) async fn show(
    State(site): State<Site>,
    visitor: Visitor,
    Path(pool): Path<PoolId>,
) -> Result<Response, Failure> {
    page(&site, &visitor, pool, &html! {}).await
}

pub(crate) async fn change(
    visitor: Visitor,
    Path(pool): Path<PoolId>,
    form: Form,
) -> Result<Response, Failure> {
    // It is read once before, so that what is malformed is told and not left out.
    pools::apply(&form, &mut runners_core::PoolSpec::default())?;
    visitor.management.update_pool(pool, |spec| drop(pools::apply(&form, spec))).await?;
    Ok(layout::redirect(&visitor.place.to(format_args!("pools/{pool}"))))
}

pub(crate) async fn delete(visitor: Visitor, Path(pool): Path<PoolId>) -> Result<Response, Failure> {
    visitor.management.delete_pool(pool).await?;
    Ok(layout::redirect(&visitor.place.to("pools")))
}

/// Makes a registration token, and shows it this once.
pub(crate) async fn create_token(
    State(site): State<Site>,
    visitor: Visitor,
    Path(pool): Path<PoolId>,
    form: Form,
) -> Result<Response, Failure> {
    let mut spec = RegistrationSpec { name: form.text("name").to_owned(), ..RegistrationSpec::default() };
    spec.uses_max = form.parsed("uses_max", "whole number")?;
    if let Some(expires_in) = form.span("expires_in")? {
        spec.expires_in = expires_in;
    }
    let issued = once(&visitor, &form)?.create_registration(pool, spec).await?;
    let token = issued.token.as_ref().map(runners_core::Token::expose);
    let shown = secret("Registration token", token, &joins(&site));
    page(&site, &visitor, pool, &shown).await
}

pub(crate) async fn revoke_token(
    visitor: Visitor,
    Path((pool, token)): Path<(PoolId, TokenId)>,
) -> Result<Response, Failure> {
    visitor.management.revoke_registration(pool, token).await?;
    Ok(layout::redirect(&visitor.place.to(format_args!("pools/{pool}"))))
}

/// Registers a runner in advance, and shows its token this once.
pub(crate) async fn register_runner(
    State(site): State<Site>,
    visitor: Visitor,
    Path(pool): Path<PoolId>,
    form: Form,
) -> Result<Response, Failure> {
    let issued = once(&visitor, &form)?.register_runner(pool, form.text("name")).await?;
    let token = issued.token.as_ref().map(runners_core::Token::expose);
    let shown = secret(&format!("Token of the runner {}", issued.view.name), token, &joins(&site));
    page(&site, &visitor, pool, &shown).await
}

async fn page(site: &Site, visitor: &Visitor, pool: PoolId, shown: &Markup) -> Result<Response, Failure> {
    let now = site.now();
    let management = &visitor.management;
    let view = management.pool(pool).await?;
    let filter = RunnerFilter { pool: Some(pool), state: None };
    let runners = management.runners_and_presence(&filter, &Paging { after: None, limit: 20 }).await?;
    let names = BTreeMap::from([(pool, view.spec.name.as_str())]);
    let tokens = match visitor.may.admin {
        true => Some(management.registrations(pool, &Paging { after: None, limit: ROWS }).await?),
        false => None,
    };
    let body = html! {
        div #head data-part {
            p.crumbs { a href=(visitor.place.to("pools")) { "Pools" } " / pool" }
            div.title { h1 { (view.spec.name) } (pools::state(&view)) }
            @if !view.spec.description.is_empty() { p { (view.spec.description) } }
            (about(now, &view))
        }
        (shown)
        section #runners data-part aria-labelledby="runners-title" {
            div.heading {
                h2 #runners-title { "Runners" }
                a href=(visitor.place.to(format_args!("fleet?pool={pool}"))) { "All of them" }
            }
            @if runners.items.is_empty() { (empty("No runner has joined yet.")) }
            @else { (table("Runners of the pool", &["Runner", "State", "Pool", "Slots", "Machine", "Last heard"], &fleet::rows(&visitor.place, now, &runners.items, &names))) }
        }
        @if let Some(tokens) = &tokens {
            section #tokens data-part aria-labelledby="tokens-title" {
                h2 #tokens-title { "Registration tokens" }
                @if tokens.items.is_empty() { (empty("None. A machine registers with one.")) }
                @else { (table("Registration tokens", &["For", "State", "Used", "Made", "Expires", ""], &token_rows(visitor, now, pool, &tokens.items))) }
                @if tokens.next.is_some() { p.faint { "There are more; the program lists them all." } }
            }
            (forms(site, visitor, &view))
        }
    };
    let answer = Page::new(Section::Pools, view.spec.name.clone(), body);
    // A page with a secret stands still: it would be gone at the next look.
    let answer = if shown.0.is_empty() { answer.follows(follows_from(now)) } else { answer };
    Ok(answer.answer(visitor))
}

fn about(now: Timestamp, view: &PoolView) -> Markup {
    let limit = |limit: Option<u32>, none: &str| html! { @match limit { Some(limit) => { (limit) } None => { (none) } } };
    let text = |text: &Option<String>| html! { @match text { Some(text) => { (text) } None => { "–" } } };
    facts(&[
        ("Runners", html! { (view.spec.runners_min) " to " (limit(view.spec.runners_max, "any number")) }),
        ("Slots of each", limit(view.spec.slots_per_runner, "as many as it offers")),
        (
            "Image",
            html! { @match &view.spec.image { Some(image) => { (image) } None => { "that of the server" } } },
        ),
        ("Kind", text(&view.spec.kind)),
        ("Region", text(&view.spec.region)),
        ("Made", made(now, view.made_at)),
        ("Id", html! { code.break { (view.id) } }),
    ])
}

fn token_rows(visitor: &Visitor, now: Timestamp, pool: PoolId, tokens: &[RegistrationView]) -> Markup {
    html! {
        @for token in tokens {
            @let (is_good, state) = token_state(now, token);
            tr {
                td data-label="For" { @if token.name.is_empty() { span.faint { "–" } } @else { (token.name) } }
                td data-label="State" { (pill(state)) }
                td.time.told data-label="Used" {
                    (token.uses) @match token.uses_max { Some(max) => { " of " (max) } None => { " of any number" } }
                }
                td.time.told data-label="Made" { (made(now, token.made_at)) }
                td.time.told data-label="Expires" {
                    @match token.expires_at {
                        Some(at) if at > now => { (until(now, at)) }
                        Some(at) => { (ago(now, at)) }
                        None => { "never" }
                    }
                }
                td data-label="" { @if is_good { (action(visitor, &format!("pools/{pool}/tokens/{}/revoke", token.id), "Revoke", "quiet")) } }
            }
        }
    }
}

fn token_state(now: Timestamp, token: &RegistrationView) -> (bool, (&'static str, &'static str)) {
    if token.revoked {
        (false, ("faint", "revoked"))
    } else if token.expires_at.is_some_and(|at| at <= now) {
        (false, ("faint", "expired"))
    } else if token.uses_max.is_some_and(|max| token.uses >= max) {
        (false, ("faint", "used up"))
    } else {
        (true, ("passed", "good"))
    }
}

fn forms(site: &Site, visitor: &Visitor, view: &PoolView) -> Markup {
    let to = |what: &str| visitor.place.to(format_args!("pools/{}{what}", view.id));
    html! {
        section aria-labelledby="change-title" {
            h2 #change-title { "Change" }
            div.forms {
                form.card method="post" action=(to("/tokens")) {
                    (form_tokens(visitor, &site.draw_text()))
                    h3 { "New registration token" }
                    label { "What for" input name="name" maxlength="200" autocomplete="off" placeholder="build machines"; }
                    label { "Uses at most" input name="uses_max" type="number" min="1" max="1000000" value="1" placeholder="any number"; }
                    label { "Expires in" (span_field("expires_in", "days", "1")) }
                    p.buttons { button.primary type="submit" { "Create token" } }
                }
                form.card method="post" action=(to("/runners")) {
                    (form_tokens(visitor, &site.draw_text()))
                    h3 { "Register a runner in advance" }
                    label { "Name" input name="name" required autocomplete="off" placeholder="mac-mini-3"; }
                    p.faint { "It is given a token of its own, which it replaces at its first start." }
                    p.buttons { button type="submit" { "Register runner" } }
                }
            }
            details.edit {
                summary.button { "Edit the pool" }
                form.card.wide-form method="post" action=(to("")) {
                    (form_token(visitor))
                    (pools::fields(&view.spec))
                    p.buttons { button.primary type="submit" { "Save" } }
                }
            }
            div.dangers { (confirmed(visitor, &format!("pools/{}/delete", view.id), "Delete", "Only a pool without runners and without jobs that wait is deleted. Its tokens go with it.", &html! {})) }
        }
    }
}

/// How a machine joins with the token that is shown.
fn joins(site: &Site) -> Markup {
    html! {
        @if let Some(url) = &site.server_url {
            p { "On the machine that joins, with the token in place of the dots:" }
            p.copy {
                code #command { "RUNNERS_TOKEN=… runners run -s " (url) }
                button type="button" data-copy="command" hidden { "Copy" }
            }
        }
    }
}
