//! A runner in the background: started, asked about, killed, started again, and stopped.

use crate::{
    processes::Process,
    stage::{Ended, Stage, find_browser, mode, page},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{fs, path::PathBuf};

/// Ends a runner in the background with the test, however that ends.
struct Runner<'a>(&'a Stage);

impl Drop for Runner<'_> {
    fn drop(&mut self) {
        self.0.run(&["stop", "--now"]);
    }
}

fn status(stage: &Stage, code: i32) -> Value {
    let status = stage.run(&["status", "--json"]);
    assert_eq!(status.code(), Some(code), "{}{}", status.stdout(), status.stderr());
    status.json()
}

fn file(stage: &Stage, name: &str) -> PathBuf {
    stage.path("state").join("runners").join(name)
}

fn start(stage: &Stage, arguments: &[&str]) -> Ended {
    stage.run(&[&["start", "--within", "60s"], arguments].concat())
}

#[test]
fn a_runner_in_the_background_starts_tells_how_it_is_and_stops() {
    let stage = Stage::new();
    let (_server, url) = stage.server();
    let runner = Runner(&stage);
    assert_eq!(status(&stage, 3)["running"], false);

    let token = stage.read("runners-data/registration-token");
    let started = start(&stage, &["-t", token.trim(), "-s", &url, "--name", "tester", "--slots", "2"]);
    started.expect(0, "");
    assert!(started.stdout().contains("tester is runner_"), "{}", started.stdout());

    let told = status(&stage, 0);
    assert_eq!((&told["running"], &told["connected"]), (&true.into(), &true.into()), "{told}");
    assert_eq!((&told["name"], &told["slots"]), (&"tester".into(), &2.into()), "{told}");
    assert!(told["server_error"].is_null(), "{told}");
    let text = stage.run(&["status"]).stdout();
    assert!(text.contains("connected for") && text.contains("0 of 2 in use"), "{text}");
    start(&stage, &[]).expect(2, "runs already");
    assert!(stage.run(&["log"]).stdout().contains("connected to "));

    let arguments = fs::read_to_string(format!("/proc/{}/cmdline", told["pid"])).unwrap_or_default();
    let environment = fs::read(format!("/proc/{}/environ", told["pid"])).unwrap_or_default();
    assert!(!arguments.contains(token.trim()), "{arguments}");
    assert!(!String::from_utf8_lossy(&environment).contains(token.trim()));
    for name in ["runner.pid", "runner.log", "runner.config.json", "runner.state.json"] {
        assert_eq!(mode(&file(&stage, name)), 0o600, "{name}");
    }
    assert!(!fs::read_to_string(file(&stage, "runner.config.json")).unwrap().contains(token.trim()));

    drop(runner);
    assert_eq!(status(&stage, 3)["running"], false);
    stage.run(&["stop"]).expect(0, "no runner runs");
}

#[test]
fn one_that_was_killed_is_not_running_and_starts_again_without_flags() {
    let stage = Stage::new();
    let (_server, url) = stage.server();
    let _runner = Runner(&stage);
    start(&stage, &["-s", &url, "--name", "tester", "--slots", "2"]).expect(0, "");
    let first = status(&stage, 0);

    let process = Pid::from_raw(i32::try_from(first["pid"].as_i64().unwrap()).unwrap()).unwrap();
    kill_process(process, Signal::KILL).unwrap();
    // It holds its file until the last of its threads is gone.
    fs::File::open(file(&stage, "runner.pid")).unwrap().lock_shared().unwrap();
    let left = status(&stage, 3);
    assert_eq!(left["last"]["pid"], first["pid"]);

    // The number that was left behind is another process's by now: this one's.
    fs::write(file(&stage, "runner.pid"), format!("{}\n", std::process::id())).unwrap();
    assert_eq!(status(&stage, 3)["running"], false);

    let elsewhere = stage.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let mut again = stage.command(&["start", "--within", "60s", "--slots", "3"]);
    again.current_dir(&elsewhere);
    let again = again.output().unwrap();
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    let second = status(&stage, 0);
    assert_eq!((&second["runner"], &second["slots"]), (&first["runner"], &3.into()), "{second}");

    stage.run(&["restart", "--within", "60s"]).expect(0, "");
    let third = status(&stage, 0);
    assert_ne!(third["pid"], second["pid"]);
    assert_eq!((&third["runner"], &third["slots"]), (&first["runner"], &3.into()), "{third}");
}

