//! `runners retention`: what is kept of what has ended, and for how long.

use super::pools::shown;
use crate::{
    args::{Asked, FleetArgs, RetentionCommand, SetRetentionArgs},
    exit::Exit,
    management::{Management, read},
    span::Span,
    table,
};
use anyhow::Result;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Retention {
    concluded_for_seconds: Option<u64>,
    jobs_max: Option<u32>,
    artifacts_for_seconds: Option<u64>,
    artifacts_max: Option<u32>,
    events_for_seconds: u64,
}

pub(super) async fn retention(command: RetentionCommand) -> Result<Exit> {
    match command {
        RetentionCommand::Show(arguments) => {
            let kept = Management::new(&arguments)?.get("/retention").await?;
            show(&arguments, kept)
        }
        RetentionCommand::Set(Asked { what, fleet }) => {
            let management = Management::new(&fleet)?;
            let mut kept = management.get("/retention").await?;
            change(&mut kept, &what);
            let kept = management.put("/retention", kept).await?;
            show(&fleet, kept)
        }
    }
}

/// Puts what is said over what is so.
fn change(kept: &mut Value, asked: &SetRetentionArgs) {
    let seconds = |span: Span| span.0.as_secs();
    if let Some(limit) = asked.jobs_for {
        kept["concludedForSeconds"] = json!(limit.0.map(seconds));
    }
    if let Some(limit) = asked.jobs_max {
        kept["jobsMax"] = json!(limit.0);
    }
    if let Some(limit) = asked.artifacts_for {
        kept["artifactsForSeconds"] = json!(limit.0.map(seconds));
    }
    if let Some(limit) = asked.artifacts_max {
        kept["artifactsMax"] = json!(limit.0);
    }
    if let Some(span) = asked.events_for {
        kept["eventsForSeconds"] = json!(seconds(span));
    }
}

fn show(arguments: &FleetArgs, kept: Value) -> Result<Exit> {
    shown(arguments, kept, |kept| {
        let kept: Retention = read(kept)?;
        let span = |seconds: Option<u64>, none: &str| {
            seconds.map_or(none.to_owned(), |seconds| Span(Duration::from_secs(seconds)).to_string())
        };
        let number = |most: Option<u32>| most.map_or("all".to_owned(), |most| most.to_string());
        let rows = [
            ["ended jobs".to_owned(), span(kept.concluded_for_seconds, "forever"), number(kept.jobs_max)],
            [
                "their artifacts".to_owned(),
                span(kept.artifacts_for_seconds, "as long as the job"),
                number(kept.artifacts_max),
            ],
            ["events".to_owned(), span(Some(kept.events_for_seconds), ""), "all".to_owned()],
        ];
        table::list(["what", "is kept for", "at most"], rows);
        Ok(())
    })
}
