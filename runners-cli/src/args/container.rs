//! Arguments of container jobs: what a runner allows them, and what one is to be.

use super::{ApiArgs, RetryArgs, ScheduleArgs, groups, guard::SignArgs};
use crate::size::bytes as size;
use clap::{Args, Subcommand, ValueEnum};
use runners_exec_container::{
    BrowserImage, BrowserSource, EngineAddress, ImageReference, OfferedBrowser, PullPolicy,
};
use std::{path::PathBuf, time::Duration};

/// What a runner allows containers.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Containers")]
pub(crate) struct ContainerArgs {
    /// Run container jobs too, by Docker or podman; the machine then needs no browser of its own.
    #[arg(long, env = "RUNNERS_CONTAINERS")]
    pub(crate) containers: bool,
    /// Replay flows in a browser that is started in a container of this image (Chromium and its driver). The
    /// browser reaches the network through this runner only. The container engine must be on this machine.
    #[arg(long, value_name = "IMAGE", env = "RUNNERS_BROWSER_IMAGE")]
    #[arg(conflicts_with_all = ["webdriver", "headed", "gpu"])]
    pub(crate) browser_image: Option<String>,
    /// Where the engine listens: unix:///run/podman/podman.sock, or tcp://HOST:PORT on a network of its own.
    #[arg(long, value_name = "ADDRESS", env = "RUNNERS_CONTAINER_ENGINE", default_value_t = EngineAddress::usual())]
    pub(crate) container_engine: EngineAddress,
    /// When images are pulled.
    #[arg(long, value_enum, value_name = "WHEN", env = "RUNNERS_CONTAINER_PULL", default_value_t = PullArg::IfMissing)]
    pub(crate) container_pull: PullArg,
    /// A file with credentials of registries, as `docker login` writes it: ~/.docker/config.json.
    #[arg(long, value_name = "FILE", env = "RUNNERS_CONTAINER_AUTH")]
    pub(crate) container_auth: Option<PathBuf>,
    /// Run only images that are pinned by their digest.
    #[arg(long, env = "RUNNERS_CONTAINER_DIGESTS")]
    pub(crate) container_digests: bool,
    /// Let jobs mount this folder and what is below it, read-only; with :rw after it, let them mount this folder
    /// itself, but nothing below it, and write to it. May be repeated. The socket of an engine is never given
    /// to a job.
    #[arg(long, value_name = "FOLDER[:rw]", env = "RUNNERS_CONTAINER_MOUNT", value_delimiter = ',')]
    pub(crate) container_mount: Vec<String>,
    /// Let jobs ask for this network, made by `docker network create --internal`; may be repeated. Without
    /// one, containers have none.
    #[arg(long, value_name = "NETWORK", env = "RUNNERS_CONTAINER_NETWORK", value_delimiter = ',')]
    pub(crate) container_network: Vec<String>,
    /// The proxy that containers in those networks are told of, as HTTP_PROXY and HTTPS_PROXY.
    #[arg(long, value_name = "URL", env = "RUNNERS_CONTAINER_PROXY")]
    pub(crate) container_proxy: Option<String>,
    /// Let jobs ask for a browser of this image: one is started for each attempt, in a network that is made
    /// for the two. Jobs call it by NAME, which is the last part of the image's unless given; may be repeated.
    #[arg(long, value_name = "[NAME=]IMAGE", env = "RUNNERS_CONTAINER_BROWSER_IMAGE", value_delimiter = ',')]
    #[arg(value_parser = browser_image)]
    pub(crate) container_browser_image: Vec<OfferedBrowser>,
    /// The WebDriver of a browser that runs in the first of those networks, for all jobs that ask for one.
    #[arg(
        long,
        value_name = "[NAME=]URL",
        env = "RUNNERS_CONTAINER_BROWSER",
        requires = "container_network"
    )]
    pub(crate) container_browser: Option<String>,
    /// Have output folders in memory, of a size that nobody writes more than. A container of this image keeps
    /// each until it was read, so its program has to wait until it is killed: the `pause` of Kubernetes does.
    #[arg(long, value_name = "IMAGE", env = "RUNNERS_CONTAINER_OUTPUT_IN_MEMORY")]
    pub(crate) container_output_in_memory: Option<ImageReference>,
    /// Let jobs be root in their container, which has no capabilities then either.
    #[arg(long, env = "RUNNERS_CONTAINER_ROOT")]
    pub(crate) container_root: bool,
    /// The most memory that a job may ask for, such as 512m or 4g.
    #[arg(long, value_name = "SIZE", env = "RUNNERS_CONTAINER_MEMORY_MAX", default_value = "8g", value_parser = size)]
    pub(crate) container_memory_max: u64,
    /// The most CPUs that a job may ask for, such as 0.5 or 4.
    #[arg(long, value_name = "NUMBER", env = "RUNNERS_CONTAINER_CPUS_MAX", default_value = "8", value_parser = cpus)]
    pub(crate) container_cpus_max: u64,
    /// The most processes that a job may ask for.
    #[arg(long, value_name = "NUMBER", env = "RUNNERS_CONTAINER_PROCESSES_MAX", default_value_t = 4096)]
    pub(crate) container_processes_max: u64,
}

