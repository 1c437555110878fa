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

/// What jobs may mount: one folder that they may write to, and the one around it to be read, with what `more`
/// says of paths in them.
fn sharing(home: &Path, more: &[&str]) -> Policy {
    fs::create_dir_all(home.join("shared/x/deep")).unwrap();
    fs::create_dir(home.join("other")).unwrap();
    let mut mounts = vec![
        AllowedMount { path: home.to_owned(), writable: false },
        AllowedMount { path: home.join("shared"), writable: true },
    ];
    mounts.extend(more.iter().map(|path| AllowedMount { path: home.join(path), writable: false }));
    Policy { mounts, ..Policy::default() }
}

#[test]
fn nothing_is_mounted_that_lies_below_what_jobs_write_to() {
    let home = tempfile::tempdir().unwrap();
    let home = fs::canonicalize(home.path()).unwrap();
    let policy = sharing(&home, &["shared/x"]);
    symlink(home.join("shared/x"), home.join("other/link")).unwrap();
    for path in ["shared/x", "shared/x/deep", "other/link"] {
        for writable in [false, true] {
            let told = refused(&policy, &mounting(&home.join(path), writable), &[]);
            let shared = home.join("shared").display().to_string();
            assert!(told.starts_with("/mounts/0/source: "), "{told}");
            assert!(told.contains(&format!("lies below {shared}, which jobs may write to")), "{told}");
            assert!(told.contains(&format!("mount {shared} itself")), "{told}");
        }
    }
    let (shared, other) = (home.join("shared"), home.join("other"));
    for (path, writable) in [(&shared, true), (&shared, false), (&other, false), (&home, false)] {
        let admitted = policy.admit(&mounting(path, writable), None, &[]);
        assert!(admitted.is_ok(), "{admitted:?}");
    }
}

#[test]
fn an_allowed_mount_that_a_job_has_led_elsewhere_allows_nothing_there() {
    let (home, closed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let home = fs::canonicalize(home.path()).unwrap();
    let policy = sharing(&home, &["shared/x", "link", "around"]);
    // An operator's own link, and one that does not go straight.
    symlink(home.join("shared/x"), home.join("link")).unwrap();
    symlink("other/../shared/x/.", home.join("around")).unwrap();
    fs::remove_dir_all(home.join("shared/x")).unwrap();
    symlink(closed.path(), home.join("shared/x")).unwrap();
    for source in [closed.path(), &home.join("shared/x"), &home.join("link"), &home.join("around")] {
        let told = refused(&policy, &mounting(source, false), &[]);
        assert!(told.contains("is not allowed to be mounted"), "{told}");
    }
}
