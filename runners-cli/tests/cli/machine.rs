//! The runner of a machine: registered, drained and resumed without a server's word, stopped within a
//! time, looked after by a service manager, and logged out.

use crate::{
    processes::Process,
    stage::{Stage, has_browser, mode, page},
};
use rustix::{
    process::{Pid, Signal, kill_process},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
};
use serde_json::Value;
use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::net::UnixDatagram,
    path::PathBuf,
    process::Stdio,
    time::Duration,
};

/// Ends a runner in the background with the test, however that ends.
struct Runner<'a>(&'a Stage);

impl Drop for Runner<'_> {
    fn drop(&mut self) {
        self.0.run(&["stop", "--now"]);
    }
}

fn told(stage: &Stage) -> Value {
    stage.run(&["status", "--json"]).json()
}

fn file(stage: &Stage, name: &str) -> PathBuf {
    stage.path("state").join("runners").join(name)
}

fn runners(stage: &Stage, url: &str) -> Vec<Value> {
    stage.run(&["list", "--json", "-s", url]).json().as_array().unwrap().clone()
}

/// Waits until something is so that another process brings about.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    // Each look takes a process.
    for _ in 0..600 {
        if is_so() {
            return;
        }
    }
    panic!("{what}: it never was");
}

#[test]
fn a_runner_has_one_slot_unless_the_environment_or_a_flag_says_otherwise() {
    let stage = Stage::new();
    let (_server, url) = stage.server();
    let cases: [(&str, Option<&str>, &[&str], u64); 3] = [
        ("untold", None, &[], 1),
        ("by-environment", Some("3"), &[], 3),
        ("by-flag", Some("3"), &["--slots", "2"], 2),
    ];
    for (name, variable, flags, slots) in cases {
        let arguments = [&["run", "--json", "-s", &url, "--name", name], flags].concat();
        let mut command = stage.command(&arguments);
        command.envs(variable.map(|slots| ("MAX_CONCURRENCY", slots)));
        let runner = Process::start(command);
        assert_eq!(runner.wait_for("enrolled")["slots"], slots, "{name}");
        runner.wait_for("connected");
        let there = runners(&stage, &url).into_iter().find(|there| there["name"] == name).unwrap();
        assert_eq!(there["maxConcurrency"], slots, "{name}: {there}");
    }
}

#[test]
fn a_runner_is_registered_without_being_started_and_logged_out_again() {
    let stage = Stage::new();
    let (_server, url) = stage.server();
    let token = stage.read("runners-data/registration-token");
    let registered =
        stage.run(&["register", "-s", &url, "-t", token.trim(), "--name", "tester", "--slots", "3"]);
    registered.expect(0, "");
    assert!(registered.stdout().contains("tester is runner_"), "{}", registered.stdout());
    assert_eq!(stage.run(&["status"]).code(), Some(3), "nothing was started");
    let kept = fs::read_to_string(file(&stage, "runner.config.json")).unwrap();
    assert!(kept.contains("tester") && !kept.contains(token.trim()), "{kept}");
    assert_eq!(mode(&file(&stage, "runner.config.json")), 0o600);
    let there = runners(&stage, &url);
    assert_eq!((there.len(), &there[0]["name"]), (1, &"tester".into()));

    // Whoever registers again is the same runner, and neither flags nor a token are needed to start.
    fs::remove_file(stage.path("runners-data/registration-token")).unwrap();
    let again = stage.run(&["register", "--json"]).json();
    assert_eq!(again["runner"], there[0]["id"]);
    let runner = Runner(&stage);
    stage.run(&["start", "--within", "60s"]).expect(0, "");
    assert_eq!((&told(&stage)["runner"], &told(&stage)["slots"]), (&there[0]["id"], &3.into()));
    stage.run(&["register"]).expect(2, "it is registered");

    let gone = stage.run(&["logout", "--json"]);
    gone.expect(0, "");
    assert_eq!(stage.run(&["status"]).code(), Some(3), "it was stopped before");
    assert!(runners(&stage, &url).is_empty(), "the server knows nothing of it");
    assert!(stage.run(&["logout"]).stdout().contains("no runner called tester is registered"));
    stage.run(&["start", "--within", "60s"]).expect(2, "there is no registration token");
    drop(runner);
}

