//! What our images are built on: pulled where a registry answers, else made here, under the same name and
//! with the same in it as far as our images use it.

use super::engine::{Engine, said};
use crate::process::{self, Skipped, find};
use anyhow::{Context as _, Result};
use std::{fs, path::Path, process::Command, time::Duration};

/// What a static program runs in: authorities, a few names of users, and folders.
const STATIC: &str = "gcr.io/distroless/static-debian12:nonroot";
/// What the browser is installed in.
const DEBIAN: &str = "debian:bookworm-slim";
/// How long a registry may take for one of them.
const PULL_MAX: Duration = Duration::from_secs(120);

const AUTHORITIES: &str = "etc/ssl/certs/ca-certificates.crt";
/// Each folder, with its rights and its owner.
const FOLDERS: &[(&str, &str, &str)] = &[
    ("etc/ssl/certs", "755", "0"),
    ("home/nonroot", "700", "65532"),
    ("root", "700", "0"),
    ("tmp", "1777", "0"),
];
/// A file of each name, and what is in it.
const FILES: &[(&str, &str)] = &[
    (
        "etc/passwd",
        "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n",
    ),
    ("etc/group", "root:x:0:\nnonroot:x:65532:\n"),
    ("etc/nsswitch.conf", "hosts: files dns\n"),
];
/// As that image has them.
const CHANGES: &[&str] = &[
    "USER 65532",
    "WORKDIR /home/nonroot",
    "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt",
];

/// What Debian's own image leaves out, and how it keeps itself small.
const SLIM: &[&str] = &[
    "--variant=minbase",
    "--quiet",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
    "--aptopt=Acquire::Languages \"none\"",
    "--aptopt=DPkg::Post-Invoke { \"rm -f /var/cache/apt/archives/*.deb || true\"; }",
    "--aptopt=Dir::Cache::pkgcache \"\"",
    "--aptopt=Dir::Cache::srcpkgcache \"\"",
    "bookworm",
];
const MIRRORS: &[&str] = &[
    "deb http://deb.debian.org/debian bookworm main",
    "deb http://deb.debian.org/debian bookworm-updates main",
    "deb http://deb.debian.org/debian-security bookworm-security main",
];

/// Has the image that static programs run in.
pub(super) fn r#static(engine: &Engine, folder: &Path) -> Result<()> {
    if is_pulled(engine, STATIC, folder)? {
        return Ok(());
    }
    let root = folder.join("static");
    for (directory, mode, owner) in FOLDERS {
        let mut install = Command::new("install");
        install.args(["--directory", "--mode", mode, "--owner", owner, "--group", owner]);
        said(install.arg(root.join(directory)))?;
    }
    FILES.iter().try_for_each(|(name, text)| fs::write(root.join(name), text))?;
    let authorities = Path::new("/").join(AUTHORITIES);
    fs::copy(&authorities, root.join(AUTHORITIES))
        .with_context(|| format!("no {}", authorities.display()))?;
    let archive = folder.join("static.tar");
    said(
        Command::new("tar")
            .arg("--create")
            .arg("--file")
            .arg(&archive)
            .arg("--directory")
            .arg(&root)
            .arg("."),
    )?;
    import(engine, &archive, STATIC, CHANGES)
}

/// Has the image that browsers are installed in.
pub(super) fn debian(engine: &Engine, folder: &Path) -> Result<()> {
    if is_pulled(engine, DEBIAN, folder)? {
        return Ok(());
    }
    let Some(mmdebstrap) = find(&["mmdebstrap"], &[]) else {
        let missing = "no registry gives debian:bookworm-slim, and there is no mmdebstrap to make it \
                       (on Debian: apt-get install mmdebstrap)";
        return Err(Skipped(missing.to_owned()).into());
    };
    let archive = folder.join("debian.tar");
    process::run(Command::new(mmdebstrap).args(SLIM).arg(&archive).args(MIRRORS))?;
    import(engine, &archive, DEBIAN, &["CMD [\"bash\"]"])
}

fn is_pulled(engine: &Engine, name: &str, folder: &Path) -> Result<bool> {
    let pulled = process::run_bounded(
        engine.command("docker").args(["pull", "--quiet", name]),
        &folder.join("pull.log"),
        PULL_MAX,
    )?;
    let is_pulled = pulled.is_some_and(|ended| ended.success());
    println!("{name} {}", if is_pulled { "is pulled" } else { "is made here: no registry gives it" });
    Ok(is_pulled)
}

fn import(engine: &Engine, archive: &Path, name: &str, changes: &[&str]) -> Result<()> {
    let mut command = engine.command("docker");
    command.arg("import");
    command.args(changes.iter().flat_map(|change| ["--change", change]));
    said(command.arg(archive).arg(name))?;
    Ok(fs::remove_file(archive)?)
}
