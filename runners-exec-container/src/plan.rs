//! What the engine is told to make of a job: pure, so that what holds of every container can be looked at
//! without one.

use crate::{
    browser::BrowserImage,
    command::{ContainerJob, SecretAs},
    engine::EngineVersion,
    paths,
    policy::{Admitted, MIB, Policy, Resources},
    provide::Provided,
    room,
};
use bollard::models::{
    ContainerCreateBody, EndpointSettings, HostConfig, HostConfigLogConfig, Mount, MountBindOptions,
    MountBindOptionsPropagationEnum, MountType, MountVolumeOptions, MountVolumeOptionsDriverConfig,
    NetworkingConfig, ResourcesUlimits, RestartPolicy, RestartPolicyNameEnum,
};
use runners_core::{Attempt, FencingToken, Secret};
use std::collections::{BTreeMap, HashMap};

/// The label with the lease that a container is for.
pub(crate) const LEASE_LABEL: &str = "dev.runners.lease";
/// The label with the runner that has made a container.
pub(crate) const OWNER_LABEL: &str = "dev.runners.owner";
/// The label with the start of that runner.
pub(crate) const START_LABEL: &str = "dev.runners.start";

/// What that of the lease says of what is for no attempt.
const NO_LEASE: &str = "none";

/// What the container of a job is called in the network that it shares with its browser.
const JOB_ALIAS: &str = "job";
/// What its browser is called there.
const BROWSER_ALIAS: &str = "browser";

/// Who makes containers.
#[derive(Clone, Debug)]
pub(crate) struct Owner {
    /// The runner, the same at each of its starts.
    pub(crate) runner: String,
    /// This start of it.
    pub(crate) start: String,
}

/// For which attempt a container is.
#[derive(Clone, Debug)]
pub(crate) struct Occasion<'a> {
    pub(crate) token: FencingToken,
    pub(crate) number: u32,
    pub(crate) owner: &'a Owner,
    /// The secrets of the job that it asks for, by name.
    pub(crate) secrets: BTreeMap<String, Secret>,
}

impl<'a> Occasion<'a> {
    /// Takes of an attempt what its container needs. A secret that the job does not name is told.
    pub(crate) fn of(attempt: &Attempt, job: &ContainerJob, owner: &'a Owner) -> Result<Self, String> {
        let mut secrets = BTreeMap::new();
        for name in job.secrets.keys() {
            let Some(secret) = attempt.secret(name) else { return Err(name.clone()) };
            secrets.insert(name.clone(), secret.clone());
        }
        Ok(Self { token: attempt.token(), number: attempt.number(), owner, secrets })
    }

    /// By what everything is known that is made for it.
    pub(crate) fn mark(&self) -> Mark {
        let lease = self.token.to_string();
        Mark { name: format!("runners-{}", lease.replace('/', "-")), labels: self.owner.labels(&lease) }
    }
}

impl Owner {
    /// By what everything is known that is made for this start of it, and for no attempt.
    pub(crate) fn mark(&self) -> Mark {
        Mark { name: format!("runners-{}", self.start), labels: self.labels(NO_LEASE) }
    }

    fn labels(&self, lease: &str) -> HashMap<String, String> {
        HashMap::from([
            (LEASE_LABEL.to_owned(), lease.to_owned()),
            (OWNER_LABEL.to_owned(), self.runner.clone()),
            (START_LABEL.to_owned(), self.start.clone()),
        ])
    }
}

/// By what something is known at an engine.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    /// Like nothing else there.
    pub(crate) name: String,
    pub(crate) labels: HashMap<String, String>,
}

/// The browser that a container is told of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beside<'a> {
    /// Where its WebDriver is.
    pub(crate) url: &'a str,
    /// The network that both share, if it was made for them.
    pub(crate) bridge: Option<&'a str>,
}

