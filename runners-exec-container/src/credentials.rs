//! Credentials of registries, as the runner has them. They are sent to the engine for the registry that an
//! image is of, and to nobody else.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bollard::auth::DockerCredentials;
use runners_core::Secret;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Users and passwords by registry.
#[derive(Clone, Debug, Default)]
pub struct RegistryCredentials {
    by_registry: BTreeMap<String, Login>,
}

#[derive(Clone, Debug)]
struct Login {
    user: String,
    password: Secret,
}

/// Why a file has no credentials of registries.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// It is no JSON as `docker login` writes it.
    #[error("is not as docker login writes it")]
    Malformed(#[source] serde_json::Error),
    /// What stands for one registry cannot be used.
    #[error("of {registry} has no user and password: a helper that keeps them is not asked")]
    Unusable {
        /// The registry.
        registry: String,
    },
}

/// The file that `docker login` writes.
#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    auth: String,
}

impl RegistryCredentials {
    /// Adds the credentials of one registry, such as `registry.example:5000`.
    #[must_use]
    pub fn with(mut self, registry: impl Into<String>, user: impl Into<String>, password: Secret) -> Self {
        self.by_registry.insert(registry.into(), Login { user: user.into(), password });
        self
    }

    /// Reads what `docker login` writes into `config.json`.
    ///
    /// # Errors
    /// [`CredentialsError`], which has nothing of what stands there.
    pub fn read(document: &[u8]) -> Result<Self, CredentialsError> {
        let document: Document = serde_json::from_slice(document).map_err(CredentialsError::Malformed)?;
        let mut all = Self::default();
        for (address, entry) in document.auths {
            let registry = registry_of(&address);
            let login = STANDARD.decode(&entry.auth).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let Some((user, password)) = login.as_deref().and_then(|login| login.split_once(':')) else {
                return Err(CredentialsError::Unusable { registry });
            };
            all = all.with(registry, user, Secret::from_text(password));
        }
        Ok(all)
    }

    /// What the engine is sent for a registry.
    pub(crate) fn of(&self, registry: &str) -> Option<DockerCredentials> {
        self.by_registry.get(registry).map(|login| DockerCredentials {
            username: Some(login.user.clone()),
            password: Some(login.password.expose().to_owned()),
            serveraddress: Some(registry.to_owned()),
            ..DockerCredentials::default()
        })
    }
}

/// The host of an address such as `https://index.docker.io/v1/`.
fn registry_of(address: &str) -> String {
    let host = address.split_once("://").map_or(address, |(_, rest)| rest);
    match host.split('/').next().unwrap_or_default() {
        "index.docker.io" => "docker.io".to_owned(),
        host => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_docker_login_writes_is_read_and_never_printed() {
        let auth = STANDARD.encode("ada:hunter2");
        let text = format!(
            r#"{{"auths":{{"https://index.docker.io/v1/":{{"auth":"{auth}"}},"r.example:5000":{{"auth":"{auth}"}}}}}}"#
        );
        let all = RegistryCredentials::read(text.as_bytes()).unwrap();
        assert_eq!(all.of("docker.io").unwrap().password.as_deref(), Some("hunter2"));
        assert_eq!(all.of("r.example:5000").unwrap().username.as_deref(), Some("ada"));
        assert!(all.of("other.example").is_none());
        assert!(!format!("{all:?}").contains("hunter2"));
    }

    #[test]
    fn what_a_helper_keeps_is_told_as_such() {
        let error = RegistryCredentials::read(br#"{"auths":{"r.example":{}}}"#).unwrap_err();
        assert!(error.to_string().contains("of r.example has no user"), "{error}");
    }
}