#[test]
fn a_runner_that_cannot_be_taken_off_the_register_is_forgotten_only_by_force() {
    let stage = Stage::new();
    let (mut server, url) = stage.server();
    stage.run(&["register", "-s", &url, "--name", "tester"]).expect(0, "");
    server.terminate();
    assert_eq!(server.wait(), Some(0));
    stage.run(&["logout"]).expect(2, "nothing is forgotten");
    stage.run(&["logout", "--force"]).expect(0, "forgotten all the same");
    assert!(stage.run(&["logout"]).stdout().contains("no runner called tester"));
}

#[test]
fn the_names_that_others_have_for_the_same_are_heard() {
    let stage = Stage::new();
    let (_server, url) = stage.server();
    let token = stage.read("runners-data/registration-token");
    let elsewhere = stage.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let register = |pool: &str| {
        let mut register = stage.command(&["register", "--json"]);
        register
            .current_dir(&elsewhere)
            .env("CONTROL_PLANE_URL", &url)
            .env("REGISTRATION_TOKEN", token.trim());
        register.env("RUNNER_NAME", "east-1").env("MAX_CONCURRENCY", "2").env("RUNNER_POOL_ID", pool);
        register.output().unwrap()
    };
    let wrong = register("lab");
    let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(
        wrong.status.code() == Some(2) && said.contains("not to \"lab\": use a token of that pool"),
        "{said}"
    );
    assert!(runners(&stage, &url).is_empty(), "it is not left on the register");
    assert!(register("default").status.success());
    let moved = register("lab");
    let said = String::from_utf8_lossy(&moved.stderr).into_owned();
    assert!(moved.status.code() == Some(2) && said.contains("--pool wants lab"), "{said}");
    let there = runners(&stage, &url);
    assert_eq!((there.len(), &there[0]["name"]), (1, &"east-1".into()), "{there:?}");

    let _runner = Runner(&stage);
    let mut start = stage.command(&["start", "--within", "60s"]);
    let started = start.env("REGISTRATION_TOKEN", token.trim()).output().unwrap();
    assert!(started.status.success(), "{}", String::from_utf8_lossy(&started.stderr));
    let told = told(&stage);
    assert_eq!((&told["slots"], &told["name"]), (&2.into(), &"east-1".into()));
    let environment = fs::read(format!("/proc/{}/environ", told["pid"])).unwrap_or_default();
    assert!(!String::from_utf8_lossy(&environment).contains(token.trim()), "whatever the variable is called");
}

