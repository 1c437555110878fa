//! The servers that somebody calls, each under a name: a file for each, for its owner alone, since a
//! credential stands in it.

use crate::tokens;
use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use std::{
    env, fmt, fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

/// The file that names the profile that is used.
const USED: &str = "used";

/// How a file of a profile ends.
const ENDING: &str = ".json";

/// The longest name.
const NAME_BYTES_MAX: usize = 64;

/// How alike two names are, from 0 to 1, before one is taken for the other.
const LIKENESS_MIN: f64 = 0.7;

/// A server, and how it is called.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Profile {
    pub(crate) server: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca_file: Option<PathBuf>,
    #[serde(default)]
    pub(crate) insecure_http: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tenant: Option<String>,
}

/// Where profiles are.
#[derive(Clone, Debug)]
pub(crate) struct Profiles(PathBuf);

impl Profiles {
    /// Those below a home that was given, or the user's own.
    pub(crate) fn at(home: Option<&Path>) -> Result<Self> {
        let base = match home {
            Some(home) => home.to_owned(),
            None => match (env::var_os("XDG_CONFIG_HOME"), env::home_dir()) {
                (Some(config), _) if Path::new(&config).is_absolute() => Path::new(&config).join("runners"),
                (_, Some(home)) if !home.as_os_str().is_empty() => home.join(".config/runners"),
                // Somebody without a home has none.
                _ => PathBuf::from("/nonexistent"),
            },
        };
        Ok(Self(base.join("profiles")))
    }

    /// The names of all, in order.
    pub(crate) fn names(&self) -> Result<Vec<String>> {
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error).with_context(|| format!("could not read {}", self.0.display())),
        };
        let name = |entry: fs::DirEntry| entry.file_name().to_str()?.strip_suffix(ENDING).map(str::to_owned);
        let mut names: Vec<_> = entries.flatten().filter_map(name).collect();
        names.sort_unstable();
        Ok(names)
    }

    pub(crate) fn has(&self, name: &str) -> Result<bool> {
        Ok(self.file(name)?.exists())
    }

    /// The profile of a name.
    pub(crate) fn read(&self, name: &str) -> Result<Profile> {
        let path = self.file(name)?;
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => bail!("{}", self.missing(name)?),
            Err(error) => return Err(error).with_context(|| format!("could not read {}", path.display())),
        };
        serde_json::from_str(&text).with_context(|| format!("{} is damaged: add it anew", path.display()))
    }

    pub(crate) fn write(&self, name: &str, profile: &Profile) -> Result<()> {
        let path = self.file(name)?;
        let text = serde_json::to_string_pretty(profile).expect("invariant: it is plain data");
        tokens::make_private(&self.0)
            .and_then(|()| tokens::write_private(&path, &text))
            .with_context(|| format!("could not write {}", path.display()))
    }

    pub(crate) fn remove(&self, name: &str) -> Result<()> {
        self.read(name)?;
        let path = self.file(name)?;
        fs::remove_file(&path).with_context(|| format!("could not remove {}", path.display()))?;
        if self.used()?.as_deref() == Some(name) { self.make_used(None) } else { Ok(()) }
    }

    /// The name of the one that is used where none is named.
    pub(crate) fn used(&self) -> Result<Option<String>> {
        match fs::read_to_string(self.0.join(USED)) {
            Ok(name) => Ok(Some(name.trim().to_owned()).filter(|name| !name.is_empty())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("could not read {}", self.0.display())),
        }
    }

    /// The profile for a server: the one that is used, or the first that is for it. What cannot be read is
    /// passed over.
    pub(crate) fn of_server(&self, server: &str) -> Option<Profile> {
        let names = self.used().ok().flatten().into_iter().chain(self.names().unwrap_or_default());
        let server = server.trim_end_matches('/');
        let mut profiles = names.filter_map(|name| self.read(&name).ok());
        profiles.find(|profile| profile.server.trim_end_matches('/') == server)
    }

    /// Has another one used, or none.
    pub(crate) fn make_used(&self, name: Option<&str>) -> Result<()> {
        let path = self.0.join(USED);
        let done = match name {
            Some(name) => {
                self.read(name)?;
                tokens::write_private(&path, name)
            }
            None => match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
        };
        done.with_context(|| format!("could not write {}", path.display()))
    }

    fn file(&self, name: &str) -> Result<PathBuf> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(plain) {
            bail!(
                "{name:?} is not the name of a profile: use 1 to {NAME_BYTES_MAX} letters, digits, hyphens, \
                 underscores and points"
            );
        }
        Ok(self.0.join(format!("{name}{ENDING}")))
    }

    fn missing(&self, name: &str) -> Result<String> {
        let names = self.names()?;
        let nearest = names.iter().map(|known| (strsim::jaro_winkler(known, name), known));
        let nearest =
            nearest.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(likeness, _)| *likeness > LIKENESS_MIN);
        let hint = nearest.map(|(_, name)| format!("; did you mean {name}?"));
        let hint = hint.unwrap_or_else(|| ": `runners profile add` makes one".to_owned());
        Ok(format!("there is no profile {name}{hint}"))
    }
}

impl fmt::Debug for Profile {
    /// Without the credential.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Profile")
            .field("server", &self.server)
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(server: &str) -> Profile {
        let (server, token) = (server.to_owned(), Some("rapi_secret".to_owned()));
        Profile { server, token, ca_file: None, insecure_http: false, tenant: None }
    }

    #[test]
    fn a_profile_is_kept_for_its_owner_alone_used_and_removed() {
        let directory = tempfile::tempdir().unwrap();
        let profiles = Profiles::at(Some(directory.path())).unwrap();
        assert!(profiles.names().unwrap().is_empty() && profiles.used().unwrap().is_none());
        profiles.write("lab", &profile("https://lab")).unwrap();
        profiles.write("home.1", &profile("https://home")).unwrap();
        assert_eq!(profiles.names().unwrap(), ["home.1", "lab"]);
        assert_eq!(profiles.read("lab").unwrap(), profile("https://lab"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&directory.path().join("profiles/lab.json")), 0o600);
            assert_eq!(mode(&directory.path().join("profiles")), 0o700);
        }
        profiles.make_used(Some("lab")).unwrap();
        assert_eq!(profiles.used().unwrap().as_deref(), Some("lab"));
        assert_eq!(profiles.of_server("https://home/"), Some(profile("https://home")));
        assert_eq!(profiles.of_server("https://elsewhere"), None);
        let told = profiles.read("lap").unwrap_err().to_string();
        assert!(told.contains("did you mean lab?"), "{told}");
        profiles.remove("lab").unwrap();
        assert_eq!(profiles.used().unwrap(), None);
        assert!(profiles.make_used(Some("lab")).is_err());
    }

    #[test]
    fn a_name_leads_nowhere_else_and_a_credential_is_not_shown() {
        let profiles = Profiles::at(Some(Path::new("/nonexistent"))).unwrap();
        for bad in ["", "../x", "a/b", "a b", &"a".repeat(65)] {
            assert!(profiles.read(bad).unwrap_err().to_string().contains("not the name"), "{bad}");
        }
        assert!(!format!("{:?}", profile("https://lab")).contains("secret"));
    }
}
