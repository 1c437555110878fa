//! What a container can do to its machine: nothing.

use crate::bench::{Bench, shell};
use runners_core::Conclusion;
use runners_exec_container::{AllowedMount, ContainerJob, Mount, OfferedNetwork};
use std::{os::unix::fs::PermissionsExt as _, path::PathBuf, process::Command};

#[tokio::test]
async fn nobody_without_capabilities_writes_nowhere_but_where_it_may() {
    let Some(bench) = Bench::start("isolation").await else { return };
    let script = r#"
        id -u
        cat /proc/self/status | while read -r name value; do
            case "$name" in CapEff:|CapBnd:|NoNewPrivs:) echo "$name $value";; esac
        done
        echo x > /etc/x && echo "wrote to etc"
        echo x > /runners/x && echo "wrote to runners"
        echo x > /tmp/x && echo "wrote to tmp"
        echo x > /cache/x && echo "wrote to cache"
        true
    "#;
    let job = ContainerJob { writable: ["/cache".to_owned()].into(), ..shell(script) };
    let ended = bench.run(job).await;
    assert_eq!(ended.conclusion(), Conclusion::Passed, "{ended:?}");
    for line in ["65534\n", "CapEff: 0000000000000000", "CapBnd: 0000000000000000", "NoNewPrivs: 1"] {
        assert!(ended.log.contains(line), "{line} in {}", ended.log);
    }
    assert!(ended.log.contains("wrote to tmp") && ended.log.contains("wrote to cache"), "{}", ended.log);
    assert!(!ended.log.contains("wrote to etc") && !ended.log.contains("wrote to runners"), "{}", ended.log);
    bench.close().await;
}

#[tokio::test]
async fn there_is_no_network_unless_one_is_asked_for() {
    let Some(bench) = Bench::start("network").await else { return };
    let ended = bench.shell(CONNECT).await;
    assert_eq!(ended.conclusion(), Conclusion::Passed, "{ended:?}");
    assert!(ended.log.contains("lo\n") && !ended.log.contains("eth0"), "{}", ended.log);
    assert!(ended.log.contains("metadata is not reached"), "{}", ended.log);
    bench.close().await;
}

#[tokio::test]
async fn an_offered_network_reaches_its_own_and_never_metadata() {
    let offered =
        ["inner", "outer"].map(|name| OfferedNetwork { name: name.into(), ..OfferedNetwork::default() });
    let networks = offered.to_vec();
    let Some(bench) = Bench::with_policy("offered", |policy| policy.networks = networks).await else {
        return;
    };
    bench.daemon.docker(&["network", "create", "--internal", "inner"]);
    bench.daemon.docker(&["network", "create", "outer"]);
    let job = ContainerJob { network: Some("inner".into()), ..shell(CONNECT) };
    let ended = bench.run(job).await;
    assert_eq!(ended.conclusion(), Conclusion::Passed, "{ended:?}");
    assert!(ended.log.contains("eth0\n"), "{}", ended.log);
    assert!(ended.log.contains("metadata is not reached"), "{}", ended.log);

    let job = ContainerJob { network: Some("outer".into()), ..shell(CONNECT) };
    let ended = bench.run(job).await;
    assert_eq!(ended.fault().code, "network_not_closed", "{ended:?}");
    bench.daemon.docker(&["network", "rm", "inner", "outer"]);
    bench.close().await;
}

/// Lists its network cards, and tries the address where clouds tell secrets.
const CONNECT: &str = r#"
    ls /sys/class/net
    if (exec 3<>/dev/tcp/169.254.169.254/80) 2>/tmp/why; then
        echo "metadata is reached"
    else
        echo "metadata is not reached: $(cat /tmp/why)"
    fi
"#;

/// A folder in memory, mounted below another for as long as this lives.
struct Below(PathBuf);

impl Below {
    fn mount(at: PathBuf) -> Option<Self> {
        std::fs::create_dir(&at).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "tmpfs"]).arg(&at).output().unwrap();
        mounted.status.success().then_some(Self(at))
    }
}

impl Drop for Below {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

#[tokio::test]
async fn what_is_mounted_below_a_mount_is_not_written_to() {
    let home = tempfile::tempdir().unwrap();
    let Some(below) = Below::mount(home.path().join("below")) else {
        println!("skipped: nothing can be mounted here");
        return;
    };
    // Whoever is nobody in the container could write there.
    std::fs::set_permissions(&below.0, std::fs::Permissions::from_mode(0o777)).unwrap();
    let mounts = vec![AllowedMount { path: "/".into(), writable: false }];
    let Some(bench) = Bench::with_policy("below", |policy| policy.mounts = mounts).await else { return };
    let source = home.path().to_str().unwrap().to_owned();
    let job = ContainerJob {
        mounts: vec![Mount { source, target: "/data".into(), writable: false }],
        ..shell("ls /data; echo x > /data/below/b.txt && echo wrote; true")
    };
    let ended = bench.run(job).await;
    assert_eq!(ended.conclusion(), Conclusion::Passed, "{ended:?}");
    assert!(ended.log.contains("below\n") && !ended.log.contains("wrote"), "{}", ended.log);
    assert!(!below.0.join("b.txt").exists());
    bench.close().await;
}

#[tokio::test]
async fn a_mount_is_what_is_allowed_and_never_the_engine() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("a.txt"), "of the machine").unwrap();
    let mounts = vec![AllowedMount { path: "/".into(), writable: false }];
    let Some(bench) = Bench::with_policy("mounts", |policy| policy.mounts = mounts).await else { return };
    let mount = |source: &std::path::Path| {
        let source = source.to_str().unwrap().to_owned();
        vec![Mount { source, target: "/data".into(), writable: false }]
    };
    let script = "cat /data/a.txt; echo x > /data/b.txt && echo wrote; true";
    let ended = bench.run(ContainerJob { mounts: mount(home.path()), ..shell(script) }).await;
    assert_eq!(ended.conclusion(), Conclusion::Passed, "{ended:?}");
    assert!(ended.log.contains("of the machine") && !ended.log.contains("wrote"), "{}", ended.log);

    let socket = bench.daemon.socket();
    for source in [&*socket, socket.parent().unwrap()] {
        let ended = bench.run(ContainerJob { mounts: mount(source), ..shell("true") }).await;
        assert_eq!(ended.fault().code, "invalid", "{ended:?}");
        assert!(ended.fault().message.contains("the socket of an engine"), "{ended:?}");
    }
    bench.close().await;
}
