//! Whether the server lets a runner of this machine in: the runner that runs, or its credential, or the
//! token that it would be registered with. The server is asked about either, in a way that changes nothing.

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
    Clock as _, Digest, Spool, SpoolError, SystemClock, Token, TokenKind, Transport as _, TransportError,
    protocol::{EnrolRequest, RefusalCode, Refused, Reply, Request},
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
        let fix = "mend what is named there, or give another token with --token-file or state with --home";
        Finding::bad("token", terminal::chain(&error), fix)
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
        let spool = match Spool::directory(&state) {
            Err(SpoolError::Locked { holder, .. }) => return Ok(foreground(&name, holder.as_deref())),
            spool => spool.map_err(Error::from)?,
        };
        let kept = Identity::kept(&spool, server)?;
        if let Some(kept) = kept {
            let (runner, pool) = (kept.enrolled.runner, kept.enrolled.pool_name);
            if reached && matches!(ask(server, kept.credential, trust).await?, Answer::Unknown) {
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
    match source.find()? {
        Some(_) if !reached => Ok(Finding::good("token", "there is one, for the first start")),
        Some(token) => admits(server, token, trust).await,
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

/// Whoever has the state is the runner, and keeps what it does to itself.
fn foreground(name: &str, holder: Option<&str>) -> Finding {
    Finding::good("runner", format!("{name} runs in the foreground, {}", holder.unwrap_or("another process")))
}

/// What a server says of a token.
enum Answer {
    /// It does not know it, or not any more.
    Unknown,
    /// It knows it, and would refuse it for this reason.
    Refused(Refused),
    Known,
    /// It could not be asked.
    Nothing(String),
}

/// What the server says of a token for the first start.
async fn admits(server: &str, token: Token, trust: &TrustArgs) -> Result<Finding> {
    let is_registration = token.kind() == Some(TokenKind::Registration);
    let fix = "ask for another: `runners tokens create POOL`, or the page of the pool in the dashboard";
    Ok(match ask(server, token, trust).await? {
        Answer::Known if is_registration => {
            let text = "the server would register this machine with it; nothing of it was used up";
            Finding::good("token", text)
        }
        Answer::Known => Finding::good("token", "the server knows it, for the first start"),
        Answer::Unknown => {
            let text = "the server does not know it: it is another's, was revoked or has expired";
            Finding::bad("token", text, fix)
        }
        Answer::Refused(Refused { detail, .. }) => {
            Finding::bad("token", format!("the server would refuse it: {detail}"), fix)
        }
        Answer::Nothing(why) => {
            Finding::bad("token", format!("the server could not be asked about it: {why}"), "try again")
        }
    })
}

/// Asks the server about a token, in a way that changes nothing: under no name nobody is registered, and a
/// runner is only told who it is.
async fn ask(server: &str, token: Token, trust: &TrustArgs) -> Result<Answer> {
    let asked = EnrolRequest { credential: Digest::of(b""), name: String::new(), pool: None };
    let transport = connection::transport(server, token, trust)?;
    let answered = within(ANSWER_MAX, transport.call(Request::Enrol(asked))).await;
    Ok(match answered {
        Some(Ok(Reply::Refused(refused))) if refused.code != RefusalCode::Invalid => Answer::Refused(refused),
        Some(Ok(_)) => Answer::Known,
        Some(Err(TransportError::Unauthorized(_))) => Answer::Unknown,
        Some(Err(error)) => Answer::Nothing(terminal::chain(&error.into())),
        None => Answer::Nothing(format!("it did not answer within {}", terminal::span(ANSWER_MAX))),
    })
}
