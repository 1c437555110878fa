//! Jobs in containers, on an engine that the test starts on a socket of its own and stops.

use crate::{processes::Process, stage::Stage};
use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    thread,
};

/// A shell of this machine; left alone, it waits.
const IMAGE: &str = "local/shell:1";

struct Engine {
    child: Child,
    home: tempfile::TempDir,
}

impl Engine {
    /// `None`, said aloud, where there can be none.
    fn start() -> Option<Self> {
        let by_root = Command::new("id").arg("-u").output().is_ok_and(|told| told.stdout == b"0\n");
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name).display().to_string();
        let started = Command::new("dockerd")
            .arg(format!("--data-root={}", at("data")))
            .arg(format!("--exec-root={}", at("exec")))
            .arg(format!("--pidfile={}", at("pid")))
            .arg(format!("--host=unix://{}", at("docker.sock")))
            .args(["--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"])
            .args(["--bridge=none"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let Some(child) = started.ok().filter(|_| by_root) else {
            println!(
                "skipped: no container engine can be started here: it needs root, and dockerd (on Debian: \
                 apt-get install docker.io)"
            );
            return None;
        };
        let mut engine = Self { child, home };
        let mut told = BufReader::new(engine.child.stderr.take().unwrap());
        let mut all = String::new();
        while !all.contains("API listen on") {
            if told.read_line(&mut all).unwrap() == 0 {
                println!("skipped: no container engine can be started here: {all}");
                return None;
            }
        }
        // Nobody else reads what it says, and a pipe that is full would hold it up.
        thread::spawn(move || std::io::copy(&mut told, &mut std::io::sink()));
        engine.import();
        Some(engine)
    }

    fn address(&self) -> String {
        format!("unix://{}", self.home.path().join("docker.sock").display())
    }

    fn import(&self) {
        let script = r#"
            set -e
            needed="$(ldd /bin/bash /bin/sleep | grep -o '/lib[^ ]*' | sort -u)"
            tar --create --dereference --hard-dereference --absolute-names /bin/bash /bin/sleep $needed |
                docker -H "$0" import -c 'ENV PATH=/bin' -c 'CMD ["sleep", "infinity"]' - "$1"
        "#;
        let imported = Command::new("bash").args(["-c", script, &self.address(), IMAGE]).output().unwrap();
        assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // It stops what it runs, and lets go of what it has mounted.
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).output();
        let _ = self.child.wait();
    }
}

#[test]
fn dev_runs_jobs_in_containers_where_they_are_asked_for() {
    let Some(engine) = Engine::start() else { return };
    let (stage, address) = (Stage::new(), engine.address());
    let asked = ["--containers", "--container-engine", &address, "--container-output-in-memory", IMAGE];
    let dev = ["dev", "--json", "--listen", "127.0.0.1:0"];
    let mut dev = Process::start(stage.command(&[&dev[..], &asked].concat()));
    let server = dev.wait_for("listening")["url"].as_str().unwrap().to_owned();
    let script = r#"
        while read -r _ place kind _; do
            [ "$place" = "$RUNNERS_OUTPUT" ] && echo "its output is in $kind"
        done < /proc/mounts
        echo kept > "$RUNNERS_OUTPUT/a.txt"
    "#;
    let submit = ["container", "submit", "--wait", "-s", &server, IMAGE, "--", "bash", "-c", script];
    let ended = stage.run(&submit);
    ended.expect(0, "");
    let told = format!("{}{}", ended.stdout(), ended.stderr());
    assert!(told.contains("its output is in tmpfs"), "{told}");
    let told = crate::verbs::json(&stage, &server, &["runners", "show", "dev"]).to_string();
    assert!(told.contains("container=docker"), "{told}");
    dev.terminate();
    assert_eq!(dev.wait(), Some(0), "{}", dev.said());
}
