//! The live view of a job: where it stands on the page, and the WebSocket that shows it. Its script is `live.js`.

use crate::{
    dashboard::Site,
    failure::Failure,
    origin::{self, Origin},
    visitor::Visitor,
};
use axum::{
    body::Body,
    extract::{Path, Request},
    response::Response,
};
use maud::{Markup, html};
use runners_core::{
    JobId,
    live::{FrameWish, LiveAccess, LivePhase, StreamView},
    protocol::{JobView, StateView},
    websocket,
};

/// How many pictures a second are offered, and how wide, below the limits.
const RATES: [u32; 5] = [1, 2, 5, 10, 15];
const WIDTHS: [u32; 5] = [320, 480, 640, 960, 1280];

/// Shows what an attempt that runs does, to whoever asks for it.
pub(crate) async fn section(site: &Site, visitor: &Visitor, view: &JobView) -> Markup {
    if !matches!(view.state, StateView::Running { .. }) {
        return html! {};
    }
    let stream = visitor.management.stream(view.job).await.ok().flatten();
    let address = visitor.place.to(format_args!("jobs/{}/watch", view.job));
    html! {
        section.live-view data-live=(address) aria-labelledby="live-title" {
            div.heading {
                h2 #live-title { "Live view" }
                span.actions {
                    button type="button" data-live-do="look" { "Look" }
                    button.quiet type="button" data-live-do="control" aria-pressed="false" hidden { "Take control" }
                    button.quiet type="button" data-live-do="screen" hidden { "Full screen" }
                }
            }
            p.live-state role="status" { (told(stream.as_ref())) }
            div.live-tools hidden {
                button.quiet type="button" data-live-do="back" { "Back" }
                button.quiet type="button" data-live-do="forward" { "Forward" }
                button.quiet type="button" data-live-do="reload" { "Reload" }
                label { span.unseen { "Text to put in" } input type="text" data-live-text placeholder="Text, then Enter" autocomplete="off"; }
            }
            div.live-frame hidden { canvas tabindex="0" aria-label="What the attempt shows" {} }
            (wishes(site.control.live().wish_max()))
        }
    }
}

/// How many pictures somebody wants, and how wide, within the limits.
fn wishes(limit: FrameWish) -> Markup {
    let usual = FrameWish::default().at_most(limit);
    let choice = |name: &str, words: &str, most: u32, usual: u32, steps: &[u32], unit: &str| {
        let steps = steps.iter().copied().filter(|step| *step < most).chain([most]);
        html! {
            label { (words) " " select data-live-wish=(name) {
                @for step in steps { option value=(step) selected[step == usual] { (step) (unit) } }
            } }
        }
    };
    html! {
        div.live-wish hidden {
            (choice("per_second_max", "Pictures", limit.per_second_max, usual.per_second_max, &RATES, " a second"))
            (choice("width_max", "Width", limit.width_max, usual.width_max, &WIDTHS, " px"))
        }
    }
}

/// Makes a WebSocket of a request of a page of ours, and shows the attempt on it.
pub(crate) async fn watch(
    visitor: Visitor,
    Path(job): Path<JobId>,
    request: Request,
) -> Result<Response, Failure> {
    let (mut head, _) = request.into_parts();
    if origin::of(&head.headers) != Origin::Ours {
        return Err(Failure::forbidden(
            "A live view is shown on a page of this dashboard, and nowhere else.",
        ));
    }
    let upgraded = websocket::accept(&head.headers, &mut head.extensions);
    let (response, socket) = upgraded.map_err(|error| Failure::invalid(error.to_string()))?;
    let may_control = visitor.may.submit || visitor.may.admin;
    let access = if may_control { LiveAccess::Control } else { LiveAccess::View };
    visitor.management.serve_view(job, access, socket, visitor.ended.clone());
    Ok(response.map(|()| Body::empty()))
}

/// How the stream of an attempt is, before anybody on this page looks.
fn told(stream: Option<&StreamView>) -> String {
    let error = stream.and_then(|stream| stream.last_error.as_ref());
    let Some(stream) = stream.filter(|stream| stream.phase != LivePhase::Over) else {
        let last = error.map(|error| format!(" The last look failed: {error}.")).unwrap_or_default();
        return format!("Nobody looks. What the attempt shows is taken only while somebody does.{last}");
    };
    let trouble = error.map(|error| format!(" Last trouble: {error}.")).unwrap_or_default();
    format!("Relay: {}, {} looking.{trouble}", stream.phase.as_str(), stream.viewers)
}
