//! `runners run`: a runner in the foreground.

mod background;
mod disguise;

use crate::{
    args::{GuardArgs, RunArgs, TenureArgs},
    connection::{self, TokenSource},
    exit::Exit,
    identity::{self, Identity},
    interrupts::Interrupts,
    keys,
    local::LocalBrowser,
    machine::Machine,
    narrator::Narrator,
    probe::{self, Found},
    telemetry::MetricsPort,
    terminal,
};
use anyhow::{Context as _, Result, bail};
use background::{Background, Watched};
use futures::{FutureExt as _, future::pending};
use runners_core::{
    DirectorySecrets, EnvironmentSecrets, ExitReason, Runner, RunnerBuilder, Spool, TokenKind,
    metrics::{Metrics, runner::REGISTRATION_FAILURES},
    protocol::{Enrolled, RefusalCode, Refused},
};
use runners_otel::Telemetry;
use runners_transport_http::HttpArtifacts;
use serde_json::json;
use std::{path::Path, sync::Arc, time::Duration};

/// Name and version of this program.
pub(super) const PROGRAM: &str = concat!("runners ", env!("CARGO_PKG_VERSION"));

/// How long what runs may take to end at the second interrupt.
const STOP_GRACE: Duration = Duration::from_secs(3);

pub(super) async fn execute(arguments: RunArgs, telemetry: &Telemetry) -> Result<Exit> {
    let ended = serve(&arguments, telemetry).await;
    if let (Some(_), Err(error)) = (&arguments.background, &ended) {
        // Whoever has started it waits for this.
        terminal::print_json(&json!({ "event": "failed", "error": terminal::chain(error) }));
    }
    ended
}

async fn serve(arguments: &RunArgs, telemetry: &Telemetry) -> Result<Exit> {
    let mut interrupts = Interrupts::listen()?;
    let background = Background::enter(arguments).await?;
    let browser = LocalBrowser::new(&arguments.browser)?;
    let name = arguments.name.clone().unwrap_or_else(identity::machine_name);
    let state = match &arguments.state {
        Some(state) => state.clone(),
        None => {
            let base = match &background {
                Some(background) => background.home.directory().to_owned(),
                None => identity::base_directory()?,
            };
            identity::state_directory(&base, &arguments.server, &name)
        }
    };
    let spool = identity::open_spool(&state)?;
    let metrics_port = MetricsPort::open(telemetry, arguments.metrics_listen).await?;
    let metrics = telemetry.metrics();
    let identity = tokio::select! {
        identity = identify(arguments, &spool, &name, &metrics) => identity?,
        () = interrupts.next() => return Ok(Exit::Passed),
    };
    let narrator = Arc::new(match &background {
        Some(_) => Narrator::in_background(&arguments.server),
        None => Narrator::new(&arguments.server, arguments.json),
    });
    announce(&narrator, arguments, &identity, &name);
    if let Some(port) = &metrics_port {
        narrator.say(&format!("metrics are at {}", port.url), json!({ "event": "metrics", "url": port.url }));
    }
    let account = background.as_ref().map(|background| background.account(arguments, &identity, &name));
    let watched = Arc::new(Watched { narrator: narrator.clone(), account });
    let transport = connection::transport(&arguments.server, identity.credential, &arguments.trust)?;
    let credential = identity::credential(&spool);
    tokio::select! {
        settled = identity::settle(&credential, &transport) => settled?,
        () = interrupts.next() => return Ok(Exit::Passed),
    }
    let Some(found) = find_out(&browser, arguments, &narrator, &mut interrupts).await else {
        return Ok(Exit::Passed);
    };
    let machine = Machine { browser: found.browser, state: state.clone() };
    let builder = Runner::builder(transport.clone()).facts(machine).program(PROGRAM);
    let builder = stay(guard(builder, &arguments.guard, &identity.enrolled)?, &arguments.tenure);
    let runner = builder
        .name(&name)
        .slots(arguments.slots)
        .labels(found.labels)
        .labels(&arguments.labels)
        .spool(spool.clone())
        .artifacts(identity.enrolled.tenant, HttpArtifacts::new(&transport))
        .observer(watched.clone())
        .metrics(metrics)
        .traces(telemetry.traces())
        .executor(browser.executor.clone())
        .start();
    let ended = tokio::select! {
        ended = see_through(&runner, &mut interrupts, &watched) => ended,
        () = credential.serve(&transport).then(|()| pending()) => unreachable!("it never ends"),
    };
    browser.stop().await;
    conclude(ended, arguments, &spool, &narrator, &state)
}

/// What its end means to whoever started it.
fn conclude(
    ended: ExitReason,
    arguments: &RunArgs,
    spool: &Spool,
    narrator: &Narrator,
    state: &Path,
) -> Result<Exit> {
    match ended {
        ExitReason::Left | ExitReason::Stopped | ExitReason::Killed => {
            narrator.say("stopped", json!({ "event": "stopped" }));
            Ok(Exit::Passed)
        }
        ExitReason::Deregistered => {
            identity::forget(spool)?;
            narrator.say("deregistered after its single use", json!({ "event": "deregistered" }));
            Ok(Exit::Passed)
        }
        ExitReason::Displaced => {
            bail!("another process runs as this runner: give this one a --state of its own")
        }
        ExitReason::Refused(refused) => {
            let advice = refusal_advice(&refused, &arguments.server, state);
            Err(refused).context(advice)
        }
        reason => bail!("the runner ended: {reason}"),
    }
}

