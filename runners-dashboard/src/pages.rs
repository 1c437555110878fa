//! The pages, a file for each section.

pub(crate) mod artifact;
pub(crate) mod audit;
pub(crate) mod credentials;
pub(crate) mod environments;
pub(crate) mod events;
pub(crate) mod film;
pub(crate) mod fleet;
pub(crate) mod flow;
pub(crate) mod flows;
pub(crate) mod job;
pub(crate) mod jobs;
pub(crate) mod pool;
pub(crate) mod pools;
pub(crate) mod queue;
pub(crate) mod record;
pub(crate) mod recording;
#[cfg(feature = "orchestrator")]
pub(crate) mod regions;
pub(crate) mod result;
pub(crate) mod run;
pub(crate) mod runner;
pub(crate) mod runs;
pub(crate) mod settings;
pub(crate) mod sign_in;
pub(crate) mod tenants;
pub(crate) mod timeline;
pub(crate) mod traffic;
pub(crate) mod webhooks;

use crate::{
    dashboard::Site,
    failure::Failure,
    form::{FORM_KEY, Form},
    layout, live,
    parts::ROWS,
    visitor::Visitor,
};
use axum::{
    Router,
    extract::OriginalUri,
    response::Response,
    routing::{get, post},
};
use runners_core::{Cursor, EventCursor, IdempotencyKey, Management, Paging, Timestamp};

/// The routes of every page.
pub(crate) fn routes() -> Router<Site> {
    let routes = Router::new();
    #[cfg(feature = "orchestrator")]
    let routes = routes
        .route("/regions", get(regions::list))
        .route("/regions/{run}", get(regions::show))
        .route("/regions/{run}/artifacts/{digest}/{*name}", get(regions::artifact))
        .route("/regions/{run}/cancel", post(regions::cancel));
    routes
        .route("/queue", get(queue::show))
        .route("/jobs", get(jobs::list))
        .route("/jobs/{job}", get(job::show))
        .route("/jobs/{job}/cancel", post(job::cancel))
        .route("/jobs/{job}/retry", post(job::retry))
        .route("/jobs/{job}/watch", get(job::watch))
        .route("/jobs/{job}/log", get(job::log))
        .route("/jobs/{job}/log/stream", get(live::follow_log))
        .route("/jobs/{job}/artifacts/{grant}/{*name}", get(artifact::read))
        .route("/record", get(record::show).post(record::begin_one))
        .route("/record/{job}", get(recording::show))
        .route("/record/{job}/flow.json", get(recording::download))
        .route("/record/{job}/replay", post(recording::replay))
        .route("/record/{job}/save", post(recording::save))
        .route("/record/{job}/{verb}", post(recording::steer))
        .route("/jobs/{job}/film", get(film::show))
        .route("/jobs/{job}/requests", get(traffic::requests))
        .route("/jobs/{job}/console", get(traffic::console))
        .route("/runs", get(runs::list))
        .route("/runs/{run}", get(run::show))
        .route("/runs/{run}/cancel", post(run::cancel))
        .merge(library())
        .route("/fleet", get(fleet::list))
        .route("/fleet/{runner}", get(runner::show))
        .route("/fleet/{runner}/{verb}", post(runner::change))
        .route("/pools", get(pools::list).post(pools::create))
        .route("/pools/{pool}", get(pool::show).post(pool::change))
        .route("/pools/{pool}/delete", post(pool::delete))
        .route("/pools/{pool}/tokens", post(pool::create_token))
        .route("/pools/{pool}/tokens/{token}/revoke", post(pool::revoke_token))
        .route("/pools/{pool}/runners", post(pool::register_runner))
        .route("/environments", get(environments::list).post(environments::save))
        .route("/environments/delete", post(environments::delete))
        .route("/events", get(events::list))
        .route("/credentials", get(credentials::list).post(credentials::create))
        .route("/credentials/{credential}/revoke", post(credentials::revoke))
        .route("/audit", get(audit::list))
        .route("/webhooks", get(webhooks::list).post(webhooks::create))
        .route("/webhooks/{webhook}/{verb}", post(webhooks::change))
        .route("/deliveries/{delivery}/again", post(webhooks::redeliver))
        .route("/tenants", get(tenants::list).post(tenants::create))
        .route("/tenants/{tenant}/{verb}", post(tenants::change))
        .route("/settings", get(settings::show))
        .route("/settings/retention", post(settings::set_retention))
}

/// The routes of the library of flows.
fn library() -> Router<Site> {
    Router::new()
        .route("/flows", get(flows::list).post(flows::save))
        .route("/flows/{name}", get(flow::show))
        .route("/flows/{name}/document", get(flow::document))
        .route("/flows/{name}/run", post(flow::run))
        .route("/flows/{name}/delete", post(flow::delete))
}

/// The site begins with the queue. The address that leads there is relative to what the browser
/// shows, with or without a slash at its end; so it comes before any other that may be needed first.
pub(crate) async fn beginning(OriginalUri(uri): OriginalUri) -> Response {
    layout::redirect(&first_page(uri.path()))
}

/// What leads nowhere.
pub(crate) async fn nowhere() -> Failure {
    Failure::not_found("There is no such page.")
}

fn first_page(path: &str) -> String {
    let last = path.rsplit('/').next().unwrap_or_default();
    if last.is_empty() { "./queue".to_owned() } else { format!("./{last}/queue") }
}

/// Where a listing goes on.
pub(crate) fn paging(form: &Form) -> Result<Paging, Failure> {
    Ok(Paging { after: form.parsed::<Cursor>("after", "place in this list")?, limit: ROWS })
}

/// What a page follows that shows how things are at `now`: everything after.
pub(crate) fn follows_from(now: Timestamp) -> String {
    format!("after={}", EventCursor::at(now))
}

/// A view of the same fleet in which the form that was sent makes nothing twice.
pub(crate) fn once(visitor: &Visitor, form: &Form) -> Result<Management, Failure> {
    let Some(key) = form.parsed::<IdempotencyKey>(FORM_KEY, "key")? else {
        return Err(Failure::invalid("The form is not complete: open the page again."));
    };
    Ok(visitor.management.repeatable(&key, form.digest()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_is_found_from_the_prefix_with_and_without_a_slash() {
        assert_eq!(first_page("/"), "./queue");
        assert_eq!(first_page("/dashboard"), "./dashboard/queue");
        assert_eq!(first_page("/a/dashboard/"), "./queue");
    }
}