#[test]
fn one_that_cannot_connect_says_why_and_is_not_left_running() {
    let stage = Stage::new();
    let (_server, url) = stage.server();
    let _runner = Runner(&stage);
    let wrong = format!("rreg_{}", "0".repeat(64));
    start(&stage, &["-s", &url, "-t", &wrong]).expect(2, "does not know this registration token");
    assert_eq!(status(&stage, 3)["running"], false);
    assert!(!file(&stage, "runner.config.json").exists());

    let nobody = stage.run(&["start", "--within", "5s", "-s", "http://127.0.0.1:1", "-t", &wrong]);
    nobody.expect(2, "was not connected within 5.0 s");
    assert!(nobody.stderr().contains("waiting for http://127.0.0.1:1"), "{}", nobody.stderr());
    assert_eq!(status(&stage, 3)["running"], false);
}

#[test]
fn the_doctor_names_what_is_missing_and_what_to_do() {
    let stage = Stage::new();
    let found = |doctor: &Ended, what: &str| {
        let all = doctor.json()["findings"].as_array().unwrap().clone();
        all.into_iter().find(|finding| finding["what"] == what).unwrap_or_else(|| panic!("{what}"))
    };
    let lost = stage.run(&["doctor", "--json", "-s", "http://127.0.0.1:1"]);
    assert_eq!(lost.code(), Some(2));
    assert!(found(&lost, "server")["fix"].as_str().unwrap().contains("does the server run"));
    assert!(found(&lost, "token")["text"].as_str().unwrap().contains("there is no registration token"));
    assert_eq!(found(&lost, "folder")["good"], true);

    let page = page("no control plane");
    let wrong = stage.run(&["doctor", "--json", "-s", &page]);
    assert!(found(&wrong, "server")["text"].as_str().unwrap().contains("is no control plane"));

    let (_server, url) = stage.server();
    let right = stage.run(&["doctor", "--json", "-s", &url]);
    for what in ["folder", "name", "server", "clock", "websocket", "token"] {
        assert_eq!(found(&right, what)["good"], true, "{}", right.stdout());
    }
    assert_eq!(right.code(), Some(if find_browser().is_ok() { 0 } else { 2 }), "{}", right.stdout());

    // A token is told good from bad, and nothing of it is used up.
    let made = stage.run(&["tokens", "create", "default", "--uses", "1", "--file", "once", "-s", &url]);
    made.expect(0, "");
    let doctor = |token: &str| {
        let mut command = stage.command(&["doctor", "--json", "-s", &url]);
        let output = command.env("RUNNERS_TOKEN", token).output().unwrap();
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        let all = told["findings"].as_array().unwrap().clone();
        all.into_iter().find(|finding| finding["what"] == "token").unwrap()
    };
    let once = stage.read("once");
    for _ in 0..2 {
        let told = doctor(once.trim());
        assert!(told["good"] == true && told["text"].as_str().unwrap().contains("would register"), "{told}");
    }
    let told = doctor(&format!("rreg_{}", "0".repeat(once.trim().len() - 5)));
    assert!(told["good"] == false && told["text"].as_str().unwrap().contains("does not know it"), "{told}");
    let line = ["register", "-s", &url, "--name", "one", "--home", "other", "--token-file", "once"];
    stage.run(&line).expect(0, "");
    let told = doctor(once.trim());
    assert!(told["good"] == false && told["text"].as_str().unwrap().contains("as often as it may"), "{told}");
}

#[test]
fn the_doctor_finds_a_runner_in_the_foreground_well() {
    let stage = Stage::new();
    let (_server, url) = stage.server();
    let runner = Process::start(stage.command(&["run", "--json", "-s", &url]));
    runner.wait_for("connected");
    let told = stage.run(&["doctor", "--json", "-s", &url]).stdout();
    let well = format!("runs in the foreground, process {}", runner.id());
    assert!(told.contains(&well) && !told.contains("repair"), "{told}");
}

#[test]
fn a_second_runner_of_a_machine_is_told_of_before_it_is_registered() {
    let stage = Stage::new();
    let (_server, url) = stage.server();
    let token = stage.read("runners-data/registration-token");
    let given = |name| ["-t", token.trim(), "-s", &url, "--name", name].map(str::to_owned);
    let told = |verb: &str, name| {
        let arguments = given(name);
        let mut all = vec![verb];
        all.extend(arguments.iter().map(String::as_str));
        let ended = stage.run(&all);
        ended.expect(0, "");
        ended.stderr()
    };
    assert!(!told("register", "one").contains("new runner"));
    assert!(!told("register", "one").contains("new runner"), "it is the same");
    let second = told("register", "two");
    assert!(second.contains("two is a new runner") && second.contains("from here already: one."), "{second}");
    let _runner = Runner(&stage);
    let third = told("start", "three");
    assert!(third.contains("three is a new runner") && third.contains(": one, two."), "{third}");
}
