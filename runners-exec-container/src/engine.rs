//! The engine: Docker, or podman, which answers the same calls and is not proven. Each call is bounded in
//! time; what is done with it is left to those who call.

use crate::{
    error::{Cause, EngineError, TooLong},
    within::within,
};
use bollard::{API_DEFAULT_VERSION, Docker, errors::Error as Met, models::SystemVersion};
use runners_core::Clock;
use std::{fmt, path::PathBuf, str::FromStr, sync::Arc, time::Duration};

/// How long one call may take that is no pull.
pub(crate) const CALL_WITHIN: Duration = Duration::from_secs(60);
/// How long the client of the engine waits for an answer to begin, in seconds: a container may run for long.
const CLIENT_SECONDS: u64 = 8 * 24 * 3600;

/// What Docker is called.
const DOCKER: &str = "docker";
/// The first version of its interface in which a mount is read-only with all that is mounted below it.
const READ_ONLY_BELOW_FROM: (usize, usize) = (1, 44);

/// Where an engine is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EngineAddress {
    /// A socket of this machine, or a named pipe on Windows.
    Socket(PathBuf),
    /// Plain HTTP: whoever reaches it has the machine, so it belongs on a network of its own.
    Http(String),
}

impl EngineAddress {
    /// Where Docker listens unless it is told otherwise.
    #[must_use]
    pub fn usual() -> Self {
        Self::Socket(if cfg!(windows) { r"\\.\pipe\docker_engine" } else { "/var/run/docker.sock" }.into())
    }
}

impl fmt::Display for EngineAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "unix://{}", path.display()),
            Self::Http(address) => write!(f, "tcp://{address}"),
        }
    }
}

impl FromStr for EngineAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once("://") {
            Some(("unix" | "npipe", path)) if !path.is_empty() => Ok(Self::Socket(path.into())),
            Some(("tcp" | "http", host)) if !host.is_empty() => Ok(Self::Http(host.to_owned())),
            None if text.starts_with('/') => Ok(Self::Socket(text.into())),
            _ => Err(format!("{text:?} is no engine: write unix:///var/run/docker.sock or tcp://host:2375")),
        }
    }
}

/// Which engine it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineVersion {
    /// `docker` or `podman`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The version of its interface that is spoken with it.
    pub(crate) interface: (usize, usize),
}

impl EngineVersion {
    /// Whether it is Docker itself.
    pub(crate) fn is_docker(&self) -> bool {
        self.name == DOCKER
    }

    /// Whether it can mount a folder to be read, with all that is mounted below it. podman passes over what
    /// asks for that.
    pub(crate) fn reads_below(&self) -> bool {
        self.is_docker() && self.interface >= READ_ONLY_BELOW_FROM
    }
}

/// A connection to an engine. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    pub(crate) docker: Docker,
    pub(crate) address: EngineAddress,
    pub(crate) version: EngineVersion,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Engine {
    /// Connects, and learns which engine it is.
    pub(crate) async fn connect(address: EngineAddress, clock: Arc<dyn Clock>) -> Result<Self, EngineError> {
        let told = address.to_string();
        let unreachable = |source: Cause| EngineError::Unreachable { address: told.clone(), source };
        let docker = match &address {
            EngineAddress::Socket(path) => {
                Docker::connect_with_local(&path.to_string_lossy(), CLIENT_SECONDS, API_DEFAULT_VERSION)
            }
            EngineAddress::Http(host) => Docker::connect_with_http(host, CLIENT_SECONDS, API_DEFAULT_VERSION),
        };
        let docker = docker.map_err(|error| unreachable(error.into()))?;
        let asked = async {
            let docker = docker.negotiate_version().await?;
            let version = docker.version().await?;
            Ok::<_, Met>((docker, version))
        };
        let (docker, version) = match within(&*clock, CALL_WITHIN, asked).await {
            Some(asked) => asked.map_err(|error| unreachable(error.into()))?,
            None => return Err(unreachable(TooLong(CALL_WITHIN).into())),
        };
        let spoken = docker.client_version();
        let version = version_of(version, (spoken.major_version, spoken.minor_version));
        Ok(Self { docker, address, version, clock })
    }

    /// Has it do something within a bounded time.
    pub(crate) async fn call<T>(
        &self,
        what: &'static str,
        call: impl Future<Output = Result<T, Met>>,
    ) -> Result<T, EngineError> {
        match within(&*self.clock, CALL_WITHIN, call).await {
            Some(answer) => answer.map_err(|error| self.error(what, error)),
            None => Err(EngineError::Broken { what, source: TooLong(CALL_WITHIN).into() }),
        }
    }

    /// What a call met, sorted.
    pub(crate) fn error(&self, what: &'static str, error: Met) -> EngineError {
        EngineError::of(what, &self.address.to_string(), error)
    }

    /// Where it listens on this machine, if it does.
    pub(crate) fn socket(&self) -> Option<PathBuf> {
        match &self.address {
            EngineAddress::Socket(path) => Some(path.clone()),
            EngineAddress::Http(_) => None,
        }
    }
}

fn version_of(version: SystemVersion, interface: (usize, usize)) -> EngineVersion {
    let parts = version.components.unwrap_or_default();
    let is_podman = parts.iter().any(|part| part.name.to_lowercase().contains("podman"));
    let name = if is_podman { "podman" } else { DOCKER }.to_owned();
    EngineVersion { name, version: version.version.unwrap_or_default(), interface }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_is_told() {
        for text in ["unix:///run/podman/podman.sock", "tcp://127.0.0.1:2375"] {
            assert_eq!(text.parse::<EngineAddress>().unwrap().to_string(), text);
        }
        let plain: EngineAddress = "/run/docker.sock".parse().unwrap();
        assert_eq!(plain, EngineAddress::Socket("/run/docker.sock".into()));
        for bad in ["", "docker", "ssh://host", "unix://"] {
            assert!(bad.parse::<EngineAddress>().is_err(), "{bad:?}");
        }
    }
}
