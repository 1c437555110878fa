//! Environments: names that lead to pools, so that where jobs run can change without who submits.

use crate::{
    dashboard::Site,
    failure::Failure,
    form::Form,
    layout::{self, Page, Section, form_token},
    pages::paging,
    parts::{confirmed, empty, made, pager, pill, table},
    visitor::Visitor,
};
use axum::{extract::State, response::Response};
use maud::{Markup, html};
use runners_core::{EnvironmentView, Paging, PoolId, PoolView, Route, Timestamp};

/// What stands for hosted execution where a pool is chosen.
const HOSTED: &str = "hosted";

pub(crate) async fn list(
    State(site): State<Site>,
    visitor: Visitor,
    form: Form,
) -> Result<Response, Failure> {
    let now = site.now();
    let paging = paging(&form)?;
    let page = visitor.management.environments(&paging).await?;
    let pools = visitor.management.pools(&Paging { after: None, limit: Paging::LIMIT_MAX }).await?.items;
    let body = html! {
        h1 { "Environments" }
        p.lead { "Jobs can name an environment in place of a pool. Where it leads can change: jobs that are submitted from then on go there, and those that wait stay where they are." }
        div #list data-part {
            @if page.items.is_empty() { (empty("There is no environment.")) }
            @else { (table("Environments", &["Environment", "Leads to", "Made", ""], &rows(&visitor, now, &page.items, &pools))) }
            (pager(&visitor.place, "environments", &paging, page.next.as_ref()))
        }
        @if visitor.may.admin {
            section aria-labelledby="new-title" {
                h2 #new-title { "New environment, or another route" }
                form.card method="post" action=(visitor.place.to("environments")) {
                    (form_token(&visitor))
                    label { "Name" input name="name" required autocomplete="off" placeholder="staging"; }
                    label { "Leads to" (routes(&pools, None)) }
                    p.buttons { button.primary type="submit" { "Save" } }
                }
            }
        }
    };
    Ok(Page::new(Section::Environments, "Environments", body).answer(&visitor))
}

pub(crate) async fn save(visitor: Visitor, form: Form) -> Result<Response, Failure> {
    let route = match form.text("route") {
        HOSTED => Route::Hosted,
        _ => {
            let missing = || Failure::invalid("Choose where the environment leads.");
            Route::Pool(form.parsed::<PoolId>("route", "pool")?.ok_or_else(missing)?)
        }
    };
    visitor.management.route_environment(form.text("name"), route).await?;
    Ok(layout::redirect(&visitor.place.to("environments")))
}

pub(crate) async fn delete(visitor: Visitor, form: Form) -> Result<Response, Failure> {
    visitor.management.delete_environment(form.text("name")).await?;
    // It was one path deeper.
    Ok(layout::redirect(&visitor.place.to("environments")))
}

fn rows(visitor: &Visitor, now: Timestamp, environments: &[EnvironmentView], pools: &[PoolView]) -> Markup {
    html! {
        @for environment in environments {
            tr {
                td data-label="Environment" { b { (environment.name) } }
                td.told data-label="Leads to" { (leads_to(visitor, environment.route, pools)) }
                td.time.told data-label="Made" { (made(now, environment.made_at)) }
                td data-label="" {
                    @if visitor.may.admin {
                        details.confirm {
                            summary.button.quiet { "Change…" }
                            form.card method="post" action=(visitor.place.to("environments")) {
                                (form_token(visitor))
                                input type="hidden" name="name" value=(environment.name);
                                label { "Leads to" (routes(pools, Some(environment.route))) }
                                p.faint { "Jobs that wait stay where they are." }
                                button.primary type="submit" { "Save" }
                            }
                        }
                        (confirmed(visitor, "environments/delete", "Delete", "Jobs that name it are refused from then on; those that wait stay where they are.",
                            &html! { input type="hidden" name="name" value=(environment.name); }))
                    }
                }
            }
        }
    }
}

fn leads_to(visitor: &Visitor, route: Route, pools: &[PoolView]) -> Markup {
    match route {
        Route::Hosted => pill(("running", "hosted execution")),
        Route::Pool(pool) => {
            let known = pools.iter().find(|known| known.id == pool);
            let name = known.map_or_else(|| pool.to_string(), |known| known.spec.name.clone());
            html! { "pool " a href=(visitor.place.to(format_args!("pools/{pool}"))) { (name) } }
        }
    }
}

fn routes(pools: &[PoolView], chosen: Option<Route>) -> Markup {
    html! {
        select name="route" required {
            @for pool in pools {
                option value=(pool.id) selected[chosen == Some(Route::Pool(pool.id))] { "pool " (pool.spec.name) }
            }
            option value=(HOSTED) selected[chosen == Some(Route::Hosted)] { "hosted execution, on the operator's runners" }
        }
    }
}
