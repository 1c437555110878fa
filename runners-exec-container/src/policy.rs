//! What an operator allows containers: images, folders, networks, and how much of everything. What makes
//! sense at all is in `check`, where mounts lead in `mount`; carrying it out is left to `plan`.

use crate::{
    browser::{BrowserSource, OfferedBrowser},
    check::Problems,
    command::{ContainerJob, Limits, Mount},
    image::ImageReference,
    mount,
};
use std::{collections::BTreeMap, path::PathBuf, time::Duration};

pub(crate) const MIB: u64 = 1 << 20;

/// What an operator allows containers.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Policy {
    /// When an image is pulled. If it is missing unless said otherwise.
    pub pull: PullPolicy,
    /// How long a pull may take. Ten minutes unless said otherwise.
    pub pull_within: Duration,
    /// Whether images have to be pinned by a digest.
    pub demand_digests: bool,
    /// What jobs may mount, with everything below it that no job may write to. Nothing unless said otherwise.
    pub mounts: Vec<AllowedMount>,
    /// Networks that jobs may ask for. None unless said otherwise.
    pub networks: Vec<OfferedNetwork>,
    /// Browsers that jobs may ask for; the first is that of jobs that name none.
    pub browsers: Vec<OfferedBrowser>,
    /// Whether jobs may run as root of their container, which still has no capabilities.
    pub allow_root: bool,
    /// The numbers of user and group of jobs that name none. Nobody, `65534:65534`, unless said otherwise.
    pub user: String,
    /// Whether a small program is the first of each container, which hands signals on and waits for
    /// processes that nobody waits for. `true` unless said otherwise; the engine has to have one.
    pub init: bool,
    /// What a job may use that says nothing.
    pub usual: Resources,
    /// What a job may ask for at most.
    pub maxima: Resources,
    /// How long a container that is stopped has until it is killed. Five seconds unless said otherwise; the
    /// grace of a job should be longer.
    pub stop_within: Duration,
    /// The most files of an output folder that become artifacts: 200.
    pub output_files_max: usize,
    /// The largest file that becomes an artifact: 32 MiB. A container cannot write a larger one, unless its
    /// writable folders are larger.
    pub output_file_bytes_max: u64,
    /// The most bytes of an output folder: 256 MiB. It is looked at often, and a container that has written
    /// more is killed. What it writes until then is on the disk of the engine, unless
    /// [`output_in_memory`](Self::output_in_memory) bounds that too.
    pub output_bytes_max: u64,
    /// An image whose program waits until it is killed, such as the `pause` of Kubernetes. With one, output
    /// folders are in memory, have a size that nobody writes more than (two MiB above
    /// [`output_bytes_max`](Self::output_bytes_max)), and count as memory of their job. A container of this
    /// image, without network and rights, keeps each of them until it was read. What the image of a job has in
    /// its output folder is then not there. None unless said otherwise: output folders are on the disk of the
    /// engine.
    pub output_in_memory: Option<ImageReference>,
}

/// When an image is pulled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no fourth way")]
pub enum PullPolicy {
    /// Before every container, so a tag that was moved is followed.
    Always,
    /// If the engine does not have it.
    #[default]
    IfMissing,
    /// Never: what the engine does not have is refused.
    Never,
}

/// A folder, or a file, that jobs may mount.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "users build it")]
pub struct AllowedMount {
    /// Where it is on the machine.
    pub path: PathBuf,
    /// Whether jobs may write to it. It is then mounted whole: nothing below it is, be it to be read, for any job
    /// that has it could put a link to anywhere in its place.
    pub writable: bool,
}

/// A network that jobs may ask for.
///
/// It has to be a bridge of the engine that is *internal* and without IPv6, made by
/// `docker network create --internal NAME`: whoever is in another one reaches the link-local addresses and
/// the metadata of a cloud through it, and no engine can forbid that. A way out of it is a proxy that is in
/// it and forbids them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "users build it")]
pub struct OfferedNetwork {
    /// What the engine and jobs call it.
    pub name: String,
    /// Variables of containers in it, such as `HTTPS_PROXY`.
    pub environment: BTreeMap<String, String>,
}

/// How much of everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "users build it")]
pub struct Resources {
    /// Memory, with what is in writable folders.
    pub memory_bytes: u64,
    /// CPU time, in thousandths of one CPU.
    pub cpu_millis: u64,
    /// Processes and threads.
    pub processes: u64,
    /// How long a container may run.
    pub time: Duration,
    /// The size of each writable folder.
    pub writable_bytes: u64,
    /// The size of `/dev/shm`.
    pub shared_memory_bytes: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            pull: PullPolicy::default(),
            pull_within: Duration::from_secs(600),
            demand_digests: false,
            mounts: Vec::new(),
            networks: Vec::new(),
            browsers: Vec::new(),
            allow_root: false,
            user: "65534:65534".to_owned(),
            init: true,
            usual: Resources {
                memory_bytes: 1024 * MIB,
                cpu_millis: 1000,
                processes: 512,
                time: Duration::from_secs(3600),
                writable_bytes: 256 * MIB,
                shared_memory_bytes: 64 * MIB,
            },
            maxima: Resources {
                memory_bytes: 8192 * MIB,
                cpu_millis: 8000,
                processes: 4096,
                time: Duration::from_secs(24 * 3600),
                writable_bytes: 4096 * MIB,
                shared_memory_bytes: 2048 * MIB,
            },
            stop_within: Duration::from_secs(5),
            output_files_max: 200,
            output_file_bytes_max: 32 * MIB,
            output_bytes_max: 256 * MIB,
            output_in_memory: None,
        }
    }
}

