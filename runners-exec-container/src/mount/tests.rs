//! Which mounts are allowed, and what nobody is given.

use super::*;
use crate::{command::ContainerJob, policy::Policy};
use std::os::unix::{fs::symlink, net::UnixListener};

fn refused(policy: &Policy, job: &ContainerJob, sockets: &[PathBuf]) -> String {
    policy.admit(job, None, sockets).unwrap_err().to_string()
}

fn mounting(source: &Path, writable: bool) -> ContainerJob {
    let source = source.to_str().unwrap().to_owned();
    ContainerJob { mounts: vec![Mount { source, target: "/data".into(), writable }], ..ContainerJob::of("a") }
}

#[test]
fn a_mount_is_judged_by_where_it_leads() {
    let home = tempfile::tempdir().unwrap();
    let (open, closed) = (home.path().join("open"), home.path().join("closed"));
    fs::create_dir_all(open.join("below")).unwrap();
    fs::create_dir(&closed).unwrap();
    symlink(&closed, open.join("link")).unwrap();
    let mounts = vec![AllowedMount { path: open.clone(), writable: false }];
    let policy = Policy { mounts, ..Policy::default() };
    assert!(policy.admit(&mounting(&open.join("below"), false), None, &[]).is_ok());
    for (source, writable) in [(&closed, false), (&open.join("link"), false), (&open, true)] {
        let told = refused(&policy, &mounting(source, writable), &[]);
        assert!(told.contains("is not allowed"), "{told}");
    }
    assert!(refused(&policy, &mounting(&open.join("none"), false), &[]).contains("cannot be found"));
}

#[test]
fn no_job_is_given_the_socket_of_an_engine_nor_a_folder_that_has_it() {
    let home = tempfile::tempdir().unwrap();
    let socket = home.path().join("run/engine.sock");
    fs::create_dir(home.path().join("run")).unwrap();
    let _engine = UnixListener::bind(&socket).unwrap();
    symlink(home.path(), home.path().join("innocent")).unwrap();
    let mounts = vec![AllowedMount { path: "/".into(), writable: true }];
    let policy = Policy { mounts, ..Policy::default() };
    for source in [socket.clone(), home.path().join("run"), home.path().join("innocent")] {
        let told = refused(&policy, &mounting(&source, false), std::slice::from_ref(&socket));
        assert!(told.contains("leads to the socket of an engine"), "{told}");
    }
}
