//! What the checks of a run over regions left: pictures as they are, everything else as files.

use super::{client, encoded, region};
use crate::{
    dashboard::Site,
    failure::Failure,
    pages::artifact,
    visitor::{Place, Visitor},
    words,
};
use axum::{
    body::Body,
    extract::{Path, State},
    response::Response,
};
use maud::{Markup, html};
use runners_core::{
    Digest,
    orchestration::{RegionResult, ResultArtifact, RunSummary},
};

/// How many checks are shown with what they left.
const CHECKS_MAX: usize = 100;

pub(crate) async fn artifact(
    State(site): State<Site>,
    visitor: Visitor,
    Path((run, digest, name)): Path<(String, Digest, String)>,
) -> Result<Response, Failure> {
    let client = client(&site, &visitor)?;
    let summary = client.partial_results(&run).await?;
    let mut all = summary.jobs.iter().flat_map(|job| &job.results).flat_map(|result| &result.artifacts);
    let missing = || Failure::not_found("There is no artifact of that name, or it is not kept any more.");
    let found = all.find(|left| left.digest == digest && left.name == name).ok_or_else(missing)?;
    let kept = client.read_artifact(&run, digest, None).await?;
    Ok(artifact::answer(Body::from_stream(kept.bytes), &found.name, &found.media_type, found.length))
}

/// The checks that left something, each with its region.
pub(super) fn show(place: &Place, run: &str, summary: &RunSummary) -> Markup {
    let results = summary.jobs.iter().flat_map(|job| job.results.iter().map(move |result| (job, result)));
    let with: Vec<_> = results.filter(|(_, result)| has_left(result)).collect();
    html! {
        @if !with.is_empty() {
            section aria-labelledby="left-title" {
                h2 #left-title { "What the checks left" }
                div.forms {
                    @for (job, result) in with.iter().take(CHECKS_MAX) {
                        div.card.left {
                            h3 { (result.name) " " span.faint { "in " (region(job)) } }
                            (of_check(place, run, result))
                        }
                    }
                }
                @if with.len() > CHECKS_MAX {
                    p.faint { "The first " (CHECKS_MAX) " of " (words::count(with.len() as u64, "check")) "." }
                }
            }
        }
    }
}

fn has_left(result: &RegionResult) -> bool {
    !result.artifacts.is_empty() || !result.missing.is_empty()
}

fn of_check(place: &Place, run: &str, result: &RegionResult) -> Markup {
    let (pictures, files): (Vec<_>, Vec<_>) =
        result.artifacts.iter().partition(|left| left.media_type.starts_with("image/"));
    html! {
        @if !pictures.is_empty() {
            div.pictures {
                @for left in pictures {
                    @let address = address(place, run, left);
                    figure {
                        a href=(address) { img src=(address) alt=(left.name) loading="lazy"; }
                        figcaption { (left.name) }
                    }
                }
            }
        }
        @if !files.is_empty() {
            ul.files {
                @for left in files {
                    li { a.break href=(address(place, run, left)) { (left.name) } " " span.faint { (words::size(left.length)) } }
                }
            }
        }
        @for missing in &result.missing { p.flaky-text { "missing: " (missing) } }
    }
}

fn address(place: &Place, run: &str, left: &ResultArtifact) -> String {
    let (run, name) = (encoded(run), artifact::encoded(&left.name, true));
    place.to(format_args!("regions/{run}/artifacts/{}/{name}", left.digest))
}
