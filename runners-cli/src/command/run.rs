//! `runners run`: a runner in the foreground.

mod background;
pub(super) mod containers;
mod course;
mod disguise;

use crate::{
    args::{GuardArgs, RunArgs, TenureArgs},
    connection::{self, TokenSource},
    daemon::Supervisor,
    exit::Exit,
    flow_directory,
    identity::{self, Identity},
    interrupts::Interrupts,
    keys,
    local::LocalBrowser,
    machine::Machine,
    narrator::Narrator,
    probe::{self, Found},
    prompt,
    telemetry::MetricsPort,
    terminal,
    version::PROGRAM,
};
use anyhow::{Context as _, Result, bail};
use background::{Background, Watched};
use course::{Course, Ended};
pub(super) use disguise::VARIABLES as TOKEN_VARIABLES;
use futures::{FutureExt as _, future::pending};
use runners_core::{
    DirectorySecrets, EnvironmentSecrets, ExitReason, Runner, RunnerBuilder, Spool, Token, TokenKind,
    metrics::{Metrics, runner::REGISTRATION_FAILURES},
    protocol::{Enrolled, RefusalCode, Refused},
};
use runners_exec_container::{ContainerBrowser, ContainerExecutor};
use runners_exec_webdriver::{FlowCheckExecutor, FlowChecks};
use runners_otel::Telemetry;
use runners_transport_http::{HttpArtifacts, HttpRelay, HttpTransport};
use serde_json::json;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

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
    let checks = arguments.flows.as_deref().map(flow_directory::read).transpose()?;
    let mut browser = containers::browser_beside(&arguments.browser, &arguments.container)?;
    let name = arguments.name.clone().unwrap_or_else(identity::machine_name);
    let state = identity::state_of(arguments, &name)?;
    let spool = identity::open_spool(&state)?;
    let metrics_port = MetricsPort::open(telemetry, arguments.metrics_listen).await?;
    let metrics = telemetry.metrics();
    let token = token_of(arguments, Identity::kept(&spool, &arguments.server)?.is_some()).await?;
    let identity = tokio::select! {
        identity = identify(arguments, token, &spool, &name, &metrics) => identity?,
        () = interrupts.next() => return Ok(Exit::Passed),
    };
    if arguments.token.is_some() {
        disguise::drop_token();
    }
    let narrator = Arc::new(match &background {
        Some(_) => Narrator::in_background(&arguments.server),
        None => Narrator::new(&arguments.server, arguments.json),
    });
    announce(&narrator, arguments, &identity, &name);
    metrics_port.iter().for_each(|port| announce_metrics(&narrator, port));
    checks.iter().for_each(|checks| announce_checks(&narrator, checks));
    let account = background.as_ref().map(|background| background.account(arguments, &identity, &name));
    let watched = Arc::new(Watched::new(narrator.clone(), account, Supervisor));
    let (container, runner) = (&arguments.container, identity.enrolled.runner);
    let containers = containers::open(container, runner, &narrator, watched.clone()).await?;
    let transport = connection::transport(&arguments.server, identity.credential.clone(), &arguments.trust)?;
    let credential = identity::credential(&spool);
    let started = async {
        identity::settle(&credential, &transport).await?;
        containers::start_browser(container, containers.as_ref(), &narrator).await
    };
    let in_container = tokio::select! {
        started = started => started?,
        () = interrupts.next() => return Ok(Exit::Passed),
    };
    if let Some(container) = &in_container {
        browser = Some(LocalBrowser::in_container(&arguments.browser, container));
    }
    let Some(found) = find_out(browser.as_ref(), arguments, &narrator, &mut interrupts).await else {
        return Ok(Exit::Passed);
    };
    let parts = Parts { arguments, name, state, spool, identity, found, checks, containers, transport };
    let mut course = Course {
        interrupts,
        background: background.as_ref(),
        watched: &watched,
        drain_within: arguments.drain_within,
        paused: None,
    };
    let ended = loop {
        let runner = parts.start(browser.as_ref(), watched.clone(), telemetry, course.paused.is_some())?;
        watched.supervisor.ready();
        let ended = tokio::select! {
            ended = course.see_through(&runner) => ended,
            () = credential.serve(&parts.transport).then(|()| pending()) => unreachable!("it never ends"),
            () = containers::label(&watched, &runner) => unreachable!("it never ends"),
            () = containers::sweep(&watched, parts.containers.as_ref()) => unreachable!("it never ends"),
            () = watched.supervisor.keep_alive(|| drop(runner.snapshot())) => unreachable!("it never ends"),
        };
        if let Ended::Over(reason) = ended {
            break reason;
        }
    };
    parts.settle(browser.as_ref(), in_container).await;
    conclude(ended, arguments, &parts.spool, &narrator, &parts.state)
}

/// What a runner is made of, as often as one is started.
struct Parts<'a> {
    arguments: &'a RunArgs,
    name: String,
    state: PathBuf,
    spool: Spool,
    identity: Identity,
    found: Found,
    /// What checks ask for by their names, if it carries any out.
    checks: Option<FlowChecks>,
    /// What runs containers, if it does.
    containers: Option<ContainerExecutor>,
    transport: HttpTransport,
}