/// The container of a job, made of the image with that id.
pub(crate) fn container(
    job: &ContainerJob,
    admitted: &Admitted,
    policy: &Policy,
    occasion: &Occasion<'_>,
    image_id: &str,
    (engine, beside): (&EngineVersion, Option<Beside<'_>>),
) -> ContainerCreateBody {
    let words = |words: &[String]| (!words.is_empty()).then(|| words.to_vec());
    // With a program of its own, the arguments of the image mean nothing.
    let args = words(&job.args).or_else(|| (!job.command.is_empty()).then(Vec::new));
    let mut volumes = vec![paths::HOME.to_owned()];
    let mut mounts: Vec<Mount> = admitted.mounts.iter().map(|mount| bind(mount, engine)).collect();
    if policy.output_in_memory.is_some() {
        mounts.push(in_memory(output(job), room::most(policy)));
    } else {
        volumes.extend(job.output.clone());
    }
    let bridge = beside.and_then(|beside| beside.bridge);
    let offered = admitted.network.as_ref().map(|network| &*network.name);
    let folders = job.writable.iter().map(String::as_str).chain([paths::TEMPORARY]).collect();
    let confines = Confines {
        engine,
        resources: admitted.resources,
        user: &admitted.user,
        folders,
        file_bytes_max: policy.output_file_bytes_max.max(admitted.resources.writable_bytes),
        mounts,
        network: bridge.or(offered),
        init: policy.init,
    };
    ContainerCreateBody {
        image: Some(image_id.to_owned()),
        entrypoint: words(&job.command),
        cmd: args,
        env: Some(variables(job, admitted, occasion, beside.map(|beside| beside.url))),
        user: Some(admitted.user.clone()),
        working_dir: job.working_directory.clone(),
        labels: Some(occasion.mark().labels),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        volumes: Some(volumes),
        networking_config: bridge.map(|bridge| called(bridge, JOB_ALIAS)),
        host_config: Some(host(confines)),
        ..ContainerCreateBody::default()
    }
}

/// The container of a browser, in the network of one attempt. It is kept apart as that of a job is, and
/// writes nothing but what counts as memory.
pub(crate) fn browser(
    browser: &BrowserImage,
    provided: &Provided,
    policy: &Policy,
    mark: Mark,
    (engine, bridge): (&EngineVersion, &str),
) -> ContainerCreateBody {
    // That of the image, which knows its files, unless it is root's.
    let user = provided.user.as_deref().unwrap_or(&policy.user);
    let confines = Confines {
        engine,
        resources: browser.resources,
        user,
        folders: vec![paths::TEMPORARY],
        file_bytes_max: browser.resources.writable_bytes,
        mounts: Vec::new(),
        network: Some(bridge),
        init: policy.init,
    };
    ContainerCreateBody {
        image: Some(provided.id.clone()),
        env: Some(vec![format!("HOME={}", paths::TEMPORARY)]),
        user: Some(user.to_owned()),
        labels: Some(mark.labels),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        networking_config: Some(called(bridge, BROWSER_ALIAS)),
        host_config: Some(host(confines)),
        ..ContainerCreateBody::default()
    }
}

/// The container that has the volumes of another one mounted, and does nothing else. `of` is the id of that.
pub(crate) fn anchor(
    provided: &Provided,
    policy: &Policy,
    mark: Mark,
    (engine, of): (&EngineVersion, &str),
) -> ContainerCreateBody {
    let confines = Confines {
        engine,
        resources: Resources {
            memory_bytes: 64 * MIB,
            cpu_millis: 100,
            processes: 16,
            shared_memory_bytes: MIB,
            ..policy.usual
        },
        user: &policy.user,
        folders: Vec::new(),
        file_bytes_max: 0,
        mounts: Vec::new(),
        network: None,
        // It starts nothing, so nobody has to be waited for.
        init: false,
    };
    ContainerCreateBody {
        image: Some(provided.id.clone()),
        user: Some(policy.user.clone()),
        labels: Some(mark.labels),
        host_config: Some(HostConfig { volumes_from: Some(vec![format!("{of}:ro")]), ..host(confines) }),
        ..ContainerCreateBody::default()
    }
}

/// Has a container be found in a network by a name.
fn called(network: &str, alias: &str) -> NetworkingConfig {
    let endpoint = EndpointSettings { aliases: Some(vec![alias.to_owned()]), ..EndpointSettings::default() };
    NetworkingConfig { endpoints_config: Some(HashMap::from([(network.to_owned(), endpoint)])) }
}

/// Within what a container is kept.
#[derive(Debug)]
struct Confines<'a> {
    engine: &'a EngineVersion,
    resources: Resources,
    user: &'a str,
    /// What is empty and can be written to.
    folders: Vec<&'a str>,
    file_bytes_max: u64,
    mounts: Vec<Mount>,
    /// None at all unless there is one.
    network: Option<&'a str>,
    init: bool,
}

