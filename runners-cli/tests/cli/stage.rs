//! What the tests share: a directory for each, the program in it, and pages to replay flows at.

use crate::processes::Process;
use runners_exec_webdriver::{DriverOptions, Engine, OpenError};
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{Arc, Mutex},
    thread,
};

/// A directory of its own, in which the program is run.
pub(crate) struct Stage {
    directory: tempfile::TempDir,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<str>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text.as_ref()).unwrap();
        path
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn report(&self) -> Value {
        serde_json::from_str(&self.read("runners-output/report.json")).unwrap()
    }

    /// The program, in this directory, with nothing of ours in its environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runners"));
        command.args(arguments).current_dir(self.directory.path()).stdin(Stdio::null());
        for name in [
            "RUNNERS_TOKEN",
            "RUNNERS_API_TOKEN",
            "RUNNERS_SERVER",
            "RUNNERS_CA_FILE",
            "RUNNERS_CONFIG",
            "RUNNERS_HOME",
            "RUNNERS_PROFILE",
            "CONTROL_PLANE_URL",
            "REGISTRATION_TOKEN",
            "RUNNER_NAME",
            "RUNNER_POOL_ID",
            "RUNNERS_DATA",
            "RUNNERS_STORE",
            "PGPASSWORD",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "AWS_PROFILE",
            "AWS_REGION",
            "RUNNERS_ARTIFACTS",
            "RUNNERS_LISTEN",
            "MAX_CONCURRENCY",
            "RUNNERS_ENGINE",
            "RUNNERS_WARM",
            "RUNNERS_WARM_JOBS",
            "RUNNERS_WARM_MEMORY",
            "RUNNERS_WEBDRIVER",
            "RUNNERS_FLOWS",
            "RUNNERS_EGRESS_ALLOW",
            "RUNNERS_EGRESS_HOST",
            "RUNNERS_NO_ORCHESTRATOR",
            "RUNNERS_NO_ENDPOINT",
            "PLAYWRIGHT_RUNNERS",
            "GITHUB_ACTIONS",
            "RUST_LOG",
        ] {
            command.env_remove(name);
        }
        command.env("XDG_STATE_HOME", self.path("state")).env("XDG_CONFIG_HOME", self.path("config"));
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        Ended(self.command(arguments).output().unwrap())
    }

    /// Runs the program with half of the stack that its threads have otherwise.
    pub(crate) fn run_in_little_stack(&self, arguments: &[&str]) -> Ended {
        Ended(self.command(arguments).env("RUST_MIN_STACK", (1 << 20).to_string()).output().unwrap())
    }

    /// A server on a port of its own, and its URL.
    pub(crate) fn server(&self) -> (Process, String) {
        let server = Process::start(self.command(&["server", "--json", "--listen", "127.0.0.1:0"]));
        let url = server.wait_for("listening")["url"].as_str().unwrap().to_owned();
        (server, url)
    }

    /// A runner of that server, connected.
    pub(crate) fn runner(&self, url: &str) -> Process {
        let runner = Process::start(self.command(&["run", "--json", "-s", url, "--name", "tester"]));
        runner.wait_for("connected");
        runner
    }

    /// A flow that looks for a text on a page that is there.
    pub(crate) fn flow(&self, name: &str, url: &str, text: &str) -> String {
        self.flow_within(name, url, text, 30_000)
    }

    /// A flow that looks for a text on a page, so many milliseconds at the most.
    pub(crate) fn flow_within(&self, name: &str, url: &str, text: &str, millis: u64) -> String {
        let expression = format!("document.body.innerText.includes({text:?})");
        let flow = json!({ "title": name, "timeout": millis, "steps": [
            { "type": "navigate", "url": url },
            { "type": "waitForExpression", "expression": expression },
        ] });
        self.write(name, flow.to_string());
        name.to_owned()
    }
}

/// What a program left that has ended.
pub(crate) struct Ended(Output);

impl Ended {
    pub(crate) fn code(&self) -> Option<i32> {
        self.0.status.code()
    }

    pub(crate) fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.0.stdout).into_owned()
    }

    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout()).unwrap_or_else(|error| panic!("{error}: {}", self.stdout()))
    }

    #[track_caller]
    pub(crate) fn expect(&self, code: i32, in_stderr: &str) {
        let (stdout, stderr) = (self.stdout(), self.stderr());
        assert_eq!(self.code(), Some(code), "stdout: {stdout}\nstderr: {stderr}");
        assert!(stderr.contains(in_stderr), "{in_stderr:?} is not in: {stderr}");
    }
}

/// Serves one page for as long as the tests run, and answers its address.
pub(crate) fn page(body: &'static str) -> String {
    page_at("127.0.0.1", body)
}

/// The same at an address of this machine.
pub(crate) fn page_at(address: &str, body: &'static str) -> String {
    serve(address, Arc::new(Mutex::new(body)))
}

/// A page that is another one as soon as its test says so.
pub(crate) struct ChangingPage {
    pub(crate) url: String,
    body: Arc<Mutex<&'static str>>,
}

impl ChangingPage {
    pub(crate) fn new(body: &'static str) -> Self {
        let body = Arc::new(Mutex::new(body));
        Self { url: serve("127.0.0.1", Arc::clone(&body)), body }
    }

    pub(crate) fn change(&self, body: &'static str) {
        *self.body.lock().unwrap() = body;
    }
}

fn serve(address: &str, body: Arc<Mutex<&'static str>>) -> String {
    let listener = TcpListener::bind((address, 0)).unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let body = Arc::clone(&body);
            thread::spawn(move || {
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
                let body = *body.lock().unwrap();
                let (length, head) = (body.len(), "HTTP/1.1 200 OK\r\nContent-Type: text/html");
                write!(stream, "{head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
            });
        }
    });
    url
}

/// Whether there is a browser to test with. If there is none, the test is told as skipped.
pub(crate) fn has_browser() -> bool {
    let found = find_browser();
    if let Err(why) = &found {
        println!("skipped: {why}");
    }
    found.is_ok()
}

/// Looks for a browser and its driver, where the program looks for them.
pub(crate) fn find_browser() -> Result<(), OpenError> {
    DriverOptions::of(Engine::Chromium).check()
}

/// The permissions of a file.
#[cfg(unix)]
pub(crate) fn mode(path: &Path) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).unwrap().permissions()) & 0o777
}
