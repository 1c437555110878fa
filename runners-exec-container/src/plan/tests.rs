//! What holds of every container, without an engine.

use super::*;
use crate::policy::{AllowedMount, OfferedNetwork};
use runners_core::JobId;

fn engine(name: &str) -> EngineVersion {
    EngineVersion { name: name.into(), version: "20.10.24".into(), interface: (1, 41) }
}

fn planned(job: &ContainerJob, policy: &Policy) -> ContainerCreateBody {
    let admitted = policy.admit(job, None, &[]).unwrap();
    let secrets = job.secrets.keys().map(|name| (name.clone(), Secret::from_text("hunter2"))).collect();
    let token = FencingToken { job: JobId::from_bytes([1; 16]), grant: 3 };
    let owner = Owner { runner: "rack-7".into(), start: "s1".into() };
    let occasion = Occasion { token, number: 2, owner: &owner, secrets };
    container(job, &admitted, policy, &occasion, "sha256:1", (&engine("docker"), None))
}

#[test]
fn a_job_that_says_nothing_is_kept_apart_from_everything() {
    let plan = planned(&ContainerJob::of("a"), &Policy::default());
    let host = plan.host_config.unwrap();
    assert_eq!((host.readonly_rootfs, host.privileged), (Some(true), Some(false)));
    assert_eq!(host.cap_drop, Some(vec!["ALL".to_owned()]));
    assert_eq!(host.cap_add, None);
    assert_eq!(host.security_opt, Some(vec!["no-new-privileges".to_owned()]));
    assert_eq!(host.network_mode.as_deref(), Some("none"));
    assert_eq!(host.mounts, Some(Vec::new()));
    assert_eq!((host.binds, host.devices), (None, None));
    assert_eq!((host.pids_limit, host.memory), (Some(512), Some(1 << 30)));
    assert_eq!(host.memory, host.memory_swap);
    assert_eq!(plan.user.as_deref(), Some("65534:65534"));
    assert!(host.tmpfs.unwrap()["/tmp"].contains("uid=65534,gid=65534,size=268435456"));
    let labels = plan.labels.unwrap();
    assert!(labels[LEASE_LABEL].starts_with("job_") && labels[LEASE_LABEL].ends_with("/3"));
    assert_eq!((&*labels[OWNER_LABEL], &*labels[START_LABEL]), ("rack-7", "s1"));
}

#[test]
fn nothing_below_a_mount_that_is_to_be_read_can_be_written_to() {
    let mount = |writable| crate::command::Mount { source: "/a".into(), target: "/b".into(), writable };
    let of = |name, interface, writable| {
        let options =
            bind(&mount(writable), &EngineVersion { interface, ..engine(name) }).bind_options.unwrap();
        (options.read_only_force_recursive, options.non_recursive)
    };
    assert_eq!(of("docker", (1, 44), false), (Some(true), None));
    assert_eq!(of("docker", (1, 43), false), (None, Some(true)), "it would leave them writable");
    assert_eq!(of("podman", (1, 44), false), (None, Some(true)), "it knows no other way");
    for interface in [(1, 43), (1, 44)] {
        assert_eq!(of("docker", interface, true), (None, None));
    }
}

#[test]
fn an_output_in_memory_has_a_size_and_what_keeps_it_is_kept_apart() {
    let policy = Policy { output_in_memory: Some("pause".parse().unwrap()), ..Policy::default() };
    let job = ContainerJob { output: Some("/results".into()), ..ContainerJob::of("a") };
    let plan = planned(&job, &policy);
    let mounts = plan.host_config.unwrap().mounts.unwrap();
    let volume = mounts[0].volume_options.as_ref().unwrap().driver_config.as_ref().unwrap();
    assert_eq!((mounts[0].target.as_deref(), mounts.len()), (Some("/results"), 1));
    assert!(volume.options.as_ref().unwrap()["o"].starts_with("size=270532608,"), "{volume:?}");
    assert_eq!(plan.volumes, Some(vec!["/runners".to_owned()]), "and none of it is on the disk");

    let mark = Mark { name: "a".into(), labels: HashMap::new() };
    let kept = anchor(&Provided::default(), &policy, mark, (&engine("docker"), "1f"));
    let host = kept.host_config.unwrap();
    assert_eq!(host.volumes_from, Some(vec!["1f:ro".to_owned()]));
    assert_eq!((host.network_mode.as_deref(), host.readonly_rootfs), (Some("none"), Some(true)));
    assert_eq!((host.cap_drop, host.memory), (Some(vec!["ALL".to_owned()]), Some(64 << 20)));
}

