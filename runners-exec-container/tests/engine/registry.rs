//! A registry of the tests' own on loopback: images are pulled, followed and pinned.

use crate::bench::{Bench, shell};
use runners_core::Conclusion;
use runners_exec_container::{ContainerJob, Policy, PullPolicy};
use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

struct Registry {
    address: String,
    child: Child,
    _home: tempfile::TempDir,
}

impl Registry {
    fn start() -> Option<Self> {
        let home = tempfile::tempdir().unwrap();
        let settings = format!(
            "version: 0.1\nlog: {{level: info}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: '127.0.0.1:0'}}\n",
            home.path().join("data").display()
        );
        let file = home.path().join("config.yml");
        std::fs::write(&file, settings).unwrap();
        let started = Command::new("docker-registry")
            .arg("serve")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let Ok(mut child) = started else {
            println!(
                "skipped: there is no docker-registry here (on Debian: apt-get install docker-registry)"
            );
            return None;
        };
        let mut told = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert!(told.read_line(&mut line).unwrap() > 0, "the registry has ended");
            if let Some((_, rest)) = line.split_once("listening on ") {
                break rest.split(['"', ' ', '\n']).next().unwrap().to_owned();
            }
        };
        std::thread::spawn(move || std::io::copy(&mut told, &mut std::io::sink()));
        Some(Self { address, child, _home: home })
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn an_image_is_pulled_with_progress_followed_by_its_tag_and_pinned_by_its_digest() {
    let always = |policy: &mut Policy| policy.pull = PullPolicy::Always;
    let Some(bench) = Bench::with_policy("pulls", always).await else { return };
    let Some(registry) = Registry::start() else { return };
    let image = format!("{}/shop/tests:4", registry.address);
    let push = |note: &str| {
        bench.daemon.import(&image, &[&format!("ENV NOTE={note}")]);
        let pushed = bench.daemon.docker(&["push", &image]);
        bench.daemon.docker(&["rmi", &image]);
        let digest = pushed.split_whitespace().find(|word| word.starts_with("sha256:")).unwrap();
        digest.to_owned()
    };
    let first = push("first");
    let job = |image: &str| ContainerJob { image: Some(image.to_owned()), ..shell("echo it is $NOTE") };
    let ended = bench.run(job(&image)).await;
    assert_eq!(ended.conclusion(), Conclusion::Passed, "{ended:?}");
    for told in [format!("pulling {image}"), format!("pulled {image}"), "it is first".to_owned()] {
        assert!(ended.log.contains(&told), "{told} in {}", ended.log);
    }

    push("second");
    let ended = bench.run(job(&image)).await;
    assert!(ended.log.contains("it is second"), "a tag that was moved is followed: {ended:?}");
    let pinned = format!("{}/shop/tests@{first}", registry.address);
    let ended = bench.run(job(&pinned)).await;
    assert!(ended.log.contains("it is first"), "a digest is not: {ended:?}");

    let gone = format!("{}/shop/none:1", registry.address);
    let ended = bench.run(job(&gone)).await;
    assert!(ended.fault().message.contains(&format!("{gone} could not be pulled from {}", registry.address)));
    // The last job of a bench is of its own image, which is in no registry.
    drop(bench);
}
