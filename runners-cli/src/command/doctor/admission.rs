//! Whether the server lets a runner of this machine in: the runner that runs, or its credential, or the
//! token that it would be registered with. The server is asked for the credential, in a way that changes
//! nothing.

use super::{Finding, within};
use crate::{
    args::TrustArgs,
    command::run::TOKEN_VARIABLES,
    connection::{self, TokenSource},
    daemon::{Home, Record, Saved},
    identity::{self, Identity},
    terminal,
};
use anyhow::{Error, Result};
use runners_core::{
    Clock as _, JobId, SystemClock, Token, TokenKind, Transport as _, TransportError,
    protocol::{InspectRequest, Request},
};
use std::{env, path::Path, time::Duration};

/// How long the server may take.
const ANSWER_MAX: Duration = Duration::from_secs(10);

pub(super) async fn look(
    home: &Home,
    saved: &Saved,
    server: &str,
    trust: &TrustArgs,
    reached: bool,
) -> Finding {
    let looked = look_closer(home, saved, server, trust, reached).await;
    looked.unwrap_or_else(|error: Error| {
        Finding::bad("token", terminal::chain(&error), "repair it, or give another with --token-file")
    })
}

async fn look_closer(
    home: &Home,
    saved: &Saved,
    server: &str,
    trust: &TrustArgs,
    reached: bool,
) -> Result<Finding> {
    if home.running()?.is_some()
        && let Some(record) = Record::read(home)?
    {
        return Ok(running(&record));
    }
    let name = saved.text("name").map_or_else(identity::machine_name, str::to_owned);
    let state = match saved.text("state") {
        Some(state) => state.into(),
        None => identity::state_directory(home.directory(), server, &name),
    };
    if state.is_dir() {
        let kept = Identity::kept(&identity::open_spool(&state)?, server)?;
        if let Some(kept) = kept {
            let (runner, pool) = (kept.enrolled.runner, kept.enrolled.pool_name);
            if reached && !is_known(server, kept.credential, trust).await? {
                let text = format!("the server does not know {name}, {runner}, any more");
                let fix = "`runners logout`, then `runners register` with a new token";
                return Ok(Finding::bad("token", text, fix));
            }
            let text = format!("{name} is registered as {runner} in the pool {pool}");
            return Ok(Finding::good("token", text));
        }
    }
    let token = TOKEN_VARIABLES.iter().find_map(|name| env::var(name).ok());
    let source = TokenSource {
        kinds: &[TokenKind::Registration, TokenKind::Runner],
        text: token.as_deref(),
        file: saved.text("token-file").map(Path::new),
        server,
    };
    // Nothing but to register can be asked with a registration token, and that is not for here.
    match source.find()? {
        Some(_) => Ok(Finding::good("token", "there is one, for the first start")),
        None => {
            let text = "this machine is not registered there, and there is no registration token";
            Ok(Finding::bad("token", text, source.missing("RUNNERS_TOKEN").to_string()))
        }
    }
}

fn running(record: &Record) -> Finding {
    let Record { name, runner, pool, .. } = record;
    match (&record.connected_since, &record.last_error) {
        (Some(since), _) => {
            let span = terminal::span(SystemClock::default().wall().since(*since));
            Finding::good("runner", format!("{name}, {runner} in the pool {pool}, connected for {span}"))
        }
        (None, Some(error)) => Finding::bad("runner", &error.text, "`runners log` tells more"),
        (None, None) => Finding::bad("runner", "it is not connected yet", "`runners log` tells more"),
    }
}

/// Whether the server knows a credential of a runner. It is asked for a job, which no runner may see.
async fn is_known(server: &str, credential: Token, trust: &TrustArgs) -> Result<bool> {
    let transport = connection::transport(server, credential, trust)?;
    let asked = InspectRequest { job: JobId::from_bytes([0; 16]) };
    let answered = within(ANSWER_MAX, transport.call(Request::Inspect(asked))).await;
    Ok(!matches!(answered, Some(Err(TransportError::Unauthorized(_)))))
}
