//! Tells the program which commit it is built from: `0.1.0 (0123456789ab)`, or the version alone
//! where nobody knows. The same sources give the same text, wherever they are built.

use std::{env, fs, path::Path, process::Command};

/// How many digits of a commit are told.
const DIGITS: usize = 12;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=RUNNERS_COMMIT");
    let version = env!("CARGO_PKG_VERSION");
    let manifest = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let text = match commit(Path::new(&manifest)).as_deref().and_then(digits) {
        Some(commit) => format!("{version} ({commit})"),
        None => version.to_owned(),
    };
    println!("cargo::rustc-env=RUNNERS_VERSION={text}");
}

/// What whoever builds it says; or else what the package says that it was made of; or else what is
/// checked out. A package may lie in the repository of somebody else, whose commit is not ours.
fn commit(manifest: &Path) -> Option<String> {
    if let Ok(given) = env::var("RUNNERS_COMMIT") {
        return Some(given);
    }
    match fs::read_to_string(manifest.join(".cargo_vcs_info.json")) {
        Ok(packaged) => {
            let (_, rest) = packaged.split_once("\"sha1\"")?;
            rest.split('"').nth(1).map(str::to_owned)
        }
        Err(_) if manifest.join("../.git").exists() => checked_out(manifest),
        Err(_) => None,
    }
}

fn checked_out(manifest: &Path) -> Option<String> {
    // The log of the head grows with every commit, whichever branch it is on.
    for name in ["HEAD", "logs/HEAD"] {
        let path = manifest.join(git(manifest, &["rev-parse", "--git-path", name])?);
        if path.exists() {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
    git(manifest, &["rev-parse", "HEAD"])
}

fn git(manifest: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(manifest).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// The first digits of a commit, if it is one.
fn digits(commit: &str) -> Option<&str> {
    commit.get(..DIGITS).filter(|_| commit.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
