//! Programs that a few tests need and users do not: installed where everything is to be tested.
//! Elsewhere the tests that miss them say that they were skipped, and why.

use crate::{packages::PackageManager, process::find};
use anyhow::Result;
use std::fs;

/// Networks that refuse connections need the first two, rules of alerts the third, videos of flows the
/// fourth, a Selenium Grid the fifth, and the queue in PostgreSQL the two after it. Jobs in containers
/// need an engine and a registry, the next is a proxy before everything, and with the last comes what a suite in
/// Python has.
const PROGRAMS: &[&str] = &[
    "ip",
    "nft",
    "promtool",
    "ffmpeg",
    "java",
    "initdb",
    "pgbouncer",
    "dockerd",
    "docker-registry",
    "nginx",
    "pytest-3",
];
const USUAL_PLACES: &[&str] = &["/usr/bin", "/usr/sbin", "/sbin"];

const APT: PackageManager = PackageManager {
    program: "apt-get",
    refresh: Some(&["update", "-q"]),
    install: &[
        "install",
        "-y",
        "-q",
        "--no-install-recommends",
        "iproute2",
        "nftables",
        "prometheus",
        "ffmpeg",
        "default-jre-headless",
        "postgresql",
        "pgbouncer",
        "docker.io",
        "docker-registry",
        "nginx-light",
        "python3-pytest",
        "python3-selenium",
    ],
    as_root: true,
};

/// Makes sure that they are there, if the system has a package manager that we know them in.
pub(crate) fn ensure() -> Result<()> {
    APT.ensure(missing)
}

fn missing() -> Vec<&'static str> {
    PROGRAMS
        .iter()
        .copied()
        .filter(|name| find(&[name], USUAL_PLACES).is_none() && !is_versioned(name))
        .collect()
}

/// Whether a program of PostgreSQL is where Debian keeps them, beside those of other versions.
fn is_versioned(name: &str) -> bool {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    versions.into_iter().any(|version| version.path().join("bin").join(name).exists())
}
