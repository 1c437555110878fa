//! The pictures of `docs/tour.md`: a server with something to see, a person who walks through its
//! dashboard, which is a flow of our own, and what that flow has photographed.

use crate::{
    browser,
    demo::{self, program::Program, shop::Shop},
    process::{self, cargo},
    workspace::Workspace,
};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// What the person does.
const WALK: &str = include_str!("../tour/tour.json");

/// The pictures, in the order of the page.
const PICTURES: [&str; 10] =
    ["queue", "job", "requests", "live", "record", "runs", "flows", "flow", "runner", "audit"];

/// A flow that goes on for as long as somebody may look.
const WATCH: &str = include_str!("../tour/watch.json");

/// The largest picture that is kept in the repository.
const PICTURE_BYTES_MAX: u64 = 400 << 10;

/// How long a program may take to say that it is there, or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// The programs, and what they are told in common.
struct Stage {
    program: PathBuf,
    url: String,
    token: PathBuf,
}

/// Makes the pictures anew.
pub(crate) fn command(workspace: &Workspace) -> Result<()> {
    browser::ensure()?;
    process::run(cargo(&workspace.root).args(["build", "--package", "runners-cli"]))?;
    let program = workspace.target.join("debug").join(format!("runners{}", env::consts::EXE_SUFFIX));
    let folder = tempfile::Builder::new().prefix("runners-tour-").tempdir().context("no temporary folder")?;
    let shop = Shop::open()?;
    let flows = demo::write_flows(folder.path(), shop.url())?;
    let data = folder.path().join("data");
    let server = Program::start(
        "server",
        Command::new(&program).args(["server", "--json", "--listen", "127.0.0.1:0", "--data"]).arg(&data),
        &folder.path().join("server.log"),
    )?;
    let url = server.wait_for("listening", PATIENCE)?["url"].as_str().context("no URL")?.to_owned();
    let runner = Program::start(
        "runner",
        Command::new(&program)
            .args(["run", "--json", "--slots", "2", "--name", "rack-7", "-s", &url, "--token-file"])
            .arg(data.join("registration-token"))
            .arg("--state")
            .arg(folder.path().join("runner")),
        &folder.path().join("runner.log"),
    )?;
    runner.wait_for("connected", PATIENCE)?;
    let stage = Stage { program, url, token: data.join("api-token") };
    let job = stage.furnish(folder.path(), &flows)?;
    let running = stage.begin(folder.path(), shop.url())?;
    stage.walk(folder.path(), &[("job", &job), ("running", &running), ("shop", shop.url())])?;
    stage.ask(&["cancel", &running])?;
    keep(&folder.path().join("walk/tour/screenshots"), &workspace.root.join("docs/tour"))?;
    runner.stop(PATIENCE)?;
    server.stop(PATIENCE)?;
    println!("{} pictures are in docs/tour: look at them", PICTURES.len());
    Ok(())
}

impl Stage {
    /// Makes something to see, and gives the job of the flow that fails.
    fn furnish(&self, folder: &Path, flows: &[PathBuf]) -> Result<String> {
        self.ask(&["pools", "create", "lab", "--region", "eu"])?;
        self.ask(&["environments", "set", "staging", "--pool", "lab"])?;
        for flow in flows {
            self.ask(&[
                "flows",
                "put",
                text(flow)?,
                "--tag",
                "shop",
                "--description",
                "An order in the shop",
            ])?;
        }
        let output = folder.join("submitted");
        let all: Vec<&str> = flows.iter().map(|flow| text(flow)).collect::<Result<_>>()?;
        let wait = ["--wait", "--output", text(&output)?];
        // One of them fails: the shop has a fault.
        self.run(&[&["submit"], &all[..], &wait[..]].concat())?;
        self.ask(&["flows", "run", "search", "checkout", "--wait", "--output", text(&output)?])?;
        let failed = self.ask(&["jobs", "list", "--conclusion", "failed"])?;
        let job = failed["items"][0]["id"].as_str().context("no flow has failed")?;
        // Nobody takes these.
        self.ask(&["flows", "run", "search", "--pool", "lab"])?;
        Ok(job.to_owned())
    }

    /// Has the runner do something that goes on, and gives its job.
    fn begin(&self, folder: &Path, shop: &str) -> Result<String> {
        let watch = folder.join("watch.json");
        fs::write(&watch, WATCH.replace("SHOP", shop))?;
        let submitted = self.ask(&["submit", text(&watch)?])?;
        Ok(submitted["jobs"][0]["job"].as_str().context("nothing was submitted")?.to_owned())
    }

    fn walk(&self, folder: &Path, told: &[(&str, &str)]) -> Result<()> {
        let walk = folder.join("tour.json");
        fs::write(&walk, WALK)?;
        let credential = fs::read_to_string(&self.token)?;
        let mut command = Command::new(&self.program);
        command.args(["flow", "run"]).arg(&walk).arg("--output").arg(folder.join("walk"));
        command.arg("--param").arg(format!("url={}/dashboard", self.url));
        for (name, value) in told {
            command.arg("--param").arg(format!("{name}={value}"));
        }
        process::run(command.env("RUNNERS_SECRET_credential", credential.trim()))
    }

    /// Runs a verb to its good end; what it said.
    fn ask(&self, arguments: &[&str]) -> Result<Value> {
        let (is_good, said) = self.run(&[arguments, &["--json"]].concat())?;
        if !is_good {
            bail!("`runners {}` has failed: {said}", arguments.join(" "));
        }
        Ok(serde_json::from_str(&said).unwrap_or_default())
    }

    fn run(&self, arguments: &[&str]) -> Result<(bool, String)> {
        let mut command = Command::new(&self.program);
        command.args(arguments).args(["-s", &self.url]).arg("--token-file").arg(&self.token);
        let ended = command.output().context("could not start the program")?;
        Ok((ended.status.success(), String::from_utf8_lossy(&ended.stdout).into_owned()))
    }
}

fn keep(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for name in PICTURES {
        let picture = from.join(format!("{name}.png"));
        let length = fs::metadata(&picture).with_context(|| format!("there is no picture {name}"))?.len();
        if length > PICTURE_BYTES_MAX {
            bail!("the picture {name} has {length} bytes, and the limit is {PICTURE_BYTES_MAX}");
        }
        fs::copy(&picture, to.join(format!("{name}.png")))?;
    }
    Ok(())
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path is no text in UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_picture_of_the_page_is_taken_and_kept() {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
        let page = fs::read_to_string(docs.join("tour.md")).unwrap();
        assert_eq!(page.matches("](tour/").count(), PICTURES.len());
        for name in PICTURES {
            assert!(page.contains(&format!("](tour/{name}.png)")), "{name} is on the page");
            assert!(WALK.contains(&format!("{{ \"name\": \"{name}\" }}")), "{name} is taken");
            let length = fs::metadata(docs.join(format!("tour/{name}.png"))).unwrap().len();
            assert!(length <= PICTURE_BYTES_MAX, "{name}: {length}");
        }
    }
}
