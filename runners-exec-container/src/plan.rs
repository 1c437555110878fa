//! What the engine is told to make of a job: pure, so that what holds of every container can be looked at
//! without one.

use crate::{
    command::{ContainerJob, SecretAs},
    paths,
    policy::{Admitted, Policy},
};
use bollard::models::{
    ContainerCreateBody, HostConfig, HostConfigLogConfig, Mount, MountBindOptions,
    MountBindOptionsPropagationEnum, MountType, ResourcesUlimits, RestartPolicy, RestartPolicyNameEnum,
};
use runners_core::{Attempt, FencingToken, Secret};
use std::collections::{BTreeMap, HashMap};

/// The label with the lease that a container is for.
pub(crate) const LEASE_LABEL: &str = "dev.runners.lease";
/// The label with the runner that has made a container.
pub(crate) const OWNER_LABEL: &str = "dev.runners.owner";

/// For which attempt a container is.
#[derive(Clone, Debug)]
pub(crate) struct Occasion<'a> {
    pub(crate) token: FencingToken,
    pub(crate) number: u32,
    pub(crate) owner: &'a str,
    /// The secrets of the job that it asks for, by name.
    pub(crate) secrets: BTreeMap<String, Secret>,
}

impl<'a> Occasion<'a> {
    /// Takes of an attempt what its container needs. A secret that the job does not name is told.
    pub(crate) fn of(attempt: &Attempt, job: &ContainerJob, owner: &'a str) -> Result<Self, String> {
        let mut secrets = BTreeMap::new();
        for name in job.secrets.keys() {
            let Some(secret) = attempt.secret(name) else { return Err(name.clone()) };
            secrets.insert(name.clone(), secret.clone());
        }
        Ok(Self { token: attempt.token(), number: attempt.number(), owner, secrets })
    }
}

/// The container of a job, made of the image with that id.
pub(crate) fn container(
    job: &ContainerJob,
    admitted: &Admitted,
    policy: &Policy,
    occasion: &Occasion<'_>,
    image_id: &str,
) -> ContainerCreateBody {
    let words = |words: &[String]| (!words.is_empty()).then(|| words.to_vec());
    // With a program of its own, the arguments of the image mean nothing.
    let args = words(&job.args).or_else(|| (!job.command.is_empty()).then(Vec::new));
    let labels = [
        (LEASE_LABEL.to_owned(), occasion.token.to_string()),
        (OWNER_LABEL.to_owned(), occasion.owner.to_owned()),
    ];
    let mut volumes = vec![paths::HOME.to_owned()];
    volumes.extend(job.output.clone());
    ContainerCreateBody {
        image: Some(image_id.to_owned()),
        entrypoint: words(&job.command),
        cmd: args,
        env: Some(variables(job, admitted, occasion)),
        user: Some(admitted.user.clone()),
        working_dir: job.working_directory.clone(),
        labels: Some(HashMap::from(labels)),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        volumes: Some(volumes),
        host_config: Some(host(job, admitted, policy)),
        ..ContainerCreateBody::default()
    }
}