/// When images are pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PullArg {
    /// Before every container.
    Always,
    /// If the engine does not have it.
    IfMissing,
    /// Never.
    Never,
}

impl From<PullArg> for PullPolicy {
    fn from(pull: PullArg) -> Self {
        match pull {
            PullArg::Always => Self::Always,
            PullArg::IfMissing => Self::IfMissing,
            PullArg::Never => Self::Never,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum ContainerCommand {
    /// Queue a container job, and with --wait follow it to its end.
    ///
    /// What the program prints is the job's log, files in its output folder are the job's artifacts, and exit
    /// code 0 means passed. With --wait the log is shown as it grows; Ctrl-C cancels the job, and pressed again
    /// leaves it running.
    #[command(after_help = "Examples:
  runners container submit --wait alpine:3 -- echo hello
  runners container submit --wait --file test_shop.py --junit junit.xml tests:4 \\
    -- sh -c 'pytest \"$RUNNERS_INPUT\" --junitxml=\"$RUNNERS_OUTPUT/junit.xml\"'

Exit codes: 0 passed; 1 failed or timed out; 2 could not run, was cancelled or expired.")]
    Submit(Box<SubmitContainerArgs>),
}

#[derive(Debug, Args)]
pub(crate) struct SubmitContainerArgs {
    /// The image [default: that of the pool, or of the server].
    pub(crate) image: Option<String>,
    /// The arguments of its program [default: its own].
    #[arg(last = true, value_name = "ARGUMENT")]
    pub(crate) args: Vec<String>,
    /// The program, instead of the entry point of the image.
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) entrypoint: Option<String>,
    /// A variable; may be repeated.
    #[arg(short, long = "env", value_name = "NAME=VALUE", value_parser = groups::parameter)]
    pub(crate) environment: Vec<(String, String)>,
    /// A secret of the runner, which the program gets in the variable NAME; NAME=VARIABLE puts it into another
    /// variable, NAME=file:FILE into a file; may be repeated.
    #[arg(long = "secret", value_name = "NAME[=AS]")]
    pub(crate) secrets: Vec<String>,
    /// A file to be put into the folder that RUNNERS_INPUT names; may be repeated.
    #[arg(long = "file", value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// A parameter, in the JSON object of RUNNERS_PARAMETERS; may be repeated.
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = groups::parameter)]
    pub(crate) parameters: Vec<(String, String)>,
    /// A folder of the runner's machine, and where it is mounted in the container: read-only, or writable with
    /// :rw; may be repeated.
    #[arg(long = "mount", value_name = "SOURCE:TARGET[:rw]")]
    pub(crate) mounts: Vec<String>,
    /// A network that the runner offers [default: none at all].
    #[arg(long, value_name = "NETWORK")]
    pub(crate) network: Option<String>,
    /// Ask for a browser beside the container: any that the runner offers, or the one of this name, such as
    /// --browser=chromium. Its WebDriver address is in RUNNERS_WEBDRIVER_URL.
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true)]
    pub(crate) browser: Option<Option<String>>,
    /// The most memory, such as 512m [default: 1g].
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) memory: Option<u64>,
    /// The most CPUs, such as 0.5 [default: 1].
    #[arg(long, value_name = "NUMBER", value_parser = cpus)]
    pub(crate) cpus: Option<u64>,
    /// The most processes [default: 512].
    #[arg(long, value_name = "NUMBER")]
    pub(crate) processes: Option<u64>,
    /// The size of /tmp and of each --writable folder [default: 256m].
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) writable_size: Option<u64>,
    /// The size of /dev/shm, which browsers need [default: 64m].
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) shm: Option<u64>,
    /// A further folder that is empty and can be written to; may be repeated.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) writable: Vec<String>,
    /// The numeric ids of user and group, such as 1000:1000 [default: nobody].
    #[arg(long, value_name = "NUMBERS")]
    pub(crate) user: Option<String>,
    /// Where it starts [default: the image's].
    #[arg(long, value_name = "FOLDER")]
    pub(crate) workdir: Option<String>,
    /// The folder whose files become artifacts [default: /runners/output].
    #[arg(long, value_name = "FOLDER")]
    pub(crate) output_folder: Option<String>,
    /// A JUnit file in the output folder, which is read into the result.
    #[arg(long, value_name = "PATH")]
    pub(crate) junit: Option<String>,
    /// Wait until it has ended.
    #[arg(short, long)]
    pub(crate) wait: bool,
    #[command(flatten)]
    pub(crate) api: ApiArgs,
    /// The pool whose runners may take it.
    #[arg(long, default_value = "default")]
    pub(crate) pool: String,
    /// An environment of the server, which names the pool that it goes to, instead of --pool.
    #[arg(long, alias = "environment", value_name = "NAME", conflicts_with = "pool")]
    pub(crate) environment_name: Option<String>,
    /// A label that the runner must have; may be repeated.
    #[arg(long = "label", value_name = "LABEL")]
    pub(crate) labels: Vec<String>,
    /// How long one attempt may take, such as 90s, 5m or 1h.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = groups::time)]
    pub(crate) timeout: Duration,
    #[command(flatten, next_help_heading = "Scheduling")]
    pub(crate) schedule: ScheduleArgs,
    #[command(flatten)]
    pub(crate) retry: RetryArgs,
    #[command(flatten)]
    pub(crate) sign: SignArgs,
    /// Print JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Reads `IMAGE` or `NAME=IMAGE`.
