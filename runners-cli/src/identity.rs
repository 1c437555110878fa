//! Who a runner is: a credential that it makes itself and keeps in its state directory, and what
//! the control plane answered when it was enrolled.

use crate::{args::TrustArgs, connection, terminal, tokens};
use anyhow::{Context as _, Result, anyhow, bail};
use runners_core::{
    Error, Spool, SpoolError, SystemClock, Token, TokenKind, Transport, TransportError, protocol::Enrolled,
    sleep,
};
use runners_transport_http::{EnrolError, enrol};
use serde::{Deserialize, Serialize};
use std::{
    env,
    path::{Path, PathBuf},
    time::Duration,
};

/// The names under which the spool keeps the secret, and what belongs to it.
const CREDENTIAL: &str = "credential";
const ENROLLED: &str = "enrolled";

/// The wait between tries to enrol at a control plane that is not there yet.
const TRY_EVERY: Duration = Duration::from_secs(2);

/// A runner that is enrolled.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) credential: Token,
    pub(crate) enrolled: Enrolled,
}

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    server: String,
    enrolled: Enrolled,
}

impl Identity {
    /// Who this runner was at its last start, if that was at the same control plane.
    pub(crate) fn kept(spool: &Spool, server: &str) -> Result<Option<Self>> {
        let (Some(credential), Some(kept)) = (spool.read_secret(CREDENTIAL)?, spool.read_secret(ENROLLED)?)
        else {
            return Ok(None);
        };
        let kept: Kept =
            serde_json::from_str(&kept).context("the state directory is damaged: use another")?;
        let identity = Self { credential: Token::from_text(credential), enrolled: kept.enrolled };
        Ok((kept.server == server).then_some(identity))
    }

    /// Enrols, by the registration token that `registrant` speaks with. The credential is on disk
    /// before its digest is sent; a repeat is answered the same, so this is harmless at every start.
    pub(crate) async fn enrol(
        registrant: &impl Transport,
        spool: &Spool,
        server: &str,
        name: &str,
    ) -> Result<Self, EnrolFailure> {
        let credential = credential(spool)?;
        let enrolled = enrol(registrant, name, &credential).await?;
        let kept = Kept { server: server.to_owned(), enrolled: enrolled.clone() };
        let kept = serde_json::to_string(&kept).expect("invariant: it is plain data");
        spool.write_secret(ENROLLED, &kept).map_err(anyhow::Error::from)?;
        Ok(Self { credential, enrolled })
    }

    /// Enrols over HTTP, and waits for a control plane that is not there yet.
    pub(crate) async fn enrol_at(
        server: &str,
        token: Token,
        trust: &TrustArgs,
        spool: &Spool,
        name: &str,
    ) -> Result<Self> {
        let registrant = connection::transport(server, token, trust)?;
        let mut told = false;
        loop {
            match Self::enrol(&registrant, spool, server, name).await {
                Ok(identity) => return Ok(identity),
                Err(EnrolFailure::Enrol(EnrolError::Transport(error))) if error.is_transient() => {
                    if !std::mem::replace(&mut told, true) {
                        let why = terminal::chain(&anyhow!(error));
                        terminal::note(format!("waiting for {server}: {why}"));
                        connection::certificate_advice(&why).into_iter().for_each(terminal::note);
                    }
                    sleep(&SystemClock::default(), TRY_EVERY).await;
                }
                Err(EnrolFailure::Enrol(EnrolError::Transport(error @ TransportError::Unauthorized(_)))) => {
                    let advice = format!("{server} does not know this registration token: ask for a new one");
                    return Err(anyhow!(error).context(advice));
                }
                Err(EnrolFailure::Enrol(error)) => return Err(anyhow!(error)),
                Err(EnrolFailure::Other(error)) => return Err(error),
            }
        }
    }
}

/// Forgets who this runner was, once that is good for nothing.
pub(crate) fn forget(spool: &Spool) -> Result<(), SpoolError> {
    spool.remove_secret(ENROLLED)?;
    spool.remove_secret(CREDENTIAL)
}

/// Why a runner is not enrolled.
#[derive(Debug)]
pub(crate) enum EnrolFailure {
    Enrol(EnrolError),
    Other(anyhow::Error),
}

impl From<EnrolError> for EnrolFailure {
    fn from(error: EnrolError) -> Self {
        Self::Enrol(error)
    }
}

impl From<anyhow::Error> for EnrolFailure {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

impl From<EnrolFailure> for anyhow::Error {
    fn from(failure: EnrolFailure) -> Self {
        match failure {
            EnrolFailure::Enrol(error) => error.into(),
            EnrolFailure::Other(error) => error,
        }
    }
}

/// The runner's credential: the one that is kept, or a new one that is kept first.
fn credential(spool: &Spool) -> Result<Token> {
    if let Some(text) = spool.read_secret(CREDENTIAL)? {
        return Ok(Token::from_text(text));
    }
    let credential = tokens::draw(TokenKind::Runner);
    spool.write_secret(CREDENTIAL, credential.expose())?;
    Ok(credential)
}

/// Opens a state directory.
pub(crate) fn open_spool(path: &Path) -> Result<Spool> {
    Spool::directory(path).map_err(|error| match error {
        error @ SpoolError::Locked { .. } => anyhow!(error)
            .context("another runner has this state: give this one a --name or a --state of its own"),
        error => anyhow!(Error::from(error)),
    })
}

/// Where a runner keeps its state unless it is told: below the user's state directory, apart for
/// every server and name.
pub(crate) fn state_directory(server: &str, name: &str) -> Result<PathBuf> {
    let base = match (env::var_os("XDG_STATE_HOME"), env::home_dir()) {
        (Some(state), _) if Path::new(&state).is_absolute() => PathBuf::from(state),
        (_, Some(home)) if !home.as_os_str().is_empty() => home.join(".local/state"),
        _ => bail!("there is no home directory for the runner's state: give --state DIR"),
    };
    let rest = server.split_once("://").map_or(server, |(_, rest)| rest);
    Ok(base.join("runners").join(plain(rest)).join(plain(name)))
}

fn plain(text: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let text: String = text.trim_matches('/').chars().map(plain).take(100).collect();
    if text.trim_matches('.').is_empty() { format!("_{text}") } else { text }
}

/// The name of this machine.
pub(crate) fn machine_name() -> String {
    #[cfg(unix)]
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    #[cfg(not(unix))]
    let name = env::var("COMPUTERNAME").unwrap_or_default();
    if name.is_empty() { "runner".to_owned() } else { name.chars().take(100).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_directory_is_apart_for_every_server_and_name() {
        let directory = |server, name| state_directory(server, name).unwrap();
        let one = directory("http://127.0.0.1:7878", "a");
        assert!(one.ends_with("runners/127.0.0.1_7878/a"), "{one:?}");
        assert_ne!(one, directory("http://127.0.0.1:7879", "a"));
        assert_ne!(one, directory("http://127.0.0.1:7878", "b"));
        assert!(directory("https://x/", "../..").ends_with("runners/x/.._.."));
        assert!(directory("https://x/", "..").ends_with("runners/x/_.."));
    }
}
