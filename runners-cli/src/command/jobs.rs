//! `runners ping`, `job` and `cancel`: small questions about runners and jobs.

use crate::{
    args::{JobArgs, PingArgs},
    connection::Connection,
    exit::Exit,
    management, terminal,
};
use anyhow::Result;
use runners_core::{
    Clock as _, Error, Outcome, SystemClock,
    protocol::{AttemptView, JobView, StateView},
};
use serde_json::json;

pub(super) async fn ping(arguments: PingArgs) -> Result<Exit> {
    let connection = Connection::new(&arguments.api)?;
    let runner = management::runner_of(&arguments.api, &arguments.runner).await?;
    let clock = SystemClock::default();
    let asked = clock.boot();
    connection
        .client
        .ping(runner)
        .await
        .map_err(|error| unanswered(&arguments.runner, &connection, error))?;
    let taken = clock.boot().since(asked);
    if arguments.json {
        let taken = taken.as_secs_f64() * 1000.0;
        terminal::print_json(&json!({ "runner": runner, "answered_in_ms": taken }));
    } else {
        terminal::print(format!("{} answered in {}", arguments.runner, terminal::span(taken)));
    }
    Ok(Exit::Passed)
}

/// Which runner has not answered, and where to look.
fn unanswered(name: &str, connection: &Connection, error: Error) -> anyhow::Error {
    let is_silence = matches!(&error, Error::Unanswered { .. });
    let error = connection.explain(error);
    if !is_silence {
        return error;
    }
    error.context(format!(
        "{name} has not answered: `runners list` tells when it was last heard of, `runners log` on its machine why"
    ))
}

pub(super) async fn show(arguments: JobArgs) -> Result<Exit> {
    let connection = Connection::new(&arguments.api)?;
    let view = connection.client.inspect(arguments.job).await.map_err(|error| connection.explain(error))?;
    if arguments.json {
        terminal::print_json(&view);
    } else {
        tell(&view);
    }
    Ok(Exit::Passed)
}

pub(super) async fn cancel(arguments: JobArgs) -> Result<Exit> {
    let connection = Connection::new(&arguments.api)?;
    let told = connection.client.cancel(arguments.job).await.map_err(|error| connection.explain(error))?;
    if arguments.json {
        terminal::print_json(&json!({ "job": arguments.job, "cancelling": told }));
    } else {
        let what = if told { "is told to stop" } else { "had ended before" };
        terminal::print(format!("{} {what}", arguments.job));
    }
    Ok(Exit::Passed)
}

fn tell(view: &JobView) {
    let faint = console::Style::new().dim();
    let line = |name: &str, value: String| {
        terminal::print(format!("  {} {value}", faint.apply_to(format!("{name:<10}"))));
    };
    terminal::print(view.job.to_string());
    if let Some(title) = &view.title {
        line("title", title.clone());
    }
    line("kind", view.kind.clone());
    line("pool", view.pool.clone());
    line("submitted", view.submitted_at.to_string());
    line("state", state(&view.state));
    if let Some(progress) = view.progress.as_ref().filter(|_| view.conclusion().is_none()) {
        line("progress", progress.clone());
    }
    for attempt in &view.attempts {
        line(&format!("attempt {}", attempt.number), ended(attempt));
    }
    for artifact in &view.artifacts {
        line("artifact", format!("{} ({} bytes)", artifact.name, artifact.length));
    }
}

fn state(state: &StateView) -> String {
    match state {
        StateView::Scheduled { ready_at } => format!("scheduled, ready at {ready_at}"),
        StateView::Blocked { on } => format!("blocked on {}", terminal::count(*on as usize, "job")),
        StateView::Ready { since } => format!("ready since {since}, waiting for a runner"),
        StateView::Offered { runner, .. } => format!("offered to {runner}"),
        StateView::Running { runner, attempt, since, cancelling, .. } => {
            let verb = if *cancelling { "cancelling" } else { "running" };
            format!("{verb} on {runner} since {since}, attempt {attempt}")
        }
        StateView::Concluded { conclusion, at } => format!("{conclusion} at {at}"),
        _ => "not known to this version".to_owned(),
    }
}

fn ended(attempt: &AttemptView) -> String {
    let span = terminal::span(attempt.ended_at.since(attempt.started_at));
    let outcome = match &attempt.outcome {
        Outcome::Passed => "passed".to_owned(),
        Outcome::Failed => "failed".to_owned(),
        Outcome::Errored(fault) => format!("errored ({})", fault.message),
        Outcome::TimedOut => "timed out".to_owned(),
        Outcome::Cancelled => "cancelled".to_owned(),
        _ => "lost with its runner".to_owned(),
    };
    format!("{outcome} after {span} on {}", attempt.runner)
}
