//! Who a runner is: a credential that it makes itself and keeps in its state directory, and what
//! the control plane answered when it was enrolled.

use crate::{
    args::{RunArgs, TrustArgs},
    connection,
    daemon::Home,
    terminal,
};
use anyhow::{Context as _, Result, anyhow, bail};
use runners_core::{
    Digest, Error, Spool, SpoolError, SystemClock, SystemRandom, Token, TokenKind, Transport, TransportError,
    protocol::Enrolled, sleep,
};
use runners_transport_http::{EnrolError, HttpTransport, RotationError, RunnerCredential, enrol};
use serde::{Deserialize, Serialize};
use std::{
    env, fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// The name under which the spool keeps what belongs to the credential.
const ENROLLED: &str = "enrolled";

/// The wait between tries to enrol at a control plane that is not there yet.
const TRY_EVERY: Duration = Duration::from_secs(2);

/// A runner that is enrolled.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) credential: Token,
    pub(crate) enrolled: Enrolled,
    given: Option<Digest>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    server: String,
    enrolled: Enrolled,
    /// The credential that was given to begin with, if the runner was registered in advance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    given: Option<Digest>,
}

impl Identity {
    /// Who this runner was at its last start, if that was at the same control plane.
    pub(crate) fn kept(spool: &Spool, server: &str) -> Result<Option<Self>> {
        let (Some(credential), Some(kept)) = (credential(spool).current()?, spool.read_secret(ENROLLED)?)
        else {
            return Ok(None);
        };
        let kept: Kept =
            serde_json::from_str(&kept).context("the state directory is damaged: use another")?;
        let identity = Self { credential, enrolled: kept.enrolled, given: kept.given };
        Ok((kept.server == server).then_some(identity))
    }

    /// Enrols, by the registration token that `registrant` speaks with. The credential is on disk
    /// before its digest is sent; a repeat is answered the same, so this is harmless at every start.
    pub(crate) async fn enrol(
        registrant: &impl Transport,
        spool: &Spool,
        server: &str,
        (name, pool): (&str, Option<&str>),
    ) -> Result<Self, EnrolFailure> {
        let credential = credential(spool).current_or_new().map_err(anyhow::Error::from)?;
        let enrolled = enrol(registrant, name, pool, &credential).await?;
        Ok(Self { credential, enrolled, given: None }.keep(spool, server)?)
    }

    /// Is the runner that was registered in advance, whose token this is.
    async fn take(
        registered: &impl Transport,
        token: &Token,
        spool: &Spool,
        server: &str,
        (name, pool): (&str, Option<&str>),
    ) -> Result<Self, EnrolFailure> {
        let enrolled = enrol(registered, name, pool, token).await?;
        credential(spool).keep(token).map_err(anyhow::Error::from)?;
        let given = Some(token.digest());
        Ok(Self { credential: token.clone(), enrolled, given }.keep(spool, server)?)
    }

    fn keep(self, spool: &Spool, server: &str) -> Result<Self> {
        let kept = Kept { server: server.to_owned(), enrolled: self.enrolled.clone(), given: self.given };
        let kept = serde_json::to_string(&kept).expect("invariant: it is plain data");
        spool.write_secret(ENROLLED, &kept)?;
        Ok(self)
    }

    /// Whether it began with this token, and may have replaced it since.
    pub(crate) fn began_with(&self, token: &Token) -> bool {
        self.given == Some(token.digest())
    }