fn browser_image(text: &str) -> Result<OfferedBrowser, String> {
    let (name, image) = text.split_once('=').unwrap_or((image_name(text), text));
    if name.is_empty() || image.is_empty() {
        return Err(format!("{text:?} is no browser: write IMAGE, or NAME=IMAGE"));
    }
    Ok(OfferedBrowser { name: name.to_owned(), source: BrowserSource::Image(BrowserImage::of(image)) })
}

/// The last part of the name of an image, without its tag or digest.
fn image_name(image: &str) -> &str {
    let last = image.split('@').next().unwrap_or(image);
    let last = last.rsplit('/').next().unwrap_or(last);
    last.split(':').next().unwrap_or(last)
}

/// Reads CPUs, such as `0.5`, as thousandths.
fn cpus(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no number of CPUs: write 0.5, or 4");
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    if part.is_empty() || part.len() > 3 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let whole: u64 = whole.parse().map_err(|_| wrong())?;
    let part: u64 = format!("{part:0<3}").parse().map_err(|_| wrong())?;
    whole
        .checked_mul(1000)
        .and_then(|whole| whole.checked_add(part))
        .filter(|millis| *millis > 0)
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_called_as_its_image_unless_it_is_named() {
        let name = |text: &str| browser_image(text).map(|offered| offered.name);
        assert_eq!(name("r.example:5000/browsers/chromium:131"), Ok("chromium".to_owned()));
        assert_eq!(name("old=browsers/chromium@sha256:00"), Ok("old".to_owned()));
        assert!(name("").is_err() && name("=a").is_err() && name("a=").is_err());
    }

    #[test]
    fn sizes_and_cpus_are_read() {
        assert_eq!(
            [size("10"), size("2k"), size("512M"), size("1g")],
            [Ok(10), Ok(2048), Ok(512 << 20), Ok(1 << 30)]
        );
        assert_eq!([cpus("0.5"), cpus("4"), cpus("1.25")], [Ok(500), Ok(4000), Ok(1250)]);
        for bad in ["", "m", "-1", "0", "1.5g", "99999999999999g"] {
            assert!(size(bad).is_err(), "{bad:?}");
        }
        for bad in ["", "0", ".5", "1.", "1.0001", "-1"] {
            assert!(cpus(bad).is_err(), "{bad:?}");
        }
    }
}