/// What keeps a container apart from its machine.
fn host(confines: Confines<'_>) -> HostConfig {
    let resources = confines.resources;
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let memory = Some(number(resources.memory_bytes));
    // Docker gives a folder that is in the image the mode that it has there: its owner can write to it.
    // podman does not, and takes no owner. A name is the image's business.
    let is_number = confines.user.bytes().all(|byte| byte.is_ascii_digit() || byte == b':');
    let owner = if is_number && confines.engine.is_docker() {
        format!(",uid={}", confines.user.replace(':', ",gid="))
    } else {
        String::new()
    };
    let tmpfs = format!("rw,exec,nosuid,nodev,mode=1777{owner},size={}", resources.writable_bytes);
    let tmpfs = confines.folders.into_iter().map(|folder| (folder.to_owned(), tmpfs.clone())).collect();
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
        tmpfs: Some(tmpfs),
        mounts: Some(confines.mounts),
        network_mode: Some(confines.network.unwrap_or("none").to_owned()),
        ipc_mode: Some("private".to_owned()),
        init: Some(confines.init),
        ulimits: Some(vec![limit("core", 0), limit("fsize", number(confines.file_bytes_max))]),
        // What it says goes to the log of its attempt, and nowhere on the machine.
        log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::NO),
            maximum_retry_count: None,
        }),
        ..HostConfig::default()
    }
}

/// A folder of the machine. Where what is mounted below it could be written to although it is to be read, that is
/// left out.
fn bind(mount: &crate::command::Mount, engine: &EngineVersion) -> Mount {
    let (reads, reads_below) = (!mount.writable, engine.reads_below());
    Mount {
        typ: Some(MountType::BIND),
        source: Some(mount.source.clone()),
        target: Some(mount.target.clone()),
        read_only: Some(reads),
        bind_options: Some(MountBindOptions {
            // What is mounted there later, on the machine, is not the job's.
            propagation: Some(MountBindOptionsPropagationEnum::RPRIVATE),
            read_only_force_recursive: (reads && reads_below).then_some(true),
            non_recursive: (reads && !reads_below).then_some(true),
            ..MountBindOptions::default()
        }),
        ..Mount::default()
    }
}

/// A volume in memory, which nobody writes more bytes to.
fn in_memory(target: &str, bytes_max: u64) -> Mount {
    let options = format!("size={bytes_max},mode=0777,nosuid,nodev");
    let options = [("type", "tmpfs"), ("device", "tmpfs"), ("o", &options)];
    let options = options.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Mount {
        typ: Some(MountType::VOLUME),
        target: Some(target.to_owned()),
        volume_options: Some(MountVolumeOptions {
            // What was copied out of the image would be gone before the container starts.
            no_copy: Some(true),
            driver_config: Some(MountVolumeOptionsDriverConfig {
                name: Some("local".to_owned()),
                options: Some(options.into()),
            }),
            ..MountVolumeOptions::default()
        }),
        ..Mount::default()
    }
}

fn variables(
    job: &ContainerJob,
    admitted: &Admitted,
    occasion: &Occasion<'_>,
    browser_url: Option<&str>,
) -> Vec<String> {
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
    if let Some(url) = browser_url {
        all.insert("RUNNERS_WEBDRIVER_URL", url.to_owned());
    }
    all.into_iter().map(|(name, value)| format!("{name}={value}")).collect()
}

/// Where the output of a job is.
pub(crate) fn output(job: &ContainerJob) -> &str {
    job.output.as_deref().unwrap_or(paths::OUTPUT)
}

#[cfg(test)]
mod tests;
