//! `runners logout`: takes the runner of this machine off the register, and forgets who it was. What
//! it has not been able to tell is told before; it is never lost silently.

use super::background;
use crate::{
    args::{LogoutArgs, RunArgs, TrustArgs},
    connection,
    daemon::{Home, Saved},
    exit::Exit,
    identity::{self, Identity},
    terminal,
};
use anyhow::{Context as _, Result, anyhow, bail};
use runners_core::{
    Runner, Spool, SystemClock, Transport, TransportError,
    protocol::{DeregisterRequest, RefusalCode, Reply, Request},
    sleep,
};
use runners_transport_http::HttpTransport;
use serde_json::{Value, json};
use std::{path::PathBuf, time::Duration};

/// How often a server is asked to forget the runner, and the wait between.
const TRIES_MAX: u32 = 3;
const TRY_EVERY: Duration = Duration::from_secs(1);

/// How long one answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

pub(super) async fn execute(arguments: LogoutArgs) -> Result<Exit> {
    let home = Home::at(arguments.home.home.as_deref())?;
    if home.running()?.is_some() {
        background::stop(arguments.stop()).await?;
    }
    let settings = Saved::read(&home)?;
    let server = arguments.server.as_deref().or(settings.text("server")).unwrap_or(RunArgs::SERVER);
    let name = arguments.name.as_deref().or(settings.text("name"));
    let name = name.map_or_else(identity::machine_name, str::to_owned);
    let state = match settings.text("state") {
        Some(state) => PathBuf::from(state),
        None => identity::state_directory(home.directory(), server, &name),
    };
    let absent = || {
        let text = format!("no runner called {name} is registered at {server} from here");
        tell(&arguments, &text, &json!({ "registered": false, "server": server, "name": name }))
    };
    if !state.is_dir() {
        return Ok(absent());
    }
    let spool = identity::open_spool(&state)?;
    let Some(identity) = Identity::kept(&spool, server)? else { return Ok(absent()) };
    let trust = TrustArgs {
        ca_file: settings.text("ca-file").map(Into::into),
        insecure_http: settings.has("insecure-http"),
    };
    let transport = connection::transport(server, identity.credential.clone(), &trust)?;
    let credential = identity::credential(&spool);
    let lost = match leave(&transport, &credential, &spool, &arguments, server).await {
        Ok(()) => 0,
        Err(error) if arguments.force => {
            terminal::note(format!("forgotten all the same: {}", terminal::chain(&error)));
            spool.unrecorded()
        }
        Err(error) => {
            return Err(error.context("nothing is forgotten: try again later, or lose it all with --force"));
        }
    };
    identity::forget(&spool)?;
    let runner = identity.enrolled.runner;
    let left = match lost {
        0 => String::new(),
        lost => format!("; {} were not recorded", terminal::count(lost, "result")),
    };
    let text = format!("{name}, {runner}, is not registered at {server} any more{left}");
    let event =
        json!({ "registered": false, "runner": runner, "server": server, "name": name, "lost": lost });
    Ok(tell(&arguments, &text, &event))
}

/// Tells what is still to be told, and that the runner is gone.
async fn leave(
    transport: &HttpTransport,
    credential: &runners_transport_http::RunnerCredential,
    spool: &Spool,
    arguments: &LogoutArgs,
    server: &str,
) -> Result<()> {
    let clock = SystemClock::default();
    tokio::select! {
        settled = identity::settle(credential, transport) => settled?,
        () = sleep(&clock, ANSWER_WITHIN) => {}
    }
    let unrecorded = spool.unrecorded();
    if unrecorded > 0 {
        let results = terminal::count(unrecorded, "result");
        terminal::note(format!("telling {server} of {results} that it has not recorded"));
        let runner = Runner::builder(transport.clone()).spool(spool.clone()).start();
        let within = arguments.within.min(ANSWER_WITHIN * TRIES_MAX);
        let told = tokio::select! {
            told = runner.drain() => told.map_err(|error| anyhow!(error)),
            () = sleep(&clock, within) => Err(anyhow!("it was not reached within {}", terminal::span(within))),
        };
        if let Err(error) = told {
            runner.kill();
            drop(runner.stopped().await);
            return Err(error.context(format!("{results} could not be recorded at {server}")));
        }
    }
    deregister(transport).await.with_context(|| format!("{server} could not be told"))
}

/// Takes the runner that speaks by `transport` off the register. One that is gone already is fine.
pub(super) async fn deregister(transport: &impl Transport) -> Result<()> {
    let clock = SystemClock::default();
    let mut tries = 0;
    loop {
        let answered = tokio::select! {
            answered = transport.call(Request::Deregister(DeregisterRequest::default())) => answered,
            () = sleep(&clock, ANSWER_WITHIN) => bail!("no answer within {}", terminal::span(ANSWER_WITHIN)),
        };
        tries += 1;
        match answered {
            Ok(Reply::Deregistered) | Err(TransportError::Unauthorized(_)) => return Ok(()),
            Ok(Reply::Refused(refused)) if refused.code == RefusalCode::Removed => return Ok(()),
            Ok(Reply::Refused(refused)) => return Err(refused.into()),
            Ok(_) => bail!("a reply of another kind"),
            Err(error) if error.is_transient() && tries < TRIES_MAX => sleep(&clock, TRY_EVERY).await,
            Err(error) => return Err(error.into()),
        }
    }
}

fn tell(arguments: &LogoutArgs, text: &str, event: &Value) -> Exit {
    if arguments.json {
        terminal::print_json(event);
    } else {
        terminal::print(text);
    }
    Exit::Passed
}