/// What was asked, as it may be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Admitted {
    pub(crate) image: ImageReference,
    pub(crate) resources: Resources,
    /// Where each mount leads in truth.
    pub(crate) mounts: Vec<Mount>,
    pub(crate) network: Option<OfferedNetwork>,
    pub(crate) browser: Option<OfferedBrowser>,
    pub(crate) user: String,
}

impl Policy {
    /// Takes what is asked, with the image of its pool for a job that names none, if all of it makes sense
    /// and is allowed. `sockets` are where engines listen, beside the usual places.
    pub(crate) fn admit(
        &self,
        job: &ContainerJob,
        offered_image: Option<&str>,
        sockets: &[PathBuf],
    ) -> Result<Admitted, Problems> {
        let mut found = job.check();
        let image = self.image(job, offered_image, &mut found);
        let resources = self.resources(&job.limits, &mut found);
        let mut mounts = Vec::new();
        for (index, mount) in job.mounts.iter().enumerate() {
            match mount::admit(mount, &self.mounts, sockets) {
                Ok(source) => mounts.push(Mount { source, ..mount.clone() }),
                Err(message) => found.add(format!("/mounts/{index}/source"), message),
            }
        }
        let browser = job
            .browser
            .as_ref()
            .and_then(|wanted| self.browser(wanted).map_err(|problem| found.add("/browser", problem)).ok());
        let network = self.network_with(job, browser.as_ref(), &mut found);
        let user = job.user.as_ref().unwrap_or(&self.user);
        // Without a group, an engine would take root's.
        let user = if user.contains(':') { user.clone() } else { format!("{user}:{user}") };
        if !self.allow_root && user.split(':').any(|number| number == "0") {
            found.add("/user", "root and its group are not allowed: name another, such as 1000:1000");
        }
        match image {
            Some(image) if found.is_empty() => {
                Ok(Admitted { image, resources, mounts, network, browser, user })
            }
            _ => Err(found),
        }
    }

    fn image(
        &self,
        job: &ContainerJob,
        offered: Option<&str>,
        found: &mut Problems,
    ) -> Option<ImageReference> {
        let Some(text) = job.image.as_deref().or(offered) else {
            found.add("/image", "is given neither by the job, nor by its pool or control plane: name one");
            return None;
        };
        let image = match text.parse::<ImageReference>() {
            Ok(image) => image,
            // That of the job has been told.
            Err(_) if job.image.is_some() => return None,
            Err(error) => {
                found.add("/image", format!("that of the pool or the control plane: {error}"));
                return None;
            }
        };
        if self.demand_digests && !image.has_digest() {
            found.add("/image", format!("{image} has no digest, and this runner demands one: name@sha256:…"));
        }
        Some(image)
    }

    fn resources(&self, limits: &Limits, found: &mut Problems) -> Resources {
        let (usual, maxima) = (self.usual, self.maxima);
        let mut of = |member: &str, asked: Option<u64>, usual: u64, max: u64| {
            let value = asked.unwrap_or(usual.min(max));
            if value == 0 || value > max {
                found.add(format!("/limits/{member}"), format!("{value} is not between 1 and {max}"));
            }
            value
        };
        let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let time = of("time_ms", limits.time_ms, millis(usual.time), millis(maxima.time));
        let (writable, shared) = (limits.writable_bytes, limits.shared_memory_bytes);
        Resources {
            memory_bytes: of("memory_bytes", limits.memory_bytes, usual.memory_bytes, maxima.memory_bytes),
            cpu_millis: of("cpu_millis", limits.cpu_millis, usual.cpu_millis, maxima.cpu_millis),
            processes: of("processes", limits.processes, usual.processes, maxima.processes),
            time: Duration::from_millis(time),
            writable_bytes: of("writable_bytes", writable, usual.writable_bytes, maxima.writable_bytes),
            shared_memory_bytes: of(
                "shared_memory_bytes",
                shared,
                usual.shared_memory_bytes,
                maxima.shared_memory_bytes,
            ),
        }
    }

    /// The offered network that a job is in, which a browser that runs may decide.
    fn network_with(
        &self,
        job: &ContainerJob,
        browser: Option<&OfferedBrowser>,
        found: &mut Problems,
    ) -> Option<OfferedNetwork> {
        let name = match (browser.map(|browser| &browser.source), &job.network) {
            (Some(BrowserSource::Running { network, .. }), Some(asked)) if asked != network => {
                found.add("/network", format!("is {network}, that of the browser: leave one of them out"));
                return None;
            }
            (Some(BrowserSource::Running { network, .. }), _) => network,
            (_, asked) => asked.as_ref()?,
        };
        self.network(name, found)
    }

    fn network(&self, name: &str, found: &mut Problems) -> Option<OfferedNetwork> {
        let offered = self.networks.iter().find(|offered| offered.name == name);
        if offered.is_none() {
            let names: Vec<&str> = self.networks.iter().map(|offered| &*offered.name).collect();
            let there_are = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            found
                .add("/network", format!("{name:?} is not offered by this runner, which offers {there_are}"));
        }
        offered.cloned()
    }
}

#[cfg(test)]
mod tests;