impl Parts<'_> {
    /// Waits until nothing is left of what it ran.
    async fn settle(&self, browser: Option<&LocalBrowser>, in_container: Option<ContainerBrowser>) {
        if let Some(browser) = browser {
            browser.stop().await;
        }
        if let Some(container) = in_container {
            containers::stop_browser(container).await;
        }
        if let Some(containers) = &self.containers {
            containers.settle().await;
        }
    }

    fn start(
        &self,
        browser: Option<&LocalBrowser>,
        watched: Arc<Watched>,
        telemetry: &Telemetry,
        paused: bool,
    ) -> Result<Runner> {
        let Self { arguments, found, identity, .. } = self;
        let machine = Machine::new(found, self.state.clone());
        let builder = Runner::builder(self.transport.clone()).facts(machine).program(PROGRAM);
        let builder = stay(guard(builder, &arguments.guard, &identity.enrolled)?, &arguments.tenure);
        let builder = builder
            .name(&self.name)
            .slots(arguments.slots)
            .labels(found.labels.clone())
            .labels(&arguments.labels)
            .spool(self.spool.clone())
            .artifacts(identity.enrolled.tenant, HttpArtifacts::new(&self.transport))
            .relay(HttpRelay::new(&self.transport))
            .observer(watched)
            .metrics(telemetry.metrics())
            .traces(telemetry.traces());
        let builder = match self.containers.as_ref().filter(|_| arguments.container.containers) {
            Some(containers) => builder.labels(containers.labels()).executor(containers.clone()),
            None => builder,
        };
        let builder = match browser {
            Some(browser) => builder.executor(browser.executor.clone()),
            None => builder,
        };
        let builder = match self.checks.clone().zip(browser) {
            Some((checks, browser)) => builder
                .check_secrets(checks.clone())
                .executor(FlowCheckExecutor::new(browser.executor.clone(), checks)),
            None => builder,
        };
        let builder = match browser.and_then(LocalBrowser::recorder) {
            Some(recorder) => builder.executor(recorder),
            None => builder,
        };
        Ok(if paused { builder.start_paused() } else { builder.start() })
    }
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
    browser: Option<&LocalBrowser>,
    arguments: &RunArgs,
    narrator: &Narrator,
    interrupts: &mut Interrupts,
) -> Option<Found> {
    let Some(browser) = browser else { return Some(Found::default()) };
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

fn announce_metrics(narrator: &Narrator, port: &MetricsPort) {
    narrator.say(&format!("metrics are at {}", port.url), json!({ "event": "metrics", "url": port.url }));
}

/// Says which checks whoever asks the pool gets from this runner.
fn announce_checks(narrator: &Narrator, checks: &FlowChecks) {
    let names: Vec<&str> = checks.names().collect();
    let told = json!({ "event": "checks", "checks": names });
    narrator.say(&format!("checks of its own: {}", names.join(", ")), told);
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

/// The token to enrol with: as it was given, or as somebody at the terminal says where one is needed.
pub(super) async fn token_of(arguments: &RunArgs, is_enrolled: bool) -> Result<Option<Token>> {
    let source = TokenSource {
        kinds: &[TokenKind::Registration, TokenKind::Runner],
        text: arguments.token.as_deref(),
        file: arguments.token_file.as_deref(),
        server: &arguments.server,
    };
    if let Some(found) = source.find()? {
        if let Some(file) = source.taken_from().filter(|_| !is_enrolled) {
            let kind = source.kinds[0];
            terminal::note(format!("registering with the {kind} of the server here, in {}", file.display()));
        }
        return Ok(Some(found));
    }
    if is_enrolled {
        return Ok(None);
    }
    prompt::token(&source)
        .await?
        .map_or_else(|| Err(source.missing("RUNNERS_TOKEN")), |token| Ok(Some(token)))
}

/// Who this runner is. With a token it enrols, which is harmless when it has before.
pub(super) async fn identify(
    arguments: &RunArgs,
    token: Option<Token>,
    spool: &Spool,
    name: &str,
    metrics: &impl Metrics,
) -> Result<Identity> {
    let kept = Identity::kept(spool, &arguments.server)?;
    let Some(token) = token else {
        return is_wanted(arguments, kept.context("this runner is not registered any more")?);
    };
    if let Some(kept) = kept.as_ref().filter(|kept| kept.began_with(&token)) {
        return is_wanted(arguments, kept.clone());
    }
    let called = (name, arguments.pool.as_deref());
    let enrolled = Identity::enrol_at(&arguments.server, token, &arguments.trust, spool, called).await;
    if enrolled.is_err() {
        metrics.record(&REGISTRATION_FAILURES, 1.0, &[]);
    }
    match (enrolled, kept) {
        (Err(error), Some(kept)) => {
            // The token may have run out since; the credential is what counts.
            tracing::info!(error = &*error as &dyn std::error::Error, "the registration token was not taken");
            is_wanted(arguments, kept)
        }
        (enrolled, _) => enrolled,
    }
}

/// Makes sure that a runner which is enrolled already is in the pool that it is to be in.
fn is_wanted(arguments: &RunArgs, identity: Identity) -> Result<Identity> {
    let Enrolled { pool, pool_name, .. } = &identity.enrolled;
    match &arguments.pool {
        Some(wanted) if wanted != pool_name && *wanted != pool.to_string() => bail!(
            "this runner is in the pool {pool_name} ({pool}), and --pool wants {wanted}: take it off with \
             `runners logout`, or give the new one a --state of its own"
        ),
        _ => Ok(identity),
    }
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
