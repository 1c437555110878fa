//! The images of `ops/images`: built from their Containerfiles with the program as it is, and used as their
//! users would, on a container engine of our own.

mod base;
mod engine;
mod fleet;

use crate::{
    packages::PackageManager,
    process::{self, Skipped, cargo, find},
    workspace::Workspace,
};
use anyhow::{Result, ensure};
use engine::{Engine, said};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use tempfile::TempDir;

/// How the program is built to need nothing of the system: quicker than for musl, and with what the tests
/// have built. It is for images alone; `ops/images/README.md` says why.
const BUILD: &[&str] = &[
    "rustc",
    "--locked",
    "--package",
    "runners-cli",
    "--bin",
    "runners",
    "--",
    "-C",
    "target-feature=+crt-static",
    "-C",
    "strip=symbols",
];

/// Where the Containerfiles are.
const FOLDER: &str = "ops/images";
/// How long a container may take to start and to connect, and to stop.
const START_MAX: Duration = Duration::from_secs(60);
const STOP_MAX: Duration = Duration::from_secs(30);

/// As strict as an operator may be: nothing is written to but volumes.
const CONFINED: &[&str] = &["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"];

const PROGRAMS: &[&str] = &["dockerd", "docker-compose", "mmdebstrap"];
const APT: PackageManager = PackageManager {
    program: "apt-get",
    refresh: Some(&["update", "-q"]),
    install: &["install", "-y", "-q", "--no-install-recommends", "docker.io", "docker-compose", "mmdebstrap"],
    as_root: true,
};

/// Which images, and of which program.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Options {
    /// Also those with a browser, and the fleet of compose.yml: downloads some hundred megabytes, and takes
    /// several minutes
    #[arg(long)]
    all: bool,
    /// A static program to put into them, instead of one that is built
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

impl Options {
    pub(crate) fn all() -> Self {
        Self { all: true, program: None }
    }
}

/// What the images are built with.
struct Bench<'w> {
    workspace: &'w Workspace,
    engine: Engine,
    /// The folder that images of the program are built from, and one for ours.
    context: PathBuf,
    folder: TempDir,
}

pub(crate) fn command(workspace: &Workspace, options: &Options) -> Result<()> {
    if options.all {
        APT.ensure(|| {
            PROGRAMS.iter().copied().filter(|name| find(&[name], &["/usr/sbin"]).is_none()).collect()
        })?;
    }
    let bench = Bench::start(workspace, options.program.as_deref())?;
    base::r#static(&bench.engine, bench.folder.path())?;
    bench.build("server", &bench.context)?;
    bench.build("runner", &bench.context)?;
    bench.small()?;
    if options.all {
        base::debian(&bench.engine, bench.folder.path())?;
        bench.build("agent", &bench.context)?;
        bench.build("browser", &bench.folder.path().join("empty"))?;
        fleet::check(&bench)?;
    }
    Ok(())
}

impl<'w> Bench<'w> {
    fn start(workspace: &'w Workspace, program: Option<&Path>) -> Result<Self> {
        let engine = Engine::start()?;
        let folder = tempfile::tempdir()?;
        let context = folder.path().join("dist");
        fs::create_dir_all(context.join("data"))?;
        fs::create_dir(folder.path().join("empty"))?;
        let built = match program {
            Some(program) => program.to_owned(),
            None if cfg!(all(target_os = "linux", target_env = "gnu")) => {
                process::run(cargo(&workspace.root).args(BUILD))?;
                workspace.target.join("debug/runners")
            }
            None => return Err(Skipped("give a static program for Linux with --program".to_owned()).into()),
        };
        // A program that is linked anew later is another one.
        fs::copy(built, context.join("runners"))?;
        Ok(Self { workspace, engine, context, folder })
    }

    /// Builds `runners/NAME`, with the network of this machine for its packages.
    fn build(&self, name: &str, context: &Path) -> Result<()> {
        let file = self.workspace.root.join(FOLDER).join(format!("{name}.Containerfile"));
        let mut command = self.engine.command("docker");
        command.args(["build", "--quiet", "--network=host", "--build-arg=http_proxy", "--tag"]);
        command.arg(image(name)).arg("--file").arg(file).arg(context);
        eprintln!("$ {}", process::line_of(&command));
        said(&mut command)?;
        let told = self.engine.docker(&["image", "inspect", &image(name)])?;
        let told: Value = serde_json::from_str(&told)?;
        let user = &told[0]["Config"]["User"];
        ensure!(user == "65532:65532", "{name} runs as {user}");
        println!("{} has {} MB", image(name), told[0]["Size"].as_u64().unwrap_or_default() / 1_000_000);
        Ok(())
    }

    /// A server and a runner without a browser, each a program and nothing else: they find each other by name,
    /// know each other again, and stop when they are told to.
    fn small(&self) -> Result<()> {
        let engine = &self.engine;
        engine.docker(&["network", "create", "small"])?;
        let run = |name: &str, more: &[&str]| {
            let own = ["run", "--detach", "--network=small", "--name", name];
            engine.docker(&[&own, CONFINED, more].concat())
        };
        let plain = ["--env=RUNNERS_INSECURE_HTTP=true", "--volume=server:/data", "runners/server"];
        run("server", &plain)?;
        engine.hear("server", "listens on", START_MAX)?;
        let mounts = ["--volume=runner:/data", "--volume=server:/server:ro"];
        let variables =
            ["--env=RUNNERS_SERVER=http://server:7878", "--env=RUNNERS_WEBDRIVER=http://127.0.0.1:9"];
        let told = ["runners/runner", "--insecure-http", "--token-file=/server/registration-token"];
        run("runner", &[&mounts[..], &variables, &told].concat())?;
        engine.hear("runner", "connected to http://server:7878", START_MAX)?;
        for name in ["runner", "server"] {
            engine.stop(name, STOP_MAX)?;
        }
        engine.docker(&["start", "server"])?;
        let listed = "runners list --json --token-file /data/api-token";
        let listed =
            engine.docker(&[&["exec", "server"], &listed.split(' ').collect::<Vec<_>>()[..]].concat())?;
        let listed: Value = serde_json::from_str(&listed)?;
        ensure!(listed.as_array().is_some_and(|all| all.len() == 1), "who was there: {listed}");
        engine.stop("server", STOP_MAX)?;
        println!("server and runner: connected, stopped and started again, with a root that is read-only");
        Ok(())
    }
}

/// What an image is called, as the flags and the compose file have it.
fn image(name: &str) -> String {
    format!("runners/{}", if name == "browser" { "chromium" } else { name })
}

/// A program that runs beside the containers.
fn program(bench: &Bench<'_>, arguments: &[&str]) -> Command {
    let mut command = Command::new(bench.context.join("runners"));
    command.args(arguments).current_dir(bench.folder.path());
    command
}
