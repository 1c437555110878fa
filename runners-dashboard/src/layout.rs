//! The frame around every page: head, navigation, and what keeps it current.

use crate::{
    failure::Failure,
    form::{FORM_KEY, FORM_TOKEN},
    visitor::{Place, Visitor},
};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, StatusCode, header};
use maud::{DOCTYPE, Markup, html};

/// Where in the navigation a page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Queue,
    Runs,
    Flows,
    Record,
    Regions,
    Fleet,
    Pools,
    Environments,
    Webhooks,
    Credentials,
    Events,
    Audit,
    Tenants,
    Settings,
    Nowhere,
}

/// A page, before its frame is around it.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) title: String,
    pub(crate) section: Section,
    /// What it follows, as the query of `live`; a page without stands still.
    pub(crate) follows: Option<String>,
    pub(crate) body: Markup,
}

impl Page {
    pub(crate) fn new(section: Section, title: impl Into<String>, body: Markup) -> Self {
        Self { title: title.into(), section, follows: None, body }
    }

    /// Keeps it current.
    pub(crate) fn follows(mut self, query: impl Into<String>) -> Self {
        self.follows = Some(query.into());
        self
    }

    /// Puts the frame around it.
    pub(crate) fn answer(self, visitor: &Visitor) -> Response {
        let place = &visitor.place;
        let follows = self.follows.as_ref().map(|query| place.to(format_args!("live?{query}")));
        let main = html! {
            main #main tabindex="-1" data-live=[follows] { (self.body) }
        };
        if place.is_part {
            return answer(StatusCode::OK, &main);
        }
        let frame = html! {
            a.skip href="#main" { "Skip to the content" }
            header.top {
                a.brand href=(place.to("queue")) { (mark()) span { "runners" } }
                (navigation(visitor, self.section))
                (account(visitor))
            }
            (main)
        };
        answer(StatusCode::OK, &document(place, &self.title, &frame))
    }
}

/// A page that says why something is not done, within the frame.
pub(crate) fn failed(visitor: &Visitor, failure: &Failure) -> Response {
    let place = &visitor.place;
    let body = html! {
        div.notice.bad role="alert" {
            h1 { (failure.title) }
            p { (failure.detail) }
        }
        p { a href=(place.to("queue")) { "To the queue" } }
    };
    let mut response = Page::new(Section::Nowhere, failure.title, body).answer(visitor);
    *response.status_mut() = failure.code;
    response
}

/// The same for somebody who is nobody here.
pub(crate) fn bare(place: &Place, failure: &Failure) -> Response {
    let body = html! {
        main.alone {
            div.brand { (mark()) span { "runners" } }
            h1 { (failure.title) }
            p { (failure.detail) }
        }
    };
    answer(failure.code, &document(place, failure.title, &body))
}

/// A page without the frame.
pub(crate) fn alone(place: &Place, title: &str, body: &Markup) -> Response {
    let body = html! {
        main.alone {
            div.brand { (mark()) span { "runners" } }
            (body)
        }
    };
    answer(StatusCode::OK, &document(place, title, &body))
}

/// Leads to another page, by a relative address.
pub(crate) fn redirect(to: &str) -> Response {
    match HeaderValue::try_from(to) {
        Ok(to) => (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response(),
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

/// What every form of a page holds.
pub(crate) fn form_token(visitor: &Visitor) -> Markup {
    html! {
        @if visitor.has_session { input type="hidden" name=(FORM_TOKEN) value=(visitor.form_token); }
    }
}

/// The same for a form that makes something: sent again, it makes nothing twice.
pub(crate) fn form_tokens(visitor: &Visitor, key: &str) -> Markup {
    html! {
        (form_token(visitor))
        input type="hidden" name=(FORM_KEY) value=(key);
    }
}

fn answer(code: StatusCode, body: &Markup) -> Response {
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    (code, [(header::CONTENT_TYPE, kind)], body.0.clone()).into_response()
}

fn document(place: &Place, title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · runners" }
                link rel="icon" href=(place.to("assets/icon.svg")) type="image/svg+xml";
                link rel="stylesheet" href=(place.to("assets/dashboard.css"));
                script src=(place.to("assets/dashboard.js")) defer {}
                script src=(place.to("assets/live.js")) defer {}
                script src=(place.to("assets/film.js")) defer {}
                script src=(place.to("assets/record.js")) defer {}
            }
            body { (body) }
        }
    }
}

fn navigation(visitor: &Visitor, here: Section) -> Markup {
    let may = visitor.may;
    let links = [
        (Section::Queue, "queue", "Queue", may.read),
        (Section::Runs, "runs", "Runs", may.read),
        (Section::Flows, "flows", "Flows", may.read),
        (Section::Record, "record", "Record", may.read),
        (Section::Regions, "regions", "Regions", may.read && visitor.has_regions),
        (Section::Fleet, "fleet", "Fleet", may.read),
        (Section::Pools, "pools", "Pools", may.read),
        (Section::Environments, "environments", "Environments", may.read),
        (Section::Events, "events", "Events", may.read),
        (Section::Audit, "audit", "Audit", may.admin),
        (Section::Webhooks, "webhooks", "Webhooks", may.read),
        (Section::Credentials, "credentials", "Credentials", may.admin),
        (Section::Tenants, "tenants", "Tenants", may.operate),
        (Section::Settings, "settings", "Settings", may.read),
    ];
    html! {
        nav aria-label="Sections" {
            ul {
                @for (section, path, words, _) in links.into_iter().filter(|(.., shown)| *shown) {
                    li { a href=(visitor.place.to(path)) aria-current=[(section == here).then_some("page")] { (words) } }
                }
            }
        }
    }
}

fn account(visitor: &Visitor) -> Markup {
    html! {
        div.account {
            span.live #live role="status" hidden { span.dot {} span.words { "live" } }
            span.who {
                @if let Some(tenant) = &visitor.tenant { b { (tenant) } }
                " " span.faint { (visitor.name) }
            }
            @if visitor.has_session {
                form method="post" action=(visitor.place.to("sign-out")) {
                    (form_token(visitor))
                    button.quiet type="submit" { "Sign out" }
                }
            }
        }
    }
}

/// The mark of the site: three lanes, one ahead of the other.
fn mark() -> Markup {
    html! {
        svg.mark viewBox="0 0 24 24" width="24" height="24" aria-hidden="true" {
            rect x="2" y="4" width="12" height="4" rx="2" {}
            rect x="6" y="10" width="16" height="4" rx="2" {}
            rect x="4" y="16" width="9" height="4" rx="2" {}
        }
    }
}
