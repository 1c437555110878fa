//! API credentials: who may speak for the tenant, and what each may do.

use crate::{
    dashboard::Site,
    failure::Failure,
    form::Form,
    layout::{self, Page, Section, form_tokens},
    pages::{once, paging, runner::span_field},
    parts::{ago, confirmed, empty, made, pager, pill, secret, table, until},
    visitor::Visitor,
};
use axum::{
    extract::{Path, State},
    response::Response,
};
use maud::{Markup, html};
use runners_core::{ApiCredentialSpec, ApiCredentialView, Scope, Timestamp, TokenId};

const SCOPES: [(Scope, &str); 3] = [
    (Scope::Read, "read: see jobs, runners and what they left"),
    (Scope::Submit, "submit: queue, cancel and repeat jobs"),
    (Scope::Admin, "admin: change pools, runners, tokens and credentials"),
];

pub(crate) async fn list(
    State(site): State<Site>,
    visitor: Visitor,
    form: Form,
) -> Result<Response, Failure> {
    page(&site, &visitor, &form, &html! {}).await
}

pub(crate) async fn create(
    State(site): State<Site>,
    visitor: Visitor,
    form: Form,
) -> Result<Response, Failure> {
    let scopes = SCOPES.into_iter().map(|(scope, _)| scope).filter(|scope| form.is_checked(scope.as_str()));
    let spec = ApiCredentialSpec {
        name: form.text("name").to_owned(),
        scopes: scopes.collect(),
        expires_in: form.span("expires_in")?,
    };
    let issued = once(&visitor, &form)?.create_api_credential(spec).await?;
    let token = issued.token.as_ref().map(runners_core::Token::expose);
    let shown = secret(&format!("Credential of {}", issued.view.name), token, &html! {});
    page(&site, &visitor, &Form::default(), &shown).await
}

pub(crate) async fn revoke(visitor: Visitor, Path(credential): Path<TokenId>) -> Result<Response, Failure> {
    visitor.management.revoke_api_credential(credential).await?;
    Ok(layout::redirect(&visitor.place.to("credentials")))
}

async fn page(site: &Site, visitor: &Visitor, form: &Form, shown: &Markup) -> Result<Response, Failure> {
    let now = site.now();
    let paging = paging(form)?;
    let page = visitor.management.api_credentials(&paging).await?;
    let body = html! {
        h1 { "Credentials" }
        (shown)
        div #list data-part {
            @if page.items.is_empty() { (empty("There is none that was made here.")) }
            @else { (table("API credentials", &["Held by", "State", "May", "Made", "Expires", ""], &rows(visitor, now, &page.items))) }
            (pager(&visitor.place, "credentials", &paging, page.next.as_ref()))
        }
        section aria-labelledby="new-title" {
            h2 #new-title { "New credential" }
            form.card method="post" action=(visitor.place.to("credentials")) {
                (form_tokens(visitor, &site.draw_text()))
                label { "Who holds it" input name="name" required autocomplete="off" placeholder="nightly pipeline"; }
                fieldset {
                    legend { "It may" }
                    @for (scope, words) in SCOPES {
                        label.check { input type="checkbox" name=(scope.as_str()) checked[scope == Scope::Read]; " " (words) }
                    }
                }
                label { "Expires in" (span_field("expires_in", "days", "never")) }
                p.faint { "Without a time it is good until it is revoked." }
                p.buttons { button.primary type="submit" { "Create credential" } }
            }
        }
    };
    Ok(Page::new(Section::Credentials, "Credentials", body).answer(visitor))
}

fn rows(visitor: &Visitor, now: Timestamp, credentials: &[ApiCredentialView]) -> Markup {
    html! {
        @for credential in credentials {
            @let expired = credential.expires_at.is_some_and(|at| at <= now);
            tr {
                td data-label="Held by" { @if credential.name.is_empty() { span.faint { "–" } } @else { b { (credential.name) } } }
                td data-label="State" {
                    @if credential.revoked { (pill(("faint", "revoked"))) }
                    @else if expired { (pill(("faint", "expired"))) }
                    @else { (pill(("passed", "good"))) }
                }
                td data-label="May" { ul.tags { @for scope in &credential.scopes { li { (scope.as_str()) } } } }
                td.time.told data-label="Made" { (made(now, credential.made_at)) }
                td.time.told data-label="Expires" {
                    @match credential.expires_at {
                        Some(at) if at > now => { (until(now, at)) }
                        Some(at) => { (ago(now, at)) }
                        None => { "never" }
                    }
                }
                td data-label="" {
                    @if !credential.revoked && !expired {
                        (confirmed(visitor, &format!("credentials/{}/revoke", credential.id), "Revoke", "Whoever holds it is refused at once, here as well.", &html! {}))
                    }
                }
            }
        }
    }
}