#[test]
fn the_runner_of_this_machine_drains_and_serves_again_without_a_credential() {
    let stage = Stage::new();
    let (_server, url) = stage.server();
    stage.run(&["drain"]).expect(2, "no runner runs in");
    let _runner = Runner(&stage);
    stage.run(&["start", "--within", "60s", "-s", &url, "--name", "tester"]).expect(0, "");
    let elsewhere = |verb: &[&str]| {
        let mut command = stage.command(verb);
        let output = command.current_dir(stage.path("state")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let drained = elsewhere(&["drain", "--note", "a new disk", "--deadline", "1h"]);
    assert!(drained.contains("tester takes nothing new: nothing runs"), "{drained}");
    let paused = &told(&stage)["paused"];
    assert!(paused["note"] == "a new disk" && paused["by"].is_number(), "{paused}");
    until("the server knows that it drains", || runners(&stage, &url)[0]["status"] == "Draining");
    assert!(stage.run(&["status"]).stdout().contains("a new disk"));
    elsewhere(&["drain"]);
    assert!(told(&stage)["paused"]["note"].is_null(), "what is said last counts");

    assert!(elsewhere(&["resume"]).contains("tester serves again"));
    assert!(told(&stage)["paused"].is_null());
    until("the server knows that it serves", || runners(&stage, &url)[0]["status"] == "Online");
    elsewhere(&["drain"]);
    stage.run(&["restart", "--within", "60s"]).expect(0, "");
    assert!(told(&stage)["paused"].is_null(), "another start serves");
}

#[test]
fn what_still_runs_when_the_time_to_drain_is_over_is_tried_again_once_it_serves() {
    if !has_browser() {
        return;
    }
    let (stage, url) = (Stage::new(), page("<h1>Hello</h1>"));
    let (_server, server) = stage.server();
    let _runner = Runner(&stage);
    stage.run(&["start", "--within", "60s", "-s", &server, "--name", "tester"]).expect(0, "");
    let process = told(&stage)["pid"].clone();
    let flow = stage.flow("flow.json", &url, "never");
    let mut submitting = Process::start(stage.command(&["submit", &flow, "--wait", "--json", "-s", &server]));
    until("it runs", || told(&stage)["jobs"][0].is_object());
    stage.run(&["drain", "--deadline", "1s"]).expect(0, "");
    until("it is given up", || {
        let now = told(&stage);
        now["jobs"].as_array().is_some_and(Vec::is_empty) && now["paused"]["by"].is_null()
    });
    let now = told(&stage);
    assert!(now["paused"].is_object() && now["pid"] == process, "it stays, and takes nothing: {now}");
    stage.run(&["resume"]).expect(0, "");
    until("it is tried again", || {
        told(&stage)["jobs"][0]["attempt"].as_u64().is_some_and(|number| number >= 2)
    });
    submitting.terminate();
    submitting.wait();
}

#[test]
fn a_runner_that_is_told_to_end_stops_what_runs_when_its_time_is_over_and_nothing_is_lost() {
    if !has_browser() {
        return;
    }
    let (stage, url) = (Stage::new(), page("<h1>Hello</h1>"));
    let (_server, server) = stage.server();
    let mut runner = Process::start(stage.command(&[
        "run",
        "--json",
        "-s",
        &server,
        "--name",
        "tester",
        "--drain-within",
        "1s",
    ]));
    runner.wait_for("connected");
    let flow = stage.flow("slow.json", &url, "never");
    let submitted = stage.run(&["submit", &flow, "--json", "-s", &server]).json();
    let job = submitted["jobs"][0]["job"].as_str().unwrap().to_owned();
    runner.wait_for("attempt_started");
    runner.terminate();
    assert_eq!(runner.wait_for("draining")["running"], 1);
    runner.wait_for("stopping");
    assert_eq!(runner.wait(), Some(0));
    let state = stage.run(&["job", &job, "--json", "-s", &server]).json();
    let name = state["state"]["state"].as_str().or(state["state"].as_str()).unwrap_or_default().to_owned();
    assert_ne!(name, "concluded", "it is tried elsewhere: {state}");
}

#[test]
fn a_runner_with_nothing_to_tell_does_not_wait_for_a_server_that_is_gone() {
    let stage = Stage::new();
    let (server, url) = stage.server();
    let mut runner = stage.runner(&url);
    let process = Pid::from_raw(i32::try_from(server.id()).unwrap()).unwrap();
    kill_process(process, Signal::STOP).unwrap();
    runner.terminate();
    assert_eq!(runner.wait_for("draining")["running"], 0);
    runner.wait_for("stopping");
    // What runs would have ten minutes.
    assert_eq!(runner.wait(), Some(0));
    kill_process(process, Signal::CONT).unwrap();
}

#[test]
fn what_a_runner_could_not_tell_is_told_when_it_is_logged_out_and_never_lost_silently() {
    if !has_browser() {
        return;
    }
    let (stage, url) = (Stage::new(), page("<h1>Hello</h1>"));
    let (server, at) = stage.server();
    let mut runner = stage.runner(&at);
    let flow = stage.flow("slow.json", &url, "never");
    let submitted = stage.run(&["submit", &flow, "--json", "-s", &at]).json();
    let job = submitted["jobs"][0]["job"].as_str().unwrap().to_owned();
    // By then the server knows that it runs.
    runner.wait_for("attempt_progress");
    // It hears nothing for a while.
    let process = Pid::from_raw(i32::try_from(server.id()).unwrap()).unwrap();
    kill_process(process, Signal::STOP).unwrap();
    let id = Pid::from_raw(i32::try_from(runner.id()).unwrap()).unwrap();
    kill_process(id, Signal::TERM).unwrap();
    runner.wait_for("draining");
    kill_process(id, Signal::INT).unwrap();
    runner.wait();
    let logout = ["logout", "-s", &at, "--name", "tester", "--within", "1s"];
    stage.run(&logout).expect(2, "1 result could not be recorded");
    kill_process(process, Signal::CONT).unwrap();
    let logout = ["logout", "-s", &at, "--name", "tester"];
    stage.run(&logout).expect(0, "telling");
    let view = stage.run(&["job", &job, "-s", &at]).stdout();
    assert!(!view.contains("running on"), "{view}");
    assert!(runners(&stage, &at).is_empty());
}

#[test]
fn a_token_is_asked_for_at_a_terminal_and_not_shown() {
    let stage = Stage::new();
    let (_server, url) = stage.server();
    let token = stage.read("runners-data/registration-token");
    fs::remove_file(stage.path("runners-data/registration-token")).unwrap();
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).and_then(|()| unlockpt(&master)).unwrap();
    let terminal = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    let terminal = fs::OpenOptions::new().read(true).write(true).open(terminal).unwrap();
    let mut register = stage.command(&["register", "-s", &url, "--name", "tester"]);
    register.stdin(terminal.try_clone().unwrap()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut register = register.spawn().unwrap();
    let mut asked = [0; 18];
    register.stderr.as_mut().unwrap().read_exact(&mut asked).unwrap();
    assert_eq!(String::from_utf8_lossy(&asked), "registration token");
    let mut master = fs::File::from(master);
    writeln!(master, "{}", token.trim()).unwrap();
    assert!(register.wait().unwrap().success());
    assert_eq!(runners(&stage, &url)[0]["name"], "tester");
    // What is typed from now on is shown again, and nothing was before.
    writeln!(master, "shown").unwrap();
    let mut shown = Vec::new();
    while !String::from_utf8_lossy(&shown).contains("shown") {
        let mut bytes = [0; 1024];
        let length = master.read(&mut bytes).unwrap();
        shown.extend_from_slice(&bytes[..length]);
    }
    assert!(!String::from_utf8_lossy(&shown).contains("rreg_"), "{shown:?}");
}

#[test]
fn a_service_manager_hears_that_the_runner_is_ready_alive_and_about_to_end() {
    let stage = Stage::new();
    let (_server, url) = stage.server();
    stage.run(&["register", "-s", &url, "--name", "tester"]).expect(0, "");
    let socket = stage.path("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let hear = |wanted: &str| {
        let mut heard = String::new();
        while !heard.contains(wanted) {
            let mut bytes = [0; 4096];
            let length =
                manager.recv(&mut bytes).unwrap_or_else(|error| panic!("{wanted}: {error}; {heard}"));
            heard.push_str(&String::from_utf8_lossy(&bytes[..length]));
        }
    };
    let mut start = stage.command(&["start", "--foreground"]);
    start.env("NOTIFY_SOCKET", &socket).env("WATCHDOG_USEC", "2000000");
    let mut runner = Process::start(start);
    hear("READY=1");
    hear("WATCHDOG=1");
    runner.wait_for("connected");
    let now = told(&stage);
    assert_eq!(now["pid"], runner.id(), "it is the process that was started");
    assert_eq!(now["slots"], 1);
    stage.run(&["service", "install", "--file", "unit"]).expect(0, "");
    assert!(stage.read("unit").contains("start --foreground --home"), "{}", stage.read("unit"));
    let process = Pid::from_raw(i32::try_from(runner.id()).unwrap()).unwrap();
    kill_process(process, Signal::TERM).unwrap();
    hear("STOPPING=1");
    assert_eq!(runner.wait(), Some(0));
    stage.run(&["service", "uninstall", "--file", "unit"]).expect(0, "");
    assert!(!stage.path("unit").exists());
}

#[test]
fn of_two_that_start_at_once_one_is_the_runner() {
    let stage = Stage::new();
    let (_server, url) = stage.server();
    let _runner = Runner(&stage);
    stage.run(&["register", "-s", &url, "--name", "tester"]).expect(0, "");
    let mut both = [(); 2].map(|()| Process::start(stage.command(&["start", "--within", "60s"])));
    let codes = both.each_mut().map(Process::wait);
    assert!(codes.contains(&Some(0)), "{codes:?}: {} {}", both[0].said(), both[1].said());
    assert!(codes.iter().all(|code| matches!(code, Some(0 | 2))), "{codes:?}");
    assert_eq!(codes.iter().filter(|code| **code == Some(0)).count(), 1, "{codes:?}");
    assert_eq!(told(&stage)["connected"], true);
}

#[test]
fn the_home_may_be_given_before_or_after_the_verb() {
    let stage = Stage::new();
    let home = stage.path("home");
    let home = home.to_str().unwrap();
    let (_server, url) = stage.server();
    stage.run(&["--home", home, "register", "-s", &url, "--name", "a"]).expect(0, "");
    assert!(stage.path("home/runner.config.json").is_file());
    for line in [["--home", home, "status", "--json"], ["status", "--home", home, "--json"]] {
        assert_eq!(stage.run(&line).json()["home"], home);
    }
    assert!(!file(&stage, "runner.config.json").exists());
}