/// What this machine can do, told as it is found; `None` if it is interrupted meanwhile.
async fn find_out(
    browser: &LocalBrowser,
    arguments: &RunArgs,
    narrator: &Narrator,
    interrupts: &mut Interrupts,
) -> Option<Found> {
    let found = tokio::select! {
        found = probe::find_out(browser, Some((&arguments.server, &arguments.trust))) => found,
        () = interrupts.next() => {
            browser.stop().await;
            return None;
        }
    };
    for (text, event) in &found.told {
        narrator.say(text, event.clone());
    }
    Some(found)
}

/// Says whose jobs it executes, and where secrets are.
fn guard(mut builder: RunnerBuilder, arguments: &GuardArgs, enrolled: &Enrolled) -> Result<RunnerBuilder> {
    for trusted in &arguments.trust_keys {
        let tenant = trusted.tenant.unwrap_or(enrolled.tenant);
        builder = builder.trust([(tenant, keys::verifying(&trusted.file)?)]);
    }
    builder = match &*arguments.audience {
        [] => builder.audience([&enrolled.pool_name]),
        audience => builder.audience(audience),
    };
    if arguments.demand_signatures {
        builder = builder.demand_signatures();
    }
    if let Some(directory) = &arguments.secrets {
        builder = builder.secrets(DirectorySecrets::new(directory));
    }
    Ok(builder.secrets(EnvironmentSecrets::prefixed(keys::SECRETS_PREFIX)))
}

/// Says how long it stays.
fn stay(mut builder: RunnerBuilder, arguments: &TenureArgs) -> RunnerBuilder {
    if arguments.single_use {
        builder = builder.single_use();
    }
    match arguments.idle_exit {
        Some(span) => builder.idle_exit(span),
        None => builder,
    }
}

fn refusal_advice(refused: &Refused, server: &str, state: &Path) -> String {
    match refused.code {
        RefusalCode::Expired => {
            format!("{server} does not know this runner: start it with a registration token to enrol anew")
        }
        RefusalCode::Removed => {
            let state = state.display();
            format!(
                "this runner was removed from {server}: to register it anew, remove {state} and give a token"
            )
        }
        _ => format!("{server} does not take this runner: remove {} to enrol anew", state.display()),
    }
}

/// Who this runner is. With a token it enrols, which is harmless when it has before.
async fn identify(
    arguments: &RunArgs,
    spool: &Spool,
    name: &str,
    metrics: &impl Metrics,
) -> Result<Identity> {
    let source = TokenSource {
        kinds: &[TokenKind::Registration, TokenKind::Runner],
        text: arguments.token.as_deref(),
        file: arguments.token_file.as_deref(),
        server: &arguments.server,
    };
    let kept = Identity::kept(spool, &arguments.server)?;
    let Some(token) = source.find()? else {
        return kept.ok_or_else(|| source.missing("RUNNERS_TOKEN"));
    };
    if let Some(kept) = kept.as_ref().filter(|kept| kept.began_with(&token)) {
        if arguments.token.is_some() {
            disguise::drop_token();
        }
        return Ok(kept.clone());
    }
    let enrolled = Identity::enrol_at(&arguments.server, token, &arguments.trust, spool, name).await;
    if enrolled.is_err() {
        metrics.record(&REGISTRATION_FAILURES, 1.0, &[]);
    }
    let identity = match (enrolled, kept) {
        (Ok(identity), _) => identity,
        (Err(error), Some(kept)) => {
            // The token may have run out since; the credential is what counts.
            tracing::info!(error = &*error as &dyn std::error::Error, "the registration token was not taken");
            kept
        }
        (Err(error), None) => return Err(error),
    };
    if arguments.token.is_some() {
        disguise::drop_token();
    }
    Ok(identity)
}

fn announce(narrator: &Narrator, arguments: &RunArgs, identity: &Identity, name: &str) {
    let (runner, pool) = (identity.enrolled.runner, &identity.enrolled.pool_name);
    let slots = terminal::count(arguments.slots as usize, "slot");
    let labels = if arguments.labels.is_empty() {
        String::new()
    } else {
        format!(", labels {}", arguments.labels.join(" "))
    };
    narrator.say(
        &format!("{name} is {runner} in the pool {pool}, {slots}{labels}"),
        json!({
            "event": "enrolled", "runner": runner, "name": name, "pool": pool, "slots": arguments.slots,
            "labels": arguments.labels, "server": arguments.server,
        }),
    );
}

/// Waits for the end: by itself, or by interrupts, each more urgent than the one before.
async fn see_through(runner: &Runner, interrupts: &mut Interrupts, watched: &Watched) -> ExitReason {
    let narrator = &watched.narrator;
    tokio::select! {
        reason = runner.stopped() => return reason,
        () = interrupts.next() => {}
    }
    watched.drain();
    let running = runner.snapshot().held.len();
    let text = match running {
        0 => "draining: nothing runs".to_owned(),
        _ => format!("draining: {} to finish; once more stops now", terminal::count(running, "flow")),
    };
    narrator.say(&text, json!({ "event": "draining", "running": running }));
    tokio::select! {
        drained = runner.drain() => match drained {
            Ok(()) => return ExitReason::Left,
            Err(_) => return runner.stopped().await,
        },
        () = interrupts.next() => {}
    }
    narrator.say("stopping now: what ran is tried elsewhere", json!({ "event": "stopping" }));
    tokio::select! {
        reason = runner.stop(STOP_GRACE) => reason,
        () = interrupts.next() => {
            runner.kill();
            runner.stopped().await
        }
    }
}