    /// Enrols over HTTP, and waits for a control plane that is not there yet.
    pub(crate) async fn enrol_at(
        server: &str,
        token: Token,
        trust: &TrustArgs,
        spool: &Spool,
        (name, pool): (&str, Option<&str>),
    ) -> Result<Self> {
        let transport = connection::transport(server, token.clone(), trust)?;
        let kind = token.kind().unwrap_or(TokenKind::Registration);
        let mut told = false;
        loop {
            let enrolled = match kind {
                TokenKind::Runner => Self::take(&transport, &token, spool, server, (name, pool)).await,
                _ => Self::enrol(&transport, spool, server, (name, pool)).await,
            };
            match enrolled {
                Ok(identity) => return Ok(identity),
                Err(EnrolFailure::Enrol(EnrolError::Transport(error))) if error.is_transient() => {
                    if !std::mem::replace(&mut told, true) {
                        let why = terminal::chain(&anyhow!(error));
                        terminal::note(format!("waiting for {server}: {why}"));
                        connection::tls_advice(&why).into_iter().for_each(terminal::note);
                    }
                    sleep(&SystemClock::default(), TRY_EVERY).await;
                }
                Err(EnrolFailure::Enrol(EnrolError::Transport(error @ TransportError::Unauthorized(_)))) => {
                    let advice = format!("{server} does not know this {kind}: ask for a new one");
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
    credential(spool).forget()
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

/// The credential in a state directory.
pub(crate) fn credential(spool: &Spool) -> RunnerCredential {
    RunnerCredential::new(spool.clone(), SystemClock::default(), SystemRandom::default())
}

/// Has `transport` speak with the credential that is good, if it was being replaced when the runner
/// ended. Waits for a control plane that is not there yet.
pub(crate) async fn settle(credential: &RunnerCredential, transport: &HttpTransport) -> Result<()> {
    while credential.is_being_replaced()? {
        match credential.settle(transport).await {
            Err(RotationError::Transport(error)) if error.is_transient() => {
                sleep(&SystemClock::default(), TRY_EVERY).await;
            }
            // What is wrong besides is told by the runner's first sync.
            _ => break,
        }
    }
    Ok(())
}

/// Opens a state directory.
pub(crate) fn open_spool(path: &Path) -> Result<Spool> {
    Spool::directory(path).map_err(|error| match error {
        error @ SpoolError::Locked { .. } => anyhow!(error)
            .context("another runner has this state: give this one a --name or a --state of its own"),
        error => anyhow!(Error::from(error)),
    })
}

/// Where a runner keeps its state unless it is told: below `base`, apart for every server and name.
pub(crate) fn state_directory(base: &Path, server: &str, name: &str) -> PathBuf {
    let rest = server.split_once("://").map_or(server, |(_, rest)| rest);
    base.join(plain(rest)).join(plain(name))
}

/// Where the runner of these arguments keeps its state.
pub(crate) fn state_of(arguments: &RunArgs, name: &str) -> Result<PathBuf> {
    if let Some(state) = &arguments.state {
        return Ok(state.clone());
    }
    let home = arguments.background.as_deref().or(arguments.home.as_deref());
    Ok(state_directory(Home::at(home)?.directory(), &arguments.server, name))
}

/// Says that this runner is one more, if others are registered at the same server from this place: they stay.
pub(crate) fn tell_of_others(run: &RunArgs, name: &str) -> Result<()> {
    let others = others(run, name)?.join(", ");
    if !others.is_empty() {
        terminal::note(format!(
            "{name} is a new runner, beside what is registered at {} from here already: {others}. `runners rename` \
             gives a runner another name instead, and `runners remove` removes one",
            run.server
        ));
    }
    Ok(())
}

/// The others that are registered at the same server, unless the state is where somebody has said.
fn others(run: &RunArgs, name: &str) -> Result<Vec<String>> {
    if run.state.is_some() {
        return Ok(Vec::new());
    }
    let own = state_of(run, name)?;
    let beside = own.parent().and_then(|states| fs::read_dir(states).ok());
    let states = beside.into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let others = states.filter(|state| *state != own && is_registered(state, &run.server));
    let mut names: Vec<String> =
        others.filter_map(|state| Some(state.file_name()?.to_string_lossy().into_owned())).collect();
    names.sort();
    Ok(names)
}

fn is_registered(state: &Path, server: &str) -> bool {
    match state.is_dir().then(|| Spool::directory(state)) {
        Some(Ok(spool)) => matches!(Identity::kept(&spool, server), Ok(Some(_))),
        // It runs.
        Some(Err(SpoolError::Locked { .. })) => true,
        _ => false,
    }
}

/// The user's own directory for what runners keep.
pub(crate) fn base_directory() -> Result<PathBuf> {
    let state = match (env::var_os("XDG_STATE_HOME"), env::home_dir()) {
        (Some(state), _) if Path::new(&state).is_absolute() => PathBuf::from(state),
        (_, Some(home)) if !home.as_os_str().is_empty() => home.join(".local/state"),
        _ => bail!(
            "there is no home directory for the runner's state: give --state DIR, or set XDG_STATE_HOME"
        ),
    };
    Ok(state.join("runners"))
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
        let directory = |server, name| state_directory(Path::new("/home/me/runners"), server, name);
        let one = directory("http://127.0.0.1:7878", "a");
        assert!(one.ends_with("runners/127.0.0.1_7878/a"), "{one:?}");
        assert_ne!(one, directory("http://127.0.0.1:7879", "a"));
        assert_ne!(one, directory("http://127.0.0.1:7878", "b"));
        assert!(directory("https://x/", "../..").ends_with("runners/x/.._.."));
        assert!(directory("https://x/", "..").ends_with("runners/x/_.."));
    }
}
