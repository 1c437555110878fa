//! Files of keys: the private one is for its owner alone, the public one for everybody.

use crate::tokens;
use anyhow::{Context as _, Result, bail};
use runners_core::{Random as _, Secret, SigningKey, SystemRandom, VerifyingKey};
use std::{
    ffi::OsString,
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
};

/// How environment variables begin that are secrets of flows.
pub(crate) const SECRETS_PREFIX: &str = "RUNNERS_SECRET_";

/// The largest file that is read as a key.
const FILE_BYTES_MAX: u64 = 4096;

/// Draws a key pair and writes it to `file` and beside it. Answers where the public key is.
pub(crate) fn generate(file: &Path) -> Result<PathBuf> {
    let mut public = OsString::from(file);
    public.push(".pub");
    let public = PathBuf::from(public);
    for path in [file, &public] {
        if path.try_exists().unwrap_or(true) {
            bail!("{} is there already: choose another name", path.display());
        }
    }
    let mut seed = [0; 32];
    SystemRandom::default().fill(&mut seed);
    let key = SigningKey::from_seed(seed);
    let written = |path: &Path| format!("could not write {}", path.display());
    tokens::write_private(file, key.to_pem().expose().trim_end()).with_context(|| written(file))?;
    fs::write(&public, key.verifying_key().to_pem()).with_context(|| written(&public))?;
    Ok(public)
}

/// Reads a private key, which nobody else can.
pub(crate) fn signing(path: &Path) -> Result<SigningKey> {
    let text = read(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(path).with_context(|| unreadable(path))?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let path = path.display();
            bail!("{path} has mode {mode:04o}, so others can read the private key: chmod 600 {path}");
        }
    }
    SigningKey::from_pem(text.expose()).with_context(|| format!("{} is not a signing key", path.display()))
}

/// Reads a public key.
pub(crate) fn verifying(path: &Path) -> Result<VerifyingKey> {
    let key = VerifyingKey::from_pem(read(path)?.expose());
    key.with_context(|| format!("{} is not a key to trust: give the one in the .pub file", path.display()))
}

fn read(path: &Path) -> Result<Secret> {
    let mut text = String::new();
    let file = File::open(path).with_context(|| unreadable(path))?;
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).with_context(|| unreadable(path))?;
    Ok(Secret::from_text(text))
}

fn unreadable(path: &Path) -> String {
    format!("could not read the key file {}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_pair_is_written_once_and_its_private_half_for_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("release.key");
        let public = generate(&file).unwrap();
        assert_eq!(signing(&file).unwrap().verifying_key(), verifying(&public).unwrap());
        assert!(generate(&file).unwrap_err().to_string().contains("is there already"));
        assert!(verifying(&file).unwrap_err().to_string().contains("give the one in the .pub file"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&file), 0o600);
            fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
            let told = signing(&file).unwrap_err().to_string();
            assert!(told.contains("mode 0644") && told.contains("chmod 600"), "{told}");
        }
    }
}