#[test]
fn a_browser_is_kept_apart_as_a_job_is_and_in_the_network_of_its_attempt() {
    let owner = Owner { runner: "rack-7".into(), start: "s1".into() };
    let token = FencingToken { job: JobId::from_bytes([1; 16]), grant: 3 };
    let occasion = Occasion { token, number: 1, owner: &owner, secrets: BTreeMap::new() };
    let image = BrowserImage::of("browsers/chromium:1");
    let provided = Provided { id: "sha256:2".into(), ..Provided::default() };
    let plan =
        browser(&image, &provided, &Policy::default(), occasion.mark(), (&engine("docker"), "runners-1"));
    let host = plan.host_config.unwrap();
    assert_eq!((host.readonly_rootfs, host.network_mode.as_deref()), (Some(true), Some("runners-1")));
    assert_eq!(host.cap_drop, Some(vec!["ALL".to_owned()]));
    assert_eq!(host.security_opt, Some(vec!["no-new-privileges".to_owned()]));
    assert_eq!((host.mounts, host.binds), (Some(Vec::new()), None));
    assert_eq!((host.memory, host.memory_swap), (Some(2 << 30), Some(2 << 30)));
    assert_eq!((plan.user.as_deref(), plan.labels.unwrap().len()), (Some("65534:65534"), 3));
}

#[test]
fn writable_folders_have_an_owner_where_the_engine_takes_one() {
    let (image, provided) = (BrowserImage::of("a"), Provided::default());
    let tmpfs = |name: &str| {
        let mark = Mark { name: "a".into(), labels: HashMap::new() };
        let plan = browser(&image, &provided, &Policy::default(), mark, (&engine(name), "a"));
        plan.host_config.unwrap().tmpfs.unwrap()["/tmp"].clone()
    };
    assert!(tmpfs("docker").contains(",uid=65534,gid=65534,"));
    assert!(!tmpfs("podman").contains(",uid=") && tmpfs("podman").contains("mode=1777,size="));
}

#[test]
fn a_program_of_its_own_takes_no_arguments_of_the_image() {
    let job = ContainerJob { command: vec!["sh".into()], ..ContainerJob::of("a") };
    let plan = planned(&job, &Policy::default());
    assert_eq!((plan.entrypoint, plan.cmd), (Some(vec!["sh".to_owned()]), Some(Vec::new())));
    let job = ContainerJob { args: vec!["x".into()], ..ContainerJob::of("a") };
    let plan = planned(&job, &Policy::default());
    assert_eq!((plan.entrypoint, plan.cmd), (None, Some(vec!["x".to_owned()])));
}

#[test]
fn variables_tell_the_job_where_everything_is() {
    let job = ContainerJob {
        environment: [("HOME".to_owned(), "/data".to_owned())].into(),
        secrets: [
            ("shop".to_owned(), SecretAs::Environment("PASSWORD".into())),
            ("key".to_owned(), SecretAs::File("key".into())),
        ]
        .into(),
        parameters: [("url".to_owned(), "http://shop".to_owned())].into(),
        output: Some("/results".into()),
        network: Some("inner".into()),
        ..ContainerJob::of("a")
    };
    let proxy = [("HTTPS_PROXY".to_owned(), "http://proxy:3128".to_owned())].into();
    let networks = vec![OfferedNetwork { name: "inner".into(), environment: proxy }];
    let plan = planned(&job, &Policy { networks, ..Policy::default() });
    let all = plan.env.unwrap();
    for line in [
        "HOME=/data",
        "PASSWORD=hunter2",
        "HTTPS_PROXY=http://proxy:3128",
        "RUNNERS_OUTPUT=/results",
        "RUNNERS_ATTEMPT=2",
        r#"RUNNERS_PARAMETERS={"url":"http://shop"}"#,
    ] {
        assert!(all.iter().any(|told| told == line), "{line} in {all:?}");
    }
    assert_eq!(all.iter().filter(|told| told.contains("hunter2")).count(), 1);
    assert_eq!(plan.host_config.unwrap().network_mode.as_deref(), Some("inner"));
}

#[test]
fn a_mount_is_read_only_unless_it_was_asked_for() {
    let home = tempfile::tempdir().unwrap();
    let mounts = vec![AllowedMount { path: home.path().into(), writable: true }];
    let policy = Policy { mounts, ..Policy::default() };
    let mount = |writable, target: &str| crate::Mount {
        source: home.path().to_str().unwrap().to_owned(),
        target: target.to_owned(),
        writable,
    };
    let mounts = vec![mount(false, "/a"), mount(true, "/b")];
    let job = ContainerJob { mounts, ..ContainerJob::of("a") };
    let mounts = planned(&job, &policy).host_config.unwrap().mounts.unwrap();
    assert_eq!([mounts[0].read_only, mounts[1].read_only], [Some(true), Some(false)]);
}
