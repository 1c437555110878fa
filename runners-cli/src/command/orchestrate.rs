//! `runners orchestrate` and `runners run-checks`: one request over many regions, seen through to its
//! conclusion. Who carries it out is in `place`, how it looks in `display` and `matrix`.

mod annotations;
mod asked;
mod display;
mod matrix;
mod place;
mod report;

use crate::{
    args::{AskArgs, OrchestrateArgs, ResultArgs, RunChecksArgs},
    exit::Exit,
    interrupts::Interrupts,
    terminal,
};
use anyhow::{Context as _, Result};
use display::Display;
use futures::{FutureExt as _, StreamExt as _, future::OptionFuture};
use place::Place;
use runners_core::{
    EventCursor,
    orchestration::{InvalidRequest, OrchestrationMode, OrchestrationRequest, OrchestratorError, RunSummary},
};

pub(super) async fn execute(arguments: OrchestrateArgs) -> Result<Exit> {
    let OrchestrateArgs { request, run, ask, results } = arguments;
    match asked::read(&request)? {
        Ok(request) => carry_out(asked::with(request, &run), &ask, &results).await,
        Err(invalid) => Ok(refuse(&format!("{}: ", request.display()), &invalid)),
    }
}

pub(super) async fn run_checks(arguments: RunChecksArgs) -> Result<Exit> {
    let request = asked::of(&arguments.names, &arguments.urls, &arguments.regions, &arguments.input);
    carry_out(asked::with(request, &arguments.run), &arguments.ask, &arguments.results).await
}

async fn carry_out(request: OrchestrationRequest, ask: &AskArgs, results: &ResultArgs) -> Result<Exit> {
    if let Err(invalid) = request.check() {
        return Ok(refuse("", &invalid));
    }
    let mut interrupts = Interrupts::listen()?;
    let place = Place::open(ask).await?;
    let ended = see_through(&place, &request, results.json, &mut interrupts).await;
    let concluded = match ended {
        Ok(Some(summary)) => conclude(&place, &summary, results).await,
        Ok(None) => Ok(Exit::CouldNotRun),
        Err(error) => Err(error),
    };
    place.close().await;
    concluded
}

/// Submits the request and follows the run to its end. `None` if nobody waits for that any more, or if
/// the request was refused and that is told.
async fn see_through(
    place: &Place,
    request: &OrchestrationRequest,
    silent: bool,
    interrupts: &mut Interrupts,
) -> Result<Option<RunSummary>> {
    let client = &place.client;
    let run = match client.submit(request).await {
        Ok(run) => run,
        Err(OrchestratorError::Invalid(invalid)) => {
            refuse("", &invalid);
            if let Some(why) = place.idle().filter(|_| request.mode == OrchestrationMode::Local) {
                terminal::note(why);
            }
            return Ok(None);
        }
        Err(error) => return Err(place.explain(error)),
    };
    let mut display = Display::new(request, silent);
    display.note(&format!("run {run}: {}", display.extent()));
    let mut events = std::pin::pin!(client.follow(&run, EventCursor::START).fuse());
    let mut cancelling = std::pin::pin!(OptionFuture::from(None).fuse());
    let mut interrupted = false;
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(Ok((_, event))) => display.take(&event),
                Some(Err(error)) => return Err(place.explain(error)),
                None => break,
            },
            Some(cancelled) = &mut cancelling => match cancelled {
                Ok(_) => {}
                Err(error) => return Err(place.explain(error).context("the run could not be cancelled")),
            },
            () = interrupts.next() => {
                if std::mem::replace(&mut interrupted, true) {
                    display.note(&format!("ended without waiting for the run {run}"));
                    return Ok(None);
                }
                display.note("cancelling the run; once more ends at once");
                cancelling.set(OptionFuture::from(Some(client.cancel(&run))).fuse());
            }
        }
    }
    display.finish();
    client.results(&run).await.map(Some).map_err(|error| place.explain(error))
}

/// Shows what became of the run, writes the reports, and tells what it means.
async fn conclude(place: &Place, summary: &RunSummary, results: &ResultArgs) -> Result<Exit> {
    report::write(place, summary, results)
        .await
        .context("the run has ended, and its reports are not there")?;
    if results.json {
        terminal::print_json(summary);
    } else {
        matrix::print(summary);
    }
    let is_unknown = |error: &String| error.contains("there is no region");
    if place.is_here() && summary.jobs.iter().any(|job| job.error.as_ref().is_some_and(is_unknown)) {
        terminal::note("no server was asked: its pools and regions are known with -s URL");
    }
    annotations::print(summary, results.json);
    let conclusion = summary.conclusion;
    Ok(conclusion.map_or(Exit::CouldNotRun, |conclusion| Exit::of([conclusion])))
}

/// Says everything that is wrong with a request.
fn refuse(before: &str, invalid: &InvalidRequest) -> Exit {
    for issue in &invalid.issues {
        terminal::note(format!("{} {before}{issue}", terminal::error_style().apply_to("error:")));
    }
    Exit::CouldNotRun
}
