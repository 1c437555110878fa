//! Tenants, for the operator: made, renamed, suspended, and looked into.

use crate::{
    access::cookie,
    dashboard::Site,
    failure::Failure,
    form::Form,
    layout::{self, Page, Section, form_token, form_tokens},
    pages::{once, paging},
    parts::{action, confirmed, made, pager, pill, table},
    visitor::Visitor,
    words,
};
use axum::{
    extract::{Path, State},
    response::Response,
};
use http::HeaderMap;
use maud::{Markup, html};
use runners_core::{TenantId, TenantView, Timestamp};

/// In what quotas are given here.
const MEBIBYTE: u64 = 1 << 20;

pub(crate) async fn list(
    State(site): State<Site>,
    visitor: Visitor,
    form: Form,
) -> Result<Response, Failure> {
    let now = site.now();
    let paging = paging(&form)?;
    let page = visitor.management.tenants(&paging).await?;
    let default = page.items.iter().find(|tenant| tenant.id == TenantId::DEFAULT);
    let body = html! {
        h1 { "Tenants" }
        div #list data-part {
            (table("Tenants", &["Tenant", "State", "Artifacts", "Made", ""], &html! {
                @if paging.after.is_none() {
                    (known(&visitor, "operator", TenantId::OPERATOR, "your own: shared pools", None))
                    (known(&visitor, "default", TenantId::DEFAULT, "where everything is, unless said otherwise", default))
                }
                @for tenant in page.items.iter().filter(|tenant| ![TenantId::OPERATOR, TenantId::DEFAULT].contains(&tenant.id)) {
                    (row(&visitor, now, tenant))
                }
            }))
            (pager(&visitor.place, "tenants", &paging, page.next.as_ref()))
        }
        section aria-labelledby="new-title" {
            h2 #new-title { "New tenant" }
            form.card method="post" action=(visitor.place.to("tenants")) {
                (form_tokens(&visitor, &site.draw_text()))
                label { "Name" input name="name" required autocomplete="off" placeholder="acme"; }
                p.buttons { button.primary type="submit" { "Create tenant" } }
            }
        }
    };
    Ok(Page::new(Section::Tenants, "Tenants", body).answer(&visitor))
}

pub(crate) async fn create(visitor: Visitor, form: Form) -> Result<Response, Failure> {
    once(&visitor, &form)?.create_tenant(form.text("name")).await?;
    Ok(layout::redirect(&visitor.place.to("tenants")))
}

pub(crate) async fn change(
    State(site): State<Site>,
    visitor: Visitor,
    Path((tenant, verb)): Path<(TenantId, String)>,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, Failure> {
    if !visitor.may.operate {
        return Err(Failure::forbidden("Tenants are the operator's to change."));
    }
    match verb.as_str() {
        "rename" => drop(visitor.management.rename_tenant(tenant, form.text("name")).await?),
        "quota" => {
            let mebibytes: Option<u64> = form.parsed("mebibytes", "whole number")?;
            let bytes = mebibytes.map(|mebibytes| mebibytes.saturating_mul(MEBIBYTE));
            drop(visitor.management.set_artifact_quota(tenant, bytes).await?);
        }
        "suspend" => drop(visitor.management.suspend_tenant(tenant, true).await?),
        "resume" => drop(visitor.management.suspend_tenant(tenant, false).await?),
        "work-for" => {
            let text = cookie(&headers).unwrap_or_default();
            site.sessions.work_for(text, Some(tenant).filter(|tenant| *tenant != TenantId::OPERATOR));
            return Ok(layout::redirect(&visitor.place.to("queue")));
        }
        _ => return Err(Failure::not_found("There is no such thing to do with a tenant.")),
    }
    Ok(layout::redirect(&visitor.place.to("tenants")))
}

fn known(visitor: &Visitor, name: &str, tenant: TenantId, about: &str, found: Option<&TenantView>) -> Markup {
    html! {
        tr {
            td data-label="Tenant" { b { (name) } " " span.faint { (about) } }
            td data-label="State" { (pill(("passed", "active"))) }
            td data-label="Artifacts" { @match found { Some(found) => { (words::used(&found.artifacts)) } None => { "–" } } }
            td.time.told data-label="Made" { "–" }
            td data-label="" {
                (work_for(visitor, tenant))
                @if let Some(found) = found { (quota(visitor, found, &format!("tenants/{tenant}/quota"))) }
            }
        }
    }
}

fn row(visitor: &Visitor, now: Timestamp, tenant: &TenantView) -> Markup {
    let to = |verb: &str| format!("tenants/{}/{verb}", tenant.id);
    html! {
        tr {
            td data-label="Tenant" { b { (tenant.name) } " " span.faint.id { (tenant.id) } }
            td data-label="State" {
                @if tenant.suspended { (pill(("failed", "suspended"))) } @else { (pill(("passed", "active"))) }
            }
            td data-label="Artifacts" { (words::used(&tenant.artifacts)) }
            td.time.told data-label="Made" { (made(now, tenant.made_at)) }
            td data-label="" {
                (work_for(visitor, tenant.id))
                details.confirm {
                    summary.button.quiet { "Rename…" }
                    form.card method="post" action=(visitor.place.to(to("rename"))) {
                        (form_token(visitor))
                        label { "Name" input name="name" value=(tenant.name) required autocomplete="off"; }
                        button type="submit" { "Rename" }
                    }
                }
                (quota(visitor, tenant, &to("quota")))
                @if tenant.suspended { (action(visitor, &to("resume"), "Resume", "")) }
                @else { (confirmed(visitor, &to("suspend"), "Suspend", "It may ask for nothing, and nothing of it that waits is granted. What runs goes on.", &html! {})) }
            }
        }
    }
}

fn quota(visitor: &Visitor, tenant: &TenantView, to: &str) -> Markup {
    let own =
        tenant.artifacts.quota.filter(|_| tenant.artifacts.is_own).map(|bytes| bytes.div_ceil(MEBIBYTE));
    html! {
        details.confirm {
            summary.button.quiet { "Quota…" }
            form.card method="post" action=(visitor.place.to(to)) {
                (form_token(visitor))
                label { "Artifacts, in MiB" input name="mebibytes" type="number" min="1" max="1000000000" value=[own] placeholder="as for all tenants"; }
                p.faint { "What is kept already stays. What does not fit is refused, and its job ends without it." }
                button type="submit" { "Save" }
            }
        }
    }
}

fn work_for(visitor: &Visitor, tenant: TenantId) -> Markup {
    html! {
        @if visitor.management.tenant() == tenant { span.faint { "you look at it" } }
        @else if visitor.has_session { (action(visitor, &format!("tenants/{tenant}/work-for"), "Look into it", "")) }
    }
}
