//! Requests that are drawn from what the server says of itself: Schemathesis sends them to a running
//! server, and nothing may be answered that is not in the description.
//!
//! How they are drawn, and what is left out and why, is in `xtask/contract`.

use crate::{
    demo::program::Program,
    process::{self, cargo, run_bounded},
    python,
    workspace::Workspace,
};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::{
    env, fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::Command,
    time::Duration,
};

/// How the server is built: as the tests have built it, so that it is there already.
const BUILD: &[&str] = &["build", "--workspace", "--all-features", "--bin", "runners"];
/// What is installed, from the Python package index.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";

/// Another number draws other requests: `RUNNERS_CONTRACT_SEED`.
const SEED: &str = "20260101";
/// How many requests are drawn for each call, beside those that follow from its description.
const EXAMPLES_MAX: &str = "10";
/// How long the requests of one description may take.
const RUN_MAX: Duration = Duration::from_secs(600);

/// How long the server may take to say that it is there.
const READY_MAX: Duration = Duration::from_secs(60);
/// How long the server may take to stop.
const STOP_MAX: Duration = Duration::from_secs(60);
/// How long the server may take for one answer to us.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// What is described: its name, where, and where its calls are.
const FACES: &[(&str, &str, &str)] = &[
    ("management", "/api/openapi.json", "/api"),
    ("orchestrator", "/api/orchestrator/spec.json", "/api/orchestrator"),
    ("endpoint", "/api/runner/spec.json", "/api/runner"),
    ("protocol", "/openapi.json", ""),
];

/// Flows that the server carries out as checks. The pages that are drawn for them are not reached.
const CHECKS: &str = "xtask/demo/flows";

/// A server that runs for as long as this lives, and what is let in there.
struct Stage {
    url: String,
    tokens: Vec<(&'static str, String)>,
    server: Program,
    _folder: tempfile::TempDir,
}

/// Builds and starts a server, and sends it requests of each of its descriptions.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let schemathesis = python::installed(workspace, "schemathesis", SCHEMATHESIS)?;
    process::run(cargo(&workspace.root).args(BUILD))?;
    let seed = env::var("RUNNERS_CONTRACT_SEED").unwrap_or_else(|_| SEED.to_owned());
    println!("requests are drawn with the seed {seed}: RUNNERS_CONTRACT_SEED draws others");
    let mut failed = Vec::new();
    for (name, document, calls) in FACES {
        // Each has its own: what is drawn of one may remove the runner that the other speaks for.
        let stage = Stage::open(workspace)?;
        let log = workspace.folder("contract")?.join(format!("{name}.log"));
        let mut command = stage.command(workspace, &schemathesis, name, document, calls, &seed);
        command.current_dir(workspace.folder("contract")?);
        // Not the whole line: the tokens are in its variables.
        eprintln!("$ schemathesis run {}{document}", stage.url);
        let ended = run_bounded(&mut command, &log, RUN_MAX)?;
        stage.close()?;
        let told = fs::read_to_string(&log).unwrap_or_default();
        if ended.is_some_and(|ended| ended.success()) {
            println!("{name}: {}", summary(&told));
        } else {
            eprintln!("{told}");
            failed.push(*name);
        }
    }
    if !failed.is_empty() {
        bail!("answers that are not as described, or not drawn to the end: {}", failed.join(", "));
    }
    Ok(())
}

impl Stage {
    fn open(workspace: &Workspace) -> Result<Self> {
        let folder =
            tempfile::Builder::new().prefix("runners-contract-").tempdir().context("no temporary folder")?;
        let data = folder.path().join("data");
        let program = workspace.target.join("debug").join(format!("runners{}", env::consts::EXE_SUFFIX));
        let server = Program::start(
            "server",
            Command::new(program)
                .args(["server", "--json", "--listen", "127.0.0.1:0", "--data"])
                .arg(&data)
                .arg("--flows")
                .arg(workspace.root.join(CHECKS)),
            &workspace.folder("contract")?.join("server.log"),
        )?;
        let listening = server.wait_for("listening", READY_MAX)?;
        let text =
            |name: &str| listening[name].as_str().with_context(|| format!("the server names no {name}"));
        let url = text("url")?.to_owned();
        let token = |name: &str| Ok::<_, anyhow::Error>(fs::read_to_string(text(name)?)?.trim().to_owned());
        let api = token("api_token_file")?;
        let registration = token("registration_token_file")?;
        let tokens = vec![
            ("CONTRACT_RUNNER_TOKEN", runner(&url, &api, "drawn")?),
            ("CONTRACT_SPARE_RUNNER_TOKEN", runner(&url, &api, "spare")?),
            ("CONTRACT_REGISTRATION_TOKEN", registration),
            ("CONTRACT_API_TOKEN", api),
        ];
        Ok(Self { url, tokens, server, _folder: folder })
    }

    /// Has the server end, with the browser that it has started.
    fn close(self) -> Result<()> {
        let ended = self.server.stop(STOP_MAX)?;
        if ended.success() { Ok(()) } else { bail!("the server did not stop well: {ended}") }
    }

    fn command(
        &self,
        workspace: &Workspace,
        schemathesis: &Path,
        name: &str,
        document: &str,
        calls: &str,
        seed: &str,
    ) -> Command {
        let settings = workspace.root.join("xtask/contract");
        let mut command = Command::new(schemathesis);
        command.arg("--config-file").arg(settings.join(format!("{name}.toml")));
        command.args(["run", &format!("{}{document}", self.url), "--url", &format!("{}{calls}", self.url)]);
        command.args(["--phases", "examples,coverage,fuzzing", "--continue-on-failure"]);
        command.args(["--seed", seed, "--max-examples", EXAMPLES_MAX]);
        command.args(["--generation-database", "none", "--no-color"]);
        command.env("SCHEMATHESIS_HOOKS", "hooks").env("PYTHONPATH", settings);
        command.env("PYTHONDONTWRITEBYTECODE", "1").env("NO_PROXY", "127.0.0.1");
        // Not in arguments, which everybody on the machine can read.
        command.envs(self.tokens.iter().map(|(name, token)| (*name, token)));
        command
    }
}

/// Makes a runner, and gives its credential.
fn runner(url: &str, api: &str, name: &str) -> Result<String> {
    let address = url.strip_prefix("http://").context("the server does not speak plain http")?;
    let path = "/api/self-hosted/pools/pool_00000000000000000000000000000001/runners";
    let body = serde_json::json!({ "name": name }).to_string();
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {api}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
    let made: Value = serde_json::from_str(body).with_context(|| format!("no runner was made: {answer}"))?;
    let token = made["token"].as_str().with_context(|| format!("no runner was made: {body}"))?;
    Ok(token.to_owned())
}

/// How many requests were sent, as Schemathesis counts them.
fn summary(told: &str) -> String {
    let counted = told.lines().skip_while(|line| !line.starts_with("Test cases:")).nth(1);
    counted.map_or_else(|| "done".to_owned(), |line| line.trim().to_owned())
}