/// What keeps a container apart from its machine.
fn host(job: &ContainerJob, admitted: &Admitted, policy: &Policy) -> HostConfig {
    let resources = admitted.resources;
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let memory = Some(number(resources.memory_bytes));
    // Some engines give a folder that is in the image the mode that it has there: its owner can write to it.
    let owner = format!("uid={}", admitted.user.replace(':', ",gid="));
    let tmpfs = format!("rw,exec,nosuid,nodev,mode=1777,{owner},size={}", resources.writable_bytes);
    let folders = job.writable.iter().map(String::as_str).chain([paths::TEMPORARY]);
    let file_bytes_max = number(policy.output_file_bytes_max.max(resources.writable_bytes));
    let limit = |name: &str, most: i64| ResourcesUlimits {
        name: Some(name.to_owned()),
        soft: Some(most),
        hard: Some(most),
    };
    HostConfig {
        readonly_rootfs: Some(true),
        privileged: Some(false),
        cap_drop: Some(vec!["ALL".to_owned()]),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        memory,
        // Together with swap, so there is none.
        memory_swap: memory,
        nano_cpus: Some(number(resources.cpu_millis.saturating_mul(1_000_000))),
        pids_limit: Some(number(resources.processes)),
        shm_size: Some(number(resources.shared_memory_bytes)),
        tmpfs: Some(folders.map(|folder| (folder.to_owned(), tmpfs.clone())).collect()),
        mounts: Some(admitted.mounts.iter().map(bind).collect()),
        network_mode: Some(admitted.network.as_ref().map_or("none", |network| &network.name).to_owned()),
        ipc_mode: Some("private".to_owned()),
        init: Some(policy.init),
        ulimits: Some(vec![limit("core", 0), limit("fsize", file_bytes_max)]),
        // What it says goes to the log of its attempt, and nowhere on the machine.
        log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::NO),
            maximum_retry_count: None,
        }),
        ..HostConfig::default()
    }
}

fn bind(mount: &crate::command::Mount) -> Mount {
    Mount {
        typ: Some(MountType::BIND),
        source: Some(mount.source.clone()),
        target: Some(mount.target.clone()),
        read_only: Some(!mount.writable),
        bind_options: Some(MountBindOptions {
            // What is mounted there later, on the machine, is not the job's.
            propagation: Some(MountBindOptionsPropagationEnum::RPRIVATE),
            ..MountBindOptions::default()
        }),
        ..Mount::default()
    }
}

fn variables(job: &ContainerJob, admitted: &Admitted, occasion: &Occasion<'_>) -> Vec<String> {
    let mut all = BTreeMap::from([("HOME", paths::TEMPORARY.to_owned())]);
    if let Some(network) = &admitted.network {
        all.extend(network.environment.iter().map(|(name, value)| (&**name, value.clone())));
    }
    all.extend(job.environment.iter().map(|(name, value)| (&**name, value.clone())));
    for (name, given) in &job.secrets {
        if let (SecretAs::Environment(variable), Some(secret)) = (given, occasion.secrets.get(name)) {
            all.insert(variable, secret.expose().to_owned());
        }
    }
    let parameters = serde_json::to_string(&job.parameters).expect("invariant: texts always serialise");
    all.extend([
        ("RUNNERS_JOB", occasion.token.job.to_string()),
        ("RUNNERS_ATTEMPT", occasion.number.to_string()),
        ("RUNNERS_INPUT", paths::INPUT.to_owned()),
        ("RUNNERS_SECRETS", paths::SECRETS.to_owned()),
        ("RUNNERS_OUTPUT", output(job).to_owned()),
        ("RUNNERS_PARAMETERS", parameters),
    ]);
    if let Some(url) = &admitted.browser_url {
        all.insert("RUNNERS_WEBDRIVER_URL", url.clone());
    }
    all.into_iter().map(|(name, value)| format!("{name}={value}")).collect()
}

/// Where the output of a job is.
pub(crate) fn output(job: &ContainerJob) -> &str {
    job.output.as_deref().unwrap_or(paths::OUTPUT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{AllowedMount, OfferedNetwork};
    use runners_core::JobId;

    fn planned(job: &ContainerJob, policy: &Policy) -> ContainerCreateBody {
        let admitted = policy.admit(job, None, &[]).unwrap();
        let secrets = job.secrets.keys().map(|name| (name.clone(), Secret::from_text("hunter2"))).collect();
        let token = FencingToken { job: JobId::from_bytes([1; 16]), grant: 3 };
        let occasion = Occasion { token, number: 2, owner: "rack-7", secrets };
        container(job, &admitted, policy, &occasion, "sha256:1")
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
        assert_eq!(labels[OWNER_LABEL], "rack-7");
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
}
