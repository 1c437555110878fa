//! The live view of a job: where it stands on the page, and the WebSocket that shows it. Its script is `live.js`.

use crate::{
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
    live::{LiveAccess, LivePhase, StreamView},
    protocol::{JobView, StateView},
    websocket,
};

/// Shows what an attempt that runs does, to whoever asks for it.
pub(crate) async fn section(visitor: &Visitor, view: &JobView) -> Markup {
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
    let Some(stream) = stream.filter(|stream| stream.phase != LivePhase::Over) else {
        return "Nobody looks. What the attempt shows is taken only while somebody does.".to_owned();
    };
    let trouble =
        stream.last_error.as_ref().map(|error| format!(" Last trouble: {error}.")).unwrap_or_default();
    format!("Relay: {}, {} looking.{trouble}", stream.phase.as_str(), stream.viewers)
}
