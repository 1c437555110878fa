//! Webhooks: where the tenant is told of events, and what could not be told.

use crate::{
    dashboard::Site,
    failure::Failure,
    form::Form,
    layout::{self, Page, Section, form_tokens},
    pages::{once, paging},
    parts::{action, ago, confirmed, empty, pager, secret, table, until},
    visitor::Visitor,
    words,
};
use axum::{
    extract::{Path, State},
    response::Response,
};
use maud::{Markup, html};
use runners_core::{
    DeliveryId, DeliveryView, Paging, Secret, Timestamp, WebhookId, WebhookSpec, WebhookView,
};

/// How many deliveries of each kind are shown.
const DELIVERIES: u32 = 20;

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
    let events = form.text("events").split([',', ' ']).map(str::trim).filter(|name| !name.is_empty());
    let spec = WebhookSpec { url: form.text("url").to_owned(), events: events.map(str::to_owned).collect() };
    let made = once(&visitor, &form)?.create_webhook(spec, None).await?;
    page(&site, &visitor, &Form::default(), &shown(&made.webhook, made.secret.as_ref())).await
}

pub(crate) async fn change(
    State(site): State<Site>,
    visitor: Visitor,
    Path((webhook, verb)): Path<(WebhookId, String)>,
    form: Form,
) -> Result<Response, Failure> {
    match verb.as_str() {
        "delete" => {
            visitor.management.delete_webhook(webhook).await?;
            Ok(layout::redirect(&visitor.place.to("webhooks")))
        }
        "secret" => {
            let made = once(&visitor, &form)?.rotate_webhook_secret(webhook, None).await?;
            page(&site, &visitor, &Form::default(), &shown(&made.webhook, made.secret.as_ref())).await
        }
        _ => Err(Failure::not_found("There is no such thing to do with a webhook.")),
    }
}

pub(crate) async fn redeliver(
    visitor: Visitor,
    Path(delivery): Path<DeliveryId>,
) -> Result<Response, Failure> {
    visitor.management.redeliver(delivery).await?;
    Ok(layout::redirect(&visitor.place.to("webhooks")))
}

async fn page(site: &Site, visitor: &Visitor, form: &Form, shown: &Markup) -> Result<Response, Failure> {
    let now = site.now();
    let paging = paging(form)?;
    let management = &visitor.management;
    let page = management.webhooks(&paging).await?;
    let few = Paging { after: None, limit: DELIVERIES };
    let dead = management.deliveries(true, &few).await?;
    let waiting = management.deliveries(false, &few).await?;
    let body = html! {
        h1 { "Webhooks" }
        p.lead { "What happens is posted to these addresses as JSON, signed with the secret of each, and tried for a day until it is taken." }
        (shown)
        div #list data-part {
            @if page.items.is_empty() { (empty("There is no webhook.")) }
            @else { (table("Webhooks", &["Address", "Told of", "Made", ""], &rows(site, visitor, now, &page.items))) }
            (pager(&visitor.place, "webhooks", &paging, page.next.as_ref()))
        }
        @for (id, title, option, found) in [
            ("dead", "Given up", " --given-up", &dead),
            ("waiting", "Tried again by themselves", "", &waiting),
        ] {
            @if !found.items.is_empty() {
                section aria-labelledby={ (id) "-title" } {
                    h2 id={ (id) "-title" } { (title) }
                    (table(title, &["What", "Tries", "Problem", "Next", ""], &delivery_rows(visitor, now, &found.items)))
                    @if found.next.is_some() { p.faint { "There are more: " code { "runners webhooks deliveries" (option) } " lists them all." } }
                }
            }
        }
        @if visitor.may.admin { (new(site, visitor)) }
    };
    Ok(Page::new(Section::Webhooks, "Webhooks", body).answer(visitor))
}

fn shown(webhook: &WebhookView, made: Option<&Secret>) -> Markup {
    secret(
        &format!("Secret of {}", webhook.spec.url),
        made.map(Secret::expose),
        &html! {
            p { "Whoever is called checks the signature of every call with it." }
        },
    )
}

fn new(site: &Site, visitor: &Visitor) -> Markup {
    html! {
        section aria-labelledby="new-title" {
            h2 #new-title { "New webhook" }
            form.card method="post" action=(visitor.place.to("webhooks")) {
                (form_tokens(visitor, &site.draw_text()))
                label { "Address" input name="url" type="url" required autocomplete="off" placeholder="https://ci.example.com/runners"; }
                label { "Events, with commas between them" input name="events" autocomplete="off" placeholder="all of them, or: concluded, closed"; }
                p.buttons { button.primary type="submit" { "Create webhook" } }
            }
        }
    }
}

fn rows(site: &Site, visitor: &Visitor, now: Timestamp, webhooks: &[WebhookView]) -> Markup {
    html! {
        @for webhook in webhooks {
            tr {
                td.wide data-label="" { span.break { (webhook.spec.url) } }
                td.told data-label="Told of" {
                    @if webhook.spec.events.is_empty() { "everything" }
                    @else { (webhook.spec.events.iter().cloned().collect::<Vec<_>>().join(", ")) }
                }
                td.time.told data-label="Made" { (ago(now, webhook.made_at)) }
                td data-label="" {
                    @if visitor.may.admin {
                        details.confirm {
                            summary.button.quiet { "Another secret…" }
                            form.card method="post" action=(visitor.place.to(format_args!("webhooks/{}/secret", webhook.id))) {
                                (form_tokens(visitor, &site.draw_text()))
                                p { "Every call from now on is signed with the new one, which is shown once." }
                                button.primary type="submit" { "Make another secret" }
                            }
                        }
                        (confirmed(visitor, &format!("webhooks/{}/delete", webhook.id), "Delete", "Nothing is told there any more, and what it has not been told is forgotten.", &html! {}))
                    }
                }
            }
        }
    }
}

fn delivery_rows(visitor: &Visitor, now: Timestamp, deliveries: &[DeliveryView]) -> Markup {
    html! {
        @for delivery in deliveries {
            tr {
                td data-label="What" { (delivery.event.what.name()) @if let Some(job) = delivery.event.job { " " (crate::parts::job_link(&visitor.place, job)) } }
                td.told data-label="Tries" { (words::number(u64::from(delivery.tries))) }
                td.wide data-label="" { @if let Some(problem) = &delivery.problem { span.break { (problem) } } }
                td.time.told data-label="Next" { @if let Some(at) = delivery.next_at { (until(now, at)) } @else { "never" } }
                td data-label="" {
                    @if visitor.may.admin { (action(visitor, &format!("deliveries/{}/again", delivery.id), "Try again", "")) }
                }
            }
        }
    }
}
